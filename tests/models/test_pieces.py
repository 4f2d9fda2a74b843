"""Pieces of what was found, and which of them are too short for what they are taken for."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.pieces import too_short

WIRE, STAND = 1, 2
SHORTEST = (0.0, 20.0, 0.0)


def pieces():
    """A long and a short wire, and a short stand."""
    kinds = np.zeros((40, 60), np.uint8)
    kinds[5, 10:50] = WIRE
    kinds[15, 10:20] = WIRE
    kinds[25:35, 30] = STAND
    return kinds


def test_only_what_is_too_short_for_its_class_goes():
    kinds = pieces()
    gone = too_short(kinds > 0, kinds, SHORTEST)
    assert gone[15, 10:20].all()
    assert not gone[5].any()
    assert not gone[25:35, 30].any()


def test_a_piece_ends_where_nothing_is_not_where_its_class_ends():
    kinds = pieces()
    kinds[15, 20:32] = STAND  # a wire's end at a crossbar: together they are long enough
    assert not too_short(kinds > 0, kinds, SHORTEST)[15].any()


def test_pieces_touch_by_their_corners():
    kinds = (np.eye(18) * WIRE).astype(np.uint8)
    assert not too_short(kinds > 0, kinds, SHORTEST).any()
    kinds[9, 9] = 0
    assert too_short(kinds > 0, kinds, SHORTEST)[kinds > 0].all()


def test_a_soft_rim_goes_with_the_piece_that_it_surrounds():
    kinds = pieces()
    found = kinds > 0
    kinds[:20] = WIRE  # faint, so not found, but what it is likeliest to be
    gone = too_short(found, kinds, SHORTEST)
    assert gone[14:17, 9:21].all()
    assert not gone[4:7, 10:50].any()


def test_nothing_found_is_nothing_gone():
    assert not too_short(np.zeros((5, 7), bool), np.ones((5, 7), np.uint8), SHORTEST).any()


@given(found=arrays(bool, (9, 23)), needed=st.integers(0, 30))
def test_lengths_are_the_diagonals_of_bounding_boxes(found, needed):
    gone = too_short(found, np.zeros(found.shape, np.uint8), [needed])
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    for n in range(1, count):
        short = np.hypot(boxes[n, cv2.CC_STAT_WIDTH], boxes[n, cv2.CC_STAT_HEIGHT]).astype(np.float32) < needed
        assert (gone[labels == n] == short).all()
