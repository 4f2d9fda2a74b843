"""Holes of the matte that show something else than the plate are closed; gaps that show the plate stay open."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.matting.close_holes import close_holes

HEIGHT, WIDTH = 200, 320


def plate(seed=1, noise=0.01):
    """A plate with soft structure, and its grain."""
    rng = np.random.default_rng(seed)
    scene = cv2.GaussianBlur(rng.random((HEIGHT, WIDTH, 3), np.float32), (0, 0), 9)
    scene = np.clip(0.5 + 4 * (scene - scene.mean()), 0.1, 0.9).astype(np.float32)
    return scene, [scene + noise * rng.standard_normal(scene.shape, np.float32) for _ in range(2)]


def spot(x, y, radius):
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    return np.clip(radius - np.hypot(xs - x, ys - y) + 0.5, 0, 1).astype(np.float32)


def tensors(*images):
    return [torch.from_numpy(np.atleast_3d(image).astype(np.float32)).permute(2, 0, 1)[None] for image in images]


def scene(hole_colour=None, gain=1.0):
    """Source, plate and a matte with a hole in a round subject: of `hole_colour`, or showing the plate times `gain`."""
    clean, (seen, behind) = plate()
    body, hole = spot(160, 100, 80), spot(160, 100, 12)
    subject = np.full(3, 0.75, np.float32)
    source = seen + (subject - seen) * body[..., None]
    inside = gain * seen if hole_colour is None else hole_colour(clean)
    source = source + (inside - source) * hole[..., None]
    return tensors(source, behind, body * (1 - hole))


def other_hue(clean):
    return clean + np.array([0.1, -0.08, 0.06], np.float32)


def middle(alpha):
    return float(alpha[0, 0, 100, 160])


def test_a_hole_that_shows_something_else_is_closed():
    source, behind, alpha = scene(other_hue)
    closed = close_holes(alpha, source, behind)
    assert middle(alpha) == 0
    assert (closed[0, 0, 80:120, 140:180] > 0.99).all()
    outside = torch.from_numpy(spot(160, 100, 60)) == 0
    assert torch.equal(closed[0, 0][outside], alpha[0, 0][outside])


@pytest.mark.parametrize("gain", [1.0, 1.05, 0.7, 0.45])
def test_a_gap_stays_open_also_in_a_shadow(gain):
    source, behind, alpha = scene(gain=gain)
    assert torch.equal(close_holes(alpha, source, behind), alpha)


def test_a_narrow_gap_between_dark_stalks_stays_open():
    """Few of its pixels show the plate alone."""
    _, (seen, behind) = plate()
    stalks = np.zeros((HEIGHT, WIDTH), np.float32)
    for x in (150, 160):
        cv2.line(stalks, (x, 30), (x + 8, 170), 1.0, 5, cv2.LINE_AA)
    cv2.circle(stalks, (157, 28), 14, 1.0, -1, cv2.LINE_AA)
    cv2.circle(stalks, (163, 172), 14, 1.0, -1, cv2.LINE_AA)
    source = seen * (1 - stalks[..., None]) + 0.04 * stalks[..., None]
    source, behind, alpha = tensors(source, behind, stalks)
    assert torch.equal(close_holes(alpha, source, behind), alpha)


def test_the_amount_says_how_far():
    source, behind, alpha = scene(other_hue)
    assert close_holes(alpha, source, behind, 0.0) is alpha
    assert middle(close_holes(alpha, source, behind, 0.5)) == pytest.approx(0.5, abs=0.01)


def test_of_countless_holes_the_largest_are_closed(monkeypatch):
    monkeypatch.setattr("nodes.matting.close_holes.MOST", 1)
    _, (seen, behind) = plate()
    large, small = spot(100, 100, 10), spot(220, 100, 6)
    inside = np.clip(large + small, 0, 1)
    body = spot(160, 100, 95)
    source = seen + (np.float32(0.75) - seen) * (body * (1 - inside))[..., None]
    source = source + other_hue(np.zeros_like(seen)) * inside[..., None]
    source, behind, alpha = tensors(source, behind, body * (1 - inside))
    closed = close_holes(alpha, source, behind)
    assert closed[0, 0, 100, 100] > 0.99
    assert closed[0, 0, 100, 220] == 0


def test_what_is_open_to_the_border_or_large_stays():
    _, (seen, behind) = plate()
    for hole in (spot(160, 200, 12), spot(160, 100, 40)):
        source, back, alpha = tensors(seen + 0.2 * hole[..., None], behind, 1 - hole)
        assert torch.equal(close_holes(alpha, source, back), alpha)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40))
def test_any_size_stays_between_the_matte_and_one(seed, height, width):
    rng = np.random.default_rng(seed)
    source, behind = tensors(*(rng.random((2, height, width, 3), np.float32)))
    (alpha,) = tensors(cv2.blur(rng.random((height, width), np.float32), (3, 3)).reshape(height, width))
    closed = close_holes(alpha, source, behind)
    assert closed.shape == alpha.shape
    assert (closed >= alpha - 1e-6).all()
    assert (closed <= 1 + 1e-6).all()
