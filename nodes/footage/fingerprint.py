"""What the files behind a result were, wherever they lie: by size and time, and by contents where these do not tell.

A copy of a shot under another mount, with other owners and times, has the fingerprints of the shot.
"""

from __future__ import annotations

import bisect
import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass, field

from nodes.footage.files.identity import StandIn
from nodes.footage.reader import Footage

_CHAINS = 64
_HASHES = 4096
# Bytes that may be read for a fingerprint's contents beyond the frames that are rendered anyway.
MOST_EXTRA = 2 << 30
# How long after a change another one may leave a file's time as it is: on file systems that count seconds, and others.
_COARSE, _FINE = 2.0, 0.05


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of a range of files, as hexadecimal digests. `contents` is empty where they were not read.

    `times` is empty where they settle nothing: a file was so new that it could be changed again at the same time.
    """

    sizes: str
    times: str
    contents: str = ""


class Fingerprints:
    """Of one footage, whose files are looked at once each, when a range that ends with them is first asked for.

    A range costs a step where the range one frame shorter was asked for before. May be used from several threads.
    """

    def __init__(self, footage: Footage, rendered: Container[int]) -> None:
        """`rendered` are the frames that are read in any case, whose contents cost no further reading."""
        self._footage, self._rendered = footage, rendered
        self._chains: OrderedDict[int, _Chain] = OrderedDict()
        self._hashes: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._lock, self._reading = threading.RLock(), threading.Lock()

    def look(self, first: int, last: int) -> Fingerprint:
        """Sizes and times of the files behind frames first..last; of a still's one file whatever the frames are."""
        with self._lock:
            chain, end = self._chain(first, last)
            settled = chain.unsettled is None or end < chain.unsettled
            return Fingerprint(chain.sizes[end].hex(), chain.times[end].hex() if settled else "")

    def read(self, first: int, last: int) -> Fingerprint:
        """The same with contents, unless these would need more than `MOST_EXTRA` to be read for their own sake.

        Times are given where contents are not, settled or not.
        """
        looked = self.look(first, last)
        contents = self._contents(first, last, MOST_EXTRA)
        if contents:
            return Fingerprint(looked.sizes, looked.times, contents)
        with self._lock:
            chain, end = self._chain(first, last)
            return Fingerprint(looked.sizes, chain.times[end].hex())

    def agrees(self, first: int, last: int, known: Fingerprint) -> bool:
        """Whether the files are those that were fingerprinted; contents are read only where nothing else tells."""
        looked = self.look(first, last)
        if looked.sizes != known.sizes:
            return False
        if known.times and looked.times == known.times:
            if known.contents:
                with self._lock:
                    chain, end = self._chain(first, last)
                    chain.learn(end, bytes.fromhex(known.contents))
            return True
        return bool(known.contents) and self._contents(first, last, None) == known.contents

    def _chain(self, first: int, last: int) -> tuple[_Chain, int]:
        """The chain that begins with a frame and reaches the other, whose place in it comes along."""
        if self._footage.sequence.is_still:
            first = last = 1
        chain = self._chains.setdefault(first, _Chain())
        self._chains.move_to_end(first)
        while len(self._chains) > _CHAINS:
            self._chains.popitem(last=False)
        while len(chain.files) <= last - first:
            frame = first + len(chain.files)
            chain.append(self._footage.file(frame), frame in self._rendered)
        return chain, last - first

    def _contents(self, first: int, last: int, budget: int | None) -> str:
        with self._reading:
            return self._read_contents(first, last, budget)

    def _read_contents(self, first: int, last: int, budget: int | None) -> str:
        with self._lock:
            chain, end = self._chain(first, last)
            start, digest = chain.latest_contents(end)
            if budget is not None and chain.extra[end] - (chain.extra[start] if start >= 0 else 0) > budget:
                return ""
            files = chain.files[start + 1 : end + 1]
        for place, file in enumerate(files, start + 1):
            one = self._hash(file)
            if not one:
                return ""
            digest = _step(digest, one)
            with self._lock:
                chain.learn(place, digest)
        return digest.hex()

    def _hash(self, file: StandIn) -> bytes:
        """The digest of a file's contents, and of how it stands for its frame; empty where it is another one by now."""
        if file.status is None:
            return hashlib.sha256(file.how.encode()).digest()
        key = file.path, file.status.st_size, file.status.st_mtime_ns
        with self._lock:
            known = self._hashes.get(key)
        if known is None:
            known = _hash_of(file.path, file.status)
            with self._lock:
                self._hashes[key] = known
                while len(self._hashes) > _HASHES:
                    self._hashes.popitem(last=False)
        return _step(file.how.encode(), known) if known else b""


@dataclass(eq=False)
class _Chain:
    """Running digests over consecutive frames. `extra` are the bytes so far of frames that are not rendered."""

    files: list[StandIn] = field(default_factory=list)
    sizes: list[bytes] = field(default_factory=list)
    times: list[bytes] = field(default_factory=list)
    extra: list[int] = field(default_factory=list)
    unsettled: int | None = None
    _contents: dict[int, bytes] = field(default_factory=dict)
    _known: list[int] = field(default_factory=list)

    def append(self, file: StandIn, rendered: bool) -> None:
        size, changed = (file.status.st_size, file.status.st_mtime_ns) if file.status else (-1, 0)
        if self.unsettled is None and not _settled(changed):
            self.unsettled = len(self.files)
        self.sizes.append(_step(self.sizes[-1] if self.sizes else b"", f"{file.how}\0{size}".encode()))
        self.times.append(_step(self.times[-1] if self.times else b"", str(changed).encode()))
        self.extra.append((self.extra[-1] if self.extra else 0) + (0 if rendered else max(size, 0)))
        self.files.append(file)

    def learn(self, place: int, contents: bytes) -> None:
        if place not in self._contents:
            self._contents[place] = contents
            bisect.insort(self._known, place)

    def latest_contents(self, end: int) -> tuple[int, bytes]:
        """The last place up to `end` whose contents are known, and their digest; -1 where there is none."""
        position = bisect.bisect_right(self._known, end) - 1
        if position < 0:
            return -1, b""
        return self._known[position], self._contents[self._known[position]]


def _hash_of(path: str, seen: os.stat_result) -> bytes:
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            now = os.fstat(file.fileno())
    except OSError:
        return b""
    return digest if (now.st_size, now.st_mtime_ns) == (seen.st_size, seen.st_mtime_ns) else b""


def _settled(changed_ns: int) -> bool:
    """Whether any later change of a file would show in its time."""
    coarse = changed_ns % 1_000_000_000 == 0
    return changed_ns / 1e9 < time.time() - (_COARSE if coarse else _FINE)


def _step(before: bytes, one: bytes) -> bytes:
    return hashlib.blake2b(len(before).to_bytes(8, "little") + before + one, digest_size=16).digest()
