"""Inpaint's holes and regions: threshold, growth and feather, what is one hole, what is seen around it, tiles."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_engine import ArrayInputs, picture

from nodes.errors import FrameError
from nodes.filling.mask import Hole, distance_within, find_holes, hidden, holes_of
from nodes.filling.regions import LEAST_SIDE, region_of, scale_for, thickness, tiles
from nodes.footage.window import Window

PARAMS = {"maskThreshold": 0.1, "grow": 0.0, "feather": 0.0}


def whole(holes, window):
    """The holes' weights in one picture; fails where two overlap."""
    out = np.zeros((window.height, window.width), np.float32)
    for hole in holes:
        where = hole.box.slices_in(window)
        assert not (out[where][hole.support] > 0).any()
        out[where] = np.maximum(out[where], hole.weight)
    return out


def found(mask, **settings):
    source = picture(np.zeros((*mask.shape, 3)))
    inputs = ArrayInputs(Source=source, Mask=picture(mask[..., None], "A"))
    return whole(find_holes(source, 1, {**PARAMS, **settings}, inputs), source.data_window)


def test_values_above_the_threshold_are_the_hole_and_nan_is_not():
    mask = np.array([[0, 0.1, 0.11, 1, 7, np.inf, np.nan, -3, -np.inf]], np.float32)
    assert found(mask)[0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 0]
    assert found(mask, maskThreshold=0.0)[0].tolist() == [0, 1, 1, 1, 1, 1, 0, 0, 0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 90), st.floats(0, 25), st.floats(0, 25))
def test_growth_and_feather_are_distances(seed, height, width, grow, feather):
    rng = np.random.default_rng(seed)
    core = rng.random((height, width)) < rng.choice([0.001, 0.01, 0.2])
    window = Window(-5, 9, width, height)
    weight = whole(holes_of(core, window, window, grow, feather), window)
    if not core.any():
        assert not weight.any()
        return
    distance = cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert (weight[core] == 1).all()
    assert (weight[distance <= grow - 1e-3] == 1).all()
    assert (weight[distance > grow + feather + 1e-3] == 0).all()
    if feather > 1:
        across = (distance > grow + 0.01 * feather) & (distance < grow + 0.99 * feather)
        assert ((weight[across] > 0) & (weight[across] < 1)).all()


def test_near_marks_are_one_hole_and_far_ones_are_not():
    core = np.zeros((300, 300), bool)
    core[20:25, 20:25] = core[20:25, 60:65] = core[250:255, 250:255] = True
    window = Window(0, 0, 300, 300)
    boxes = {str(hole.box) for hole in holes_of(core, window, window, 1, 0)}
    assert boxes == {"47x7+19+19", "7x7+249+249"}


def test_a_mask_outside_the_data_window_counts_only_as_far_as_it_grows_in():
    core = np.zeros((10, 10), bool)
    core[4, 9] = True
    window, within = Window(-10, 0, 10, 10), Window(0, 0, 20, 10)
    assert holes_of(core, window, within, 0, 0) == []
    (hole,) = holes_of(core, window, within, 3, 0)
    assert hole.box == Window(0, 2, 3, 5)
    assert hole.weight[2].tolist() == [1, 1, 1]


def test_overscan_and_an_empty_mask():
    source = picture(np.zeros((20, 30, 3)), at=(-4, -3), display=Window(0, 0, 20, 12))
    mask = picture(np.ones((2, 2, 1)), "A", at=(18, 11), display=Window(0, 0, 20, 12))
    (hole,) = find_holes(source, 1, PARAMS, ArrayInputs(Source=source, Mask=mask))
    assert hole.box == Window(18, 11, 2, 2)
    empty = picture(np.zeros((0, 0, 1)), "A", display=Window(0, 0, 20, 12))
    assert find_holes(source, 1, PARAMS, ArrayInputs(Source=source, Mask=empty)) == []


def test_the_alpha_is_the_mask_where_none_is_connected():
    pixels = np.zeros((8, 8, 4), np.float32)
    pixels[2, 3, 3] = 1
    source = picture(pixels, "RGBA")
    (hole,) = find_holes(source, 1, PARAMS, ArrayInputs(Source=source))
    assert hole.box == Window(3, 2, 1, 1)
    with pytest.raises(FrameError, match=r"no mask: give mask, or .*alpha"):
        find_holes(picture(pixels[..., :3]), 1, PARAMS, ArrayInputs(Source=picture(pixels[..., :3])))


def test_a_mask_of_another_size_is_a_sentence():
    source = picture(np.zeros((8, 8, 3)))
    with pytest.raises(FrameError, match="mask is 9x8 and the source 8x8: reformat the mask"):
        find_holes(source, 1, PARAMS, ArrayInputs(Source=source, Mask=picture(np.zeros((8, 9, 1)), "A")))


def box_hole(x, y, width, height):
    return Hole(Window(x, y, width, height), np.ones((height, width), np.float32))


def test_a_region_depends_on_the_hole_and_not_on_the_picture():
    hole = box_hole(900, 500, 200, 200)
    hd = region_of(hole, Window(0, 0, 1920, 1080), 1.0)
    uhd = region_of(box_hole(2900, 1500, 200, 200), Window(0, 0, 3840, 2160), 1.0)
    assert (hd.width, hd.height) == (uhd.width, uhd.height) == (600, 600)
    mark = region_of(box_hole(5, 5, 4, 4), Window(0, 0, 3840, 2160), 1.0)
    assert (mark.x, mark.y, mark.width, mark.height) == (0, 0, LEAST_SIDE, LEAST_SIDE)
    assert region_of(box_hole(5, 5, 4, 4), Window(0, 0, 30, 20), 1.0) == Window(0, 0, 30, 20)


def test_a_wire_is_seen_at_full_size_and_a_block_made_smaller():
    wire = np.zeros((600, 1000), bool)
    cv2.line(wire.view(np.uint8), (0, 10), (999, 590), 1, 5)
    assert scale_for(wire.shape, wire, 256) == 1
    block = np.zeros((1200, 1200), bool)
    block[400:800, 400:800] = True
    assert thickness(block) == pytest.approx(400, abs=2)
    assert scale_for(block.shape, block, 512) == pytest.approx(512 / 1200, rel=0.01)
    assert scale_for((300, 300), block[:300, :300], 512) == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 400), st.integers(16, 200))
def test_tiles_cover_every_hole_once_and_see_what_is_around(seed, height, width, side):
    hole = np.random.default_rng(seed).random((height, width)) < 0.02
    times = np.zeros((height, width), int)
    for seen, kept in tiles(hole, side):
        assert all(s.stop - s.start <= side for s in seen)
        times[kept] += 1
        for s, k, length in zip(seen, kept, hole.shape, strict=True):
            assert 0 <= s.start <= k.start < k.stop <= s.stop <= length
            assert k.start == 0 or k.start - s.start >= side // 4 - 1
            assert k.stop == length or s.stop - k.stop >= side // 4 - 1
    assert (times[hole] == 1).all()
    assert (times <= 1).all()


def test_hidden_is_where_any_hole_is():
    holes = [box_hole(2, 2, 3, 3), box_hole(8, 8, 3, 3)]
    assert hidden(holes, Window(4, 4, 5, 5)).sum() == 2


def test_a_distance_is_exact_however_many_threads_compute_it():
    """OpenCV's differs in the last bit where it has one thread, and has one while another frame is computed."""
    disc = cv2.circle(np.zeros((140, 140), np.uint8), (70, 70), 30, 1, -1) > 0
    ys, xs = np.nonzero(disc)
    exact = np.sqrt(((np.indices(disc.shape).reshape(2, -1, 1) - np.array([ys, xs])[:, None]) ** 2).sum(0).min(1))
    before = cv2.getNumThreads()
    try:
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            distance = distance_within(~disc)
            np.testing.assert_array_equal(distance, exact.astype(np.float32).reshape(disc.shape))
    finally:
        cv2.setNumThreads(before)
