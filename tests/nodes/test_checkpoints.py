from hypothesis import given
from hypothesis import strategies as st

from nodes.checkpoints import Checkpoints


def unchanged(frame: int) -> bytes:
    return b"same"


def test_a_long_shot_needs_no_more_states_than_a_short_one():
    kept = Checkpoints[int](capacity=8)
    for frame in range(1000):
        kept.put(frame, b"same", frame)
    assert len(kept) == 8
    assert kept.latest_before(1000, unchanged) == (999, 999)


def test_states_stand_close_where_work_goes_on_and_far_apart_elsewhere():
    kept = Checkpoints[int](capacity=12)
    for frame in range(1000):
        kept.put(frame, b"same", frame)
    gaps = [b - a for a, b in zip(kept.frames, kept.frames[1:], strict=False)]
    assert gaps[-1] == 1
    assert max(gaps) < 500


def test_a_state_of_changed_footage_is_never_used():
    kept = Checkpoints[int]()
    kept.put(1, b"old", 1)
    kept.put(2, b"old", 2)
    kept.put(3, b"new", 3)
    assert kept.latest_before(3, lambda frame: b"old" if frame < 2 else b"new") == (1, 1)
    assert kept.frames == [1, 3]


def test_rendering_backwards_replays_few_frames():
    kept = Checkpoints[int](capacity=16)
    replayed = 0
    for wanted in reversed(range(300)):
        found = kept.latest_before(wanted, unchanged)
        start = found[0] + 1 if found else 0
        for frame in range(start, wanted + 1):
            kept.put(frame, b"same", frame)
            replayed += 1
    # Without checkpoints it would be 300 * 301 / 2 = 45150.
    assert replayed < 4500


@given(st.lists(st.integers(0, 60), min_size=1, max_size=80), st.integers(2, 6))
def test_whatever_the_order_the_state_is_the_right_frame_s(order, capacity):
    kept = Checkpoints[int](capacity)
    for wanted in order:
        found = kept.latest_before(wanted, unchanged)
        if found:
            assert found[0] == found[1] < wanted
        kept.put(wanted, b"same", wanted)
        assert wanted in kept.frames
        assert len(kept) <= capacity
