"""Who computes next: one job at a time has the device.

Jobs wait in lines, one per client and priority. Within a line they go in the order of submission; the head of a line
that still lacks a frame holds up its own line only. Interactive lines go before batch lines, the line that was served
longest ago first; after `PATIENCE` interactive turns in a row a waiting batch job gets one.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

PATIENCE = 8


class Turns:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: dict[tuple[object, bool], list[Place]] = {}
        self._served: dict[tuple[object, bool], int] = {}
        self._clock = itertools.count()
        self._holder: Place | None = None
        self._interactive_in_a_row = 0

    def queue(self, client: object, interactive: bool) -> Place:
        """A place at the end of the client's line; it must be left in the end."""
        place = Place(self, (client, interactive))
        with self._changed:
            self._lines.setdefault(place.line, []).append(place)
            self._served.setdefault(place.line, next(self._clock))
        return place

    def wake(self) -> None:
        """Makes everyone who waits for a turn run its check."""
        with self._changed:
            self._changed.notify_all()

    def _take(self, place: Place, check: Callable[[], None]) -> None:
        with self._changed:
            place.waiting = True
            try:
                self._grant()
                while self._holder is not place:
                    check()
                    self._changed.wait()
            finally:
                place.waiting = False

    def _give(self, place: Place) -> None:
        with self._changed:
            if self._holder is place:
                self._holder = None
                self._grant()

    def _leave(self, place: Place) -> None:
        with self._changed:
            line = self._lines.get(place.line, [])
            if place in line:
                line.remove(place)
                if not line:
                    del self._lines[place.line], self._served[place.line]
            if self._holder is place:
                self._holder = None
            self._grant()

    def _grant(self) -> None:
        if self._holder is not None:
            return
        heads = [line[0] for line in self._lines.values() if line[0].waiting]
        if not heads:
            return
        batch = [place for place in heads if not place.interactive]
        interactive = [place for place in heads if place.interactive]
        overdue = batch and self._interactive_in_a_row >= PATIENCE
        chosen = min(batch if overdue or not interactive else interactive, key=lambda p: self._served[p.line])
        self._interactive_in_a_row = self._interactive_in_a_row + 1 if chosen.interactive and batch else 0
        self._served[chosen.line] = next(self._clock)
        self._holder = chosen
        self._changed.notify_all()


class Place:
    """A job's place in its line."""

    def __init__(self, turns: Turns, line: tuple[object, bool]) -> None:
        self.line = line
        self.interactive = line[1]
        self.waiting = False
        self._turns = turns

    @property
    def computing(self) -> bool:
        return self._turns._holder is self

    def take(self, check: Callable[[], None]) -> None:
        """Waits for the turn; `check` runs whenever `Turns.wake` is called and may raise to give up waiting."""
        self._turns._take(self, check)

    @contextlib.contextmanager
    def paused(self, check: Callable[[], None]) -> Iterator[None]:
        """Lets others compute while this job waits for something; does nothing if it has no turn."""
        if not self.computing:
            yield
            return
        self._turns._give(self)
        try:
            yield
        finally:
            self.take(check)

    def leave(self) -> None:
        """Gives up the turn and the place; harmless when done twice."""
        self._turns._leave(self)
