"""Tiles: what is blended from them, and pictures whose rows come in other portions."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.tiles import GRID, OVERLAP, blended, side_at, summed

HEIGHT, WIDTH = 200, 70


def seen(picture, side, weight):
    return blended(tuple(picture.shape[1:]), side, int(OVERLAP * side), lambda tile: tile.of(picture) * weight)


@given(st.lists(st.sampled_from([64, 96, 128, 160, 256]), min_size=1, max_size=4), st.integers(1, HEIGHT))
def test_pictures_in_tiles_of_several_sizes_add_up(sides, height):
    picture = torch.rand(2, height, WIDTH, generator=torch.Generator().manual_seed(height))
    weights = [1.0 + i for i in range(len(sides))]
    expected, top = picture * sum(weights), 0
    for start, rows in summed([seen(picture, side, weight) for side, weight in zip(sides, weights, strict=True)]):
        assert start == top
        torch.testing.assert_close(rows, expected[:, top : top + rows.shape[1]], rtol=1e-5, atol=1e-5)
        top += rows.shape[1]
    assert top == height


def test_a_sum_holds_no_more_than_a_row_of_tiles():
    picture = torch.rand(1, HEIGHT, WIDTH)
    assert max(rows.shape[1] for _, rows in summed([seen(picture, 64, 1.0), seen(picture, 96, 1.0)])) <= 64


@pytest.mark.parametrize(("scale", "side"), [(1, 512), (0.667, 768), (0.8, 640), (0.5, 1024), (1.25, 512), (2, 512)])
def test_tiles_grow_at_small_scales(scale, side):
    assert side_at(512, scale) == side
    assert side_at(1, scale) % GRID == 0
