"""Colour spaces: recognised in files, found by name, and converted without loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes import catalogue
from nodes.errors import ParameterError
from nodes.footage import exr_attributes
from nodes.footage.colour import ocio, primaries
from nodes.footage.colour.names import OFFERED, all_names
from nodes.footage.colour.space import LINEAR_REC709, SRGB, ColourSpace
from nodes.footage.colour.spaces import by_name, from_linear_rec709, identify_space, to_linear_rec709
from nodes.footage.colour.transfer import decode, encode
from nodes.footage.metadata import Attribute
from nodes.opening import reading

OWN_CONFIG = """ocio_profile_version: 2
roles: {default: raw, scene_linear: linear, aces_interchange: ap0}
displays: {sRGB: [!<View> {name: Raw, colorspace: raw}]}
colorspaces:
  - !<ColorSpace> {name: raw, isdata: true}
  - !<ColorSpace> {name: ap0}
  - !<ColorSpace>
    name: half light
    from_scene_reference: !<MatrixTransform> {matrix: [2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]}
  - !<ColorSpace> {name: linear}
"""


def attributes(**values: object) -> dict[str, Attribute]:
    return {name: exr_attributes.encode(value) for name, value in values.items()}


def chromaticities(values: tuple[float, ...]) -> dict[str, Attribute]:
    return {"chromaticities": exr_attributes.encode(values, "chromaticities")}


def pixels(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, -1, 3)


def test_what_says_nothing() -> None:
    assert identify_space({}, "openexr") == LINEAR_REC709
    assert identify_space({}, "") == LINEAR_REC709
    assert identify_space({}, "png") == SRGB


def test_a_plate_that_says_nothing_is_in_the_space_that_was_named_for_the_source() -> None:
    """Its own tag and its format go first: an 8-bit picture is sRGB whatever the shot is in."""
    assert identify_space({}, "openexr", "auto", "ACEScg").name == "lin_ap1"
    assert identify_space({}, "", "auto", "ACEScg").name == "lin_ap1"
    assert identify_space({}, "png", "auto", "ACEScg") == SRGB
    assert (
        identify_space(attributes(colorInteropID="lin_rec2020_scene"), "openexr", "auto", "ACEScg").name
        == "lin_rec2020"
    )
    assert identify_space({}, "openexr", "sRGB", "ACEScg") == SRGB
    face = catalogue.find("background-matte")
    for name, space in (("Source", "auto"), ("C", "ACEScg"), ("InM", "auto")):
        assert reading(face, face.input(name), face.parse({"inputSpace": "ACEScg"})).unsaid_space == space


@pytest.mark.parametrize(
    ("interop", "name"),
    [
        ("lin_rec709_scene", "lin_rec709"),
        ("lin_ap1_scene", "lin_ap1"),
        ("lin_ap0_scene", "lin_ap0"),
        ("lin_rec2020_scene", "lin_rec2020"),
        ("srgb_rec709_scene", "srgb"),
        ("srgb_rec709_display", "srgb"),
        ("srgb_p3d65_scene", "srgb_p3d65"),
        ("g22_adobergb_scene", "g22_adobergb"),
        ("ocio:acescct_ap1_scene", "ACEScct"),
    ],
)
def test_interop_ids(interop: str, name: str) -> None:
    space = identify_space(attributes(colorInteropID=interop), "openexr")
    assert space.name == name


def test_order_of_what_the_file_says() -> None:
    both = {**chromaticities(primaries.AP0), **attributes(colorInteropID="lin_ap1_scene")}
    assert identify_space(both, "openexr").name == "lin_ap1"
    unknown = {**chromaticities(primaries.AP0), **attributes(colorInteropID="show_lut_7")}
    assert identify_space(unknown, "openexr").name == "lin_ap0"
    assert identify_space(both, "openexr", "sRGB") == SRGB
    assert identify_space(attributes(colorInteropID="show_lut_7"), "openexr") == LINEAR_REC709


def test_chromaticities() -> None:
    assert identify_space(chromaticities(primaries.REC709), "openexr") == LINEAR_REC709
    assert identify_space(chromaticities(primaries.AP1), "openexr").name == "lin_ap1"
    arri = (0.684, 0.313, 0.221, 0.848, 0.0861, -0.102, 0.3127, 0.329)
    space = identify_space(chromaticities(arri), "openexr")
    white = to_linear_rec709(pixels(1, 1, 1), space)
    np.testing.assert_allclose(white, 1, atol=1e-5)
    assert identify_space(chromaticities((0.1,) * 8), "openexr") == LINEAR_REC709  # no triangle: not believed
    assert identify_space({"chromaticities": Attribute("chromaticities", b"short")}, "openexr") == LINEAR_REC709


@pytest.mark.parametrize("name", ["ACEScg", "acescg", "lin_ap1", "lin_ap1_scene", "ACES - ACEScg"])
def test_names_of_acescg(name: str) -> None:
    assert by_name(name).name == "lin_ap1"


def test_acescg_matches_opencolorio() -> None:
    values = pixels(0.18, 0.2, 0.9, 12.0, -0.5, 3.0)
    ours = to_linear_rec709(values, by_name("ACEScg"))
    theirs = ocio.convert(values, ColourSpace("ACEScg", "ocio", ocio_config=ocio.BUILT_IN), forward=True)
    np.testing.assert_allclose(ours, theirs, atol=2e-4, rtol=2e-4)


def test_srgb_matches_opencolorio_inside_its_range() -> None:
    values = np.linspace(0, 1, 30, dtype=np.float32).reshape(1, 10, 3)
    theirs = ocio.convert(values, ColourSpace("srgb_tx", "ocio", ocio_config=ocio.BUILT_IN), forward=True)
    np.testing.assert_allclose(to_linear_rec709(values, SRGB), theirs, atol=5e-5)


def test_every_offered_name_is_known() -> None:
    for name in (*OFFERED[1:], *all_names()[1:]):
        assert by_name(name)


def test_unknown_names_get_close_matches() -> None:
    with pytest.raises(ParameterError, match=r"'ACESgc' is unknown to the built-in OCIO configuration; did you mean"):
        by_name("ACESgc")
    with pytest.raises(ParameterError, match=r"try one of auto, scene-linear Rec\.709"):
        by_name("§§§§")


def test_camera_spaces_of_the_built_in_configuration() -> None:
    space = by_name("ARRI LogC3 (EI800)")
    assert space.transfer == "ocio"
    grey = to_linear_rec709(pixels(0.391, 0.391, 0.391), space)  # LogC3 puts 18 % grey at 0.391
    np.testing.assert_allclose(grey, 0.18, atol=2e-3)


def test_a_configuration_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.ocio"
    path.write_text(OWN_CONFIG)
    monkeypatch.setenv("OCIO", str(path))
    space = by_name("half light")
    assert (space.transfer, space.ocio_config) == ("ocio", str(path))
    grey = to_linear_rec709(pixels(2, 2, 2), space)
    np.testing.assert_allclose(grey, 1, atol=1e-5)
    np.testing.assert_allclose(from_linear_rec709(grey, space), 2, atol=1e-5)
    assert by_name("linear").ocio_config == str(path)  # the studio's configuration goes first
    assert by_name("sRGB") == SRGB
    with pytest.raises(ParameterError, match="unknown to the OCIO configuration"):
        by_name("ACEScct")


def test_a_configuration_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", "/none/config.ocio")
    with pytest.raises(ParameterError, match=r"/none/config\.ocio does not exist"):
        by_name("my space")


def test_alpha_and_single_channels() -> None:
    rgba = np.array([[[0.5, 0.25, 1.0, 0.5]]], np.float32)
    out = to_linear_rec709(rgba, SRGB)
    assert out[0, 0, 3] == 0.5
    assert out[0, 0, 0] == pytest.approx(0.21404, abs=1e-4)
    grey_alpha = np.array([[[0.5, 0.5]]], np.float32)
    np.testing.assert_allclose(to_linear_rec709(grey_alpha, SRGB)[0, 0], [0.21404, 0.5], atol=1e-4)
    grey = np.array([[[0.5]]], np.float32)
    for space in (by_name("ACEScg"), by_name("ACEScct")):
        assert to_linear_rec709(grey, space).shape == (1, 1, 1)
    assert to_linear_rec709(rgba, LINEAR_REC709) is rgba


@pytest.mark.parametrize("transfer", ["srgb", "rec709", "gamma:2.2", "cineon"])
def test_curves_at_known_points(transfer: str) -> None:
    ends = {"cineon": (95 / 1023, 685 / 1023)}.get(transfer, (0.0, 1.0))
    np.testing.assert_allclose(decode(pixels(ends[0], ends[1], ends[1]), transfer), pixels(0, 1, 1), atol=1e-6)


def test_curves_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="unknown transfer curve"):
        decode(pixels(1, 1, 1), "log9")


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["srgb", "rec709", "gamma:2.2", "gamma:2.4"]), st.floats(-100, 100, width=32))
def test_curves_are_invertible_and_odd(transfer: str, value: float) -> None:
    there = decode(pixels(value, -value, value), transfer)
    assert there[0, 0, 0] == -there[0, 0, 1]
    np.testing.assert_allclose(encode(there, transfer), pixels(value, -value, value), rtol=2e-5, atol=1e-6)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(["ACEScg", "ACES2065-1", "lin_rec2020", "srgb_ap1", "sRGB"]), st.integers(0, 99))
def test_conversions_are_invertible(name: str, seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.5, 3, (4, 5, 4)).astype(np.float32)
    space = by_name(name)
    back = from_linear_rec709(to_linear_rec709(values, space), space)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, values, rtol=1e-4, atol=1e-4)


def test_nan_and_infinity_pass() -> None:
    out = to_linear_rec709(pixels(np.nan, np.inf, -np.inf), SRGB)
    assert np.isnan(out[0, 0, 0])
    assert (out[0, 0, 1], out[0, 0, 2]) == (np.inf, -np.inf)


def test_matrices_keep_white() -> None:
    for values in (primaries.AP0, primaries.AP1, primaries.P3_D65, primaries.REC2020):
        np.testing.assert_allclose(np.sum(primaries.to_rec709(values), axis=1), 1, atol=1e-6)
    assert sum(primaries.luminance_weights(primaries.REC709)) == pytest.approx(1)
    with pytest.raises(ValueError, match="eight finite numbers"):
        primaries.to_rec709((1.0, 2.0))
