"""What fills a hole: the membrane, the networks as their fact sheets say, the bounded picture they see, detail."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from local_engine import ArrayInputs, LocalDevice

from models.membrane import membrane
from models.pennet.generator import Inpainted
from models.structureflow.generators import Textured
from nodes.filling import detail
from nodes.filling.exposure import choose_encoding
from nodes.filling.fill import NetworkFiller, SmoothFiller
from nodes.filling.networks import NETWORKS

RNG = np.random.default_rng(5)
PARAMS = {"model": "lama", "weights": "", "workingSize": 64, "exposure": 0.0, "execution": "auto"}


def holed(height, width, part=(slice(12, 30), slice(14, 40))):
    known = np.ones((height, width), bool)
    known[part] = False
    return known


def test_a_membrane_restores_what_is_harmonic():
    y, x = np.mgrid[0:90, 0:120].astype(np.float32) / 60
    picture = np.stack([x, y - 3, x * x - y * y, 100 * x * y], -1)
    known = holed(90, 120, (slice(20, 70), slice(30, 90)))
    filled = membrane(np.where(known[..., None], picture, np.nan), known)
    np.testing.assert_array_equal(filled[known], picture[known])
    assert np.abs(filled - picture).max(axis=(0, 1)) == pytest.approx(0, abs=0.6)
    assert np.abs(filled - picture)[..., :3].max() < 0.01


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_a_membrane_stays_within_what_it_hangs_on(seed, height, width):
    rng = np.random.default_rng(seed)
    known = rng.random((height, width)) < 0.3
    known[rng.integers(height), rng.integers(width)] = True
    values = rng.normal(0, 5, (height, width, 1)).astype(np.float32)
    filled = membrane(values, known)
    np.testing.assert_array_equal(filled[known], values[known])
    low, high = values[known].min(), values[known].max()
    assert low - 0.05 * (high - low) - 1e-4 <= filled.min() <= filled.max() <= high + 0.05 * (high - low) + 1e-4


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-8, 8), st.floats(-4, 4))
def test_the_encoding_is_bounded_and_has_a_way_back(seed, brightness, stops):
    rng = np.random.default_rng(seed)
    light = (np.exp(rng.normal(0, 1, (12, 14, 3))) * 2.0**brightness).astype(np.float32)
    encoding = choose_encoding(light, np.ones((12, 14), bool), stops)
    shown = encoding.shown(light)
    assert 0 <= shown.min() <= shown.max() <= 1
    inside = light * encoding.gain < min(encoding.peak, 60)
    np.testing.assert_allclose(encoding.light(shown)[inside], light[inside], rtol=2e-3)


def test_a_well_exposed_plate_is_seen_as_it_is_and_highlights_fit():
    light = RNG.random((20, 20, 3)).astype(np.float32) * 0.4
    plain = choose_encoding(light, np.ones((20, 20), bool), 0.0)
    assert (plain.gain, plain.peak) == (1, 1)
    light[5:10, 5:10] = 12.0
    lamp = choose_encoding(light, np.ones((20, 20), bool), 0.0)
    assert lamp.peak == pytest.approx(12)
    assert lamp.shown(light).max() == pytest.approx(1, abs=1e-5)
    assert lamp.light(np.ones((1, 1, 3), np.float32))[0, 0, 0] == pytest.approx(12, rel=1e-3)


class Seen:
    """A network that records what it is given and answers with one value."""

    def __init__(self, answer):
        self.answer, self.given = answer, []

    def __call__(self, *arguments):
        self.given.append(arguments)
        return self.answer(arguments[0])


def grey(value):
    return lambda x: torch.full((1, 3, *x.shape[-2:]), value)


def test_lama_sees_0_to_1_with_an_empty_hole_in_sides_of_eight_mirrored():
    shown, hole = torch.rand(1, 3, 21, 30), torch.zeros(1, 1, 21, 30)
    hole[..., 4:9, 5:25] = 1
    lama = Seen(grey(0.25))
    filled = NETWORKS["lama"].fill({"lama": lama}.__getitem__, shown, hole)
    ((given,),) = lama.given
    assert given.shape == (1, 4, 24, 32)
    torch.testing.assert_close(given[:, :3, :21, :30], shown * (1 - hole))
    torch.testing.assert_close(given[:, 3:, :21, :30], hole)
    torch.testing.assert_close(given[..., 21, :30], given[..., 20, :30])  # symmetric: the border pixel twice
    torch.testing.assert_close(given[..., :21, 31], given[..., :21, 28])
    assert filled.shape == shown.shape
    assert (filled == 0.25).all()


def test_pennet_sees_minus_1_to_1_with_a_white_hole():
    shown, hole = torch.rand(1, 3, 70, 64), torch.zeros(1, 1, 70, 64)
    hole[..., 4:9, 5:25] = 1
    pennet = Seen(lambda x: Inpainted([], torch.full((1, 3, *x.shape[-2:]), -0.5)))
    filled = NETWORKS["pennet"].fill({"pennet": pennet}.__getitem__, shown, hole)
    ((given, mask),) = pennet.given
    assert given.shape == (1, 4, 128, 64)
    inside = hole.expand_as(shown) > 0
    assert (given[:, :3, :70][inside] == 1).all()
    torch.testing.assert_close(given[:, :3, :70][~inside], (2 * shown - 1)[~inside])
    torch.testing.assert_close(mask, given[:, 3:])
    assert (filled == 0.25).all()


def test_structureflow_sees_minus_1_to_1_with_a_grey_hole_and_the_whole_structure():
    shown, hole = torch.rand(1, 3, 48, 64), torch.zeros(1, 1, 48, 64)
    hole[..., 4:9, 5:25] = 1
    first = Seen(grey(0.125))
    second = Seen(lambda x: Textured(torch.full((1, 3, *x.shape[-2:]), 1.0), x))
    load = {"structureflow_structure": first, "structureflow_flow": second}.__getitem__
    filled = NETWORKS["structureflow"].fill(load, shown, hole)
    inside = hole.expand_as(shown) > 0
    ((given,),), ((then,),) = first.given, second.given
    assert given.shape == then.shape == (1, 7, 48, 64)
    for picture in (given[:, :3], given[:, 3:6], then[:, :3]):
        assert (picture[inside] == 0).all()
    torch.testing.assert_close(given[:, :3][~inside], (2 * shown - 1)[~inside])
    assert (then[:, 3:6] == 0.125).all()
    torch.testing.assert_close(then[:, 6:], hole)
    assert (filled == 1).all()


class Spy(NetworkFiller):
    """A filler whose network is the membrane; `sizes` are the pictures it was shown."""

    def _run(self, shown, hole):
        self.__dict__.setdefault("sizes", []).append(hole.shape)
        assert not shown[hole].any()
        return membrane(shown, ~hole)


def spy(**params):
    return Spy({**PARAMS, **params}, ArrayInputs(), LocalDevice())


def test_what_a_network_cannot_see_reaches_the_hole():
    """Highlights beyond what is told apart, and colours outside Rec.709."""
    known = holed(60, 60, (slice(20, 40), slice(5, 55)))
    deep = np.full((60, 60, 3), 0.3, np.float32)
    deep[..., 2] = -0.05
    filled = spy().fill(np.where(known[..., None], deep, 0).astype(np.float32), known).light
    np.testing.assert_allclose(filled, deep, atol=2e-3)
    lamp = np.full((60, 60, 3), 0.3, np.float32)
    lamp[:, :30] = 200.0
    filled = spy().fill(np.where(known[..., None], lamp, 0).astype(np.float32), known).light
    np.testing.assert_array_equal(filled[known], lamp[known])
    assert filled[25:35, 6:12].min() > 100
    assert filled[25:35, 50:].max() < 40


def test_a_large_hole_is_filled_small_and_a_wire_in_tiles():
    known = holed(160, 160, (slice(40, 120), slice(40, 120)))
    picture = np.full((160, 160, 3), 0.4, np.float32)
    large = spy()
    filled = large.fill(np.where(known[..., None], picture, 0).astype(np.float32), known)
    assert large.sizes == [(64, 64)]
    assert filled.grain == pytest.approx(1 - 0.4**2)
    assert np.abs(filled.light - picture).max() < 0.01
    wire = holed(200, 200, (slice(90, 94), slice(0, 200)))
    thin = spy(workingSize=100)
    picture = np.linspace(0.1, 0.8, 200, dtype=np.float32)[None, :, None].repeat(200, 0).repeat(3, 2)
    filled = thin.fill(np.where(wire[..., None], picture, 0).astype(np.float32), wire)
    assert set(thin.sizes) == {(100, 100)}
    assert len(thin.sizes) == 3
    assert filled.grain == 0
    assert np.abs(filled.light - picture)[90:94, 2:-2].max() < 0.01


def test_detail_lost_by_the_working_size_is_taken_from_where_it_looks_alike():
    stripes = np.float32(0.5 + 0.2 * np.sin(np.arange(240) * 2.1))
    picture = np.broadcast_to(stripes[None, :, None], (240, 240, 3)).copy()
    known = holed(240, 240, (slice(80, 160), slice(80, 160)))
    small, hole = detail.reduce(picture, known, (60, 60))
    assert not hole[19, 19]
    assert hole[20, 20]
    small = membrane(small, ~hole)
    blurred = detail.enlarge(small, (240, 240))
    sharp = blurred + detail.missing_detail(picture, known, small, hole)
    inside = slice(90, 150), slice(90, 150)
    assert blurred[inside].std() < 0.05
    assert sharp[inside].std() > 0.7 * picture[inside].std()


def test_the_smooth_fill_carries_highlights_and_never_touches_what_is_known():
    light = np.full((40, 50, 3), 20.0, np.float32)
    known = holed(40, 50)
    light[~known] = 0
    filled = SmoothFiller().fill(light, known).light
    assert np.abs(filled - 20).max() < 0.05
    assert cv2.PSNR(filled, filled) > 100
