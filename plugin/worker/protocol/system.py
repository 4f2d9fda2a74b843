"""What Linux and macOS do differently: memory to share, and what travels beside the bytes of a socket.

`memory` is this system's way to share memory. Windows has neither of them yet.
"""

from __future__ import annotations

import _posixshmem  # type: ignore[import-not-found]  # no stub knows it
import contextlib
import errno
import fcntl
import os
import secrets
import socket
import stat
import struct
from collections.abc import Iterator, Sequence

from plugin.worker.protocol.schema import ProtocolError

# Python ignores the signal that a lost peer would send elsewhere.
SEND_FLAGS = getattr(socket, "MSG_NOSIGNAL", 0)
RECEIVE_FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
# From macOS's <sys/un.h>, <sys/ucred.h>.
_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 1, 2
_XUCRED = struct.Struct("=IIhxx16I")


@contextlib.contextmanager
def _closed_on_failure(descriptor: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(descriptor)
        raise


class SealedMemory:
    """Linux: a memfd whose size is sealed."""

    FIXED = getattr(fcntl, "F_SEAL_SHRINK", 0) | getattr(fcntl, "F_SEAL_GROW", 0)

    @staticmethod
    def create(size: int) -> int:
        """The descriptor of new zeroed memory of `size` bytes, a multiple of the page's, that nobody can resize."""
        descriptor = os.memfd_create("cleanplate", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with _closed_on_failure(descriptor):
            os.ftruncate(descriptor, size)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SealedMemory.FIXED | fcntl.F_SEAL_SEAL)
        return descriptor

    @staticmethod
    def fixed_size(descriptor: int) -> int:
        """The bytes of memory that a peer passed. Raises ProtocolError unless nobody can make it smaller."""
        try:
            seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
        except OSError:
            raise ProtocolError("the descriptor that came along is not shared memory") from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or seals & SealedMemory.FIXED != SealedMemory.FIXED:
            raise ProtocolError("the shared memory that came along is not sealed against resizing")
        return status.st_size


class UnlinkedMemory:
    """macOS: POSIX shared memory whose name is taken away at once.

    Its kernel sizes it once and never again (a second ftruncate fails), so that nobody can pull it away from under a
    reader; and of all that can be passed only this has no file type.
    """

    status = staticmethod(os.fstat)

    @staticmethod
    def create(size: int) -> int:
        """See `SealedMemory.create`."""
        descriptor = UnlinkedMemory._open_new()
        with _closed_on_failure(descriptor):
            os.ftruncate(descriptor, size)
        return descriptor

    @staticmethod
    def fixed_size(descriptor: int) -> int:
        """See `SealedMemory.fixed_size`."""
        status = UnlinkedMemory.status(descriptor)
        if stat.S_IFMT(status.st_mode):
            raise ProtocolError("the descriptor that came along is not shared memory")
        return status.st_size

    @staticmethod
    def _open_new() -> int:
        while True:
            # More than 30 characters are too many for macOS.
            name = f"/cleanplate-{secrets.token_hex(8)}"
            try:
                descriptor: int = _posixshmem.shm_open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                continue
            _posixshmem.shm_unlink(name)
            return descriptor


memory: type[SealedMemory] | type[UnlinkedMemory] = SealedMemory if hasattr(os, "memfd_create") else UnlinkedMemory


def keep(descriptors: Sequence[int]) -> None:
    """Sees to it that descriptors that arrived are not inherited."""
    if not RECEIVE_FLAGS:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)


def peer(connected: socket.socket) -> tuple[int, int]:
    """Process id and user id of the other end of a Unix socket, as the kernel knows them. Raises OSError."""
    if hasattr(socket, "SO_PEERCRED"):
        pid, user, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return pid, user
    return _peer_on_macos(connected)


def _peer_on_macos(connected: socket.socket) -> tuple[int, int]:
    credentials = connected.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED.size)
    if len(credentials) < _XUCRED.size:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
    (pid,) = struct.unpack("i", connected.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, 4))
    return pid, _XUCRED.unpack(credentials)[1]


def usable_cores() -> int:
    """Logical processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
