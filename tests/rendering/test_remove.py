"""`cleanplate remove`: Segment's matte becomes Inpaint's mask, with real files and the real worker."""

import argparse
import re

import numpy as np
import pytest
from segment_shot import write_shot
from shell import Shell

from nodes import catalogue
from nodes.footage.reader import Footage
from plugin.cli import remove
from plugin.cli.demo import write_rigs
from plugin.cli.remove import mask_pattern

COMMON = ("remove", "--source", "shot.####.exr", "--device", "cpu", "--find", "weights=own.safetensors",
          "classList=rigs", "softness=0.2")  # fmt: skip


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("shell"))
    write_shot(shell.folder, (1, 2))
    yield shell
    shell.run("worker", "stop", "--device", "cpu")


def layer(shell, pattern, number, name=""):
    return Footage(str(shell.folder / pattern), name).frame(number).pixels


def confident(shell):
    """A threshold that this network's answer for markers crosses somewhere in the picture, but not everywhere."""
    shell.run("render", "segment", "--source", "shot.####.exr", "--device", "cpu", "--frames", "1",
              "--out", "look.####.exr", "--set", "weights=own.safetensors", "classList=rigs",
              "classes=marker")  # fmt: skip
    return float(np.quantile(layer(shell, "look.####.exr", 1, "matte"), 0.9))


def test_what_is_found_is_filled_and_nothing_else_changes(shell):
    threshold = confident(shell)
    shell.run(*COMMON, f"threshold={threshold:.5f}", "--classes", "marker", "--out", "clean/shot.####.exr",
              "--set", "model=smooth", "grow=0", "feather=0")  # fmt: skip
    for number in (1, 2):
        mask = layer(shell, "clean/mask_shot.####.exr", number, "matte")[..., 0]
        source, clean = layer(shell, "shot.####.exr", number), layer(shell, "clean/shot.####.exr", number)[..., :3]
        filled = layer(shell, "clean/shot.####.exr", number, "filled")[..., 0] > 0
        assert 0 < filled.mean() < 1
        assert (filled == (mask > 0.1)).mean() > 0.97
        np.testing.assert_array_equal(clean[~filled], source[~filled])
        assert (clean[filled] != source[filled]).any()


def test_a_wrong_class_ends_it_before_anything_is_filled(shell):
    said = shell.run(*COMMON, "--classes", "unicorn", "--out", "none/shot.####.exr", status=1)
    assert "unicorn" in said
    assert not (shell.folder / "none/shot.0001.exr").exists()


def test_masks_never_land_on_the_result(shell):
    said = shell.run(
        "remove", "--source", "shot.####.exr", "--out", "a/x.####.exr", "--mask-out", "a/x.####.exr", status=1
    )
    assert "--mask-out a/x.####.exr is also --out" in said


@pytest.mark.parametrize(
    ("out", "masks", "sentence"),
    [
        ("shot.####.exr", "m/x.####.exr", "would overwrite the footage"),
        ("c/x.####.exr", "shot.####.exr", "would overwrite the footage"),
        ("linked/x.####.exr", "m/x.####.exr", r"linked/x\.0001\.exr is a frame of --mask-out"),
        ("theirs/x.####.exr", "m/x.####.exr", r"theirs/x\.0002\.exr is there already and was not made by Cleanplate"),
    ],
)
def test_nothing_is_written_where_any_output_may_not_be(shell, out, masks, sentence):
    (shell.folder / "m").mkdir(exist_ok=True)
    (shell.folder / "theirs").mkdir(exist_ok=True)
    (shell.folder / "theirs/x.0002.exr").write_text("somebody's work")
    if not (shell.folder / "linked").exists():
        (shell.folder / "linked").symlink_to("m")
    before = sorted(path.name for path in shell.folder.rglob("*.exr"))
    said = shell.run(*COMMON, "--out", out, "--mask-out", masks, status=1)
    assert re.search(sentence, said), said
    assert sorted(path.name for path in shell.folder.rglob("*.exr")) == before


def test_the_bundled_weights_clean_a_generated_shot(shell):
    """The demo's second shot against the same without rigs: what is left of them, and what else was changed."""
    shot = write_rigs(str(shell.folder / "demo"))
    truth = shot.replace("shot.####", "truth.####")
    shell.run("remove", "--source", shot, "--device", "cpu", "--frames", "1001,1006", "--out", "demo/clean.####.exr",
              "--set", "model=smooth")  # fmt: skip
    for number in (1001, 1006):
        wanted, before = layer(shell, truth, number), layer(shell, shot, number)
        after = layer(shell, "demo/clean.####.exr", number)[..., :3]
        rig = layer(shell, truth, number, "matte")[..., 0] > 0
        left, was = (np.abs(picture.clip(0, 1) - wanted.clip(0, 1)).mean(-1) for picture in (after, before))
        assert left[rig].mean() < 0.2 * was[rig].mean()
        assert (after[~rig] == before[~rig]).all(-1).mean() > 0.97


@pytest.mark.parametrize(
    ("out", "masks"),
    [("clean/shot.####.exr", "clean/mask_shot.####.exr"), ("c/%P.%04d.exr", "c/mask_mask.%04d.exr"),
     ("a.exr", "mask_a.exr")],
)  # fmt: skip
def test_masks_lie_beside_the_result(out, masks):
    assert mask_pattern(out) == masks


def test_it_takes_what_its_two_nodes_take():
    """Options of one node, of both, and how files are written; what is given of one node stays that node's."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    remove.add_parser(parser.add_subparsers())
    options = parser.parse_args(
        ["remove", "--source", "a.####.exr", "--out", "b.####.exr", "--frames", "1-4", "--input-space", "ACEScg",
         "--weights", "big_lama", "--mode", "follow", "--passes", "clean,filled", "--bit-depth", "float",
         "--compression", "piz", "--overwrite", "--mask-space", "sRGB", "--view", "right", "--device", "cpu",
         "--find", "weights=own", "threshold=0.4", "--set", "grow=5"]
    )  # fmt: skip
    find, fill = remove.requests_of(options, "m.####.exr")
    assert (find.node, find.out, find.passes, find.bit_depth) == ("segment", "m.####.exr", ["alpha"], None)
    assert (fill.node, fill.out, fill.passes, fill.bit_depth) == ("inpaint", "b.####.exr", ["clean", "filled"], "float")
    for request in (find, fill):
        assert request.footage == {"source": "a.####.exr"}
        assert (request.frames, request.compression, request.overwrite) == ("1-4", "piz", True)
        for name, value in (("inputSpace", "ACEScg"), ("view", "right"), ("device", "cpu")):
            assert request.settings[name] == value
        assert catalogue.find(request.node).parse(request.settings)
    found = {"classes": "wire,marker", "threshold": "0.4", "softness": "0.1", "dropShort": "false", "weights": "own"}
    assert found.items() <= find.settings.items()
    assert {"mode": "follow", "grow": "5", "weights": "big_lama", "maskSpace": "sRGB"}.items() <= fill.settings.items()
    assert not {"mode", "grow", "maskSpace"} & set(find.settings)
