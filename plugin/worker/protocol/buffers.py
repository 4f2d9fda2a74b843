"""Shared memory that goes back and forth: filled, sent, looked at, released and filled again.

Recycled buffers spare both sides the page faults of fresh memory, which cost more than copying the pixels. A buffer
belongs to one connection; nobody else ever sees its pixels.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from plugin.worker.protocol.fields import MAX_BUFFER, BufferRef
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.shared_memory import SharedMemory, create, open_received
from plugin.worker.protocol.wire import close_all

KEPT_FREE = 3
OUTSTANDING = 24
MAX_MAPPED = 256


@dataclass(eq=False, slots=True)
class Buffer:
    """Memory on its way to the peer; `descriptor` goes along the first time."""

    memory: SharedMemory
    descriptor: int
    ref: BufferRef
    announced: bool = False
    idle_since: float = field(default_factory=time.monotonic)

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


class Outgoing:
    """The buffers this side fills."""

    def __init__(self, forget: Callable[[int], None]) -> None:
        self._forget = forget
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._free: list[Buffer] = []
        self._away: dict[int, Buffer] = {}

    def take(self, size: int) -> Buffer:
        """A buffer of at least `size` bytes whose contents may be overwritten; waits for nothing."""
        with self._lock:
            fitting = [b for b in reversed(self._free) if size <= b.memory.size <= 2 * size + (1 << 16)]
            if fitting:
                buffer = min(fitting, key=lambda b: b.memory.size)
                self._free.remove(buffer)
                self._away[buffer.ref.id] = buffer
                return buffer
            number = next(self._numbers) if len(self._away) < OUTSTANDING else 0
        memory, descriptor = create(size)
        buffer = Buffer(memory, descriptor, BufferRef(number, memory.size))
        if number:
            with self._lock:
                self._away[number] = buffer
        return buffer

    def released(self, number: int) -> None:
        """The peer is done with a buffer. Raises ProtocolError if it has none of this number."""
        with self._lock:
            buffer = self._away.pop(number, None)
            if buffer is None:
                raise ProtocolError(f"buffer {number} was released but not in use")
            buffer.idle_since = time.monotonic()
            self._free.append(buffer)
            surplus = self._free[:-KEPT_FREE]
            del self._free[:-KEPT_FREE]
        for old in surplus:
            self._forget(old.ref.id)

    def unsent(self, buffer: Buffer) -> None:
        """A buffer that was taken will not be sent after all."""
        with self._lock:
            if buffer.announced and buffer.ref.id in self._away:
                # The peer knows it.
                self._free.append(self._away.pop(buffer.ref.id))
            elif self._away.get(buffer.ref.id) is buffer:
                del self._away[buffer.ref.id]

    def trim(self, idle_seconds: float) -> None:
        """Gives back the buffers that were not used for so long."""
        with self._lock:
            limit = time.monotonic() - idle_seconds
            old = [b for b in self._free if b.idle_since <= limit]
            self._free = [b for b in self._free if b.idle_since > limit]
        for buffer in old:
            self._forget(buffer.ref.id)

    def bytes(self) -> int:
        """Memory held here, in bytes."""
        with self._lock:
            return sum(b.memory.size for b in (*self._free, *self._away.values()))

    def close(self) -> None:
        with self._lock:
            self._free.clear()
            self._away.clear()


class Incoming:
    """The buffers the peer fills."""

    def __init__(self, release: Callable[[int], None]) -> None:
        self._release = release
        self._lock = threading.Lock()
        self._known: dict[int, SharedMemory] = {}
        self._leased: set[int] = set()

    def open(self, ref: BufferRef, descriptors: Sequence[int]) -> npt.NDArray[np.uint8]:
        """The bytes of a buffer that a message names; released to the peer once no view of them is left.

        Takes the descriptors over. Raises ProtocolError unless the memory is what the message says.
        """
        with self._lock:
            memory = self._known.get(ref.id) if ref.id else None
            if ref.id in self._leased:
                close_all(descriptors)
                raise ProtocolError(f"buffer {ref.id} was sent again before it was released")
            if len(descriptors) != (memory is None):
                close_all(descriptors)
                raise ProtocolError(f"buffer {ref.id} came with {len(descriptors)} descriptors")
            if memory is None:
                if not 0 < ref.size <= MAX_BUFFER or len(self._known) >= MAX_MAPPED:
                    close_all(descriptors)
                    raise ProtocolError(f"buffer {ref.id} of {ref.size} bytes is more than can be taken")
                memory = open_received(descriptors[0], ref.size)
                if ref.id:
                    self._known[ref.id] = memory
            elif memory.size != ref.size:
                raise ProtocolError(f"buffer {ref.id} has {memory.size} bytes, not {ref.size}")
            if not ref.id:
                return memory.leased(_nothing)
            self._leased.add(ref.id)
        return memory.leased(lambda: self._let_go(ref.id))

    def forget(self, number: int) -> None:
        """The peer will not send a buffer again."""
        with self._lock:
            if number in self._leased or self._known.pop(number, None) is None:
                raise ProtocolError(f"buffer {number} was to be forgotten but is in use or not known")

    def close(self) -> None:
        with self._lock:
            self._known.clear()

    def _let_go(self, number: int) -> None:
        self._leased.discard(number)
        self._release(number)


def _nothing() -> None:
    pass
