"""`cleanplate key`: a loose shape goes in, a matte and its plate come out, with real files and the real worker."""

import argparse
import json

import key_shot
import numpy as np
import pytest
from key_shot import FRAMES, SMALL, write_key_shot
from shell import Shell

from nodes import catalogue
from nodes.footage.reader import Footage
from plugin.cli import key
from plugin.cli.main import main

SETTINGS = [f"{name}={value}" for name, value in SMALL.items()]
COMMON = ("key", "--source", "shot.####.exr", "--rough", "rough.####.exr:A", "--device", "cpu", "--set", *SETTINGS)


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("shell"))
    write_key_shot(shell.folder)
    yield shell
    shell.run("worker", "stop", "--device", "cpu")


@pytest.fixture(scope="module")
def whole(shell):
    """All frames, in order, with what the command said."""
    return [json.loads(line) for line in shell.run(*COMMON, "--out", "whole/m.####.exr", "--json").splitlines()]


def layer(shell, pattern, number, name=""):
    return Footage(str(shell.folder / pattern), name).frame(number).pixels


def test_the_matte_is_the_subject_and_the_plate_what_is_behind_it(shell, whole):
    assert whole[-1]["event"] == "finished"
    assert (whole[-1]["rendered"], whole[-1]["failed"]) == (FRAMES, 0)
    for number in (2, 4, 6):
        truth, inside = key_shot.alpha(number), key_shot.alpha(number, larger=6) > 0.5
        matte = layer(shell, "whole/m.####.exr", number, "matte")[..., 0]
        assert np.abs(matte - truth).mean() < 0.02
        assert matte[truth > 0.99].mean() > 0.95
        source, plate = layer(shell, "shot.####.exr", number), layer(shell, "whole/m.####.exr", number, "plate")
        behind = key_shot.background(number)
        assert np.abs(plate - behind)[inside].mean() < 0.1 * np.abs(source - behind)[inside].mean()
        real = layer(shell, "whole/m.####.exr", number, "plate_confidence")[..., 0]
        assert real.min() >= 0
        assert 0.4 < real[inside].mean() < 1


def test_outside_the_loose_shape_there_is_nothing(shell, whole):
    far = key_shot.alpha(4, larger=6 + 3 + 2 + 2) < 0.01
    matte, plate = (layer(shell, "whole/m.####.exr", 4, name) for name in ("matte", "plate"))
    assert not matte[far].any()
    np.testing.assert_array_equal(plate[far], layer(shell, "shot.####.exr", 4)[far])


def test_passes_say_how_they_were_made(shell, whole):
    attributes = Footage(str(shell.folder / "whole/m.####.exr")).header(3).attributes
    assert attributes["cleanplate/node"] == "KeyWithoutPlate"
    assert json.loads(attributes["cleanplate/params"])["grow"] == 3.0
    assert attributes["cleanplate/weights"].startswith("sha256:")
    assert [event["name"] for event in whole if event["event"] == "weights"] == ["bgmv2_mobilenetv2"]


def test_any_chunk_gives_the_same_bits_and_what_is_finished_stays(shell, whole):
    shell.run("worker", "stop", "--device", "cpu")
    shell.run(*COMMON, "--out", "part/m.####.exr", "--frames", "6,3")
    for number in (3, 6):
        for name in ("", "matte", "fg", "plate", "plate_confidence", "error"):
            there, here = (layer(shell, f"{folder}/m.####.exr", number, name) for folder in ("whole", "part"))
            np.testing.assert_array_equal(there, here)
    more = (*COMMON, "--out", "part/m.####.exr", "--frames", "3-4,6", "--json")
    again = [json.loads(line) for line in shell.run(*more).splitlines()]
    assert (again[-1]["rendered"], again[-1]["skipped"]) == (1, 2)


def test_a_frame_that_needs_but_some_of_the_weights_is_finished_all_the_same(shell):
    """Of a network that may paint, none is used where all is found; the frame was rendered again each time then."""
    words = (*COMMON, "model=auto", "--out", "both/m.####.exr", "--frames", "4", "--json")
    first, again = ([json.loads(line) for line in shell.run(*words).splitlines()] for _ in range(2))
    assert [event["name"] for event in first if event["event"] == "weights"] == ["bgmv2_mobilenetv2", "inpaint_detail"]
    assert (first[-1]["rendered"], again[-1]["skipped"]) == (1, 1)
    assert not any("weights changed" in event.get("text", "") for event in first)


def test_shapes_are_found_where_none_are_given(shell):
    """The bundled weights have seen people only: what matters here is what goes where."""
    said = shell.run(
        *COMMON[:3], "--rough", "auto", "--device", "cpu", "--out", "auto/m.####.exr", "--frames", "2-3",
        "--find", "alphaWhite=0.5", "--set", *SETTINGS, "--json",
    )  # fmt: skip
    assert said.count('"finished"') == 2
    assert sorted(path.name for path in (shell.folder / "auto").glob("*.exr")) == [
        "m.0002.exr", "m.0003.exr", *(f"rough_m.{number:04d}.exr" for number in range(1, FRAMES + 1)),
    ]  # fmt: skip
    shapes = Footage(str(shell.folder / "auto/rough_m.####.exr")).header(2).attributes
    assert json.loads(shapes["cleanplate/params"])["alphaWhite"] == 0.5
    matte = Footage(str(shell.folder / "auto/m.####.exr")).header(2).attributes
    assert json.loads(matte["cleanplate/params"])["grow"] == round(key_shot.WIDTH / 50)
    found = layer(shell, "auto/rough_m.####.exr", 2, "matte")[..., 0] > 0.1
    if not found.any():
        assert not layer(shell, "auto/m.####.exr", 2, "matte").any()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--rough", "none.####.exr", "--out", "x/m.####.exr"), "--rough: "),
        (("--rough", "rough.####.exr", "--out", "shot.####.exr"), "would overwrite the footage"),
        (("--rough", "rough.####.exr", "--out", "rough.####.exr"), "would overwrite the footage"),
        (
            ("--rough", "rough.####.exr", "--rough-out", "r.####.exr", "--out", "x/m.####.exr"),
            "--rough-out means something with --rough auto only",
        ),
        (
            ("--rough", "rough.####.exr", "--find", "alphaWhite=1", "--out", "x/m.####.exr"),
            "--find means something with --rough auto only",
        ),
        (
            ("--rough", "auto", "--rough-out", "x/m.####.exr", "--out", "x/m.####.exr"),
            "--rough-out x/m.####.exr is also --out",
        ),
        (("--rough", "auto", "--rough-out", "shot.####.exr", "--out", "x/m.####.exr"), "would overwrite the footage"),
        (("--rough", "auto", "--out", "x/m.####.exr", "--set", "grow=-1"), "'grow' cannot be -1"),
        (("--rough", "auto", "--out", "x/m.####.exr", "--set", "mode=follow"), "has no parameter 'mode'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(shell, words, sentence, monkeypatch, capsys):
    monkeypatch.chdir(shell.folder)
    assert main(["key", "--source", "shot.####.exr", *words]) == 1
    said = capsys.readouterr().err
    assert sentence in said, said
    assert not (shell.folder / "x").exists()


def test_it_takes_what_its_nodes_take():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    key.add_parser(parser.add_subparsers())
    options = parser.parse_args(
        ["key", "--source", "a.####.exr", "--rough", "r.####.exr", "--out", "b.####.exr", "--frames", "1-4",
         "--core", "c.exr", "--rough-offset", "100", "--mask-space", "sRGB", "--input-space", "ACEScg",
         "--weights", "own",
         "--passes", "alpha,plate", "--bit-depth", "float", "--set", "softEdges=0"]
    )  # fmt: skip
    request = key.key_request(options, options.rough)
    assert request.footage == {"source": "a.####.exr", "rough": "r.####.exr", "core": "c.exr"}
    assert (request.node, request.frames, request.passes) == ("key-without-plate", "1-4", ["alpha", "plate"])
    wanted = {"roughOffset": "100", "maskSpace": "sRGB", "inputSpace": "ACEScg", "weights": "own", "softEdges": "0"}
    assert wanted.items() <= request.settings.items()
    assert catalogue.find(request.node).parse(request.settings)
