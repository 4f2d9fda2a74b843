import pytest
import torch
from local_engine import LocalDevice

from nodes.errors import FrameError
from nodes.ladder import descend


def attempt_that_fits(limit):
    def attempt(size):
        if size > limit:
            raise torch.OutOfMemoryError
        return size

    return attempt


STEPS = [("whole pictures", 8), ("tiles", 4), ("half resolution", 2)]


def test_the_first_step_that_fits_is_taken_and_told():
    assert descend(STEPS, attempt_that_fits(8), LocalDevice()) == (8, [])
    assert descend(STEPS, attempt_that_fits(5), LocalDevice()) == (4, ["device memory was short: computed with tiles"])


def test_caches_are_given_back_before_a_step_is_left():
    class Device(LocalDevice):
        def release_memory(self):
            self.released += 1
            return self.released == 1

    device = Device()

    def attempt(size):
        if not device.released:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return size

    assert descend(STEPS, attempt, device) == (8, [])


def test_nothing_fits_is_one_sentence_and_other_errors_pass():
    with pytest.raises(FrameError, match=r"does not fit .*tried whole pictures, tiles, half resolution.*lower"):
        descend(STEPS, attempt_that_fits(1), LocalDevice())
    with pytest.raises(RuntimeError, match="shape"):
        descend(STEPS, lambda size: (_ for _ in ()).throw(RuntimeError("shape mismatch")), LocalDevice())
