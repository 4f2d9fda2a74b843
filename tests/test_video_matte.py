"""The engine alone: whatever the order of frames, holes, changed footage or vanished checkpoints, the same bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_engine import ArrayInputs, LocalDevice, picture, render
from reference import fill

RNG = np.random.default_rng(4)
OPTIONS = {"variant": "mobilenetv3"}
FRAMES = {frame: picture(RNG.random((48, 64, 3), np.float32)) for frame in range(1001, 1009)}
SETTINGS = {"downsampleRatio": 0.5}


def device() -> LocalDevice:
    return LocalDevice(fill, **OPTIONS)


def matte(frame, on, footage=FRAMES, **more):
    return render("VideoMatte", frame, ArrayInputs(Source=footage), on, **{**SETTINGS, **more})


def same(a, b):
    return all(np.array_equal(a.images[name], b.images[name]) for name in a.images)


@pytest.fixture(scope="module")
def in_order():
    shared = device()
    return {frame: matte(frame, shared) for frame in sorted(FRAMES)}


def test_passes_and_ranges(in_order):
    passes = in_order[1003]
    assert {name: image.shape[2] for name, image in passes.images.items()} == {
        "premultiplied": 4,
        "alpha": 1,
        "foreground": 3,
        "refinement": 1,
        "person": 1,
    }
    for name in ("alpha", "refinement", "person"):
        assert 0 <= passes.images[name].min() <= passes.images[name].max() <= 1
    assert passes.images["refinement"].max() > 0


def test_a_frame_asked_for_alone_is_the_frame_of_the_whole_render(in_order):
    assert same(matte(1008, device()), in_order[1008])


@settings(max_examples=6, deadline=None)
@given(st.permutations(sorted(FRAMES)))
def test_any_order_gives_the_same_bits(order):
    shared, reference = device(), device()
    expected = {frame: matte(frame, reference) for frame in sorted(FRAMES)}
    assert all(same(matte(frame, shared), expected[frame]) for frame in order)


def test_memory_matters_at_all(in_order):
    fresh = matte(1008, device(), startFrame=1008)
    assert not same(fresh, in_order[1008])
    assert same(fresh, matte(1008, device(), {1008: FRAMES[1008]}))


def test_a_changed_earlier_frame_is_noticed(in_order):
    shared = device()
    for frame in sorted(FRAMES):
        matte(frame, shared)
    edited = {**FRAMES, 1002: picture(RNG.random((48, 64, 3), np.float32))}
    assert same(matte(1008, shared, edited), matte(1008, device(), edited))
    assert same(matte(1008, shared), in_order[1008])


def test_frames_before_the_change_are_reused():
    shared = device()
    for frame in sorted(FRAMES):
        matte(frame, shared)
    inputs = ArrayInputs(Source=FRAMES)
    render("VideoMatte", 1008, inputs, shared, **SETTINGS)
    assert inputs.fetched == [("Source", 1008)]


def test_a_hole_is_skipped_in_the_memory_and_told():
    holed = {frame: picture for frame, picture in FRAMES.items() if frame != 1004}
    passes = matte(1006, device(), holed)
    assert "skips frame 1004" in passes.notes[0]
    shared = device()
    for frame in holed:
        in_turn = matte(frame, shared, holed)
        if frame == 1006:
            assert same(in_turn, passes)


def test_settings_that_change_the_memory_do_not_share_it(in_order):
    shared = device()
    for frame in sorted(FRAMES):
        matte(frame, shared)
    other = matte(1008, shared, downsampleRatio=1.0)
    assert same(other, matte(1008, device(), downsampleRatio=1.0))
    assert other.images["refinement"].max() == 0


@pytest.mark.parametrize("size", [(1, 1), (17, 300), (50, 33)])
def test_any_size_is_matted(size):
    footage = {1: picture(RNG.random((*size, 3))), 2: picture(RNG.random((*size, 3)))}
    assert matte(2, device(), footage, downsampleRatio=0.0).images["alpha"].shape == (*size, 1)


def test_a_size_that_changes_within_the_shot_begins_the_memory_again():
    footage = {1: picture(RNG.random((40, 40, 3))), 2: FRAMES[1002], 3: FRAMES[1003]}
    shared = device()
    for frame in (1, 2, 3):
        in_turn = matte(frame, shared, footage)
    alone = matte(3, device(), footage)
    assert "changes its size at frame 1" in alone.notes[0]
    assert same(in_turn, alone)


def test_the_fast_guided_filter_needs_no_weights_of_its_own():
    assert matte(1001, device(), refiner="fast guided filter").images["alpha"].shape == (48, 64, 1)
