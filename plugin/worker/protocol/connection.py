"""One connection between a client and the worker, from either side: threads that read and write, and its buffers."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from plugin.worker.protocol.buffers import Buffer, Incoming, Outgoing
from plugin.worker.protocol.codec import decode_message, encode_message
from plugin.worker.protocol.fields import BufferRef
from plugin.worker.protocol.messages import Forget, FrameAnswer, Message, Release, Result
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.wire import Wire, close_all

# Messages that wait for a peer that does not read; whoever reads at all never has so many.
MOST_WAITING = 4096
log = logging.getLogger(__name__)
Receive = Callable[[Message, list[int]], None]


def send_now(wire: Wire, message: Message) -> None:
    """Sends a message from the calling thread; only before the connection's own threads run."""
    wire.send(message.code, encode_message(message))


def receive_now(wire: Wire) -> Message | None:
    """Receives a message without descriptors in the calling thread, as `send_now` sends them."""
    received = wire.receive()
    if received is None:
        return None
    code, payload, descriptors = received
    if descriptors:
        close_all(descriptors)
        raise ProtocolError("descriptors came along before there was a job")
    return decode_message(code, payload)


class Connection:
    """Sends from any thread without waiting; calls `receive(message, descriptors)` from its reader thread.

    `receive` takes the descriptors over. `closed(error)` is called once, from the reader thread, when the connection
    has ended: with None when either side hung up, with the ProtocolError when the peer broke the rules. One of them is
    to read: a peer for which more than `MOST_WAITING` messages, or `most_buffers` with pixels, wait has broken it.
    """

    def __init__(
        self,
        wire: Wire,
        name: str,
        receive: Receive,
        closed: Callable[[Exception | None], None],
        most_buffers: int = MOST_WAITING,
    ) -> None:
        self._wire = wire
        self._receive = receive
        self._closed = closed
        self._queue: queue.SimpleQueue[tuple[int, bytes, Buffer | None] | None] = queue.SimpleQueue()
        self._most_buffers = most_buffers
        # Both only grow, the second in the writer alone: `send` may run within garbage collection and takes no lock.
        self._buffers_queued = itertools.count(1)
        self._buffers_sent = 0
        self._deaf = False
        self._over = False
        self.outgoing = Outgoing(lambda number: self.send(Forget(number)))
        self._incoming = Incoming(lambda number: self.send(Release(number)))
        self._writer = threading.Thread(target=self._write, name=f"{name} writer", daemon=True)
        self._reader = threading.Thread(target=self._read, name=f"{name} reader", daemon=True)

    def start(self) -> None:
        self._writer.start()
        self._reader.start()

    def send(self, message: Message, buffer: Buffer | None = None) -> None:
        """Queues a message; `buffer` is the one it names. Lost without a word once the connection is closed.

        Raises ProtocolError when the message breaks the rules.
        """
        try:
            payload = encode_message(message)
        except ProtocolError:
            if buffer is not None:
                self.outgoing.unsent(buffer)
            raise
        if self._over or self._deaf:
            return
        behind = next(self._buffers_queued) - self._buffers_sent if buffer is not None else 0
        if behind > self._most_buffers or self._queue.qsize() >= MOST_WAITING:
            self._deaf = True
            self._wire.hang_up()
            return
        self._queue.put((message.code, payload, buffer))

    def open(self, ref: BufferRef, descriptors: list[int]) -> npt.NDArray[np.uint8]:
        """The bytes of the buffer a received message names, see `Incoming.open`."""
        return self._incoming.open(ref, descriptors)

    def hang_up(self) -> None:
        """Ends the connection without waiting for what is queued."""
        self._wire.hang_up()

    def join(self, seconds: float) -> None:
        if threading.current_thread() is not self._reader:
            self._reader.join(seconds)

    def _read(self) -> None:
        error: Exception | None = None
        try:
            while (received := self._wire.receive()) is not None:
                code, payload, descriptors = received
                try:
                    message = decode_message(code, payload)
                except ProtocolError:
                    close_all(descriptors)
                    raise
                self._dispatch(message, descriptors)
        except ProtocolError as broken:
            error = broken
        except OSError:
            pass
        except Exception as unexpected:
            log.exception("reading a connection failed")
            error = unexpected
        if self._deaf:
            error = ProtocolError("it does not read what it asked for")
        self._over = True
        self._wire.hang_up()
        self._queue.put(None)
        self._writer.join()
        self._wire.close()
        self.outgoing.close()
        self._incoming.close()
        self._closed(error)

    def _dispatch(self, message: Message, descriptors: list[int]) -> None:
        if descriptors and not isinstance(message, FrameAnswer | Result):
            close_all(descriptors)
            raise ProtocolError(f"{type(message).__name__} came with descriptors")
        if isinstance(message, Release):
            self.outgoing.released(message.buffer)
        elif isinstance(message, Forget):
            self._incoming.forget(message.buffer)
        else:
            self._receive(message, descriptors)

    def _write(self) -> None:
        while (entry := self._queue.get()) is not None:
            code, payload, buffer = entry
            descriptors = []
            if buffer is not None and not buffer.announced:
                buffer.announced = True
                descriptors = [buffer.descriptor]
            try:
                self._wire.send(code, payload, descriptors)
            except OSError:
                self._wire.hang_up()
            except Exception:
                # Nothing is sent any more: the peer must not wait for it.
                log.exception("writing to a connection failed")
                self._wire.hang_up()
            self._buffers_sent += buffer is not None
            del buffer, entry
