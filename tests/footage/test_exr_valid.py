"""Every valid file of the shared collection: right pixels where the truth is known, else pixels or one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from footage_files import SHARED, name_of, needs_shared, shared_files

from nodes.errors import FootageError
from nodes.footage.frame import Pixels
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame

VALID = SHARED / "exr/valid"
METHODS = VALID / "exrs/compression_methods"
GAFFER = VALID / "gaffer/python/GafferImageTest/images"
STILLS = [path for path in shared_files("footage") if path.suffix in (".png", ".jpg", ".jpeg", ".bmp")]
DECOMPRESSED = sorted(METHODS.glob("f*/decompressed_*.exr"))
REFUSED = {
    "deepResampleRGBError.exr": "is a deep image; flatten it first",
    "representativeDeepImage.exr": "is a deep image; flatten it first",
    "tinydeep.exr": "is a deep image; flatten it first",
    "floatValues.exr": "has no main picture .* name one of its layers: infinity, nan",
    "cryptomatte.exr": "has no main picture .* name one of its layers: crypto_material00",
    "cryptoasset.exr": "has no main picture .* name one of its layers: uCryptoAsset",
}
LOSSLESS = ("piz", "rle", "zip", "zips")
pytestmark = needs_shared("exr/valid")


def pixels(path: Path, layer: str = "", view: str = "") -> Pixels:
    return Footage(str(path), layer, view=view).frame(1).pixels


@pytest.mark.parametrize("path", shared_files("exr/valid"), ids=name_of)
def test_pixels_or_one_sentence(path: Path, tmp_path: Path) -> None:
    if path.name in REFUSED:
        with pytest.raises(FootageError, match=REFUSED[path.name]) as error:
            Footage(str(path)).frame(1)
        assert str(path) in str(error.value)
        return
    frame = Footage(str(path)).frame(1)
    assert frame.pixels.size
    if frame.pixels.size > 2_000_000:
        return
    out = str(tmp_path / "o.exr")
    write_frame(out, [("", frame.channels, frame.pixels)], frame, dtype="float", level=1)
    back = Footage(out).frame(1)
    np.testing.assert_array_equal(back.pixels, frame.pixels)
    assert (back.data_window, back.display_window) == (frame.data_window, frame.display_window)


@pytest.mark.parametrize("kind", ["f16", "f32"])
@pytest.mark.parametrize("method", LOSSLESS)
def test_lossless_methods(kind: str, method: str) -> None:
    np.testing.assert_array_equal(pixels(METHODS / kind / f"{method}.exr"), pixels(METHODS / kind / "uncompressed.exr"))


@pytest.mark.parametrize("path", DECOMPRESSED, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_lossy_methods(path: Path) -> None:
    got = pixels(path.with_name(path.name.removeprefix("decompressed_")))
    tolerance = 3e-3 if "dwa" in path.name else 0  # values up to 2000
    np.testing.assert_allclose(got, pixels(path), atol=tolerance, rtol=0)


@pytest.mark.parametrize("method", LOSSLESS)
def test_files_made_from_integers(method: str) -> None:
    truth = pixels(METHODS / "u16/f32_uncompressed.exr")
    np.testing.assert_array_equal(pixels(METHODS / f"u16/f32_{method}.exr"), truth)
    np.testing.assert_allclose(pixels(METHODS / f"u16/f16_{method}.exr"), truth, atol=3e-4)


@pytest.mark.parametrize("name", ["rgb_plus_y", "y_ry_by"])
def test_luminance_and_chroma(name: str) -> None:
    folder = VALID / "exrs/dwa_csc"
    np.testing.assert_array_equal(pixels(folder / f"{name}_dwaa.exr"), pixels(folder / f"{name}_dwaa_ground_truth.exr"))


def test_one_picture_in_three_compressions() -> None:
    folder = VALID / "exrs/crowskull"
    truth = pixels(folder / "crow_zip_half.exr")
    np.testing.assert_allclose(pixels(folder / "crow_pxr24.exr"), truth, atol=2e-3)
    np.testing.assert_allclose(pixels(folder / "crow_dwa.exr"), truth, atol=0.12)


@pytest.mark.parametrize(
    ("name", "data", "display"),
    [
        ("checkerWithNegWindows.200x150", Window(-25, -99, 200, 150), Window(-5, -5, 26, 26)),
        ("negativeDisplayWindow", Window(2, -4, 34, 34), Window(-5, -5, 26, 26)),
        ("blueWithDataWindow.100x100", Window(30, 20, 50, 50), Window(0, 0, 100, 100)),
        ("deepMergeReference", Window(-58, -11, 208, 157), Window(0, 0, 150, 100)),
    ],
)
def test_windows(name: str, data: Window, display: Window) -> None:
    frame = Footage(str(GAFFER / f"{name}.exr")).frame(1)
    assert (frame.data_window, frame.display_window) == (data, display)


@pytest.mark.parametrize("name", ["PartPerLayer", "SinglePart", "NukeSinglePart", "NukePartPerLayer"])
def test_layers_by_every_convention(name: str) -> None:
    path = GAFFER / f"channelTest{name}.exr"
    np.testing.assert_allclose(pixels(path)[0, 0], [0.1, 0.2, 0.3, 0.4], atol=1e-3)
    np.testing.assert_allclose(pixels(path, "character")[0, 0], [0.5, 0.6, 0.7, 0.8], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "left_starts"),
    [("NukeCompat", 0), ("NukePartPerView", 0), ("NukeSinglePart", -10), ("PartPerLayer", 0), ("SinglePart", 0)],
)
def test_views_by_every_convention(name: str, left_starts: int) -> None:
    path = str(GAFFER / f"channelTestMultiView{name}.exr")
    for view, starts in (("left", left_starts), ("right", -10)):
        for layer, colour in (("", [0.1, 0.2, 0.3, 0.4]), ("character", [0.5, 0.6, 0.7, 0.8])):
            frame = Footage(path, layer, view=view).frame(1)
            first = int(np.argwhere(frame.pixels[0].any(axis=-1))[0][0])
            np.testing.assert_allclose(frame.pixels[0, first], colour, atol=1e-3)
            assert frame.data_window.x + first == starts
            assert frame.metadata.view == view


def test_parts_without_layer_names() -> None:
    frame = Footage(str(GAFFER / "weirdPartNames.exr")).frame(1)
    np.testing.assert_allclose(frame.pixels[0, 0], [0.1, 0.2, 0.3, 0.4], atol=1e-3)


def test_special_numbers() -> None:
    path = GAFFER / "floatValues.exr"
    values = {name: float(pixels(path, name)[0, 0, 0]) for name in ("infinity", "negativeInfinity", "nan", "overOne")}
    assert (values["infinity"], values["negativeInfinity"]) == (np.inf, -np.inf)
    assert np.isnan(values["nan"])
    assert values["overOne"] > 1


@needs_shared("footage")
@pytest.mark.parametrize("path", STILLS, ids=name_of)
def test_stills(path: Path) -> None:
    frame = Footage(str(path)).frame(1)
    # Two that were taken from a display, one that was mastered for print.
    profiles = {"icc_profile_test": "srgb_p3d65", "rocket": "g22_adobergb"}
    assert frame.colour.name == profiles.get(path.stem, "srgb")
    assert frame.channels in (("Y",), ("R", "G", "B"), ("R", "G", "B", "A"))
    assert 0 <= frame.pixels.min() < frame.pixels.max() <= 1
