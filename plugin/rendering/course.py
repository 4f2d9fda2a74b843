"""How far a command is and how long the rest of it takes, be it one render or several that follow one another."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar


class Course:
    """Counts frames over `parts` renders, each of about as many frames as the one before it."""

    def __init__(self, parts: int = 1) -> None:
        self.total = self.done = 0
        self._parts_left, self._end, self._rendered = parts, 0, 0
        self._began = time.monotonic()

    def begin(self, frames: int) -> None:
        """The next render, of so many frames; what the one before it did not do is done with."""
        self.done = self._end
        self.total = self.done + frames * max(1, self._parts_left)
        self._end = self.done + frames
        self._parts_left -= 1

    def count(self, rendered: bool) -> None:
        """A frame is over; one that was finished already, or that failed, does not say how long others take."""
        self.done += 1
        self._rendered += rendered

    def seconds_left(self) -> float | None:
        """None until there is something to go by."""
        if not self._rendered:
            return None
        return (time.monotonic() - self._began) / self._rendered * max(0, self.total - self.done)


_current: ContextVar[Course | None] = ContextVar("course", default=None)


@contextlib.contextmanager
def one_course(parts: int) -> Iterator[None]:
    """Within, renders are parts of one command; within another such block they are parts of that one."""
    token = _current.set(_current.get() or Course(parts))
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Course:
    """The course that a render belongs to: its own unless it is part of a command."""
    return _current.get() or Course()


def spoken(seconds: float) -> str:
    """A duration as one says it.

    >>> [spoken(4), spoken(100), spoken(6000)]
    ['4 s', '2 min', '1 h 40 min']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
