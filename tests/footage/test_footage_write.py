"""Writing: what survives, what is added, what never happens to a file on disk."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from footage_files import frame_of, noise, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.errors import FrameError, OutputError, ParameterError
from nodes.faces.face import layer_names
from nodes.footage import atomic_file, exr_attributes
from nodes.footage.colour.spaces import by_name
from nodes.footage.exr.compression import KNOWN
from nodes.footage.exr.encoder import to_half
from nodes.footage.exr.header import read_header
from nodes.footage.exr.making import Making, is_finished, read_making
from nodes.footage.exr.seal import SEAL, is_untouched
from nodes.footage.frame import Frame
from nodes.footage.metadata import Attribute, SourceMetadata
from nodes.footage.preview import to_preview, write_preview
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import Layer, pass_layer, write_frame

SOURCE_ATTRIBUTES: dict[str, Any] = {
    "smpte:TimeCode": (oiio.TypeTimeCode, (0x01020304, 5)),
    "smpte:KeyCode": (oiio.TypeKeyCode, (1, 2, 3, 4, 5, 6, 64)),
    "FramesPerSecond": (oiio.TypeRational, (24000, 1001)),
    "chromaticities": ("float[8]", (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)),
    "DateTime": "2026:01:02 03:04:05",
    "Copyright": "the studio",
    "ImageDescription": "plate",
    "worldToCamera": (oiio.TypeMatrix, tuple(float(n) for n in range(16))),
    "camera/lens": "40 mm",
    "camera/focal": 40.5,
    "camera/iso": 800,
    "a2": (oiio.TypeDesc("vector2"), (1.5, 2.5)),
    "a2i": (oiio.TypeDesc("int[2]"), (1, 2)),
    "a3": (oiio.TypeVector, (1.0, 2.0, 3.0)),
    "m33": (oiio.TypeMatrix33, tuple(float(n) for n in range(9))),
    "list": (oiio.TypeDesc("string[2]"), ("a", "bc")),
    "box": (oiio.TypeBox2i, (1, 2, 3, 4)),
    "a name that is much longer than thirty-one letters": "x",
    "Orientation": 1,
    "screenWindowWidth": 1.25,
    "compression": "piz",
}


def source(path: Path, **more: Any) -> Frame:
    write(path, noise(), origin=(-2, 3), display=(0, 0, 20, 10), attributes=SOURCE_ATTRIBUTES, tile=16, **more)
    return Footage(str(path)).frame(1)


def test_layers_and_windows_come_back(tmp_path: Path) -> None:
    frame = source(tmp_path / "a.exr")
    rgba, fg, matte = noise(5, 7, 4, 1), noise(5, 7, 3, 2), noise(5, 7, 1, 3)
    window = Window(-4, 9, 7, 5)
    out = str(tmp_path / "new/folder/o.0001.exr")
    layers = [("", tuple("RGBA"), rgba), Layer("fg", ("R", "G", "B"), fg), ("matte", ("A",), matte)]
    write_frame(out, layers, frame, window, provenance={"node": "VideoMatte", "precision": 16})
    for layer, pixels in (("", rgba), ("fg", fg), ("matte", matte)):
        back = Footage(out, layer=layer).frame(1)
        np.testing.assert_array_equal(back.pixels, pixels)
        assert (back.data_window, back.display_window) == (window, Window(0, 0, 20, 10))
    attributes = Footage(out).header(1).attributes
    assert attributes["cleanplate/node"] == "VideoMatte"
    assert attributes["cleanplate/precision"] == "16"
    assert os.listdir(tmp_path / "new/folder") == ["o.0001.exr"]


def test_every_attribute_survives_bit_by_bit(tmp_path: Path) -> None:
    frame = source(tmp_path / "a.exr")
    odd = Attribute("studioBlob", b"\0\1\2")
    metadata = frame.metadata
    frame = Frame(
        frame.pixels, frame.channels, frame.data_window, frame.display_window, 2.0, frame.colour,
        SourceMetadata(**{name: getattr(metadata, name) for name in metadata.__slots__ if name != "attributes"},
                       attributes={**metadata.attributes, "blob": odd}),
    )  # fmt: skip
    out = str(tmp_path / "o.exr")
    write_frame(out, [("", tuple("RGB"), frame.pixels)], frame)
    before = read_header(str(tmp_path / "a.exr")).parts[0].attributes
    after = read_header(out).parts[0].attributes
    changed = {name for name in {**before, **after} if before.get(name) != after.get(name)}
    assert changed == {"blob", "compression", "tiles", "pixelAspectRatio"}
    assert after["blob"] == odd
    assert exr_attributes.decode(after["pixelAspectRatio"]) == 2.0
    assert exr_attributes.decode(after["compression"]) == 3
    assert len(before) > len(SOURCE_ATTRIBUTES)


def test_other_programs_read_it(tmp_path: Path) -> None:
    frame = source(tmp_path / "a.exr")
    out = tmp_path / "o.exr"
    write_frame(str(out), [("", tuple("RGB"), frame.pixels)], frame)
    spec = oiio.ImageInput.open(str(out)).spec()
    assert spec.getattribute("smpte:TimeCode") == (0x01020304, 5)
    assert spec.getattribute("camera/lens") == "40 mm"
    assert spec.get_string_attribute("DateTime") == "2026:01:02 03:04:05"
    if shutil.which("exrheader"):
        text = subprocess.run(["exrheader", out], capture_output=True, text=True, check=True).stdout
        assert "camera/focal (type float): 40.5" in text


def test_colour_attributes_follow_the_pixels(tmp_path: Path) -> None:
    frame = source(tmp_path / "a.exr")
    assert frame.colour.name == "lin_ap1"
    layers = [("", tuple("RGB"), frame.pixels)]
    out = str(tmp_path / "o.exr")
    write_frame(out, layers, frame)
    assert Footage(out).frame(1).colour.name == "lin_ap1"
    for name in ("scene-linear Rec.709", "ACES2065-1", "sRGB", "lin_rec2020"):
        write_frame(out, layers, frame, colour=by_name(name))
        assert Footage(out).frame(1).colour == by_name(name)
        assert ("chromaticities" in read_header(out).parts[0].attributes) == (name != "sRGB")


def test_a_still_as_source(tmp_path: Path) -> None:
    attributes = {"DateTime": "2026:01:02 03:04:05", "oiio:UnassociatedAlpha": 1}
    path = write(tmp_path / "a.png", np.zeros((4, 5, 4), np.uint8), "RGBA", oiio.UINT8, attributes=attributes)
    frame = Footage(str(path)).frame(3)
    out = str(tmp_path / "o.exr")
    write_frame(out, [("matte", ("A",), noise(4, 5, 1))], frame, colour=by_name("scene-linear Rec.709"))
    attributes = Footage(out, layer="matte").header(1).attributes
    assert attributes["capDate"] == "2026:01:02 03:04:05"
    assert attributes["colorInteropID"] == "lin_rec709_scene"
    assert not [name for name in attributes if name.startswith(("oiio:", "png:"))]


def test_timecode_of_dpx(tmp_path: Path) -> None:
    attributes = {"smpte:TimeCode": (oiio.TypeTimeCode, (0x01020304, 0)), "PixelAspectRatio": 2.0}
    path = write(tmp_path / "a.dpx", np.zeros((4, 5, 3), np.uint16), kind=oiio.UINT16, attributes=attributes)
    frame = Footage(str(path)).frame(1)
    out = str(tmp_path / "o.exr")
    write_frame(out, [("", ("A",), noise(4, 5, 1))], frame)
    assert read_header(out).parts[0].attributes["timeCode"] == Attribute("timecode", b"\4\3\2\1\0\0\0\0")
    assert Footage(out).frame(1).pixel_aspect == 2.0


def test_half_and_float_in_one_file(tmp_path: Path) -> None:
    ids = np.array([[[70001.0]]], np.float32)
    layers = [Layer("", ("R",), ids), Layer("id", ("V",), ids, "float")]
    out = str(tmp_path / "o.exr")
    write_frame(out, layers, frame_of(np.zeros((1, 1, 3), np.float32)))
    assert Footage(out).frame(1).pixels[0, 0, 0] == 65504
    assert Footage(out, layer="id").frame(1).pixels[0, 0, 0] == 70001
    write_frame(out, layers, frame_of(np.zeros((1, 1, 3), np.float32)), dtype="float")
    assert Footage(out).frame(1).pixels[0, 0, 0] == 70001


def test_half_keeps_what_a_compositor_expects() -> None:
    values = np.array([70000, -1e30, np.inf, -np.inf, np.nan, 65504, 65519, 6e-8, 1e-9, 0.1], np.float32)
    expected = [65504, -65504, np.inf, -np.inf, np.nan, 65504, 65504, 5.9604645e-8, 0, np.float16(0.1)]
    np.testing.assert_array_equal(to_half(values), np.array(expected, np.float16))


def test_wrong_arguments(tmp_path: Path) -> None:
    frame = frame_of(noise())
    layer = ("", tuple("RGB"), frame.pixels)
    out = str(tmp_path / "o.exr")
    with pytest.raises(ParameterError, match="compression cannot be 'jpeg': it is one of none, rle"):
        write_frame(out, [layer], frame, compression="jpeg")
    with pytest.raises(ParameterError, match="level of zip is a number from 1 to 9"):
        write_frame(out, [layer], frame, level=10)
    with pytest.raises(ValueError, match="differ"):
        write_frame(out, [layer, layer], frame)
    with pytest.raises(ValueError, match="do not cover 9x6"):
        write_frame(out, [layer], frame, Window(0, 0, 9, 6))
    with pytest.raises(FrameError, match="not one pixel"):
        write_frame(out, [("", ("A",), np.zeros((0, 5, 1), np.float32))], frame, Window(0, 0, 5, 0))
    assert not os.listdir(tmp_path)


def test_a_layer_for_each_of_many_classes(tmp_path: Path) -> None:
    """As for COCO-Stuff, called like any class list may call them."""
    names = [*(f"class {n}" for n in range(170)), "Matte", "a" * 300, "椅子" * 200, "c++", "c##", "Mo\u0308bel", "~"]
    layers = layer_names(names, ["matte"])
    pixels = {name: noise(5, 7, 1, seed) for seed, name in enumerate(layers)}
    frame = frame_of(noise(5, 7))
    out = str(tmp_path / "o.exr")
    written = [Layer("", ("R", "G", "B"), frame.pixels), Layer("matte", ("A",), noise(5, 7, 1, 999))]
    write_frame(out, [*written, *(Layer(layers[name], ("A",), pixels[name]) for name in layers)], frame, key="k")
    assert is_finished(out, "k")
    np.testing.assert_array_equal(Footage(out).frame(1).pixels, frame.pixels)
    for name, layer in layers.items():
        np.testing.assert_array_equal(Footage(out, layer=layer).frame(1).pixels, pixels[name])


def test_equal_frames_are_equal_files(tmp_path: Path) -> None:
    frame = frame_of(noise())
    for name in ("a.exr", "b.exr"):
        write_frame(str(tmp_path / name), [("", tuple("RGB"), frame.pixels)], frame)
    assert (tmp_path / "a.exr").read_bytes() == (tmp_path / "b.exr").read_bytes()


def test_finished_frames(tmp_path: Path) -> None:
    frame = frame_of(noise(40, 30))
    out = tmp_path / "o.exr"
    assert not is_finished(out, "k")
    write_frame(str(out), [("", tuple("RGB"), frame.pixels)], frame, key="k")
    assert is_finished(out, "k")
    assert not is_finished(out, "other")
    data = out.read_bytes()
    for end in (0, 3, 100, len(data) - 1):
        out.write_bytes(data[:end])
        assert not is_finished(out, "k")
    out.write_bytes(data + b"x")
    assert not is_finished(out, "k")


def test_what_lies_where_a_pass_goes(tmp_path: Path) -> None:
    """Pieces of our own files are ours, wherever they were cut; everything else that holds anything is foreign."""
    out = tmp_path / "o.exr"
    assert read_making(out) is None
    write_frame(str(out), [("", tuple("RGB"), noise(40, 30))], frame_of(noise(40, 30)), key="k")
    data = out.read_bytes()
    header = read_header(out).end
    for end in (*range(header + 30), *range(header + 30, len(data), 499)):
        out.write_bytes(data[:end])
        making = read_making(out)
        assert making is not None
        assert not making.whole
        assert not making.foreign
        assert making.key == ("k" if end >= header + 8 * 3 else ""), end
    out.write_bytes(data)
    assert read_making(out) == Making("k", whole=True)
    write_frame(str(out), [("", tuple("RGB"), noise(40, 30))], frame_of(noise(40, 30)))
    (tmp_path / "folder.exr").mkdir()
    (tmp_path / "text.exr").write_text("v/1 notes of the day")
    for path in (out, tmp_path / "folder.exr", tmp_path / "text.exr"):
        assert read_making(path) == Making(whole=path == out, foreign=True)
    for text in (b"a", b"hi\n", b"v/2"):  # shorter than what an EXR file begins with
        (tmp_path / "text.exr").write_bytes(text)
        assert read_making(tmp_path / "text.exr") == Making(foreign=True)
    os.symlink(tmp_path / "nowhere", tmp_path / "link.exr")
    assert read_making(tmp_path / "link.exr") is None


@pytest.mark.parametrize("compression", [one.name for one in KNOWN])
def test_every_kind_of_file_is_whole_and_sealed(tmp_path: Path, compression: str) -> None:
    out = str(tmp_path / "o.exr")
    frame = frame_of(noise(600, 70))
    layers = [("", tuple("RGB"), frame.pixels), Layer("ids", ("A",), noise(600, 70, 1), "float")]
    write_frame(out, layers, frame, key="k", compression=compression)
    assert is_finished(out, "k")
    assert is_untouched(out)
    assert SEAL in read_header(out).parts[0].attributes


def test_one_file_per_pass(tmp_path: Path) -> None:
    layer = Layer("fg", ("R", "G", "B"), noise())
    out = str(tmp_path / "fg.exr")
    write_frame(out, [pass_layer(layer)], frame_of(noise()))
    np.testing.assert_array_equal(Footage(out).frame(1).pixels, layer.pixels)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "o.exr"
    out.write_bytes(b"what was there")
    frame = frame_of(noise())

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic_file.os, "replace", full)
    with pytest.raises(OutputError, match=r"o\.exr cannot be written: the disk is full\."):
        write_frame(str(out), [("", tuple("RGB"), frame.pixels)], frame)
    assert os.listdir(tmp_path) == ["o.exr"]
    assert out.read_bytes() == b"what was there"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_really_full_disk() -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        atomic_file.write_file("/dev/full/o.exr", b"x")


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "o.exr").mkdir()
    frame = frame_of(noise())
    for name in ("file/o.exr", "o.exr"):
        with pytest.raises(OutputError, match="cannot be written"):
            write_frame(str(tmp_path / name), [("", tuple("RGB"), frame.pixels)], frame)
    assert sorted(os.listdir(tmp_path)) == ["file", "o.exr"]
    if os.geteuid():
        tmp_path.chmod(0o500)
        with pytest.raises(OutputError, match="you lack the permission to write there"):
            write_frame(str(tmp_path / "p.exr"), [("", tuple("RGB"), frame.pixels)], frame)


def test_previews(tmp_path: Path) -> None:
    picture = np.array([[[0.0, 0.2159, 1.0, 0.5], [-1.0, np.nan, np.inf, 2.0]]], np.float32)
    np.testing.assert_array_equal(to_preview(picture), [[[0, 128, 255, 128], [0, 0, 255, 255]]])
    np.testing.assert_array_equal(to_preview(picture[..., 1:2], linear=True)[0, 0], [55])
    path = tmp_path / "p.png"
    write_preview(str(path), picture)
    np.testing.assert_allclose(Footage(str(path)).frame(1).pixels * 255, to_preview(picture), atol=1e-4)


values = st.one_of(st.text(max_size=50), st.integers(-(2**31), 2**31 - 1), st.floats(width=32))
names = st.text("abcXYZ09_-", min_size=1, max_size=40)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    x=st.integers(-5000, 5000), y=st.integers(-5000, 5000), width=st.integers(1, 40), height=st.integers(1, 40),
    display=st.tuples(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 3000), st.integers(1, 3000)),
    layers=st.dictionaries(names, st.integers(1, 4), min_size=1, max_size=4), aspect=st.sampled_from([1.0, 2.0, 0.9]),
    lossless=st.sampled_from(["none", "rle", "zips", "zip", "piz"]), dtype=st.sampled_from(["half", "float"]),
    attributes=st.dictionaries(names, values),
)  # fmt: skip
def test_whatever_is_written_is_read(
    tmp_path: Path, x: int, y: int, width: int, height: int, display: tuple[int, int, int, int],
    layers: dict[str, int], aspect: float, lossless: str, dtype: Any, attributes: dict[str, Any],
) -> None:  # fmt: skip
    path = str(tmp_path / "o.exr")
    window = Window(x, y, width, height)
    encoded = {name: exr_attributes.encode(value) for name, value in attributes.items()}
    metadata = SourceMetadata("s.exr", 1, 1, "openexr", encoded)
    source_frame = Frame(
        noise(height, width), ("R", "G", "B"), window, Window(*display), aspect, by_name("ACEScg"), metadata
    )
    passes = [Layer(name, tuple("RGBA")[:n], noise(height, width, n, n)) for name, n in layers.items()]
    write_frame(path, passes, source_frame, dtype=dtype, compression=lossless)
    assert {n: v for n, v in read_header(path).parts[0].attributes.items() if n in encoded} == encoded
    for one in passes:
        back = Footage(path, layer=one.name).frame(1)
        assert (back.data_window, back.display_window) == (window, Window(*display))
        assert back.pixel_aspect == np.float32(aspect)
        for index, channel in enumerate(one.channels):
            if channel in back.channels:
                np.testing.assert_array_equal(back.pixels[..., back.channels.index(channel)], one.pixels[..., index])
