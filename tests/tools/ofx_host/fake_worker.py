"""A worker for tests that answers whatever a test wants, sense or nonsense, over the real socket."""

from __future__ import annotations

import array
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from plugin.worker.protocol import paths
from plugin.worker.protocol.codec import TYPES
from plugin.worker.protocol.messages import Hello, Render, Result, Welcome
from plugin.worker.protocol.shared_memory import create
from plugin.worker.protocol.wire import HEADER, MAGIC

CODES = {kind.__name__: code for code, kind in TYPES.items()}


class Line:
    """One connection: sends any bytes, reads messages."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._bytes = b""

    def send(self, name: str, fields: Any, descriptors: list[int] | None = None) -> None:
        """A message with a right header around whatever `fields` are."""
        self.send_raw(CODES[name], msgpack.packb(fields), descriptors or [])

    def send_raw(self, code: int, payload: bytes, descriptors: list[int] | None = None, **header: Any) -> None:
        """A message whose header says what a test wants."""
        descriptors = descriptors or []
        values = {"magic": MAGIC, "version": 1, "length": len(payload), "count": len(descriptors), "zero": 0, **header}
        data = HEADER.pack(values["magic"], values["version"], code, values["length"], values["count"], values["zero"])
        self.send_bytes(data + payload, descriptors)

    def send_bytes(self, data: bytes, descriptors: list[int] | None = None) -> None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        sent = self.socket.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)
        if sent < len(data):
            self.socket.sendall(data[sent:])

    def receive(self) -> tuple[int, dict[str, Any]] | None:
        """The next message of the client; None once it has hung up."""
        while True:
            if len(self._bytes) >= HEADER.size:
                _, _, code, length, _, _ = HEADER.unpack_from(self._bytes)
                if len(self._bytes) >= HEADER.size + length:
                    payload = self._bytes[HEADER.size : HEADER.size + length]
                    self._bytes = self._bytes[HEADER.size + length :]
                    return code, msgpack.unpackb(payload)
            data, ancillary, _, _ = self.socket.recvmsg(1 << 16, 1024)
            for _, _, content in ancillary:
                for descriptor in array.array("i", content[: len(content) // 4 * 4]):
                    os.close(descriptor)
            if not data:
                return None
            self._bytes += data


Answer = Callable[[Line, dict[str, Any]], None]


class FakeWorker:
    """Listens where the worker for the processor listens; `answer(line, request)` is called for every Render."""

    def __init__(self, answer: Answer, welcome: Callable[[Line], None] | None = None) -> None:
        self.answer, self.welcome = answer, welcome or welcome_rightly
        self.requests = 0
        self._path: Path = paths.socket_path("cpu")
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(self._path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends every connection and disappears."""
        self._path.unlink(missing_ok=True)
        for entry in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                entry.shutdown(socket.SHUT_RDWR)
            entry.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connected, _ = self._listener.accept()
                self._open.append(connected)
                threading.Thread(target=self._serve, args=(Line(connected),), daemon=True).start()

    def _serve(self, line: Line) -> None:
        try:
            while (received := line.receive()) is not None:
                code, fields = received
                if code == Hello.code:
                    self.welcome(line)
                elif code == Render.code:
                    self.requests += 1
                    self.answer(line, fields)
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                line.socket.shutdown(socket.SHUT_RDWR)


def welcome_rightly(line: Line) -> None:
    line.send("Welcome", welcome_fields())


def welcome_fields() -> dict[str, Any]:
    return {
        "release": "0.1.0",
        "build": "fake",
        "pid": os.getpid(),
        "device": "cpu",
        "log": "/nowhere/worker.log",
        "max_jobs": 16,
    }


def result_fields(request: dict[str, Any], height: int = 47, width: int = 67) -> dict[str, Any]:
    """A Result without its pixels: every pass that was asked for."""
    images, offset = [], 0
    for name in request["passes"]:
        channels = {"premultiplied": 4, "foreground": 3}.get(name, 1)
        images.append({"name": name, "offset": offset, "height": height, "width": width, "channels": channels})
        offset += 4 * height * width * channels
    return {
        "job": request["job"],
        "buffer": {"id": 0, "size": max(offset, 1)},
        "images": images,
        "window": {"x": -3, "y": -2, "width": width, "height": height},
        "info": {"device": "cpu", "precision": "full"},
        "notes": [],
        "milliseconds": 1.0,
    }


def memory(size: int, fill: float = 0.5) -> int:
    """The descriptor of sealed memory of at least `size` bytes, full of a number."""
    made, descriptor = create(size)
    made.floats(0, (made.size // 4,))[...] = np.float32(fill)
    return descriptor


def send_result(line: Line, fields: dict[str, Any], descriptor: int | None = None) -> None:
    """A Result with its memory, of which our own descriptor is closed."""
    own = memory(fields["buffer"]["size"]) if descriptor is None else descriptor
    try:
        line.send("Result", fields, [own])
    finally:
        os.close(own)


__all__ = ["FakeWorker", "Line", "Result", "Welcome", "memory", "result_fields", "send_result", "welcome_fields"]
