"""Which frames an input has: runs of them say the same as the list."""

from hypothesis import given
from hypothesis import strategies as st

from nodes.frame_runs import FrameRuns, gaps, held, spread

NUMBERS = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 40)
FRAMES = st.lists(NUMBERS, min_size=1, max_size=40, unique=True).map(sorted)


@given(FRAMES)
def test_runs_are_the_frames(frames):
    runs = FrameRuns.of(frames)
    assert (list(runs), runs[:], len(runs), runs[-1]) == (frames, frames, len(frames), frames[-1])
    assert FrameRuns(frames[0], runs.steps) == runs


@given(FRAMES, st.integers(-10, 50))
def test_a_missing_frame_shows_the_one_before(frames, frame):
    expected = max((one for one in frames if one <= frame), default=frames[0])
    assert held(frames, frame) == held(FrameRuns.of(frames), frame) == expected


def test_steps_and_long_shots_are_few_numbers():
    assert FrameRuns.of(range(1001, 101_001)).steps == (1, 99_999)
    assert FrameRuns.of([*range(1, 1000, 7), *range(1001, 2001, 10)]).steps == (7, 142, 6, 1, 10, 99)


def test_what_is_missing_is_counted_in_the_usual_step():
    assert gaps(FrameRuns.of([1, 2, 3, 5, 6, 9]), 9) == "4,7-8"
    assert gaps(FrameRuns.of([1, 2, 3, 5, 6, 9]), 5) == "4"
    assert gaps(FrameRuns.of([1, 2, 3, 5, 6, 9]), 3) == ""
    assert gaps(FrameRuns.of(range(1, 1000, 7)), 1000) == gaps(range(9), 9) == ""
    assert gaps(FrameRuns.of([1, 11, 31, 41, 81]), 81) == "21,51-71x10"
    assert gaps(FrameRuns.of([0, 1, *range(2, 100, 2)]), 99) == "3,5,7,9,11,..."
    assert gaps(FrameRuns.of([1, 2, 20_240_131]), 20_240_131) == "3-20240130"


@given(FRAMES, st.integers(0, 64))
def test_samples_are_spread_from_end_to_end(frames, count):
    found = spread(frames, count)
    assert set(found) <= set(frames)
    assert found == sorted(set(found))
    assert len(found) == min(count, len(frames))
    if count > 1:
        assert (found[0], found[-1]) == (frames[0], frames[-1])


def test_samples_of_footage_without_holes():
    assert spread(range(10, 21), 3) == [10, 15, 20]
    assert spread(range(10, 13), 16) == [10, 11, 12]
    assert spread([10], 16) == [10]
    assert spread([], 16) == []
