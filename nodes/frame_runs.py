"""Which frames an input has, in few numbers: footage with a step or with holes, however long it is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    from nodes.engine import Inputs


class FrameRuns(Sequence[int]):
    """Ascending frames: `first`, and `steps`, pairs of a distance and how often it is made.

    >>> FrameRuns(1001, [10, 2, 1, 1])[:]
    [1001, 1011, 1021, 1022]
    """

    def __init__(self, first: int, steps: Sequence[int] = ()) -> None:
        runs = list(zip(steps[::2], steps[1::2], strict=False))
        self.steps = tuple(number for run in runs for number in run)
        self._step = [1, *(step for step, _ in runs)]
        # How many frames there are up to the end of each run, and the frame there.
        self._count = list(accumulate((count for _, count in runs), initial=1))
        self._end = list(accumulate((step * count for step, count in runs), initial=first))

    @classmethod
    def of(cls, frames: Iterable[int]) -> FrameRuns:
        """The runs of at least one ascending frame."""
        there = list(frames)
        steps: list[int] = []
        for before, after in pairwise(there):
            if steps and steps[-2] == after - before:
                steps[-1] += 1
            else:
                steps += [after - before, 1]
        return cls(there[0], steps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrameRuns) and (self[0], self.steps) == (other[0], other.steps)

    def __hash__(self) -> int:
        return hash((self[0], self.steps))

    def __len__(self) -> int:
        return self._count[-1]

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(index)
        run = bisect_right(self._count, at)
        return self._end[run] - (self._count[run] - 1 - at) * self._step[run]


def gaps(frames: Sequence[int], last: int, most: int = 5) -> str:
    """The frames missing up to `last`, counted in the smallest step: the first of them, as a list; empty without any.

    >>> gaps(FrameRuns.of([1, 11, 31, 41, 81]), 81)
    '21,51-71x10'
    """
    if isinstance(frames, range):
        return ""
    frames = frames if isinstance(frames, FrameRuns) else FrameRuns.of(frames)
    if len(set(frames.steps[::2])) < 2:
        return ""
    usual = min(frames.steps[::2])
    found: list[str] = []
    before = frames[0]
    for step, count in zip(frames.steps[::2], frames.steps[1::2], strict=True):
        for start in range(before, min(before + step * count, last), step) if step > usual else ():
            if len(found) == most:
                return ",".join([*found, "..."])
            found.append(_listed(range(start + usual, start + step, usual)))
        before += step * count
    return ",".join(one for one in found if one)


def _listed(missing: range) -> str:
    if len(missing) < 2:
        return "".join(map(str, missing))
    return f"{missing[0]}-{missing[-1]}" + (f"x{missing.step}" if missing.step > 1 else "")


def frames_there(inputs: Inputs, name: str) -> Sequence[int]:
    """The frames of an input, ascending, at least one; all of its range where no others are known."""
    first, last = inputs.range(name)
    known = inputs.frames(name)
    return range(first, last + 1) if known is None else known


def held(frames: Sequence[int], frame: int) -> int:
    """The one of ascending `frames` that is shown at `frame`: itself, else the nearest earlier, else the first.

    >>> held([1, 11, 21], 15), held([1, 11, 21], -3)
    (11, 1)
    """
    return frames[max(bisect_right(frames, frame) - 1, 0)]


def spread(frames: Sequence[int], count: int) -> list[int]:
    """At most `count` of ascending `frames`, evenly spread, both ends among them.

    >>> spread(range(10, 21), 3)
    [10, 15, 20]
    """
    if not frames:
        return []
    # Rounded as numbers of frames without a step would be.
    first = frames[0]
    places = np.linspace(first, first + len(frames) - 1, min(count, len(frames)))
    return [frames[place - first] for place in sorted({round(place) for place in places.tolist()})]


def neighbours(frame: int, reach: int, frames: Sequence[int]) -> dict[int, int]:
    """Up to `reach` of ascending `frames` before and after a frame, and how many frames each is away.

    A frame that is held, as it is not among `frames`, has the neighbours of the one that it shows, and not that one.
    """
    place = max(bisect_right(frames, frame) - 1, 0)
    around = range(max(0, place - reach), min(len(frames), place + reach + 1))
    return {frames[at]: at - place for at in around if at != place}


def closeness(distance: int, reach: int) -> float:
    """How much a frame so far away counts, the frame itself 1."""
    return 1 - abs(distance) / (reach + 1)
