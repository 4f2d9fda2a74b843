"""Key frames carried over a shot: the hints for every frame that they reach, and lessons in being carried.

How the network should use hints is learned where the truth is known, at the key frames themselves: from the keys before
and after, and from the key itself, carried away over a few frames and back again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from models.learning.hints import SHRINK, Hint, carried, coded, half, undoubted
from models.learning.lesson import EightBit, Lesson, TaughtKind
from models.motion import Way, along, enlarged, followed, grey

REACH = 60  # frames: what is carried further says little
THERE_AND_BACK = (2, 5, 9, 14)


class Example(NamedTuple):
    """Hints for a key frame, where the truth is known."""

    key: int
    before: Hint | None
    after: Hint | None
    neighbours: bool  # whether the hints are other keys, as everywhere else in the shot


class Carried(NamedTuple):
    """`frames` that keys reach, the keys among them; `hints` of frames: from the key before and the key after, at a key
    the key itself; `examples` at the key frames."""

    frames: list[int]
    hints: dict[int, tuple[Hint | None, Hint | None]]
    examples: list[Example]


def carry(lesson: Lesson, kind: TaughtKind, progress: Callable[[float], None], threads: int = 2) -> Carried:
    """Carries all keys of a lesson. `progress` is told how far it is, 0..1, and may raise to stop."""
    keys, places = sorted(lesson.keys), {frame: i for i, frame in enumerate(lesson.frames)}
    runs = [(key, _run(lesson.frames, places[key], keys, step), step) for key in keys for step in (-1, 1)]
    runs = [run for run in runs if run[1]]
    total, done = sum(len(others) for _, others, _ in runs), 0
    hints: dict[int, dict[int, Hint]] = {}
    returned: dict[int, dict[int, dict[int, Hint]]] = {key: {} for key in keys}
    with ThreadPoolExecutor(threads) as pool:
        results = pool.map(lambda run: _carry_one(lesson, kind, *run), runs)
        try:
            for (key, _, step), (over, back) in zip(runs, results, strict=True):
                for frame, hint in over.items():
                    hints.setdefault(frame, {})[-step] = hint
                returned[key][-step] = back
                done += len(over)
                progress(done / total)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # or the runs that nobody began yet would be waited for
            raise
    both = {frame: (sides.get(-1), sides.get(1)) for frame, sides in hints.items()}
    examples = [Example(key, *both[key], True) for key in keys if key in both]
    for key, sides in returned.items():
        for away in THERE_AND_BACK:
            before, after = sides.get(1, {}).get(away), sides.get(-1, {}).get(away)
            if before or after:
                examples.append(Example(key, before, after, False))
    examples = examples or [Example(key, None, None, True) for key in keys]
    for key in keys:
        own = undoubted(half(coded(kind, lesson.keys[key], lesson.picture(key))))
        both[key] = own, own
    return Carried([frame for frame in lesson.frames if frame in both], both, examples)


def _run(frames: Sequence[int], place: int, keys: Sequence[int], step: int) -> list[int]:
    """The frames from a key to the next key inclusive, or as far as hints reach."""
    run: list[int] = []
    while 0 <= (place := place + step) < len(frames) and len(run) < REACH:
        run.append(frames[place])
        if frames[place] in keys:
            break
    return run


def _carry_one(
    lesson: Lesson, kind: TaughtKind, key: int, others: Sequence[int], step: int
) -> tuple[dict[int, Hint], dict[int, Hint]]:
    """The hints that a key is for `others`, and for itself after having been there, by how many frames."""
    picture = lesson.picture(key)
    painted = half(coded(kind, lesson.keys[key], picture))
    over: dict[int, Hint] = {}
    back: dict[int, Hint] = {}
    for far, (other, there, to_key, from_key) in enumerate(_followed(lesson, picture, others), 1):
        over[other] = carried(painted, picture, there, (to_key, from_key), abs(other - key))
        if far in THERE_AND_BACK:
            moved = over[other].key.astype(np.float32) / np.float32(255)
            left = np.asarray(along(picture, enlarged(to_key, *picture.shape[:2])), np.uint8)
            back[far] = carried(moved, left, picture, (from_key, to_key), abs(other - key))
    return over, back


def _followed(lesson: Lesson, picture: EightBit, others: Sequence[int]) -> Iterator[tuple[int, EightBit, Way, Way]]:
    """Each of the frames, its picture, where its pixels are in the key's `picture`, and where those are in it."""
    latest: list[EightBit] = []

    def greys() -> Iterator[EightBit]:
        for other in others:
            latest[:] = [lesson.picture(other)]
            yield grey(latest[0], SHRINK)

    for other, ways in zip(others, followed(grey(picture, SHRINK), greys()), strict=True):
        yield other, latest[0], *ways
