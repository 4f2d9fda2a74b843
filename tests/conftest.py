"""Marks by room: `pytest -m "not slow"` leaves out what starts workers, compiles, trains or looks at large pictures."""

import pytest

# Rooms and files in which most of the time goes; the rest answers in about a minute.
SLOW = (
    "hosts/",
    "learning/test_learn_command",
    "measuring/",
    "models/hrnet_ocr/",
    "models/structureflow/",
    "nodes/aligning/",
    "nodes/filling/",
    "nodes/test_key_without_plate",
    "training/",
    "worker/",
    "rendering/test_command",
    "rendering/test_front_door",
    "rendering/test_inpaint_render",
    "rendering/test_key",
    "rendering/test_readme",
    "rendering/test_remove",
    "rendering/test_render.py",
    "rendering/test_segment_render",
    "weights/test_bundled_weights",
    "weights/test_weights_cli",
    "weights/test_weights_damage",
    "weights/test_weights_formats",
    "weights/test_weights_hostile",
    "weights/test_weights_node",
    "weights/test_weights_worker",
    "test_examples",
    "test_structure",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        place = item.nodeid.removeprefix("tests/")
        if place.startswith(SLOW):
            item.add_marker(pytest.mark.slow)
        if "test_natron" in place:
            item.add_marker(pytest.mark.natron)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device: PyTorch finds none on this machine")
