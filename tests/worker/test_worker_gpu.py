"""What only a CUDA device can show: mattes are those of the processor, and the same frame is the same bits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from worker_tools import own_runtime

import cleanplate
from plugin.demo import shot as demo_shot

pytestmark = pytest.mark.gpu
PART = (slice(200, 456), slice(300, 684))


@pytest.fixture(scope="module", autouse=True)
def runtime() -> Iterator[None]:
    with own_runtime():
        yield


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    (first,) = demo_shot.frames(1)
    return {"Source": first.source[PART], "C": demo_shot.clean_plate()[PART]}


def test_a_matte_is_that_of_the_processor(pictures: dict[str, np.ndarray]) -> None:
    there, here = (
        cleanplate.run("background-matte", device=device, precision="full", passes=["alpha"], **pictures)["alpha"]
        for device in ("cuda:0", "cpu")
    )
    assert here.max() > 0.9
    assert np.abs(there - here).mean() < 0.01


@pytest.mark.parametrize("precision", ["full", "half"])
def test_the_same_frame_is_the_same_bits(pictures: dict[str, np.ndarray], precision: str) -> None:
    once, again = (
        cleanplate.run("background-matte", device="cuda:0", precision=precision, passes=["alpha"], **pictures)["alpha"]
        for _ in range(2)
    )
    np.testing.assert_array_equal(once, again)
