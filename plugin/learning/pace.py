"""When something that takes time besides learning is due again: after a while, and never for more than its share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


class Pace:
    """Due `first` seconds from now, then every `seconds`, less often where doing it takes more than `share` of them.

    `clock` is such as time.monotonic.
    """

    def __init__(self, clock: Callable[[], float], first: float, seconds: float, share: float) -> None:
        self._clock, self._seconds, self._share = clock, seconds, share
        self._next = clock() + first

    def due(self) -> bool:
        return self._clock() >= self._next

    @contextlib.contextmanager
    def doing(self) -> Iterator[None]:
        """It is done within."""
        began = self._clock()
        try:
            yield
        finally:
            now = self._clock()
            self._next = now + max(self._seconds, (now - began) / self._share)
