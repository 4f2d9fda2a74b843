"""Cuts: footage of several shots in one numbering is not mixed, and what only changes its light is not cut."""

from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_shots import FOLLOW, ground, holes
from local_engine import ArrayInputs, LocalDevice, picture, render

from nodes.cuts import same_shot, view_of
from nodes.filling.survey import narrowed, shots_of

HEIGHT, WIDTH, NOISE = 72, 120, 0.003
SEEN = np.ones((HEIGHT, WIDTH), bool)


@cache
def place(seed):
    """A background with detail of all sizes."""
    return ground(HEIGHT, WIDTH, seed)


def footage(shots, light=lambda i: 1.0):
    """Frames 1, 2, ... of the shots named by letters; a rig moves through all of them."""
    sources, masks = {}, {}
    for i, shot in enumerate(shots):
        rng = np.random.default_rng(i)
        clean = place(ord(shot)) * np.float32(light(i))
        mask = np.zeros((HEIGHT, WIDTH, 1), np.float32)
        left = 4 + 9 * (i % 12)
        mask[30:44, left : left + 8] = 1
        noisy = clean + NOISE * rng.normal(0, 1, clean.shape)
        sources[i + 1], masks[i + 1] = picture(np.where(mask > 0, 0.02, noisy)), picture(mask, "A")
    return ArrayInputs(Source=sources, Mask=masks)


def error(shots, frame, mode="still plate", light=lambda i: 1.0, **more):
    inputs = footage(shots, light)
    plain = {"model": "smooth", "grow": 0.0, "feather": 0.0, "grain": 0.0, **FOLLOW, **more}
    passes = render("Inpaint", frame, inputs, LocalDevice(), mode=mode, **plain)
    there = place(ord(shots[frame - 1])) * np.float32(light(frame - 1))
    return np.abs(passes.images["clean"][..., :3] - there)[holes(passes)].mean(), passes


@pytest.mark.parametrize("shots", ["AAAABBBBBBBB", "AAAAAABBBBBB", "AAAABBBBAAAA", "AAAABBBBCCCC", "BAAAAAAAAAAA"])
def test_the_still_plate_is_of_one_shot(shots):
    for frame in (2, 6, 11):
        found, passes = error(shots, frame)
        assert found < 2 * NOISE
        assert any("another one, as after a cut" in note for note in passes.notes)


def test_more_is_looked_at_of_a_short_shot():
    """Four frames are looked at, of which hardly one is of the shot."""
    shots = "A" * 40 + "B" * 12 + "C" * 60
    found, passes = error(shots, 45, samples=6)
    assert found < 2 * NOISE
    assert passes.images["origin"][holes(passes)][:, 2].mean() > 0.99


def test_nothing_reveals_a_frame_that_stands_alone():
    _, passes = error("AAAABAAA", 5)
    assert (passes.images["origin"][holes(passes)][:, 2] == 0).all()
    assert any("is another one, as after a cut" in note for note in passes.notes)


@pytest.mark.parametrize("mode", ["still plate", "follow"])
def test_light_that_changes_is_no_cut(mode):
    found, passes = error("A" * 12, 11, mode, lambda i: 1 + 0.05 * i)
    assert found < 3 * NOISE
    assert passes.notes == []


@pytest.mark.parametrize("frame", [2, 7, 11])
def test_follow_finds_the_frames_of_its_shot(frame):
    found, passes = error("AAAABBBBBBBB", frame, "follow", reach=12, referenceEvery=24, samples=16)
    assert found < 3 * NOISE
    assert passes.images["origin"][holes(passes)][:, 2].mean() > 0.9


@pytest.fixture(scope="module")
def each_alone():
    return {frame: cut_plate(frame, LocalDevice()) for frame in (2, 7, 10)}


def cut_plate(frame, on):
    plain = {"model": "smooth", "mode": "still plate", "samples": 5}
    return render("Inpaint", frame, footage("AAAAAABBBBBB"), on, **plain).images["clean"]


@settings(max_examples=3, deadline=None)
@given(st.permutations([2, 7, 10]))
def test_no_order_matters(each_alone, order):
    on = LocalDevice()
    for frame in order:
        np.testing.assert_array_equal(cut_plate(frame, on), each_alone[frame])


def view(image, seen=SEEN):
    return view_of(np.clip(np.asarray(image, np.float32), 0, 1), seen)


@pytest.mark.parametrize("moving", [False, True])
def test_what_is_one_shot(moving):
    rng = np.random.default_rng(0)
    here, there = view(place(1)), view(place(2))
    assert same_shot(here, there, moving) is False
    assert same_shot(here, view(place(1) * 0.4 + 0.1 + rng.normal(0, 0.03, place(1).shape)), moving) is True
    wall = [view(np.full((HEIGHT, WIDTH, 3), level)) for level in (0.4, 0.45, 0.9)]
    assert same_shot(wall[0], wall[1], moving) is True
    assert same_shot(wall[0], here, moving) is False
    assert same_shot(wall[0], wall[2], moving) is not moving
    half = SEEN.copy()
    half[:, WIDTH // 2 :] = False
    assert same_shot(view(place(1), half), view(place(1), ~half), moving) is None
    assert same_shot(view(place(1), half), here) is True


def test_a_camera_that_moves_is_no_cut():
    big = ground(HEIGHT + 20, WIDTH + 40, 1)
    views = [view(cv2.GaussianBlur(big[i : i + HEIGHT, 2 * i : 2 * i + WIDTH], (0, 0), 1)) for i in (0, 3, 6)]
    assert same_shot(views[0], views[1], moving=True)
    assert same_shot(views[0], views[2], moving=True)


def test_what_shows_too_little_goes_by_time():
    nothing = view(place(1), ~SEEN)
    views = {1: view(place(1)), 4: nothing, 9: view(place(2)), 10: nothing, 12: view(place(1))}
    assert shots_of(views) == [[1, 4, 12], [9, 10]]


def test_the_frames_around_one():
    assert list(narrowed(range(1, 101), [20, 60, 80], 33)) == list(range(21, 60))
    assert list(narrowed(range(1, 101), [20], 5)) == list(range(1, 20))
    assert list(narrowed(range(1, 101, 10), [21, 51], 45)) == [31, 41]
