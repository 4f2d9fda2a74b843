"""Memory that two processes share by passing a file descriptor; nothing of it is left behind by a crash.

`system` knows how the operating system does it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from plugin.worker.protocol import system
from plugin.worker.protocol.schema import ProtocolError

ALIGNMENT = 64
_PAGE = mmap.PAGESIZE


def aligned(size: int, to: int = ALIGNMENT) -> int:
    """`size` rounded up to a multiple of `to`."""
    return -(-size // to) * to


class SharedMemory:
    """A shared mapping of `size` bytes; unmapped when nothing refers to it any more."""

    def __init__(self, mapping: mmap.mmap, size: int) -> None:
        self.size = size
        self._mapping = mapping
        self._bytes = np.frombuffer(mapping, np.uint8)

    def floats(self, offset: int, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """The float32 array at `offset`, a multiple of 4; it must lie within the memory."""
        count = int(np.prod(shape, dtype=np.int64))
        return self._bytes[offset : offset + 4 * count].view(np.float32).reshape(shape)

    def leased(self, released: Callable[[], None]) -> npt.NDArray[np.uint8]:
        """The bytes, as an array that calls `released` once neither it nor any view of it is referred to.

        `released` runs in whichever thread lets go last, possibly within garbage collection: it must not block.
        """
        return np.asarray(_Lease(self, self._bytes, released))


class _Lease:
    """What numpy keeps alive behind the views of a leased memory."""

    def __init__(self, memory: SharedMemory, data: npt.NDArray[np.uint8], released: Callable[[], None]) -> None:
        self._memory = memory
        self._released = released
        self.__array_interface__ = {
            "version": 3,
            "typestr": "|u1",
            "shape": data.shape,
            "data": (data.ctypes.data, False),
        }

    def __del__(self) -> None:
        self._released()


def create(size: int) -> tuple[SharedMemory, int]:
    """New zeroed memory of at least `size` bytes and the descriptor to pass on, which the caller closes."""
    size = aligned(max(size, 1), _PAGE)
    descriptor = system.memory.create(size)
    try:
        return SharedMemory(mmap.mmap(descriptor, size), size), descriptor
    except BaseException:
        os.close(descriptor)
        raise


def open_received(descriptor: int, size: int) -> SharedMemory:
    """The first `size` bytes of the memory that a peer passed; takes the descriptor over.

    Raises ProtocolError unless it is memory of at least that size that nobody can shrink, so that reading it is safe.
    """
    try:
        has = system.memory.fixed_size(descriptor)
        if not 0 < size <= has:
            raise ProtocolError(f"the shared memory that came along has {has} bytes, not {size}")
        try:
            return SharedMemory(mmap.mmap(descriptor, size), size)
        except (OSError, ValueError) as error:
            raise ProtocolError(f"the shared memory that came along cannot be mapped: {error}") from None
    finally:
        os.close(descriptor)
