"""With how many bits passes are written, and what is said where that costs some of the source's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from footage_files import frame_of, noise, write

from nodes import catalogue
from nodes.footage.frame import Frame
from nodes.footage.linearise import linearised
from nodes.footage.reader import Footage
from plugin.rendering.bits import depth_of, sentences

INPAINT, MATTE, SEGMENT = (catalogue.find(name) for name in ("inpaint", "background-matte", "segment"))


def read(path: Path, pixels: Any = None, **how: Any) -> Frame:
    return linearised(Footage(str(write(path, noise().clip(0, 1) if pixels is None else pixels, **how))).frame(1))


@pytest.mark.parametrize(
    ("name", "how", "expected"),
    [
        ("a.exr", {"kind": oiio.HALF}, "half"),
        ("a.exr", {"kind": oiio.FLOAT}, "float"),
        ("a.exr", {"kind": oiio.UINT32, "pixels": np.ones((2, 2, 3), np.uint32)}, "float"),
        ("a.exr", {"kinds": [oiio.HALF, oiio.HALF, oiio.FLOAT]}, "float"),
        ("a.exr", {"kinds": [oiio.HALF] * 3 + [oiio.FLOAT], "channels": ("R", "G", "B", "Z"), "pixels": noise(6, 8, 4)},
         "half"),
        ("a.png", {"kind": oiio.UINT8}, "half"),
        ("a.png", {"kind": oiio.UINT16}, "float"),
        ("a.tif", {"kind": oiio.FLOAT}, "float"),
        ("a.dpx", {"kind": oiio.UINT16, "attributes": {"oiio:BitsPerSample": 10}}, "half"),
        ("a.dpx", {"kind": oiio.UINT16, "attributes": {"oiio:BitsPerSample": 12}}, "float"),
    ],
)  # fmt: skip
def test_a_clean_plate_keeps_the_type_of_its_source(tmp_path: Path, name: str, how: Any, expected: str) -> None:
    source = read(tmp_path / name, **how)
    clean, *others = INPAINT.passes
    assert depth_of(clean, None, source) == expected
    assert {depth_of(one, None, source) for one in others} == {"half"}
    assert {depth_of(one, "float", source) for one in INPAINT.passes} == {"float"}
    assert depth_of(clean, "half", source) == "half"
    assert [depth_of(one, "half", source) for one in SEGMENT.passes] == [
        "float" if one.exact else "half" for one in SEGMENT.passes
    ]


@pytest.mark.parametrize("bits", [8, 10])
def test_half_tells_all_codes_of_integers_apart_that_are_written_with_it(tmp_path: Path, bits: int) -> None:
    codes = np.arange(2**bits, dtype=np.float32).reshape(-1, 16, 1).repeat(3, 2) / (2**bits - 1)
    kind = oiio.UINT8 if bits == 8 else oiio.UINT16
    for transfer in ("Printing density", "Linear", "ITU-R 709-4", "User defined"):
        attributes = {"oiio:BitsPerSample": bits, "dpx:Transfer": transfer}
        source = read(tmp_path / "a.dpx", codes, kind=kind, attributes=attributes)
        assert source.metadata.pixel_type == "half"
        assert len(np.unique(source.pixels[..., 0].astype(np.float16))) == 2**bits


def test_what_bits_cost_is_said(tmp_path: Path) -> None:
    wide = noise()
    wide[0, 0] = (70000, np.inf, np.nan)
    plain, large = (read(tmp_path / f"{n}.exr", pixels, kind=oiio.FLOAT) for n, pixels in enumerate((noise(), wide)))
    half = read(tmp_path / "half.exr", wide)
    infinite = read(tmp_path / "inf.exr", np.full((2, 2, 3), np.inf), kind=oiio.FLOAT)
    for source in (plain, large, half, infinite, frame_of(wide)):
        assert not sentences(INPAINT.passes, None, source)
        assert not sentences(MATTE.passes, "float", source)
    assert ["rounded to half" in text for text in sentences(INPAINT.passes, "half", plain)] == [True]
    assert ["65504" in text for text in sentences(INPAINT.passes, "half", large)] == [False, True]
    assert ["65504" in text for text in sentences(MATTE.passes, None, large)] == [True]
    assert not sentences([one for one in MATTE.passes if one.name == "alpha"], None, large)
    for source in (plain, half, infinite, frame_of(wide)):
        assert not sentences(MATTE.passes, None, source)
