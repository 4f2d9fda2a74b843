"""Inputs of a node as the engine of another one asks for them, and what it asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from nodes.engine import Inputs
from nodes.footage.frame import Frame


class OtherInputs:
    """`inputs` for an engine that calls some of them otherwise."""

    def __init__(self, inputs: Inputs, names: dict[str, str] | None = None) -> None:
        """`names` are those of the inputs by what the engine calls them, where they differ."""
        self.inputs, self._names = inputs, names or {}

    def connected(self, name: str) -> bool:
        return self.inputs.connected(self._name(name))

    def frame(self, name: str, frame: int) -> Frame:
        return self.inputs.frame(self._name(name), frame)

    def forget(self, name: str, frame: int) -> None:
        self.inputs.forget(self._name(name), frame)

    def range(self, name: str) -> tuple[int, int]:
        return self.inputs.range(self._name(name))

    def frames(self, name: str) -> Sequence[int] | None:
        return self.inputs.frames(self._name(name))

    def identity(self, name: str, first: int, last: int) -> bytes:
        return self.inputs.identity(self._name(name), first, last)

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        return self.inputs.identity_of(self._name(name), frames)

    def check_cancelled(self) -> None:
        self.inputs.check_cancelled()

    def _name(self, name: str) -> str:
        return self._names.get(name, name)


class WatchedInputs(OtherInputs):
    """The same, and `footprint` says what a result that an engine made of them depends on."""

    def __init__(self, inputs: Inputs, names: dict[str, str] | None = None) -> None:
        super().__init__(inputs, names)
        self._frames: defaultdict[str, set[int]] = defaultdict(set)

    def frame(self, name: str, frame: int) -> Frame:
        self._frames[name].add(frame)
        return super().frame(name, frame)

    def identity(self, name: str, first: int, last: int) -> bytes:
        self._frames[name].update(range(first, last + 1))
        return super().identity(name, first, last)

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        self._frames[name].update(frames)
        return super().identity_of(name, frames)

    def footprint(self) -> Footprint:
        frames = {name: sorted(numbers) for name, numbers in self._frames.items()}
        return Footprint(frames, _state(frames, self))


@dataclass(frozen=True)
class Footprint:
    """Frames of inputs, and a digest of what they were."""

    frames: dict[str, list[int]]
    state: tuple[object, ...]

    def is_still_so(self, inputs: Inputs) -> bool:
        """Whether the inputs, called as then, have the same frames, and the same pixels where they were looked at."""
        return all(map(inputs.connected, self.frames)) and _state(self.frames, inputs) == self.state


def _state(frames: dict[str, list[int]], inputs: Inputs) -> tuple[object, ...]:
    found: list[object] = []
    for name, numbers in sorted(frames.items()):
        there = inputs.frames(name)
        found += [name, inputs.range(name), None if there is None else list(there), inputs.identity_of(name, numbers)]
    return tuple(found)
