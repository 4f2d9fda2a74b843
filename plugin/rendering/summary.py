"""How a render went, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

FrameState = Literal["rendered", "skipped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a frame. `text` is its file (the first of several), or the sentence why there is none."""

    frame: int
    state: FrameState
    text: str


@dataclass
class Summary:
    """The outcomes of a render, in the order in which frames were over; one for each view of a frame.

    `seconds` is how long it took. Iterating gives the outcomes.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def add(self, frame: int, state: FrameState, text: str) -> None:
        self.outcomes.append(Outcome(frame, state, text))

    @property
    def rendered(self) -> int:
        """How many were rendered now."""
        return sum(one.state == "rendered" for one in self.outcomes)

    @property
    def skipped(self) -> int:
        """How many were finished already, or by somebody else meanwhile."""
        return sum(one.state == "skipped" for one in self.outcomes)

    @property
    def failed(self) -> dict[int, str]:
        """The frames that are not on disk, and why."""
        failures = [one for one in self.outcomes if one.state == "failed"]
        return {one.frame: one.text for one in reversed(failures)}
