"""How an input is read from what was asked: FILE:LAYER, views, offsets, spaces, whichever door asks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from footage_files import noise, write, write_parts
from hypothesis import given
from hypothesis import strategies as st
from local_engine import picture

from nodes import catalogue
from nodes.errors import FootageError, ParameterError
from nodes.footage.colour.spaces import by_name
from nodes.footage.reader import Footage
from nodes.opening import reading, split_layer
from plugin.cli import render
from plugin.cli.usage import negative_values_joined
from plugin.rendering.arrays import array_footage
from plugin.rendering.inputs import open_footage
from plugin.rendering.plan import Request, plan
from plugin.worker.server.file_inputs import with_files

MATTE, FILL = catalogue.find("background-matte"), catalogue.find("inpaint")


def planned(*arguments: str) -> Any:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    render.add_parser(parser.add_subparsers())
    return plan(render.request_of(parser.parse_args(negative_values_joined(["render", *arguments]))))


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    for number in (1001, 1002, 1003):
        write(tmp_path / f"s.{number}.exr", noise(seed=number))
        write(tmp_path / f"m.{number + 100}.exr", noise(channels=4, seed=number), ("R", "G", "B", "roto.A"))
    return tmp_path


def test_a_layer_behind_the_file(tmp_path: Path) -> None:
    for name in ("a.exr", "a:b.exr", "v2:s.0001.exr"):
        write(tmp_path / name, noise())
    (tmp_path / "a:roto").write_bytes(b"a file of this name goes before a layer")
    where = f"{tmp_path}/"
    for text, expected in (
        ("a.exr", ("a.exr", "")),
        ("a.exr:matte.A", ("a.exr", "matte.A")),
        ("a.exr: matte", ("a.exr", "matte")),
        ("a:b.exr", ("a:b.exr", "")),
        ("a:b.exr:fg", ("a:b.exr", "fg")),
        ("a:roto", ("a:roto", "")),
        ("v2:s.####.exr", ("v2:s.####.exr", "")),
        ("v2:s.####.exr:fg.R", ("v2:s.####.exr", "fg.R")),
        ("none.exr:matte", ("none.exr", "matte")),
        ("no:ne.exr:matte", ("no:ne.exr:matte", "")),
    ):
        assert split_layer(where + text) == (where + expected[0], expected[1]), text
    assert split_layer("C:\\shots\\a.exr") == ("C:\\shots\\a.exr", "")
    assert split_layer("C:/shots/a.exr:fg") == ("C:/shots/a.exr", "fg")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20))
def test_whatever_is_typed_is_split_at_a_colon_or_not(text: str) -> None:
    pattern, layer = split_layer(text)
    assert pattern == text or text.startswith(f"{pattern}:")
    assert layer == text[len(pattern) + 1 :].strip() or not layer


@given(st.integers(-50, 50), st.sampled_from(["error", "hold", "black"]))
def test_with_an_offset_every_frame_is_another(offset: int, missing: Any) -> None:
    plain, moved = (Footage("/nowhere/a.####.exr", missing=missing, offset=one) for one in (0, offset))
    for footage in (plain, moved):
        footage._listing.frames = lambda: [1001, 1003]  # type: ignore[method-assign]
    assert moved.range() == tuple(n - offset for n in plain.range())
    assert moved.frames() == [n - offset for n in plain.frames()]
    for frame in (1000, 1001, 1002, 1003):
        assert moved.identity(frame - offset, frame - offset) == plain.identity(frame, frame)


def test_offsets_find_the_file(shot: Path) -> None:
    mask = Footage(str(shot / "m.####.exr"), "roto.A", kind="mask", offset=100)
    assert (mask.range(), mask.frames()) == ((1001, 1003), [1001, 1002, 1003])
    np.testing.assert_array_equal(mask.frame(1002).pixels, noise(channels=4, seed=1002)[..., 3:])
    assert (mask.frame(1002).metadata.frame, mask.frame(1002).metadata.notes) == (1002, ())
    held = Footage(str(shot / "m.####.exr"), missing="hold", offset=98)
    assert held.frame(1006).metadata.notes[-1] == "Frame 1006 is missing; frame 1005 is held in its place."
    with pytest.raises(FootageError, match=r"Frame 1004 is missing: .*m\.1104\.exr does not exist"):
        mask.frame(1004)


def test_options_are_the_parameters_of_their_inputs(shot: Path) -> None:
    matte = ["background-matte", "--source", f"{shot}/s.####.exr", "--plate", f"{shot}/m.####.exr:roto"]
    matte += ["--core", f"{shot}/m.####.exr", "--garbage", f"{shot}/m.####.exr", "--out", f"{shot}/o.####.exr"]
    made = planned(*matte, "--mask-offset", "100", "--garbage-offset", "99", "--plate-offset", "98").shot
    assert {name: one.offset for name, one in made.footage.items()} == {"Source": 0, "C": 98, "InM": 100, "OutM": 99}
    made = planned(*matte, "--core-channel", "R", "--mask-space", "sRGB", "--plate-space", "ACEScg").shot
    assert {name: one.input_space for name, one in made.footage.items()} == {
        "Source": "auto",
        "C": "ACEScg",
        "InM": "sRGB",
        "OutM": "sRGB",
    }
    assert made.footage["InM"]._choice.layer == "R"
    assert made.footage["C"]._choice.layer == "roto"
    with pytest.raises(ParameterError, match="inpaint has no --plate-space"):
        planned("inpaint", "--source", f"{shot}/s.####.exr", "--out", "o.####.exr", "--plate-space", "sRGB")
    with pytest.raises(ParameterError, match="'maskOffset' cannot be 'x': it is a whole number"):
        planned("inpaint", "--source", f"{shot}/s.####.exr", "--out", "o.####.exr", "--mask-offset", "x")
    with pytest.raises(ParameterError, match="'ACESgc' is unknown"):
        planned(*matte, "--plate-space", "ACESgc")


def test_every_input_goes_by_its_own_file(tmp_path: Path) -> None:
    write(tmp_path / "s.exr", noise())
    write(tmp_path / "p.png", np.full((6, 8, 3), 128, np.uint8), kind="uint8")
    given = {"source": str(tmp_path / "s.exr"), "plate": str(tmp_path / "p.png")}
    footage = open_footage(MATTE, given, MATTE.parse({"inputSpace": "ACEScg"}))
    assert footage["Source"].frame(1).colour == by_name("ACEScg")
    assert footage["C"].frame(1).colour == by_name("sRGB")
    footage = open_footage(MATTE, given, MATTE.parse({"inputSpace": "ACEScg", "plateSpace": "lin_rec709"}))
    assert footage["C"].frame(1).colour == by_name("lin_rec709")
    # What no file describes is in the source's space.
    grey = np.full((4, 4, 3), 0.5, np.float32)
    arrays = array_footage(MATTE, {"Source": grey, "C": grey}, MATTE.parse({"inputSpace": "ACEScg"}))
    assert arrays.frame("C", 1).colour == arrays.frame("Source", 1).colour == by_name("ACEScg")


class Delivered:
    """Inputs of a job as a host delivers them."""

    def __init__(self, **frames: Any) -> None:
        self.frames = frames

    def connected(self, name: str) -> bool:
        return name in self.frames

    def frame(self, name: str, frame: int) -> Any:
        return self.frames[name]

    def identity(self, name: str, first: int, last: int) -> bytes:
        return b"digest"


def test_a_channel_of_what_a_host_delivers() -> None:
    pixels = noise(channels=4)
    inputs = Delivered(Source=picture(pixels, "RGBA"), Mask=picture(pixels, "RGBA"))
    plain = with_files(inputs, FILL, FILL.parse({}))  # type: ignore[arg-type]
    assert plain is inputs
    red = with_files(inputs, FILL, FILL.parse({"maskChannel": "red"}))  # type: ignore[arg-type]
    np.testing.assert_array_equal(red.frame("Mask", 1).pixels, pixels[..., :1])
    assert red.frame("Source", 1).channels == tuple("RGBA")
    # What is kept for other frames must not be mixed up.
    assert red.identity("Mask", 1, 1) != plain.identity("Mask", 1, 1) == red.identity("Source", 1, 1)
    with pytest.raises(ParameterError, match="no channel 'roto': the mask has R, G, B, A"):
        with_files(inputs, FILL, FILL.parse({"maskChannel": "roto"})).frame("Mask", 1)  # type: ignore[arg-type]


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    left, right = noise(seed=1), noise(seed=2)
    for number in (1, 2):
        parts = [("rgba.left", "RGB", left, {"view": "left"}), ("rgba.right", "RGB", right, {"view": "right"})]
        write_parts(tmp_path / f"one.{number:04d}.exr", parts)
        for view, pixels in (("left", left), ("right", right)):
            write(tmp_path / f"two.{view}.{number:04d}.exr", pixels)
    write(tmp_path / "mono.exr", noise(seed=3))
    return tmp_path


@pytest.mark.parametrize("source", ["one.####.exr", "two.%V.####.exr"])
def test_views(stereo: Path, source: str) -> None:
    given = {"source": str(stereo / source), "plate": str(stereo / "mono.exr"), "core": str(stereo / source)}
    for view, seed in (("right", 2), ("left", 1), ("", 1)):
        footage = open_footage(MATTE, given, MATTE.parse({"view": view}))
        assert sorted(footage["Source"].views()) == ["left", "right"]
        frame = footage["Source"].frame(2)
        np.testing.assert_array_equal(frame.pixels, noise(seed=seed))
        np.testing.assert_array_equal(footage["C"].frame(2).pixels, noise(seed=3))
        np.testing.assert_array_equal(footage["InM"].frame(2).pixels[..., 0], noise(seed=seed).max(axis=2))
        assert [note.partition(": ")[2] for note in frame.metadata.notes] == (
            [] if view else ["the view left is taken; there is right as well"]
        )
    with pytest.raises(FootageError, match=r"has no view|No file matches|does not exist"):
        open_footage(MATTE, given, MATTE.parse({"view": "top"}))["Source"].frame(1)


@pytest.mark.parametrize("source", ["one.####.exr", "two.%V.####.exr"])
def test_every_view_is_rendered_where_files_name_it(stereo: Path, source: str) -> None:
    mask = {"mask": str(stereo / "mono.exr")}
    footage, out = {"source": str(stereo / source), **mask}, str(stereo / "o.%V.####.exr")
    shots = plan(Request("inpaint", footage, out, settings={"model": "smooth"})).shots
    assert sorted(path for shot in shots for frame in shot.frames for path in shot.paths(frame)) == [
        str(stereo / f"o.{view}.{number:04d}.exr") for view in ("left", "right") for number in (1, 2)
    ]
    for shot in shots:
        np.testing.assert_array_equal(
            shot.footage["Source"].frame(1).pixels, noise(seed=1 if shot.params["view"] == "left" else 2)
        )
    (shot,) = plan(Request("inpaint", footage, out, settings={"model": "smooth", "view": "right"})).shots
    assert list(shot.paths(1)) == [str(stereo / "o.right.0001.exr")]
    with pytest.raises(ParameterError, match="the source has no views: leave out %V"):
        plan(Request("inpaint", {"source": str(stereo / "mono.exr")}, out, settings={"model": "smooth"}))
    # Nothing of one eye is written over the other's footage.
    with pytest.raises(ParameterError, match="choose other file names"):
        plan(Request("inpaint", {"source": str(stereo / "two.%V.####.exr"), **mask}, str(stereo / "two.%V.####.exr")))


def test_only_the_main_input_needs_the_view() -> None:
    params = MATTE.parse({"view": "right", "layer": "fg"})
    main_input, plate = (reading(MATTE, entry, params) for entry in MATTE.inputs[:2])
    assert (main_input.needs_view, main_input.layer) == (True, "fg")
    assert (plate.needs_view, plate.layer, plate.view) == (False, "", "right")


@pytest.mark.parametrize("named", ["auto", "straight", "premultiplied"])
def test_each_input_has_its_own_association_and_alpha_that_is_a_mask_has_none(named: str) -> None:
    params = MATTE.parse({"alpha": named})
    assert [reading(MATTE, entry, params).alpha for entry in MATTE.inputs] == [named, "auto", "auto", "auto", "auto"]
    plate = MATTE.parse({"plateAlpha": named})
    assert [reading(MATTE, entry, plate).alpha for entry in MATTE.inputs] == ["auto", named, "auto", "auto", "auto"]
    source, params = FILL.inputs[0], FILL.parse({"alpha": named})
    assert reading(FILL, source, params, ["Source", "Mask"]).alpha == named
    assert reading(FILL, source, params, ["Source"]).alpha == "premultiplied"


def test_pictures_in_memory_that_came_from_files_are_what_the_files_say(tmp_path: Path) -> None:
    """A straight PNG handed over as a frame is footage as if its name had been given."""
    values = np.full((6, 8, 4), 128, np.uint8)
    path = write(tmp_path / "p.png", values, "RGBA", "uint8", attributes={"oiio:UnassociatedAlpha": 1})
    still = Footage(str(path)).frame(1)
    seen = array_footage(MATTE, {"Source": still, "C": still, "InM": still}, MATTE.parse({}))
    light = ((128 / 255 + 0.055) / 1.055) ** 2.4
    np.testing.assert_allclose(seen.frame("Source", 1).pixels[..., :3], light * 128 / 255, atol=1e-5)
    assert seen.frame("C", 1).colour == by_name("lin_rec709")
    assert seen.frame("InM", 1) is still
