"""`warp_part`: a part of what `warp_plate` gives, at the cost of that part."""

import numpy as np
import pytest

from nodes.aligning.align import Registration, warp_part, warp_plate

RNG = np.random.default_rng(3)
SIZE = (90, 120)
PLATE = RNG.random((*SIZE, 3), np.float32)
MOVED = np.array([[1.01, 0.02, 3.3], [-0.015, 0.99, -2.7], [1e-5, -2e-5, 1.0]])


def registration(matrix, gain=(1.0, 1.0, 1.0), plate_size=SIZE):
    return Registration(matrix, gain, SIZE, plate_size)


@pytest.mark.parametrize("rows", [slice(0, 90), slice(0, 10), slice(40, 61), slice(80, 90)])
@pytest.mark.parametrize("columns", [slice(0, 120), slice(0, 9), slice(50, 93), slice(110, 120)])
def test_it_is_the_part_of_the_whole(rows, columns):
    found = registration(MOVED, gain=(1.0, 1.2, 0.9))
    whole, valid = warp_plate(PLATE, found)
    part, part_valid = warp_part(PLATE, found, rows, columns)
    np.testing.assert_array_equal(part_valid, valid[rows, columns])
    # Positions are rounded to 1/32 pixel, and a part may round another way.
    np.testing.assert_allclose(part[part_valid], whole[rows, columns][part_valid], atol=0.08)
    assert np.abs(part - whole[rows, columns])[part_valid].mean() < 0.01


def test_in_place_the_pixels_are_the_plates():
    part, valid = warp_part(PLATE, registration(np.eye(3)), slice(3, 20), slice(5, 9))
    np.testing.assert_array_equal(part, PLATE[3:20, 5:9])
    assert valid.all()


def test_missing_pixels_and_those_outside_are_not_valid():
    holed = PLATE.copy()
    holed[30:50, 40:70] = np.nan
    part, valid = warp_part(holed, registration(MOVED), slice(20, 60), slice(30, 80))
    assert np.isfinite(part).all()
    assert not valid[15:25, 18:35].any()
    assert valid[:3].all()
    far = np.array([[1.0, 0, 300.0], [0, 1, 0], [0, 0, 1]])
    assert not warp_part(PLATE, registration(far), slice(0, 20), slice(0, 20))[1].any()


def test_a_plate_of_another_size_is_warped_whole():
    half = RNG.random((45, 60, 3), np.float32)
    found = registration(np.array([[2.0, 0, 0.5], [0, 2.0, 0.5], [0, 0, 1]]), plate_size=(45, 60))
    whole, _ = warp_plate(half, found)
    part, _ = warp_part(half, found, slice(10, 30), slice(20, 70))
    np.testing.assert_array_equal(part, whole[10:30, 20:70])
