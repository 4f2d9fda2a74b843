"""How what computes for long gives way to an artist who waits for a frame, in whatever processes both are.

While a worker has an interactive render under way, it holds a lock on a file beside its socket, which goes with the
process that holds it. Whoever gives way tries the lock between two steps of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from plugin.worker.protocol import paths

# Who scrubs asks for the next frame a moment after the last one.
QUIET_SECONDS = 0.3
LOOK_SECONDS = 0.02


def lock_path(device: str) -> Path:
    return paths.runtime_folder() / f"busy-{paths.slot(device)}.lock"


class Busy:
    """The worker's side; several renders may be under way at once. Without a `path` nobody is told."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._under_way = 0
        self._descriptor = -1

    def begin(self) -> None:
        """An interactive render is asked for. Not being able to tell others is no reason to fail it."""
        self._under_way += 1
        if self._path is not None and self._descriptor < 0:
            with contextlib.suppress(OSError):
                self._descriptor = _opened(self._path)
                fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def end(self) -> None:
        """It is over."""
        self._under_way -= 1
        if not self._under_way and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class GiveWay:
    """The side of what gives way. `sleep` and `clock` are those of `time`."""

    def __init__(
        self,
        path: Path,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._sleep, self._clock = path, sleep, clock

    def wait(self, check: Callable[[], bool], told: Callable[[], None] = lambda: None) -> float:
        """Waits until no interactive render was under way for a moment, or `check` is true; returns the seconds.

        `told` is called once where it has to wait at all.
        """
        if not self.busy():
            return 0.0
        told()
        began = last = self._clock()
        while self._clock() - last < QUIET_SECONDS and not check():
            self._sleep(LOOK_SECONDS)
            if self.busy():
                last = self._clock()
        return self._clock() - began

    def busy(self) -> bool:
        """Whether an interactive render is under way."""
        try:
            descriptor = _opened(self._path)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
