"""Grain: measured in strength, size and colour, and given to a fill by place and frame number alone."""

import cv2
import numpy as np
import pytest

from nodes.filling.grain import Grain, grained, measure_grain
from nodes.filling.seen import Seen
from nodes.footage.colour.transfer import decode, encode
from nodes.footage.window import Window

RNG = np.random.default_rng(8)
WINDOW = Window(-3, 7, 160, 128)
ALL = np.ones((128, 160), bool)
EVEN = Grain(np.array([0.5]), np.full((1, 3), 0.02), 0.0, np.eye(3))
NONE = np.zeros((128, 160), np.float32)
GREY = np.full((128, 160, 3), 0.2, np.float32)


def plate(strength, size=0.0, alike=0.0, ground=0.5):
    noise = RNG.normal(0, 1, (128, 160, 3))
    noise = np.sqrt(alike) * noise[..., :1] + np.sqrt(1 - alike) * noise
    if size:
        noise = cv2.GaussianBlur(noise, (0, 0), size)
        noise /= noise.std()
    return decode((ground + strength * noise).astype(np.float32), "srgb")


@pytest.mark.parametrize("size", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("strength", [0.004, 0.03])
def test_strength_and_size_are_measured(strength, size):
    grain = measure_grain(plate(strength, size), ALL)
    assert grain.deviation.mean() == pytest.approx(strength, rel=0.12)
    assert grain.size == pytest.approx(size, abs=0.2)


def test_texture_is_not_taken_for_grain():
    texture = cv2.resize(RNG.random((16, 20, 3)), (160, 128), interpolation=cv2.INTER_CUBIC) * 0.4 + 0.3
    assert measure_grain(plate(0.01, ground=texture), ALL).deviation.mean() == pytest.approx(0.01, rel=0.15)


def test_texture_as_fine_as_grain_is_told_from_it_by_another_frame():
    texture = 0.5 + 0.1 * RNG.normal(0, 1, (128, 160, 3))
    other = Seen(plate(0.005, ground=texture), ALL, np.full_like(NONE, 0.25))
    light = plate(0.01, ground=texture)
    assert measure_grain(light, ALL).strength > 0.05
    assert measure_grain(light, ALL, other).strength == pytest.approx(0.01, rel=0.12)


def test_a_clean_plate_has_none_and_neither_has_one_that_is_too_small():
    assert measure_grain(GREY, ALL).strength < 1e-4
    np.testing.assert_array_equal(grained(GREY, measure_grain(GREY, ALL), NONE, 1.0, WINDOW, 1), GREY)
    few = np.zeros((128, 160), bool)
    few[:20, :20] = True
    assert measure_grain(plate(0.03), few) is None


def test_grain_that_grows_with_brightness_is_followed():
    ramp = np.linspace(0.2, 0.9, 160)[None, :, None]
    grain = measure_grain(
        decode((ramp + ramp * 0.03 * RNG.normal(0, 1, (128, 160, 3))).astype(np.float32), "srgb"), ALL
    )
    assert grain.deviation[-1].mean() > 1.8 * grain.deviation[0].mean()


def test_what_is_given_measures_like_the_plate():
    wanted = measure_grain(plate(0.02, 0.7, alike=0.5), ALL)
    given = measure_grain(grained(GREY, wanted, NONE, 1.0, WINDOW, 1001), ALL)
    assert given.deviation.mean() == pytest.approx(wanted.deviation.mean(), rel=0.1)
    assert given.size == pytest.approx(wanted.size, abs=0.15)
    assert (given.mixing @ given.mixing.T)[0, 1] == pytest.approx(0.5, abs=0.12)


def test_only_what_is_missing_is_given():
    def given(share, amount):
        fill = grained(GREY, EVEN, np.full_like(NONE, share), amount, WINDOW, 3)
        return encode(fill, "srgb").astype(np.float64).std(axis=(0, 1)).mean()

    assert given(0.75, 1.0) == pytest.approx(0.01, rel=0.05)
    assert given(0.0, 0.5) == pytest.approx(0.01, rel=0.05)
    assert given(1.0, 1.0) == pytest.approx(0, abs=1e-6)


def test_grain_belongs_to_the_place_and_the_frame():
    whole = grained(GREY, EVEN, NONE, 1.0, WINDOW, 12)
    part = Window(20, 30, 40, 50)
    where = part.slices_in(WINDOW)
    np.testing.assert_array_equal(grained(GREY[where], EVEN, NONE[where], 1.0, part, 12), whole[where])
    soft = Grain(EVEN.brightness, EVEN.deviation, 1.0, EVEN.mixing)
    whole = grained(GREY, soft, NONE, 1.0, WINDOW, -4)
    np.testing.assert_allclose(grained(GREY[where], soft, NONE[where], 1.0, part, -4), whole[where], atol=1e-6)
    assert np.abs(grained(GREY, soft, NONE, 1.0, WINDOW, -3) - whole).mean() > 0.001


def test_the_noise_is_normal_and_its_channels_and_frames_are_independent():
    a, b = (encode(grained(GREY, EVEN, NONE, 1.0, WINDOW, frame), "srgb") - encode(GREY, "srgb") for frame in (1, 2))
    assert abs(a.mean()) < 3e-4
    assert np.mean(np.abs(a) > 0.04) == pytest.approx(0.0455, abs=0.012)
    for x, y in (
        (a[..., 0], a[..., 1]),
        (a[..., 0], b[..., 0]),
        (a[:, 1:, 0], a[:, :-1, 0]),
        (a[1:, :, 0], a[:-1, :, 0]),
    ):
        assert abs(np.corrcoef(x.ravel(), y.ravel())[0, 1]) < 0.03
