"""Optical flow that is followed over many frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.motion import along, enlarged, followed, grey, stay

STEP = np.array([3.0, -2.0], np.float32)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """A texture that moves by STEP from frame to frame."""
    rng = np.random.default_rng(4)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (240, 320, 3)).astype(np.float32), (0, 0), 4)
    texture = ((texture - texture.min()) / (texture.max() - texture.min()) * 255).astype(np.uint8)
    return [np.roll(texture, (round(-2.0 * i), round(3.0 * i)), (0, 1))[40:200, 60:260] for i in range(7)]


def inside(way: np.ndarray) -> np.ndarray:
    return way[40:-40, 40:-40]


def test_pixels_are_found_where_they_went(pictures) -> None:
    greys = [grey(picture) for picture in pictures]
    place = stay(*greys[0].shape)
    for i, (to_first, from_first) in enumerate(followed(greys[0], greys[1:]), 1):
        assert np.abs(inside(to_first - place) + i * STEP).mean() < 0.2
        assert np.abs(inside(from_first - place) - i * STEP).mean() < 0.2


def test_a_picture_seen_along_the_way_is_the_other_picture(pictures) -> None:
    *_, (way, _) = followed(grey(pictures[0]), [grey(picture) for picture in pictures[1:]])
    off = np.abs(along(pictures[0], way).astype(float) - pictures[-1])
    assert inside(off).mean() < 2


def test_a_way_between_small_pictures_fits_the_large_ones(pictures) -> None:
    small = [grey(picture, 2) for picture in pictures[:2]]
    ((way, _),) = followed(small[0], small[1:])
    large = enlarged(way, *pictures[0].shape[:2])
    assert np.abs(inside(large - stay(*pictures[0].shape[:2])) + STEP).mean() < 0.4


def test_what_stays_is_sampled_exactly(pictures) -> None:
    np.testing.assert_array_equal(along(pictures[0], stay(*pictures[0].shape[:2])), pictures[0])


def test_beyond_the_edge_is_what_was_asked_for() -> None:
    way = stay(4, 4) + np.float32(10)
    assert (along(np.full((4, 4), 7, np.uint8), way, beyond=9) == 9).all()
    assert (along(np.full((4, 4), 7, np.uint8), way) == 7).all()


@pytest.mark.parametrize("size", [(24, 40), (23, 41)])
def test_what_stays_stays_at_every_size_and_at_the_border(size) -> None:
    np.testing.assert_allclose(enlarged(stay(12, 20), *size), stay(*size), atol=1e-5)
