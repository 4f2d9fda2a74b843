"""What a weights file says about its network: usable, or one sentence that names the file and the option."""

from __future__ import annotations

import importlib
import inspect
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import weights_files as files
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

import models
from models import weights
from models.weights import WeightsError, WeightsRef, listing, registry, store
from models.weights.classes import ClassList
from models.weights.header import check_options
from nodes.segment import ChosenNetwork
from nodes.segmenting.views import View, scales


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    files.prepare(monkeypatch, tmp_path)
    yield
    files.forget_registry()


HEADERS = [
    ("hrnet_ocr", {"scales": "abc"}, "'scales' must be a list of one to 6 numbers from 0.25 to 2, not abc"),
    ("hrnet_ocr", {"scales": []}, "'scales' must be a list of one to 6 numbers from 0.25 to 2, not a list of 0"),
    ("hrnet_ocr", {"scales": [1, "x"]}, "'scales' must be a list"),
    ("hrnet_ocr", {"scales": [float("nan")]}, "'scales' must be a list"),
    ("hrnet_ocr", {"scales": [1000]}, "'scales' must be a list"),
    ("hrnet_ocr", {"window": "abc"}, "'window' must be a whole number from 0 to 4096, not abc"),
    ("hrnet_ocr", {"window": [512]}, "'window' must be a whole number from 0 to 4096, not a list of 1"),
    ("hrnet_ocr", {"window": -1}, "'window' must be a whole number"),
    ("hrnet_ocr", {"window": True}, "'window' must be a whole number"),
    ("hrnet_ocr", {"stem_stride": "x"}, "'stem_stride' must be a whole number from 2 to 4, not x"),
    ("hrnet_ocr", {"magnify": 0}, "'magnify' must be a whole number from 1 to 4, not 0"),
    ("hrnet_ocr", {"classes": 1.5}, "'classes' must be a whole number"),
    ("hrnet_ocr", {"body": 3}, "'body' must be a word, not 3"),
    ("hrnet_ocr", {"upsampler": "x\x1b[31m"}, "'upsampler' must be a word, not x [31m"),
    ("rvm", {"variant": ["mobilenetv3"]}, "'variant' must be a word, not a list of 1"),
    ("lama", {"lfu": "yes"}, "'lfu' must be true or false, not yes"),
    ("lama", {"n_blocks": None}, "'n_blocks' must be a whole number from 1 to 100, not None"),
    ("bgmv2", {"backbone_scale": 3}, "'backbone_scale' must be a number from 0 to 0.5, not 3"),
    ("bgmv2", {"unheard_of": {"a": 1}}, "'unheard_of' must be a word or a number up to 10000, not a mapping of 1"),
]


@pytest.mark.parametrize(("network", "options", "sentence"), HEADERS)
def test_options_of_a_wrong_kind_are_one_sentence(
    tmp_path: Path, network: str, options: dict[str, Any], sentence: str
) -> None:
    path = tmp_path / "own.safetensors"
    save_file(files.tiny_state(), path, {"network": network, "options": json.dumps(options)})
    for ask in (weights.resolve, weights.import_file):
        with pytest.raises(WeightsError) as caught:
            ask(path)
        assert f"own.safetensors asks for impossible options of the network '{network}': {sentence}" in str(
            caught.value
        )
    shutil.copy(path, store.make_folder() / "mine.safetensors")
    assert [row.problem for row in listing.rows() if row.name == "mine"] == [
        str(caught.value).replace("own.safetensors", "mine.safetensors", 1)
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["scales", "window", "stem_stride", "magnify", "classes"]), VALUES, max_size=3))
def test_a_header_is_usable_or_a_sentence(options: dict[str, Any]) -> None:
    """What passes is safe for the node, which looks at it before the network is built."""
    try:
        check_options("hrnet_ocr", options, "own.safetensors")
    except WeightsError as error:
        sentence = str(error)
    else:
        sentence = _used(options)
    assert sentence.isprintable()


def _used(options: dict[str, Any]) -> str:
    info = WeightsRef(Path("own"), "own", "0" * 64, "file", "hrnet_ocr", options)
    network = ChosenNetwork("own", info, ClassList("x", "x", ("a", "b")), [0])
    assert 0 < network.tile <= 4096
    assert 0 < network.cell <= 4
    assert scales("", options.get("scales", (1.0,)))
    views = [View(torch.zeros(1, 3, 4, 4), scale, False, 1.0) for scale in scales("", options.get("scales", (1.0,)))]
    assert sum(map(len, network.sides(network.tile, views).values())) == len(views)
    return "used"


def test_every_option_of_every_network_has_a_kind() -> None:
    kinds = registry.option_kinds()
    names = {"str": kinds["words"], "bool": kinds["truths"], "int": kinds["whole"], "float": kinds["numbers"]}
    for network in registry.networks().keys() & models.NETWORKS.keys() - {"tiny"}:
        module, _, attribute = models.NETWORKS[network].partition(":")
        for option in inspect.signature(getattr(importlib.import_module(module), attribute)).parameters.values():
            assert option.name in names.get(str(option.annotation), kinds["lists"]), f"{network}: {option}"
