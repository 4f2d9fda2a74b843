"""Of a long shot with a few keys no more is read than what those keys can say something of."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch

from models.learning.carrying import REACH
from models.learning.foresight import LOOKED_AT
from models.learning.lesson import EightBit, Lesson
from models.learning.teacher import Teacher

FRAMES = range(1001, 3001)
KEYS = (1010, 1040, 1400, 1800, 2500, 2995)


def test_of_two_thousand_frames_those_near_six_keys_are_read() -> None:
    scene = np.random.default_rng(3).integers(0, 256, (24, 40, 3), np.uint8)
    read: Counter[int] = Counter()

    def picture(frame: int) -> EightBit:
        read[frame] += 1
        return np.roll(scene, frame // 7, 1)

    key = np.zeros((24, 40, 1), np.float32)
    key[8:16, 10:20] = 1
    teacher = Teacher(
        [Lesson("long", FRAMES, picture, dict.fromkeys(KEYS, key))], "matte", 1, torch.device("cpu"), None
    )
    teacher.prepare(lambda what, share: None)
    near = {frame for frame in FRAMES if min(abs(frame - key) for key in KEYS) <= REACH}
    assert set(read) == near
    assert len(near) < 0.35 * len(FRAMES)
    assert max(count for frame, count in read.items() if frame not in KEYS) <= 3

    read.clear()
    assert len(teacher.next_keys(0)) > 0
    assert set(read) <= near
    assert read.total() <= 2 * LOOKED_AT
