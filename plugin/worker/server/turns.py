"""Who computes next: one job at a time has the device.

Jobs wait in lines, one per client and priority. Within a line they go in the order of submission; the head of a line
that still lacks a frame holds up its own line only. Interactive lines go before batch lines, the line that was served
longest ago first; after `PATIENCE` interactive turns in a row a waiting batch job gets one.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator

from plugin.worker.protocol.courtesy import Busy

PATIENCE = 8
# Who waits this long for others is told how many frames are ahead, and of changes not more often than this.
WAIT_SECONDS, BETWEEN_SECONDS, LOOK_SECONDS = 2.0, 3.0, 0.5


class Turns:
    def __init__(self, busy: Busy | None = None) -> None:
        """`busy` tells other processes while there are interactive places."""
        self._busy = busy or Busy()
        self._changed = threading.Condition()
        self._lines: dict[tuple[object, bool], list[PlaceInLine]] = {}
        self._served: dict[tuple[object, bool], int] = {}
        self._clock = itertools.count()
        self._holder: PlaceInLine | None = None
        self._interactive_in_a_row = 0

    def queue(self, client: object, interactive: bool) -> PlaceInLine:
        """A place at the end of the client's line; it must be left in the end."""
        place = PlaceInLine(self, (client, interactive))
        with self._changed:
            self._lines.setdefault(place.line, []).append(place)
            self._served.setdefault(place.line, next(self._clock))
            if interactive:
                self._busy.begin()
        return place

    def wake(self) -> None:
        """Makes everyone who waits for a turn run its check."""
        with self._changed:
            self._changed.notify_all()

    def _take(self, place: PlaceInLine, check: Callable[[], None], tell: Callable[[int], None] | None) -> None:
        waiting = _Waiting(tell) if tell else None
        with self._changed:
            place.waiting = True
            try:
                self._grant()
                while self._holder is not place:
                    check()
                    self._changed.wait(LOOK_SECONDS if waiting else None)
                    if waiting and self._holder is not place:
                        waiting.look(self._ahead(place))
            finally:
                place.waiting = False

    def _give(self, place: PlaceInLine) -> None:
        with self._changed:
            if self._holder is place:
                self._holder = None
                self._grant()

    def _leave(self, place: PlaceInLine) -> None:
        with self._changed:
            line = self._lines.get(place.line, [])
            if place in line:
                line.remove(place)
                if place.interactive:
                    self._busy.end()
                if not line:
                    del self._lines[place.line], self._served[place.line]
            if self._holder is place:
                self._holder = None
            self._grant()

    def _ahead(self, place: PlaceInLine) -> int:
        """Frames of others that are computed before a waiting one's; 0 where it waits for its own line."""
        if self._holder is None or self._lines[place.line][0] is not place:
            return 0

        def order(one: PlaceInLine) -> tuple[bool, int]:
            return not one.interactive, self._served[one.line]

        return 1 + sum(line[0].waiting and order(line[0]) < order(place) for line in self._lines.values())

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


class _Waiting:
    """Tells somebody who waits long how many are ahead, and nothing twice in a row."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._next = time.monotonic() + WAIT_SECONDS
        self._told = 0

    def look(self, ahead: int) -> None:
        now = time.monotonic()
        if ahead and ahead != self._told and now >= self._next:
            self._told, self._next = ahead, now + BETWEEN_SECONDS
            self._tell(ahead)


class PlaceInLine:
    """A job's place in its line."""

    def __init__(self, turns: Turns, line: tuple[object, bool]) -> None:
        self.line = line
        self.interactive = line[1]
        self.waiting = False
        self._turns = turns

    @property
    def computing(self) -> bool:
        return self._turns._holder is self

    def take(self, check: Callable[[], None], tell: Callable[[int], None] | None = None) -> None:
        """Waits for the turn; `check` runs whenever `Turns.wake` is called and may raise to give up waiting.

        `tell` gets the number of others' frames that come first once that takes long, and when it changes; it must not
        wait for anything.
        """
        self._turns._take(self, check, tell)

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
