"""Where another key frame would help most.

The error that is expected of a frame comes from the network, which has learned how wrong it is, and from the carried
keys: where the one before and the one after disagree, and neither looks like the frame, somebody has to say what is
right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.learning.carrying import Carried
from models.learning.hints import DOUBT, Hint
from models.learning.lesson import Lesson
from models.learning.network import LearnedNetwork
from models.learning.pupil import answer

LOOKED_AT = 48  # frames of a shot that the network looks at to say how sure it is; between them it is interpolated
HELPS = 10.0  # frames: how far a key helps
SUGGESTED = 3
UNREACHED = 0.05  # error of a frame that is too far from all keys for them to say anything


def expected_errors(lesson: Lesson, carried: Carried, network: LearnedNetwork) -> dict[int, float]:
    """The mean error that is expected of each frame of the shot, 0..1; 0 at the keys."""
    expected = dict.fromkeys(lesson.frames, UNREACHED) | dict.fromkeys(lesson.keys, 0.0)
    reached = [frame for frame in carried.frames if frame not in lesson.keys]
    step = max(1, len(reached) // LOOKED_AT)
    looked = reached[step // 2 :: step]
    errors = []
    for frame in looked:
        hints = carried.hints.get(frame, (None, None))
        plate = lesson.plate(frame) if lesson.plate else None
        unsure = 1 - answer(network, lesson.picture(frame), hints, plate).confidence
        errors.append(float(unsure.mean()) + disagreement(*hints))
    if looked:
        expected |= zip(reached, np.interp(reached, looked, errors).tolist(), strict=True)
    return expected


def disagreement(before: Hint | None, after: Hint | None) -> float:
    """The error of the better of two hints where they differ, as far as it can be told without the truth."""
    one, other = before or after, after or before
    if one is None or other is None:
        return 0.0
    differ = np.abs(one.key.astype(np.float32) - other.key).max(-1) / 255
    doubt = np.minimum(one.doubt, other.doubt).astype(np.float32) / 255
    sure = np.repeat(np.repeat(np.exp(-doubt / DOUBT), 2, 0), 2, 1)[: differ.shape[0], : differ.shape[1]]
    rows, columns = sure.shape
    return float((differ[:rows, :columns] * (1 - sure)).mean())


def most_helpful(errors: Mapping[int, float], keys: Sequence[int]) -> list[int]:
    """The frames whose neighbourhood, between the same two keys, has most error to lose; best first."""
    left, found = dict(errors), list[int]()
    while len(found) < SUGGESTED:
        known = sorted({*keys, *found})
        gains = dict[int, float]()
        for stretch in _between(sorted(left), known):
            lost = np.array([left[frame] for frame in stretch])
            near = np.exp(-np.abs(np.subtract.outer(stretch, stretch)) / HELPS)
            gains |= zip(stretch, (near @ lost).tolist(), strict=True)
        if not gains:
            break
        best = max(gains, key=lambda frame: (gains[frame], -frame))
        found.append(best)
        left = {frame: error * (1 - np.exp(-abs(frame - best) / HELPS)) for frame, error in left.items()}
    return found


def _between(frames: Sequence[int], keys: Sequence[int]) -> list[list[int]]:
    """The frames in stretches without a key."""
    stretches: list[list[int]] = [[]]
    for frame in frames:
        if frame in keys:
            stretches.append([])
        else:
            stretches[-1].append(frame)
    return [stretch for stretch in stretches if stretch]
