"""Framed messages and file descriptors over a local stream socket.

Every message starts with 16 bytes, little-endian: the magic `CPWK`, the protocol version (u16), the message's code
(u16), the payload's length (u32), the number of descriptors attached (u16) and two zero bytes. The descriptors travel
with the first byte of the message. This header is the same in every version of the protocol.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence

from plugin.worker.protocol import system
from plugin.worker.protocol.fields import MAX_PAYLOAD, VERSION
from plugin.worker.protocol.schema import ProtocolError

HEADER = struct.Struct("<4sHHIHH")
MAGIC = b"CPWK"
MAX_DESCRIPTORS = 4
_CHUNK = 1 << 16
_LITTLE = 1 << 13
_DESCRIPTOR_SPACE = socket.CMSG_SPACE(4 * MAX_DESCRIPTORS)


class OtherVersion(ProtocolError):
    """The peer speaks another version of the protocol, `version`; `code` is the message it sent."""

    def __init__(self, version: int, code: int) -> None:
        super().__init__(f"the peer speaks version {version} of the protocol, this is version {VERSION}")
        self.version = version
        self.code = code


class MessageParser:
    """Takes bytes and descriptors as they come, hands out whole messages; never holds more than one message's bytes."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._descriptors: deque[int] = deque()

    def feed(self, data: bytes, descriptors: Sequence[int] = ()) -> None:
        """Adds what arrived. Raises ProtocolError, and closes the descriptors, when too many are waiting."""
        self._bytes += data
        self._descriptors.extend(descriptors)
        if len(self._descriptors) > MAX_DESCRIPTORS:
            self.close()
            raise ProtocolError("more descriptors came along than any message may carry")

    def next(self) -> tuple[int, bytes, list[int]] | None:
        """The next message's code, payload and descriptors, which the caller owns; None until it has arrived."""
        if len(self._bytes) < HEADER.size:
            return None
        magic, version, code, length, count, zero = HEADER.unpack_from(self._bytes)
        if magic != MAGIC or zero:
            raise ProtocolError("this is not a message of the Cleanplate worker")
        if version != VERSION:
            raise OtherVersion(version, code)
        if length > MAX_PAYLOAD:
            raise ProtocolError(f"a payload of {length} bytes is longer than {MAX_PAYLOAD}")
        if count > MAX_DESCRIPTORS:
            raise ProtocolError(f"a message with {count} descriptors has more than {MAX_DESCRIPTORS}")
        end = HEADER.size + length
        if len(self._bytes) < end:
            return None
        if len(self._descriptors) < count:
            raise ProtocolError(f"a message announces {count} descriptors, {len(self._descriptors)} came along")
        payload = bytes(memoryview(self._bytes)[HEADER.size : end])
        del self._bytes[:end]
        return code, payload, [self._descriptors.popleft() for _ in range(count)]

    def close(self) -> None:
        """Closes the descriptors nobody took."""
        close_all(self._descriptors)
        self._descriptors.clear()
        self._bytes.clear()


class Wire:
    """One end of a connection; one thread may send while another receives."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._parser = MessageParser()
        self._deadline: float | None = None

    def send(self, code: int, payload: bytes, descriptors: Sequence[int] = ()) -> None:
        """Sends one message, waiting for the peer to take it. Raises OSError once the connection is gone."""
        header = HEADER.pack(MAGIC, VERSION, code, len(payload), len(descriptors), 0)
        data = memoryview(header + payload)
        ancillary = []
        if descriptors:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        sent = self._socket.sendmsg([data], ancillary, system.SEND_FLAGS)
        if sent < len(data):
            self._socket.sendall(data[sent:], system.SEND_FLAGS)

    def receive(self) -> tuple[int, bytes, list[int]] | None:
        """The next message, or None at the end of the connection. Raises ProtocolError, OSError or TimeoutError."""
        while True:
            message = self._parser.next()
            if message is not None:
                return message
            if self._deadline is not None:
                left = self._deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("the peer took too long")
                self._socket.settimeout(left)
            data, ancillary, flags, _ = self._socket.recvmsg(_CHUNK, _DESCRIPTOR_SPACE, system.RECEIVE_FLAGS)
            descriptors = array.array("i")
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
            system.keep(descriptors)
            self._parser.feed(data, descriptors)
            if flags & socket.MSG_CTRUNC:
                raise ProtocolError("more descriptors came along than any message may carry")
            if not data:
                return None

    def peer(self) -> tuple[int, int]:
        """Process id and user id of the other end, as the kernel knows them."""
        return system.peer(self._socket)

    def timeout(self, seconds: float | None) -> None:
        """What is received from now on has so many seconds in all, however it trickles in; None: for ever."""
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._socket.settimeout(seconds)

    def keep_little(self) -> None:
        """Has the system keep no more than some messages that the peer has not read: it keeps their memory, too."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LITTLE)

    def hang_up(self) -> None:
        """Ends the connection; whoever waits in `send` or `receive` returns."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Frees the socket; only once nobody sends or receives any more."""
        self._parser.close()
        self._socket.close()


def close_all(descriptors: Sequence[int] | deque[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
