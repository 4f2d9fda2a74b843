"""Which channel of a mask counts, by its pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from footage_files import write
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from local_engine import ArrayInputs, picture

from nodes.errors import FrameError, ParameterError
from nodes.filling.mask import find_holes
from nodes.footage.colour.space import SRGB
from nodes.footage.colour.transfer import decode
from nodes.footage.mask_channel import as_mask, only_channel
from nodes.footage.reader import Footage
from nodes.footage.window import Window

H, W = 6, 9
M = np.zeros((H, W), np.float32)
M[2:4, 3:7] = [[0.25, 1, 1, 0.5], [1, 1, 1, 1]]
ONE, NONE, PLATE = np.ones_like(M), np.zeros_like(M), np.linspace(0.1, 0.9, H * W, dtype=np.float32).reshape(H, W)


def stacked(*planes: Any) -> np.ndarray:
    return np.dstack(planes).astype(np.float32)


CASES = {
    "opaque": ("RGBA", (M, M, M, ONE), M),
    "opaque, the shape not to be seen": ("RGBA", (NONE, NONE, NONE, ONE), NONE),
    "opaque and white": ("RGBA", (ONE, ONE, ONE, ONE), ONE),
    "grey and opaque": ("YA", (M, ONE), M),
    "almost opaque": ("RGBA", (M, M, M, 1 - PLATE * 1e-4), M),
    "red only": ("RGB", (M, NONE, NONE), M),
    "green only": ("RGB", (NONE, M, NONE), M),
    "blue only": ("RGBA", (NONE, NONE, M, ONE), M),
    "each channel a part": ("RGB", (M * (PLATE < 0.4), M * (PLATE >= 0.4), NONE), M),
    "no alpha": ("RGBA", (M, M, M, NONE), M),
    "alpha over a plate": ("RGBA", (PLATE, PLATE, PLATE, M), M),
    "premultiplied": ("RGBA", (PLATE * M, M, NONE, M), M),
    "a shape that has left a plate": ("RGBA", (PLATE, PLATE, PLATE, NONE), NONE),
    "half an alpha everywhere": ("RGBA", (M, M, M, ONE / 2), M),
    "alpha over nothing": ("RGBA", (NONE, NONE, NONE, M), M),
    "empty": ("RGBA", (NONE, NONE, NONE, NONE), NONE),
    "white without alpha": ("RGBA", (ONE, ONE, ONE, NONE), NONE),
    "one channel": ("Y", (M,), M),
    "0 to 255": ("R", (M * 255,), M * 255),
    "two channels of a host": ("XY", (M, NONE), M),
}


@pytest.mark.parametrize("name", CASES)
def test_the_channel_that_counts(name: str) -> None:
    channels, planes, expected = CASES[name]
    mask, note = as_mask(picture(stacked(*planes), channels))
    assert mask.channels == ("A",)
    np.testing.assert_array_equal(mask.pixels[..., 0], np.float32(expected))
    assert bool(note) == (name in ("no alpha", "half an alpha everywhere"))
    again, _ = as_mask(mask)
    np.testing.assert_array_equal(again.pixels, mask.pixels)


@given(
    arrays(np.float32, (5, 7, 4), elements=st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0, float("nan"), float("inf")])),
    st.booleans(),
)
def test_the_mask_is_the_alpha_or_the_largest_colour(pixels: Any, constant: bool) -> None:
    if constant:
        pixels[..., 3] = pixels[0, 0, 3]
    mask, _ = as_mask(picture(pixels, "RGBA"))
    alpha, colour = pixels[..., 3:], np.fmax.reduce(pixels[..., :3], axis=2)[..., None]
    assert any(np.array_equal(mask.pixels, one, equal_nan=True) for one in (alpha, colour, np.fmin(alpha, colour)))


def test_a_shape_cropped_to_its_box_is_one() -> None:
    box = picture(np.ones((2, 3, 4)) * (0, 0, 0, 1), "RGBA", at=(4, 1), display=Window(0, 0, 20, 10))
    assert as_mask(box)[0].pixels.all()


def test_values_of_a_named_space_are_decoded() -> None:
    mask, _ = as_mask(picture(stacked(PLATE, PLATE, PLATE, M), "RGBA", colour=SRGB))
    np.testing.assert_allclose(mask.pixels[..., 0], decode(M[..., None], "srgb")[..., 0], atol=1e-6)


def test_a_channel_by_name() -> None:
    frame = picture(stacked(M, PLATE, NONE, ONE), "RGBA")
    for asked, plane in (("R", M), ("green", PLATE), ("mask.blue", NONE), ("alpha", ONE), (" A ", ONE)):
        np.testing.assert_array_equal(only_channel(frame, asked).pixels[..., 0], plane)
    with pytest.raises(ParameterError, match="no channel 'roto': the mask has R, G, B, A"):
        only_channel(frame, "roto")
    lone = picture(M[..., None], "A")
    assert only_channel(lone, "roto") is lone


@pytest.mark.parametrize("ending", ["exr", "png", "tif"])
def test_masks_of_files(tmp_path: Path, ending: str) -> None:
    for name, (channels, planes, _) in CASES.items():
        if "XY" in channels or "255" in name or "almost" in name or (ending == "png" and channels in ("R", "XY")):
            continue
        hard_planes = [(plane > 0.3).astype(np.float32) if plane is M else plane for plane in planes]
        expected, _ = as_mask(picture(stacked(*hard_planes), channels))
        kind = oiio.HALF if ending == "exr" else oiio.UINT8
        path = write(tmp_path / f"a.{ending}", stacked(*hard_planes), channels, kind)
        mask = Footage(str(path), kind="mask").frame(1)
        assert mask.channels == ("A",)
        np.testing.assert_allclose(mask.pixels, expected.pixels, atol=0.003, err_msg=name)


def test_what_was_not_obvious_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.exr", stacked(M, M, M, NONE), "RGBA")
    notes = Footage(str(path), kind="mask").frame(1).metadata.notes
    assert notes == (f"{path}: the mask's alpha is 0 everywhere, so its colour is the mask",)
    assert not Footage(str(path), kind="mask", layer="A").frame(1).metadata.notes
    assert not Footage(str(path), kind="mask", layer="A").frame(1).pixels.any()


def test_masks_are_numbers_unless_a_space_is_named(tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.png", np.full((2, 2, 3), 128, np.uint8), kind=oiio.UINT8))
    stored = Footage(path, kind="mask").frame(1).pixels
    np.testing.assert_allclose(stored, 128 / 255, atol=1e-6)
    linear = Footage(path, input_space="sRGB", kind="mask").frame(1).pixels
    np.testing.assert_allclose(linear, decode(stored, "srgb"), atol=1e-6)


def test_the_holes_are_those_of_the_channel_that_counts() -> None:
    params = {"maskThreshold": 0.1, "grow": 0.0, "feather": 0.0}
    source = picture(np.zeros((H, W, 3)))
    mask = picture(stacked(M, M, M, ONE), "RGBA")
    (hole,) = find_holes(source, 1, params, ArrayInputs(Source=source, Mask=mask))
    assert hole.box == Window(3, 2, 4, 2)
    opaque = picture(np.ones((H, W, 4)), "RGBA")
    with pytest.raises(FrameError, match="there is no mask, and the source's alpha is 1 everywhere"):
        find_holes(opaque, 1, params, ArrayInputs(Source=opaque))
