"""Compressions: each by its name, bits and chunks as they must be, and the source's own by choice."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from footage_files import frame_of, noise, write
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes import catalogue
from nodes.errors import ParameterError
from nodes.footage.exr import compression
from nodes.footage.exr.compression import KNOWN, Compression
from nodes.footage.exr.header import read_header
from nodes.footage.exr.making import is_finished
from nodes.footage.files.sequence import Sequence as FileSequence
from nodes.footage.frame import Frame
from nodes.footage.metadata import Attribute, SourceMetadata
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import Layer, write_frame
from plugin.rendering.shot import Shot

NAMES = [one.name for one in KNOWN]
LOSSLESS = [one.name for one in KNOWN if "half" in one.lossless]


def stored_offsets(path: str) -> int:
    """How many chunks the file really has: its table ends where the first of them begins."""
    data, end = Path(path).read_bytes(), read_header(path).end
    offsets = np.frombuffer(data[end : end + (len(data) - end) // 8 * 8], "<u8")
    return (int(offsets[0]) - end) // 8


@pytest.mark.parametrize("known", KNOWN, ids=lambda one: one.name)
def test_every_compression_is_written_named_and_recognised(tmp_path: Path, known: Compression) -> None:
    ramp = np.linspace(-0.5, 3, 300 * 20 * 3, dtype=np.float16).astype(np.float32).reshape(300, 20, 3)
    frame = frame_of(ramp)
    out = str(tmp_path / "o.exr")
    write_frame(out, [("", tuple("RGB"), ramp)], frame, compression=known.name, key="k")
    part = read_header(out).parts[0]
    assert (part.compression, part.attributes["compression"].data[0]) == (known.name, known.number)
    assert part.chunks == stored_offsets(out)
    image = oiio.ImageInput.open(out)
    assert image.spec().getattribute("compression").partition(":")[0] == known.name
    image.close()
    assert is_finished(out, "k")
    tolerance = 0 if "half" in known.lossless else 0.05
    np.testing.assert_allclose(Footage(out).frame(1).pixels, ramp, atol=tolerance)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(LOSSLESS),
    st.integers(1, 40),
    st.sampled_from([1, 2, 15, 16, 17, 31, 32, 33, 64, 255, 256, 257, 300]),
    st.integers(-400, 400),
    st.integers(-400, 400),
    st.integers(0, 2**32 - 1),
)
def test_lossless_is_bit_for_bit(name: str, width: int, height: int, x: int, y: int, seed: int) -> None:
    """Any half, NaN and infinities too, and ids as 32-bit floats beside them; whatever the window."""
    random = np.random.default_rng(seed)
    colour = random.integers(0, 2**16, (height, width, 3), np.uint16).view(np.float16).astype(np.float32)
    ids = random.integers(0, 2048, (height, width, 1)).astype(np.float32)
    window = Window(x, y, width, height)
    frame = Frame(colour, tuple("RGB"), window, Window(0, 0, 64, 64))
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/o.exr"
        write_frame(
            out, [("", tuple("RGB"), colour), Layer("ids", ("A",), ids, "float")], frame, compression=name, key="k"
        )
        assert is_finished(out, "k")
        assert read_header(out).parts[0].chunks == stored_offsets(out)
        back = Footage(out).frame(1)
        assert back.data_window == window
        np.testing.assert_array_equal(back.pixels.view(np.uint32), colour.view(np.uint32))
        np.testing.assert_array_equal(Footage(out, layer="ids").frame(1).pixels, ids)


@pytest.mark.parametrize("name", ["zip:1", "zip:9", "zips:9", "zstd:1", "zstd:22", "DWAA:45", "none"])
def test_levels(tmp_path: Path, name: str) -> None:
    frame = frame_of(noise(40, 30))
    out = str(tmp_path / "o.exr")
    write_frame(out, [("", tuple("RGB"), frame.pixels)], frame, compression=name)
    assert read_header(out).parts[0].compression == name.partition(":")[0].lower()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("jpeg", "'jpeg': it is one of none, rle, .* htj2k32, zstd, or source"),
        ("", "cannot be ''"),
        ("zip:0", "level of zip is a number from 1 to 9"),
        ("zip:10", "1 to 9"),
        ("zip:", "1 to 9"),
        ("zstd:²", "1 to 22"),
        ("piz:3", "piz has no levels"),
        ("source:3", "source has no levels"),
    ],
)
def test_what_is_no_compression_is_said(text: str, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        compression.parse(text)


@given(st.text(max_size=12) | st.from_regex(r"\A(zip|zstd|dwaa|source|none):?[0-9]{0,4}\Z"))
def test_any_text_is_a_compression_or_refused(text: str) -> None:
    try:
        name, level = compression.parse(text)
    except ParameterError as error:
        message = str(error)
    else:
        message = text
        assert name in [*NAMES, "source"]
        assert level is None or compression.BY_NAME[name].levels >= level >= 1
    assert text in message


@pytest.mark.parametrize("name", NAMES)
def test_the_source_compression(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.exr", noise(40, 30), attributes={"compression": name})
    source = Footage(str(tmp_path / "a.exr")).frame(1)
    out = str(tmp_path / "o.exr")
    write_frame(out, [("", tuple("RGB"), source.pixels)], source, compression="source")
    assert read_header(out).parts[0].compression == name
    said = compression.written_like(source.metadata.attributes, "half")
    assert f"written with {name} like the source" in said
    assert ("changes pixels" in said) == (name not in LOSSLESS)
    assert compression.keeps_pixels(name, "half") == (name in LOSSLESS)
    assert not compression.keeps_pixels("source", "half")


@pytest.mark.parametrize("node", ["segment", "inpaint"])
def test_frames_are_rendered_again_for_a_compression_that_decides_pixels(node: str) -> None:
    face = catalogue.find(node)
    params = face.parse({})

    def key(name: str) -> str:
        return Shot(face, {}, params, [1], FileSequence.parse("o.####.exr"), "", face.passes, compression=name).key(1)

    assert len({key(name) for name in ("zip", "zip:9", "none", "piz", "htj2k32", "zstd")}) == 1
    assert len({key(name) for name in ("zip", "dwaa", "dwaa:200", "b44", "source")}) == 5


def test_a_source_without_a_compression_that_can_be_written(tmp_path: Path) -> None:
    write(tmp_path / "a.exr", noise(), attributes={"compression": "zip"})
    source = Footage(str(tmp_path / "a.exr")).frame(1)
    unknown = {**source.metadata.attributes, "compression": Attribute("compression", b"\x0c")}
    for attributes, sentence in ((unknown, "cannot be written: .* with zip"), ({}, "is no EXR file .* with zip")):
        frame = replace(source, metadata=replace(source.metadata, attributes=attributes))
        out = str(tmp_path / "o.exr")
        write_frame(out, [("", tuple("RGB"), frame.pixels)], frame, compression="source")
        assert read_header(out).parts[0].compression == "zip"
        assert re.search(sentence, compression.written_like(attributes, "half"))


def test_the_source_level_of_dwa(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((200, 200, 3)).astype(np.float32)
    frame = frame_of(pixels)
    sizes = []
    for level in (1.0, 400.0):
        metadata = SourceMetadata(
            "a.exr", 1, 1, "openexr",
            {"compression": Attribute("compression", b"\x08"),
             "dwaCompressionLevel": Attribute("float", np.float32(level).tobytes())},
        )  # fmt: skip
        out = tmp_path / f"{level}.exr"
        write_frame(str(out), [("", tuple("RGB"), pixels)], replace(frame, metadata=metadata), compression="source")
        sizes.append(out.stat().st_size)
    assert sizes[0] > 1.5 * sizes[1]
