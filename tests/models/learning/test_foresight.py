"""What is expected of frames without a key follows what is wrong with them, and says where the next key belongs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from models import weights
from models.learning import Lesson, Teacher
from models.learning.foresight import confidence, expected_error, most_helpful
from models.learning.hints import Hint
from models.learning.lesson import Predicted
from models.learning.network import from_video_matte

FRAMES = range(1, 25)
KEYS = (1, 9, 17, 24)
HARD = range(10, 17)
SIZE = (48, 80)


def moment(frame: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc that goes over a texture, and its matte; in the middle of the shot it staggers and is hardly seen."""
    rng = np.random.default_rng(3)
    back = cv2.GaussianBlur(rng.uniform(0, 160, (*SIZE, 3)).astype(np.float32), (0, 0), 2)
    skin = cv2.GaussianBlur(rng.uniform(60, 255, (*SIZE, 3)).astype(np.float32), (0, 0), 2)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    middle = 18 + 1.8 * frame + (8 * np.sin(2.1 * frame) if frame in HARD else 0)
    alpha = np.clip(12.5 - np.hypot(x - middle, y - 24), 0, 1).astype(np.float32)[..., None]
    there = alpha * (0.25 if frame in HARD else 1)
    return (np.roll(skin, 2 * frame, 1) * there + back * (1 - there)).astype(np.uint8), alpha


@pytest.fixture(scope="module")
def taught() -> Teacher:
    found = weights.resolve("video_matte_mobilenetv3")
    start = from_video_matte(weights.load_model_weights(found, "rvm", found.options), "matte")
    shot = Lesson("shot", FRAMES, lambda frame: moment(frame)[0], {key: moment(key)[1] for key in KEYS})
    teacher = Teacher([shot], "matte", 5, torch.device("cpu"), start)
    teacher.prepare(lambda what, share: None)
    for _ in range(40):
        teacher.step()
    return teacher


def test_confidence_follows_the_true_error(taught) -> None:
    between = [frame for frame in FRAMES if frame not in KEYS]
    wrong = [float(np.abs(taught.predict(0, frame).value - moment(frame)[1]).mean()) for frame in between]
    sure = taught.confidence(0)
    assert list(sure) == list(FRAMES)
    assert all(sure[key] == 1 for key in KEYS)
    doubt = [1 - sure[frame] for frame in between]
    assert np.corrcoef(wrong, doubt)[0, 1] > 0.7
    assert min(wrong[i] for i, frame in enumerate(between) if frame in HARD) > 0.02


def test_the_next_key_belongs_where_it_is_hard(taught) -> None:
    first, *others = taught.next_keys(0)
    assert first in HARD
    assert len({first, *others} - {*KEYS}) == 3


def said(alpha: float, sure: float, channels: int = 1) -> Predicted:
    return Predicted(np.full((8, 12, channels), alpha, np.float32), np.full((8, 12), sure, np.float32))


def carried(alpha: float) -> Hint:
    return Hint(np.full((4, 6, 1), round(255 * alpha), np.uint8), np.full((2, 3), 200, np.uint8), 3)


def test_much_is_expected_of_what_is_soft_or_unlike_both_carried_keys() -> None:
    hints = carried(0.4), carried(0.8)
    assert expected_error(said(0.5, 0.9), hints) == pytest.approx((0.25 + 0.1) / 2, abs=2e-3)
    assert expected_error(said(0.0, 0.9), hints) == pytest.approx(0.4 / 2, abs=2e-3)
    assert expected_error(said(0.0, 0.9), (None, carried(0.8))) == pytest.approx(0.8 / 2, abs=2e-3)
    assert expected_error(said(0.5, 0.9), (None, None)) == pytest.approx(0.25)
    # Keys that disagree are no error of an answer that is sure and agrees with one of them.
    assert expected_error(said(1.0, 0.9), (carried(0.0), carried(1.0))) < 1e-3
    # Of a taught picture neither says anything.
    assert expected_error(said(0.5, 0.9, 3), (None, None)) == pytest.approx(0.1)


def test_confidence_is_a_scale_of_errors() -> None:
    assert [confidence(error) for error in (0.0, 0.005, 0.05, 0.3)] == pytest.approx([1, 0.9, 0, 0])


def test_the_next_key_belongs_where_most_error_is_left() -> None:
    errors = dict.fromkeys(range(1, 41), 0.001) | dict.fromkeys(range(24, 33), 0.01)
    best, *_ = most_helpful(errors, [1, 12, 40])
    assert 24 <= best <= 33
    assert most_helpful({5: 0.1}, [5]) == []
