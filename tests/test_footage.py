"""Reading: windows, layers, parts, views, pixel types, stills, missing frames, identities."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest

from nodes.errors import FootageError, ParameterError
from nodes.footage.colour_space import LINEAR_REC709, SRGB
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from tests.footage_files import noise, write, write_parts


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


@pytest.fixture
def shot(tmp_path: Path) -> str:
    """Frames 1001, 1002, 1005 of a shot; 1002 has another window."""
    for number, origin in ((1001, (0, 0)), (1002, (3, -2)), (1005, (0, 0))):
        write(tmp_path / f"a.{number}.exr", noise(seed=number), origin=origin, display=(0, 0, 20, 10))
    return str(tmp_path / "a.####.exr")


def test_missing_frames_are_errors(shot: str) -> None:
    footage = Footage(shot)
    assert footage.range() == (1001, 1005)
    assert footage.frames() == [1001, 1002, 1005]
    with pytest.raises(
        FootageError, match=r"Frame 1003 is missing: .*1003\.exr does not exist \(there are 1001-1002,1005\)"
    ):
        footage.frame(1003)


@pytest.mark.parametrize(("frame", "held"), [(1003, 1002), (1004, 1002), (1002, 1002), (1000, 1001), (2000, 1005)])
def test_missing_frames_are_held(shot: str, frame: int, held: int) -> None:
    got = Footage(shot, missing="hold").frame(frame)
    np.testing.assert_array_equal(got.pixels, noise(seed=held))
    assert (got.metadata.frame, got.metadata.read_frame) == (frame, held)
    assert bool(got.metadata.notes) == (frame != held)


def test_missing_frames_are_black(shot: str) -> None:
    footage = Footage(shot, missing="black")
    got = footage.frame(1003)
    assert not got.pixels.any()
    assert got.data_window == footage.frame(1002).data_window == footage.header(1003).data_window
    assert got.metadata.notes == ("Frame 1003 is missing; it is black.",)


def test_nothing_matches(tmp_path: Path) -> None:
    write(tmp_path / "a.0001.exr", noise())
    for missing in ("error", "hold", "black"):
        footage = Footage(str(tmp_path / "a.#####.exr"), missing=missing)  # type: ignore[arg-type]
        with pytest.raises(FootageError, match=r"No file matches .*a\.#####\.exr\. Did you mean .*a\.####\.exr\?"):
            footage.frame(1)
    with pytest.raises(FootageError, match=r"b\.exr does not exist"):
        Footage(str(tmp_path / "b.exr")).range()
    with pytest.raises(ParameterError, match="not 'skip'"):
        Footage(str(tmp_path / "b.exr"), missing="skip")  # type: ignore[arg-type]


def test_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.exr").write_text("hello")
    (tmp_path / "empty.exr").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.exr")
    for name, reason in (("a", "is not a picture"), ("empty", "is empty"), ("pipe", "is not an ordinary file")):
        with pytest.raises(FootageError, match=reason):
            Footage(str(tmp_path / f"{name}.exr")).frame(1)


def test_a_damaged_frame_is_an_error_whatever_missing_says(shot: str) -> None:
    path = shot.replace("####", "1002")
    data = Path(path).read_bytes()
    for end in (3, 40, len(data) // 2, len(data) - 5):
        Path(path).write_bytes(data[:end])
        with pytest.raises(FootageError, match=r"Frame 1002: .*a\.1002\.exr") as error:
            Footage(shot, missing="hold").frame(1002)
        assert "\n" not in str(error.value)


def test_header(shot: str) -> None:
    header = Footage(shot).header(1002)
    assert (header.channels, header.data_window) == (("R", "G", "B"), Window(3, -2, 8, 6))
    assert header.attributes["screenWindowWidth"] == 1.0


def test_identity_changes_with_every_file_of_the_range(shot: str) -> None:
    footage = Footage(shot, missing="hold")
    before = {span: footage.identity(*span) for span in ((1001, 1001), (1001, 1005), (1003, 1003), (1005, 1005))}
    assert len(set(before.values())) == 4
    write(Path(shot.replace("####", "1002")), noise(seed=7), display=(0, 0, 20, 10))
    after = {span: footage.identity(*span) for span in before}
    assert after[1001, 1001] == before[1001, 1001]
    assert after[1005, 1005] == before[1005, 1005]
    assert after[1001, 1005] != before[1001, 1005]
    assert after[1003, 1003] != before[1003, 1003]  # 1002 is held there
    assert after == {span: Footage(shot, missing="hold").identity(*span) for span in before}


def test_identity_depends_on_how_it_is_read(shot: str) -> None:
    ways = [Footage(shot), Footage(shot, "fg"), Footage(shot, missing="hold"), Footage(shot, input_space="ACEScg")]
    assert len({way.identity(1001, 1002) for way in ways}) == 4
    assert Footage(shot).identity(1001, 1000) == Footage(shot).identity(5, 4)


def test_identity_of_growing_ranges_costs_a_step_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.0001.exr", noise())
    for number in range(2, 1201):
        os.link(path, tmp_path / f"a.{number:04d}.exr")
    footage = Footage(str(tmp_path / "a.####.exr"))
    calls = 0
    plain = os.stat

    def counted(*args: Any, **kwargs: Any) -> os.stat_result:
        nonlocal calls
        calls += 1
        return plain(*args, **kwargs)

    monkeypatch.setattr(os, "stat", counted)
    for last in range(1, 1201):
        footage.identity(1, last)
    assert calls < 60_000  # 720,000 if every range were looked at anew


def test_several_threads(shot: str) -> None:
    footage = Footage(shot)
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            if not np.array_equal(footage.frame(number).pixels, noise(seed=number)):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in (1001, 1002, 1005, 1001)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
