"""`cleanplate render segment` end to end: real EXR files, the real worker process, a tiny network."""

import json
import re

import numpy as np
import pytest
from segment_shot import DATA, DISPLAY, write_shot
from shell import Shell

from nodes.footage.reader import Footage

COMMON = ("segment", "--source", "shot.####.exr", "--weights", "own.safetensors", "--device", "cpu")
NAMES = ("--set", "classList=rigs")


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("shell"))
    write_shot(shell.folder, (1, 2, 3), brightest=2.0)
    yield shell
    shell.run("worker", "stop", "--device", "cpu")


def pixels(shell, pattern, number, layer=""):
    return Footage(str(shell.folder / pattern), layer).frame(number).pixels


def test_passes_layers_and_metadata(shell):
    shell.run("render", *COMMON, *NAMES, "--frames", "1", "--out", "out/m.####.exr")
    header = Footage(str(shell.folder / "out/m.####.exr")).header(1)
    assert (header.data_window, header.display_window) == (DATA, DISPLAY)
    attributes = header.attributes
    assert attributes["cleanplate/classIds"] == "0 other, 1 marker, 2 wire, 3 stand"
    assert attributes["cleanplate/node"] == "Segment"
    assert json.loads(attributes["cleanplate/params"])["classList"] == "rigs"
    ids = pixels(shell, "out/m.####.exr", 1, "ids")
    assert set(np.unique(ids)) <= {0.0, 1.0, 2.0, 3.0}
    alpha = pixels(shell, "out/m.####.exr", 1, "matte")
    main = pixels(shell, "out/m.####.exr", 1)
    np.testing.assert_array_equal(main[..., 3:], alpha)
    source = pixels(shell, "shot.####.exr", 1)
    np.testing.assert_allclose(main[..., :3], source * alpha, atol=4e-3)
    assert pixels(shell, "out/m.####.exr", 1, "confidence").shape == (DATA.height, DATA.width, 1)


def test_one_layer_per_class_where_wanted(shell):
    classes = ("--set", "classes=wire, marker", "classLayers=on")
    shell.run(
        "render", *COMMON, *NAMES, *classes, "--frames", "1", "--out", "layers/m.####.exr", "--bit-depth", "float"
    )
    wire, marker = (pixels(shell, "layers/m.####.exr", 1, layer) for layer in ("wire", "marker"))
    assert wire.shape == marker.shape == (DATA.height, DATA.width, 1)
    assert (wire != marker).any()


def test_smoothed_frames_are_the_same_bits_in_any_order(shell):
    common = ("render", *COMMON, *NAMES, "--set", "smoothFrames=1", "--bit-depth", "float")
    shell.run(*common, "--frames", "1-3", "--out", "forward/m.####.exr")
    shell.run(*common, "--frames", "3-1", "--out", "backward/m.####.exr")
    for number in (1, 2, 3):
        for layer in ("", "ids", "confidence"):
            one, other = (pixels(shell, f"{folder}/m.####.exr", number, layer) for folder in ("forward", "backward"))
            np.testing.assert_array_equal(one, other)


def test_what_is_wrong_is_said_in_a_sentence(shell):
    settings = ("--set", "classList=rigs", "classes=wires")
    text = shell.run("render", *COMMON, *settings, "--frames", "1", "--out", "wrong/m.####.exr", status=1)
    assert re.search("Rigs has no class 'wires': did you mean 'wire'", text), text
