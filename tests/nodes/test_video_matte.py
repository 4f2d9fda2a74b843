"""The engine alone: whatever the order of frames, holes, changed footage or vanished checkpoints, the same bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_engine import ArrayInputs, LocalDevice, picture, render
from reference import fill

from nodes.errors import FrameError
from nodes.footage.window import Window

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
    assert passes.notes == ["the source lacks frames, which the matte's memory skips: 1004"]
    assert matte(1003, device(), holed).notes == []
    shared = device()
    for frame in holed:
        in_turn = matte(frame, shared, holed)
        if frame == 1006:
            assert same(in_turn, passes)


def test_a_frame_without_a_picture_fails_alone(in_order):
    """Later frames skip it in their memory, as one that cannot be read."""
    odd = {**FRAMES, 1004: picture(RNG.random((48, 64, 2), np.float32), "XZ")}
    with pytest.raises(FrameError, match="choose a layer with colour"):
        matte(1004, device(), odd)
    assert same(matte(1003, device(), odd), in_order[1003])
    assert any("memory skips frame 1004" in note for note in matte(1006, device(), odd).notes)


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
    assert alone.notes == ["the matte's memory begins at frame 2: the picture changes its size there"]
    assert in_turn.notes == alone.notes
    assert same(in_turn, alone)


def test_the_fast_guided_filter_needs_no_weights_of_its_own():
    assert matte(1001, device(), refiner="fast guided filter").images["alpha"].shape == (48, 64, 1)


@pytest.mark.parametrize("numbers", [range(1, 80, 10), range(-60, -4, 7), [1, 2, 3, 50, 51, 900, 901, 2_073_000]])
def test_the_numbers_of_the_frames_do_not_matter(in_order, numbers):
    """Every tenth frame, every seventh, or any others: the memory goes over those that are there."""
    passes = matte(numbers[5], device(), dict(zip(numbers, FRAMES.values(), strict=True)))
    assert same(passes, in_order[1006])
    assert len(passes.notes) <= 1


def test_a_still_counts_once():
    inputs = ArrayInputs(Source=FRAMES[1001])
    passes = render("VideoMatte", 20_240_131, inputs, device(), **SETTINGS)
    assert same(passes, matte(1001, device()))
    assert inputs.fetched == [("Source", 20_240_131)]
    assert len(inputs.identified) <= 2


def test_a_held_frame_is_the_frame_that_it_shows(in_order):
    class Held(ArrayInputs):
        def _at(self, name, frame):
            return super()._at(name, max(one for one in self.inputs[name] if one <= frame))

    shared, holed = device(), {frame: FRAMES[frame] for frame in FRAMES if frame not in (1003, 1004)}
    at_hole = render("VideoMatte", 1004, Held(Source=holed), shared, **SETTINGS)
    assert same(at_hole, in_order[1002])
    after = render("VideoMatte", 1005, Held(Source=holed), shared, **SETTINGS)
    assert same(after, render("VideoMatte", 1005, Held(Source=holed), device(), **SETTINGS))


DISPLAY = Window(5, -3, 64, 48)
windows = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 30), st.integers(1, 20))


def cropped(frame, crop, seen=None):
    """A frame that has only a part of its format, and the whole of it, black outside the part."""
    x, y, width, height = crop
    part = (seen or FRAMES[frame]).pixels[y : y + height, x : x + width]
    whole = np.zeros((48, 64, 3), np.float32)
    whole[y : y + part.shape[0], x : x + part.shape[1]] = part
    return picture(part, at=(5 + x, -3 + y), display=DISPLAY), picture(whole, at=(5, -3), display=DISPLAY), part.shape


@settings(max_examples=3, deadline=None)
@given(st.lists(windows, min_size=3, max_size=3))
def test_footage_cropped_to_what_is_in_it_is_matted_as_the_whole(crops):
    """Other windows at every frame: of another size, at another place, or both."""
    both = {frame: cropped(1000 + frame, crop) for frame, crop in enumerate(crops, 1)}
    shared, other = device(), device()
    for frame in both:
        small = matte(frame, shared, {n: pair[0] for n, pair in both.items()})
        whole = matte(frame, other, {n: pair[1] for n, pair in both.items()})
        x, y, *_ = crops[frame - 1]
        height, width, _ = both[frame][2]
        assert small.images["alpha"].shape == (height, width, 1)
        for name in ("alpha", "person"):
            inside = whole.images[name][y : y + height, x : x + width]
            np.testing.assert_allclose(small.images[name], inside, atol=1e-5)
        assert small.notes == []


def test_overscan_that_changes_moves_the_memory_along():
    """The memory stays where it was on the format, whatever lies around it."""
    rng = np.random.default_rng(8)
    person = np.kron(rng.random((6, 8, 3), np.float32), np.ones((16, 16, 1), np.float32))
    display = Window(0, 0, 128, 96)

    def frame(left, top, right, bottom):
        pixels = np.pad(person, ((top, bottom), (left, right), (0, 0)), mode="edge")
        return picture(pixels, at=(-left, -top), display=display)

    still = dict.fromkeys(range(1, 9), frame(0, 0, 0, 0))
    changing = {**still, 6: frame(32, 16, 0, 0), 7: frame(0, 32, 64, 0), 8: frame(32, 16, 16, 16)}
    alone = dict.fromkeys(range(1, 9), frame(32, 16, 16, 16))
    shared = device()
    for number in changing:
        moved = matte(number, shared, changing)
    np.testing.assert_array_equal(moved.images["alpha"], matte(8, device(), changing).images["alpha"])
    assert moved.notes == []
    inside, settled = (slice(16, -16), slice(32, -16)), matte(8, device(), alone).images["alpha"]
    fresh = matte(8, device(), alone, startFrame=8).images["alpha"]
    lost, kept = (np.abs(one - settled)[inside].mean() for one in (fresh, moved.images["alpha"]))
    assert kept < lost / 2


@pytest.mark.parametrize("size", [(1, 1), (16, 16384), (4096, 1), (3, 2000)])
@pytest.mark.parametrize("ratio", [0.0, 0.03])
def test_the_longest_pictures_do_not_vanish(size, ratio):
    footage = dict.fromkeys((1, 2), picture(RNG.random((*size, 3))))
    alpha = matte(2, device(), footage, downsampleRatio=ratio).images["alpha"]
    assert alpha.shape == (*size, 1)
    assert np.isfinite(alpha).all()


def two_shots():
    here, there = (np.kron(RNG.random((12, 16, 3)), np.ones((4, 4, 1))) for _ in range(2))
    return {n: picture((here if n < 5 else there) + RNG.normal(0, 0.01, (48, 64, 3))) for n in range(1, 8)}


def test_the_memory_begins_again_at_a_cut_where_that_is_wanted():
    footage = two_shots()
    alone = {n: footage[n] for n in (5, 6, 7)}
    for order in ((7,), (1, 2, 3, 4, 5, 6, 7), (3, 6, 7)):
        shared = device()
        for frame in order:
            passes = matte(frame, shared, footage, cuts="restart")
        assert same(passes, matte(7, device(), alone))
        assert passes.notes == ["the matte's memory begins at frame 5: there is a cut"]
    assert same(matte(4, device(), footage, cuts="restart"), matte(4, device(), footage))
    assert not same(matte(7, device(), footage), matte(7, device(), alone))
