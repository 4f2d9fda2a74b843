"""Digests of the files behind frames: cheap to ask for, and different as soon as a file changes."""

from __future__ import annotations

import bisect
import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from nodes.footage.files.sequence import Sequence as FileSequence

_FRESH_SECONDS = 1.0
_LARGEST_SHARE = 0.02  # of the time may go into looking at files again
_ALWAYS_LOOK = 200  # frames whose files are looked at every time: that takes about a millisecond
_CHAINS = 8


class StandIn(NamedTuple):
    """The file behind a frame. `how` is empty for its own, else why and which other one; no file has no `status`."""

    how: str
    path: str
    status: os.stat_result | None


class Listing:
    """The frames of a sequence on disk, looked at again when the last look is older than about a second."""

    def __init__(self, sequence: FileSequence, view: str | None) -> None:
        self._sequence, self._view = sequence, view
        self._frames: list[int] = []
        self._until = 0.0
        self._lock = threading.Lock()

    def frames(self) -> list[int]:
        """Existing frames, in order; not to be changed by the caller."""
        with self._lock:
            start = time.monotonic()
            if start >= self._until:
                self._frames = self._sequence.frames(self._view)
                self._until = _next_look(start)
            return self._frames

    def file(self, frame: int, missing: str) -> StandIn:
        """The file of a frame, or the one in its place where it is missing."""
        path = os.path.abspath(self._sequence.path(frame, self._view))
        status = _status(path)
        if status is not None:
            return StandIn("", path, status)
        if self._sequence.is_still or missing == "error":
            return StandIn("missing", path, None)
        frames = self.frames()
        if not frames:
            return StandIn("nothing", path, None)
        number = frames[max(bisect.bisect_right(frames, frame) - 1, 0)]
        path = os.path.abspath(self._sequence.path(number, self._view))
        return StandIn(f"{missing} {number}", path, _status(path))

    def stamp(self, frame: int, missing: str) -> bytes:
        """What identifies the file of a frame at this moment: path, size and times."""
        file = self.file(frame, missing)
        status = file.status
        seen = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}" if status else ""
        return f"{file.how}\0{file.path}\0{seen}".encode("utf-8", "surrogateescape")


class Identity:
    """Digests of frame ranges from the stamps of their frames, each range built on the one a frame shorter."""

    def __init__(self, stamp: Callable[[int], bytes], salt: bytes) -> None:
        self._stamp, self.salt = stamp, salt
        self._chains: OrderedDict[int, _Chain] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, first: int, last: int) -> bytes:
        """The digest of frames first..last; of nothing but the salt where last < first."""
        with self._lock:
            chain = self._chains.setdefault(first, _Chain())
            self._chains.move_to_end(first)
            while len(self._chains) > _CHAINS:
                self._chains.popitem(last=False)
            count = max(0, last - first + 1)
            chain.refresh(self._stamp, first)
            while len(chain.digests) < count:
                chain.append(self._stamp(first + len(chain.digests)), self.salt)
            return chain.digests[count - 1] if count else _digest(self.salt, b"")

    def of_each(self, frames: Sequence[int]) -> bytes:
        """The digest of picked frames; their files are looked at every time."""
        digest = self.salt
        for frame in frames:
            digest = _digest(digest, self._stamp(frame))
        return digest


class _Chain:
    def __init__(self) -> None:
        self.stamps: list[bytes] = []
        self.digests: list[bytes] = []
        self._until = 0.0

    def append(self, stamp: bytes, salt: bytes) -> None:
        if not self.digests:
            self._until = time.monotonic() + _FRESH_SECONDS
        self.digests.append(_digest(self.digests[-1] if self.digests else salt, stamp))
        self.stamps.append(stamp)

    def refresh(self, stamp: Callable[[int], bytes], first: int) -> None:
        """Drops the digests from the first frame on whose file has changed since it was looked at."""
        start = time.monotonic()
        if len(self.stamps) > _ALWAYS_LOOK and start < self._until:
            return
        for index, known in enumerate(self.stamps):
            if stamp(first + index) != known:
                del self.stamps[index:], self.digests[index:]
                break
        self._until = _next_look(start)


def _next_look(start: float) -> float:
    now = time.monotonic()
    return now + max(_FRESH_SECONDS, (now - start) / _LARGEST_SHARE)


def _digest(before: bytes, stamp: bytes) -> bytes:
    return hashlib.blake2b(len(before).to_bytes(8, "little") + before + stamp, digest_size=32).digest()


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
