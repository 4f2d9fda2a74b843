"""What a file remembers of its shot beside the network's own tensors: written, loaded, and kept when it is imported."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import models
from models import weights
from models.weights.formats.safetensors_file import LONGEST_TEXT, read_metadata

MEMORY = {"shot.0.keys": torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4), "shot.0.frames": torch.tensor([7, 9])}
CARD = "[" + "7," * LONGEST_TEXT + "9]"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLEANPLATE_HOME", str(tmp_path / "home"))
    state = {**models.create("learned", kind="picture").state_dict(), **MEMORY}
    path = tmp_path / "arm.safetensors"
    weights.save(path, state, "learned", {"kind": "picture"}, licence="yours", **{"card.keys": CARD, "other": CARD})
    return path


def same_memory(ref: weights.WeightsRef) -> bool:
    found = weights.load_remembered(ref)
    return found.keys() == MEMORY.keys() and all(torch.equal(found[name], MEMORY[name]) for name in MEMORY)


def test_a_file_keeps_its_memory_apart_from_its_network(file) -> None:
    ref = weights.resolve(file, "Learned")
    assert (ref.network, ref.options, ref.licence) == ("learned", {"kind": "picture"}, "yours")
    assert weights.load_model_weights(ref).keys() == models.create("learned", kind="picture").state_dict().keys()
    assert same_memory(ref)
    # Only a card may say that much.
    assert read_metadata(file)["card.keys"] == CARD
    assert "other" not in read_metadata(file)


def test_what_is_imported_remembers_as_well(file) -> None:
    imported = weights.import_file(file, name="arm").ref
    assert imported.state == "imported"
    assert same_memory(imported)
    assert read_metadata(imported.path)["card.keys"] == CARD


def test_a_file_that_changed_is_not_remembered(file) -> None:
    ref = weights.resolve(file)
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    with pytest.raises(weights.WeightsError, match="changed while it was being loaded"):
        weights.load_remembered(ref)


def test_weights_of_another_network_are_refused_and_none_are_told_how_to_be_made(tmp_path) -> None:
    with pytest.raises(weights.WeightsError, match="do not fit Learned: they are for BackgroundMatte"):
        weights.resolve("bgmv2_mobilenetv2", "Learned")
    with pytest.raises(
        weights.WeightsError, match=r"Learned needs weights that you taught it: run cleanplate learn .*"
    ):
        weights.default_for("Learned")
