"""Memory that two processes share by passing a file descriptor; nothing of it is left behind by a crash.

The only module that knows how the operating system does it (Linux: sealed memfd).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from plugin.worker.schema import ProtocolError

ALIGNMENT = 64
_PAGE = mmap.PAGESIZE
_FIXED_SIZE = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


def aligned(size: int, to: int = ALIGNMENT) -> int:
    """`size` rounded up to a multiple of `to`."""
    return -(-size // to) * to


class Memory:
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

    def __init__(self, memory: Memory, data: npt.NDArray[np.uint8], released: Callable[[], None]) -> None:
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


def create(size: int) -> tuple[Memory, int]:
    """New zeroed memory of at least `size` bytes and the descriptor to pass on, which the caller closes."""
    size = aligned(max(size, 1), _PAGE)
    descriptor = os.memfd_create("cleanplate", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _FIXED_SIZE | fcntl.F_SEAL_SEAL)
        return Memory(mmap.mmap(descriptor, size), size), descriptor
    except BaseException:
        os.close(descriptor)
        raise


def open_received(descriptor: int, size: int) -> Memory:
    """The first `size` bytes of the memory that a peer passed; takes the descriptor over.

    Raises ProtocolError unless it is memory of at least that size that nobody can shrink, so that reading it is safe.
    """
    try:
        try:
            seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
        except OSError:
            raise ProtocolError("the descriptor that came along is not shared memory") from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or seals & _FIXED_SIZE != _FIXED_SIZE:
            raise ProtocolError("the shared memory that came along is not sealed against resizing")
        if not 0 < size <= status.st_size:
            raise ProtocolError(f"the shared memory that came along has {status.st_size} bytes, not {size}")
        try:
            return Memory(mmap.mmap(descriptor, size), size)
        except (OSError, ValueError) as error:
            raise ProtocolError(f"the shared memory that came along cannot be mapped: {error}") from None
    finally:
        os.close(descriptor)
