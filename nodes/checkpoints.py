"""Recurrent states kept between frames, few enough for any shot length, dense where they will be wanted next."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from typing import Generic, TypeVar

S = TypeVar("S")


class Checkpoints(Generic[S]):
    """States after frames, each with the digest of the footage it was computed from.

    At most `capacity` are kept: every one near the frame stored last, ever fewer further away, so that a step back
    costs a few frames and a jump back a fraction of the shot.
    """

    def __init__(self, capacity: int = 24) -> None:
        if capacity < 2:
            raise ValueError("at least two checkpoints are needed")
        self.capacity = capacity
        self._frames: list[int] = []
        self._states: dict[int, tuple[bytes, S]] = {}

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def frames(self) -> list[int]:
        """The frames that have a state, ascending."""
        return list(self._frames)

    def put(self, frame: int, digest: bytes, state: S) -> None:
        """Keeps the state after `frame`, computed from footage with this digest."""
        if frame not in self._states:
            bisect.insort(self._frames, frame)
        self._states[frame] = (digest, state)
        while len(self._frames) > self.capacity:
            self._drop(self._least_useful(frame))

    def latest_before(self, frame: int, digest_until: Callable[[int], bytes]) -> tuple[int, S] | None:
        """The last state before `frame` whose footage is unchanged; states of changed footage are dropped."""
        for candidate in reversed(self._frames[: bisect.bisect_left(self._frames, frame)]):
            digest, state = self._states[candidate]
            if digest == digest_until(candidate):
                return candidate, state
            self._drop(candidate)
        return None

    def _least_useful(self, focus: int) -> int:
        """The frame whose removal leaves the smallest gap, measured against its distance from `focus`."""
        candidates = [f for f in self._frames if f != focus]
        position = {f: i for i, f in enumerate(self._frames)}

        def cost(frame: int) -> float:
            index = position[frame]
            before = self._frames[index - 1] if index else frame - 1
            after = self._frames[index + 1] if index + 1 < len(self._frames) else frame + 1
            return (after - before) / (1 + abs(frame - focus))

        return min(candidates, key=cost)

    def _drop(self, frame: int) -> None:
        self._frames.remove(frame)
        del self._states[frame]
