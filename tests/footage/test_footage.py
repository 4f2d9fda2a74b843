"""Reading one frame: windows, layers, parts, views, pixel types, stills, colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from footage_files import noise, write, write_parts

from nodes.errors import FootageError, ParameterError
from nodes.footage.colour.space import LINEAR_REC709, SRGB
from nodes.footage.reader import Footage
from nodes.footage.window import Window


@pytest.mark.parametrize("kind", [oiio.HALF, oiio.FLOAT])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize("compression", ["none", "rle", "zips", "zip", "piz", "pxr24", "zstd"])
def test_lossless_compressions(tmp_path: Path, compression: str, tile: int, kind: Any) -> None:
    pixels = noise(37, 41, 4)
    attributes = {"compression": compression}
    path = write(tmp_path / "a.exr", pixels, "RGBA", kind, (-3, 5), (0, 0, 50, 60), attributes, tile=tile)
    frame = Footage(str(path)).frame(1)
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.pixels.dtype == np.float32
    assert frame.channels == ("R", "G", "B", "A")
    assert frame.data_window == Window(-3, 5, 41, 37)
    assert frame.display_window == Window(0, 0, 50, 60)
    assert frame.colour == LINEAR_REC709


@pytest.mark.parametrize(
    ("origin", "display"),
    [
        ((-250, -13), (0, 0, 10, 10)),
        ((3, 4), (0, 0, 100, 100)),
        ((95, -2), (0, 0, 100, 100)),
        ((500, 500), (0, 0, 10, 10)),
        ((-7, 1), (-5, -5, 26, 27)),
    ],
)
def test_windows(tmp_path: Path, origin: tuple[int, int], display: tuple[int, int, int, int]) -> None:
    path = write(tmp_path / "a.exr", noise(), origin=origin, display=display)
    frame = Footage(str(path)).frame(1)
    assert frame.data_window == Window(*origin, 8, 6)
    assert frame.display_window == Window(*display)


def test_pixel_aspect(tmp_path: Path) -> None:
    path = write(tmp_path / "a.exr", noise(), attributes={"PixelAspectRatio": 2.0})
    assert Footage(str(path)).frame(1).pixel_aspect == 2.0


def test_nan_and_infinity_are_kept(tmp_path: Path) -> None:
    pixels = noise()
    pixels[0, 0] = (np.nan, np.inf, -np.inf)
    frame = Footage(str(write(tmp_path / "a.exr", pixels))).frame(1)
    np.testing.assert_array_equal(frame.pixels, pixels)


def test_uint_channels_are_numbers_not_fractions(tmp_path: Path) -> None:
    ids = np.array([[[0], [7], [70000]]], np.uint32)
    path = write(tmp_path / "a.exr", ids, ("id",), oiio.UINT32)
    frame = Footage(str(path), layer="id").frame(1)
    np.testing.assert_array_equal(frame.pixels[0, :, 0], [0, 7, 70000])


@pytest.mark.parametrize(
    ("channels", "names"),
    [
        ("Y", ("Y",)),
        ("YA", ("Y", "A")),
        ("RGB", ("R", "G", "B")),
        ("ABGR", ("R", "G", "B", "A")),
        (("red", "green", "blue", "alpha"), ("R", "G", "B", "A")),
        (("r", "g", "b"), ("R", "G", "B")),
        (("Z", "R", "G", "B", "mask"), ("R", "G", "B")),
        (("main.R", "main.G", "main.B"), ("R", "G", "B")),
        (("R", "G"), ("R", "G", "B")),
        ("R", ("R",)),
        ("A", ("A",)),
        (("mask",), ("mask",)),
    ],
)
def test_main_picture_by_channel_names(tmp_path: Path, channels: Any, names: tuple[str, ...]) -> None:
    path = write(tmp_path / "a.exr", noise(channels=len(channels)), channels)
    frame = Footage(str(path)).frame(1)
    assert frame.channels == names
    assert Footage(str(path)).header(1).channels == names


def test_layers(tmp_path: Path) -> None:
    pixels = noise(channels=9)
    channels = ("R", "G", "B", "fg.R", "fg.G", "fg.B", "matte.A", "Z", "fg.Z")
    path = str(write(tmp_path / "a.exr", pixels, channels))
    np.testing.assert_array_equal(Footage(path).frame(1).pixels, pixels[..., :3])
    np.testing.assert_array_equal(Footage(path, layer="fg").frame(1).pixels, pixels[..., 3:6])
    for layer, channel in (("matte", 6), ("matte.A", 6), ("Z", 7), ("fg.Z", 8)):
        frame = Footage(path, layer=layer).frame(1)
        np.testing.assert_array_equal(frame.pixels[..., 0], pixels[..., channel])
        assert len(frame.channels) == 1
    with pytest.raises(FootageError, match=r"has no layer 'bg'; it has the main picture, fg, matte, Z, fg\.Z\."):
        Footage(path, layer="bg").frame(1)


def test_parts(tmp_path: Path) -> None:
    a, b, c = noise(seed=1), noise(seed=2, channels=4), noise(seed=3, channels=1)
    path = str(
        write_parts(
            tmp_path / "a.exr",
            [("rgba", "RGB", a, {}), ("fg.main", "RGBA", b, {"origin": (2, 1)}), ("depth", "Z", c, {})],
        )
    )
    np.testing.assert_array_equal(Footage(path).frame(1).pixels, a)
    for footage in (Footage(path, layer="fg"), Footage(path, part="fg.main"), Footage(path, part=1)):
        frame = footage.frame(1)
        np.testing.assert_array_equal(frame.pixels, b)
        assert frame.data_window == Window(2, 1, 8, 6)
    np.testing.assert_array_equal(Footage(path, layer="depth").frame(1).pixels, c)
    with pytest.raises(FootageError, match=r"no part 'x'; it has 'rgba', 'fg\.main', 'depth'"):
        Footage(path, part="x").frame(1)


def test_channels_spread_over_parts(tmp_path: Path) -> None:
    planes = [noise(seed=n, channels=1) for n in range(4)]
    parts = [(f"part{n}", "RGBA"[n], planes[n], {"origin": (n, 0)}) for n in range(4)]
    frame = Footage(str(write_parts(tmp_path / "a.exr", parts))).frame(1)
    assert frame.channels == ("R", "G", "B", "A")
    assert frame.data_window == Window(0, 0, 11, 6)
    for n in range(4):
        np.testing.assert_array_equal(frame.pixels[:, n : n + 8, n], planes[n][..., 0])
        assert not frame.pixels[:, :n, n].any()


def test_views_in_parts(tmp_path: Path) -> None:
    left, right = noise(seed=1), noise(seed=2)
    parts = [("rgba.right", "RGB", right, {"view": "right"}), ("rgba.left", "RGB", left, {"view": "left"})]
    path = str(write_parts(tmp_path / "a.exr", parts))
    np.testing.assert_array_equal(Footage(path).frame(1).pixels, left)
    frame = Footage(path, view="right").frame(1)
    np.testing.assert_array_equal(frame.pixels, right)
    assert frame.metadata.view == "right"
    with pytest.raises(FootageError, match="has no view 'centre'; it has right, left"):
        Footage(path, view="centre").frame(1)


def test_views_in_one_part(tmp_path: Path) -> None:
    pixels = noise(channels=6)
    channels = ("R", "G", "B", "right.R", "right.G", "right.B")
    views = {"multiView": ("string[2]", ("left", "right"))}
    path = str(write(tmp_path / "a.exr", pixels, channels, attributes=views))
    np.testing.assert_array_equal(Footage(path).frame(1).pixels, pixels[..., :3])
    np.testing.assert_array_equal(Footage(path, view="right").frame(1).pixels, pixels[..., 3:])


def test_views_in_files(tmp_path: Path) -> None:
    for seed, view in enumerate(("right", "left")):
        write(tmp_path / f"a.{view}.0001.exr", noise(seed=seed))
    footage = Footage(str(tmp_path / "a.%V.####.exr"))
    np.testing.assert_array_equal(footage.frame(1).pixels, noise(seed=1))
    assert footage.frame(1).metadata.view == "left"
    right = Footage(str(tmp_path / "a.%v.####.exr").replace("%v", "%V"), view="right")
    np.testing.assert_array_equal(right.frame(1).pixels, noise(seed=0))


def test_luminance_and_chroma(tmp_path: Path) -> None:
    rgb = np.array([[[0.2, 0.5, 0.8], [3.0, 0.0, 0.25]]], np.float32)
    luma = rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    stored = np.stack([luma, rgb[..., 0] / luma - 1, rgb[..., 2] / luma - 1], -1)
    path = write(tmp_path / "a.exr", stored, ("Y", "RY", "BY"), oiio.FLOAT)
    frame = Footage(str(path)).frame(1)
    assert frame.channels == ("R", "G", "B")
    np.testing.assert_allclose(frame.pixels, rgb, atol=1e-3)


def test_mip_levels_are_ignored(tmp_path: Path) -> None:
    pixels = noise(32, 32)
    path = str(tmp_path / "a.exr")
    oiio.ImageBufAlgo.make_texture(oiio.MakeTxTexture, oiio.ImageBuf(pixels), path, oiio.ImageSpec(1, 1, 3, oiio.HALF))
    assert Footage(path).frame(1).pixels.shape == (32, 32, 3)


def test_deep_files_are_refused(tmp_path: Path) -> None:
    spec = oiio.ImageSpec(2, 2, 5, oiio.FLOAT)
    spec.channelnames, spec.deep = ("R", "G", "B", "A", "Z"), True
    output = oiio.ImageOutput.create("a.exr")
    data = oiio.DeepData()
    data.init(4, 5, [oiio.FLOAT] * 5, list(spec.channelnames))
    path = str(tmp_path / "a.exr")
    assert output.open(path, spec)
    output.write_deep_image(data)
    output.close()
    with pytest.raises(FootageError, match=r"a\.exr is a deep image; flatten it first"):
        Footage(path).frame(1)


@pytest.mark.parametrize("ending", ["png", "tif", "dpx"])
@pytest.mark.parametrize("kind", [oiio.UINT8, oiio.UINT16])
def test_integer_stills(tmp_path: Path, ending: str, kind: Any) -> None:
    most = 255 if kind == oiio.UINT8 else 65535
    values = np.array([[[0, most // 2, most], [most // 3, 1, most - 1]]], np.uint8 if most == 255 else np.uint16)
    path = write(tmp_path / f"a.{ending}", values, kind=kind)
    frame = Footage(str(path)).frame(1234)
    np.testing.assert_allclose(frame.pixels, values / most, atol=1e-6)
    assert frame.colour == SRGB
    assert frame.metadata.frame == 1234


def test_straight_alpha_is_left_alone(tmp_path: Path) -> None:
    values = np.array([[[200, 100, 50, 128], [255, 255, 255, 0]]], np.uint8)
    for name in ("a.png", "a.tif"):
        path = write(tmp_path / name, values, "RGBA", oiio.UINT8, attributes={"oiio:UnassociatedAlpha": 1})
        frame = Footage(str(path)).frame(1)
        np.testing.assert_allclose(frame.pixels * 255, values, atol=1e-4)
        assert frame.metadata.straight_alpha


def test_grey_with_alpha(tmp_path: Path) -> None:
    values = np.array([[[200, 128]]], np.uint8)
    path = write(tmp_path / "a.png", values, "YA", oiio.UINT8, attributes={"oiio:UnassociatedAlpha": 1})
    frame = Footage(str(path)).frame(1)
    assert frame.channels == ("Y", "A")
    np.testing.assert_allclose(frame.pixels * 255, values, atol=1e-4)


def test_float_tiff_is_linear(tmp_path: Path) -> None:
    frame = Footage(str(write(tmp_path / "a.tif", noise(), kind=oiio.FLOAT))).frame(1)
    np.testing.assert_array_equal(frame.pixels, noise())
    assert frame.colour == LINEAR_REC709


def test_logarithmic_dpx_is_recognised(tmp_path: Path) -> None:
    values = np.full((4, 4, 3), 445 * 64, np.uint16)
    attributes = {"oiio:ColorSpace": "KodakLog", "oiio:BitsPerSample": 10}
    frame = Footage(str(write(tmp_path / "a.dpx", values, kind=oiio.UINT16, attributes=attributes))).frame(1)
    assert frame.colour.transfer == "cineon"
    assert Footage(str(tmp_path / "a.dpx"), input_space="sRGB").frame(1).colour == SRGB


def test_input_space_by_name(tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.exr", noise()))
    assert Footage(path, input_space="ACEScg").frame(1).colour.name == "lin_ap1"
    with pytest.raises(ParameterError, match="input space 'ACESgc' is unknown"):
        Footage(path, input_space="ACESgc")
