"""What PNG, TIFF, JPEG and DPX say beside their pixels: orientation, profiles, transfer, alpha's association."""

from __future__ import annotations

import functools
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from footage_files import SHARED, Array, needs_shared, noise, write
from hypothesis import given
from hypothesis import strategies as st

from nodes.footage.association import multiplied
from nodes.footage.colour import icc, primaries
from nodes.footage.colour.space import LINEAR_REC709, SRGB
from nodes.footage.colour.spaces import by_name, to_linear_rec709
from nodes.footage.colour.transfer import decode
from nodes.footage.linearise import linearised
from nodes.footage.reader import Footage
from nodes.footage.stills.orientation import turned, turned_window
from nodes.footage.window import Window

TALL = np.linspace(0, 1, 5 * 3 * 3, dtype=np.float32).reshape(5, 3, 3)
# What a camera stores so that the turn shows `up`.
STORED = {
    1: lambda up: up,
    2: lambda up: up[:, ::-1],
    3: lambda up: up[::-1, ::-1],
    4: lambda up: up[::-1],
    5: lambda up: up.swapaxes(0, 1),
    6: lambda up: np.rot90(up, 1),
    7: lambda up: np.rot90(up, 2).swapaxes(0, 1),
    8: lambda up: np.rot90(up, -1),
}


# SMPTE 268M numbers them otherwise than TIFF, and OpenImageIO writes some of them wrong.
DPX_CODES = {1: 0, 2: 1, 3: 3, 4: 2, 5: 4, 6: 5, 7: 7, 8: 6}


def stored(path: Path, up: Array, orientation: int, bits: int = 16) -> Path:
    """A picture stored turned, so that its Orientation shows `up`."""
    attributes = {"Orientation": orientation, "oiio:BitsPerSample": bits}
    kind = oiio.UINT8 if bits == 8 else oiio.UINT16
    write(path, STORED[orientation](up), kind=kind, attributes=attributes)
    if path.suffix == ".dpx":
        data = bytearray(path.read_bytes())
        data[768:770] = struct.pack(">H" if data[:4] == b"SDPX" else "<H", DPX_CODES[orientation])
        path.write_bytes(data)
    return path


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(("ending", "bits"), [("tif", 8), ("tif", 16), ("dpx", 8), ("dpx", 10), ("png", 8), ("jpg", 8)])
def test_stills_are_turned_upright(tmp_path: Path, ending: str, bits: int, orientation: int) -> None:
    path = stored(tmp_path / f"a.{ending}", TALL, orientation, bits)
    frame = Footage(str(path)).frame(1)
    np.testing.assert_allclose(frame.pixels, TALL, atol=0.3 if ending == "jpg" else 1 / 2**bits)
    assert frame.data_window == frame.display_window == Window(0, 0, 3, 5) == Footage(str(path)).header(1).data_window
    assert "Orientation" not in frame.metadata.attributes


def test_exr_files_are_not_turned(tmp_path: Path) -> None:
    frame = Footage(str(write(tmp_path / "a.exr", TALL, kind=oiio.FLOAT, attributes={"Orientation": 6}))).frame(1)
    np.testing.assert_array_equal(frame.pixels, TALL)
    assert "Orientation" in frame.metadata.attributes


def test_pixel_aspect_is_turned_along(tmp_path: Path) -> None:
    attributes = {"Orientation": 6, "PixelAspectRatio": 2.0}
    path = write(tmp_path / "a.tif", TALL, kind=oiio.UINT8, attributes=attributes)
    assert Footage(str(path)).frame(1).pixel_aspect == pytest.approx(0.5)


@given(st.sampled_from(sorted(STORED)), *[st.integers(0, 6)] * 4)
def test_windows_are_turned_like_their_pixels(orientation: int, left: int, top: int, right: int, bottom: int) -> None:
    """The pixels of a crop, turned, are the crop of the turned picture."""
    data = Window(10 + left, 20 + top, 3, 2)
    display = Window(10, 20, left + 3 + right, top + 2 + bottom)
    whole = np.zeros((display.height, display.width, 1), np.float32)
    rows, columns = data.slices_in(display)
    whole[rows, columns, 0] = np.arange(1, 7).reshape(2, 3)
    window, full = (turned_window(one, display, orientation) for one in (data, display))
    assert (full.x, full.y) == (display.x, display.y)
    expected = turned(whole, orientation)[window.slices_in(full)]
    np.testing.assert_array_equal(turned(whole[rows, columns], orientation), expected)


def profile_of(chromaticities: tuple[float, ...], gamma: float, space: bytes = b"RGB ") -> bytes:
    """A display profile as ICC.1:2001 describes it: a matrix, adapted to D50, and a power for each channel."""
    d50 = (*chromaticities[:6], 0.3457, 0.3585)
    adapted = np.linalg.inv(np.array(primaries.to_rec709(d50))) @ np.array(primaries.to_rec709(chromaticities))
    matrix = primaries._to_xyz(d50) @ adapted

    def xyz(values: Any) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(v) * 65536) for v in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = {b"wtpt": xyz((0.9642, 1, 0.8249)), b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 79}
    for index, name in enumerate(b"rgb"):
        tags[bytes([name]) + b"XYZ"] = xyz(matrix[:, index])
        tags[bytes([name]) + b"TRC"] = curve
    table, data = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(value))
        data += value + b"\0" * (-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", 132 + 12 * len(tags) + len(data), b"\0" * 4, 0x02100000, b"mntr", space, b"XYZ ")
    head = head.ljust(36, b"\0") + b"acsp"
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + data


def with_profile(path: Path, values: Array, profile: bytes, kind: Any = oiio.UINT16) -> str:
    blob = np.frombuffer(profile, np.uint8)
    return str(write(path, values, kind=kind, attributes={"ICCProfile": (f"uint8[{len(blob)}]", blob)}))


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
@pytest.mark.parametrize(
    ("chromaticities", "gamma"),
    [(primaries.ADOBE_RGB, 563 / 256), (primaries.P3_D65, 1.8), (primaries.REC2020, 2.4), (primaries.REC709, 1.0)],
)
def test_profiles_are_honoured(tmp_path: Path, ending: str, chromaticities: tuple[float, ...], gamma: float) -> None:
    values = np.array([[[0.9, 0.3, 0.2]] * 8, [[0.5, 0.5, 0.5]] * 8] * 8, np.float32).repeat(8, 0)[:16]
    kind = oiio.UINT8 if ending == "jpg" else oiio.UINT16
    path = with_profile(tmp_path / f"a.{ending}", values, profile_of(chromaticities, gamma), kind)
    frame = linearised(Footage(path).frame(1))
    stored = Footage(path, input_space="lin_rec709").frame(1).pixels
    expected = stored**gamma @ np.array(primaries.to_rec709(chromaticities), np.float32).T
    np.testing.assert_allclose(frame.pixels, expected, atol=3e-3)
    assert not frame.metadata.notes
    assert Footage(path, input_space="sRGB").frame(1).colour == SRGB
    assert Footage(path, kind="mask").frame(1).colour == LINEAR_REC709


def test_profiles_are_read_by_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each its own at the same time, before there is a folder to put them into."""
    monkeypatch.setattr(icc, "_folder", functools.cache(icc._folder.__wrapped__))
    profiles = [profile_of(primaries.ADOBE_RGB, 1.5 + n / 10) for n in range(16)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda one: icc.space_of.__wrapped__(one, "test"), profiles))
    assert [space.transfer if space else "" for space in found] == ["icc"] * 7 + ["gamma:2.2"] + ["icc"] * 8


def test_a_profile_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    for profile in (profile_of(primaries.P3_D65, 2.2, b"CMYK"), b"\1" * 500, profile_of(primaries.P3_D65, 2.2)[:300]):
        path = with_profile(tmp_path / "a.tif", noise().clip(0, 1), profile)
        frame = Footage(path).frame(1)
        assert frame.colour == SRGB
        (note,) = frame.metadata.notes
        assert "which cannot be used" in note
        assert "it is read as sRGB" in note
        for how in ({"input_space": "sRGB"}, {"kind": "mask"}):
            assert not Footage(path, **how).frame(1).metadata.notes


@needs_shared("footage/inpaint")
@pytest.mark.parametrize(
    ("name", "space"), [("icc_profile_test.png", "srgb_p3d65"), ("icc_profile_test.jpg", "srgb_p3d65"),
                        ("anytext_mask.jpg", "srgb")]
)  # fmt: skip
def test_profiles_of_real_pictures(name: str, space: str) -> None:
    assert Footage(str(SHARED / "footage/inpaint/iopaint/tests" / name)).frame(1).colour == by_name(space)


def test_high_dynamic_range_that_a_png_states_is_believed(tmp_path: Path) -> None:
    """Rec.2100 PQ by its code points (ITU-T H.273): 0.508 is a display's white of 100 candelas."""
    values = np.full((2, 2, 3), 0.508, np.float32)
    path = write(tmp_path / "a.png", values, kind=oiio.UINT16, attributes={"CICP": ("int[4]", (9, 16, 0, 1))})
    frame = linearised(Footage(str(path)).frame(1))
    np.testing.assert_allclose(frame.pixels, 1.0, rtol=0.02)
    assert not [name for name in frame.metadata.attributes if name == "CICP"]


CINEON = {95: 0.0, 445: 0.1493, 685: 1.0}


@pytest.mark.parametrize(
    ("transfer", "expected"),
    [
        ("Printing density", CINEON),
        ("Logarithmic", CINEON),
        ("Linear", {445: 445 / 1023, 685: 685 / 1023}),
        ("ITU-R 709-4", {445: float(decode(np.float32([445 / 1023]), "rec709")[0])}),
        ("SMPTE 274M", {445: float(decode(np.float32([445 / 1023]), "rec709")[0])}),
        ("User defined", {445: float(decode(np.float32([445 / 1023]), "srgb")[0])}),
        ("", {445: float(decode(np.float32([445 / 1023]), "srgb")[0])}),
    ],
)
def test_what_the_numbers_of_a_dpx_mean(tmp_path: Path, transfer: str, expected: dict[int, float]) -> None:
    codes = np.array([[[code / 1023] * 3 for code in expected]], np.float32)
    attributes = {"oiio:BitsPerSample": 10, **({"dpx:Transfer": transfer} if transfer else {})}
    path = write(tmp_path / "a.dpx", codes, kind=oiio.UINT16, attributes=attributes)
    frame = linearised(Footage(str(path)).frame(1))
    np.testing.assert_allclose(frame.pixels[0, :, 0], list(expected.values()), atol=2e-4)
    guessed = transfer in ("", "User defined")
    assert [("10-bit" in note, "read as sRGB" in note) for note in frame.metadata.notes] == [(True, True)] * guessed
    assert not linearised(Footage(str(path), input_space="cineon").frame(1)).metadata.notes


VALUES = np.array([[[200, 100, 50, 128], [255, 255, 255, 0], [10, 20, 30, 255]]], np.uint8)


@pytest.mark.parametrize(
    ("ending", "attributes", "straight"),
    [
        ("png", {}, True),
        ("bmp", {}, True),
        ("tga", {"oiio:UnassociatedAlpha": 1}, True),
        ("tif", {"oiio:UnassociatedAlpha": 1}, True),
        ("tif", {}, False),
        ("exr", {}, False),
        ("dpx", {}, False),
    ],
)
def test_association_goes_by_the_format_and_its_fields(
    tmp_path: Path, ending: str, attributes: dict[str, Any], straight: bool
) -> None:
    attributes = {"oiio:UnassociatedAlpha": 1, **attributes} if ending in ("png", "tga") else attributes
    path = write(tmp_path / f"a.{ending}", VALUES, "RGBA", oiio.UINT8, attributes=attributes)
    frame = Footage(str(path)).frame(1)
    assert frame.metadata.straight_alpha == straight
    light = to_linear_rec709(frame.pixels, frame.colour)
    out = linearised(frame)
    np.testing.assert_array_equal(out.pixels[..., 3:], frame.pixels[..., 3:])
    factor = frame.pixels[..., 3:] if straight else 1
    np.testing.assert_allclose(out.pixels[..., :3], light[..., :3] * factor, atol=1e-6)
    assert bool(out.metadata.notes) == straight
    if straight:
        assert "gone where alpha is 0" in out.metadata.notes[0]
        assert not out.metadata.straight_alpha


def test_opaque_alpha_is_not_worth_a_word(tmp_path: Path) -> None:
    values = np.full((2, 2, 4), 255, np.uint8)
    path = write(tmp_path / "a.png", values, "RGBA", oiio.UINT8, attributes={"oiio:UnassociatedAlpha": 1})
    assert not linearised(Footage(str(path)).frame(1)).metadata.notes


@pytest.mark.parametrize("name", ["lin_rec709", "ACEScg", "sRGB", "cineon", "ARRI LogC3 (EI800)", "g22_adobergb"])
def test_colour_is_multiplied_in_light(name: str) -> None:
    """encode(alpha x light) for every space; itself where alpha is 1, no light where it is 0."""
    space = by_name(name)
    colour = np.random.default_rng(3).uniform(0.1, 0.9, (4, 5, 3)).astype(np.float32)
    alpha = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5, 1)
    out = multiplied(colour, alpha, space)
    light = to_linear_rec709(out, space)
    np.testing.assert_allclose(light, to_linear_rec709(colour, space) * alpha, atol=2e-4, rtol=2e-3)
    np.testing.assert_array_equal(out[3, 4], colour[3, 4])
    np.testing.assert_allclose(light[0, 0], 0, atol=1e-5)
