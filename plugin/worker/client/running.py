"""A worker that runs: what it says about itself, and its end. Starts none."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import time
from typing import Any

import psutil

from nodes.errors import WorkerError
from plugin.worker.client import lifecycle
from plugin.worker.protocol import identity, paths
from plugin.worker.protocol.connection import receive_now, send_now
from plugin.worker.protocol.messages import AskStatus, Hello, Status, Stop
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.wire import Wire

ANSWER_SECONDS = 20.0
KIND_SECONDS = 5.0


def status_of_running(device: str = "auto") -> dict[str, Any] | None:
    """The status of a worker that runs, None where none does; starts nothing. Raises WorkerError."""
    for candidate in _candidates(device):
        with contextlib.suppress(lifecycle.Absent, lifecycle.Retired):
            wire, _ = lifecycle.connect(candidate, "status", build="")
            try:
                wire.timeout(ANSWER_SECONDS)
                send_now(wire, AskStatus())
                answer = receive_now(wire)
            except (OSError, ProtocolError) as error:
                raise WorkerError(f"the worker for {candidate} does not answer: {error}") from None
            finally:
                wire.close()
            if isinstance(answer, Status):
                return dataclasses.asdict(answer)
    return None


def stop_running(device: str = "auto") -> int | None:
    """Ends the worker that runs, kindly or, if it does not listen, by force; its process id, None where none ran.

    Works on workers of any version. Raises WorkerError if it cannot be ended.
    """
    for candidate in _candidates(device):
        connected = socket.socket(socket.AF_UNIX)
        wire = Wire(connected)
        try:
            wire.timeout(KIND_SECONDS)
            connected.connect(os.fspath(paths.socket_path(candidate)))
            pid, user = wire.peer()
            if user != os.getuid():
                raise WorkerError(f"the worker for {candidate} belongs to another user")
            _ask_to_stop(wire)
            if not _gone(pid, KIND_SECONDS):
                os.kill(pid, signal.SIGKILL)
                if not _gone(pid, KIND_SECONDS):
                    raise WorkerError(f"the worker for {candidate} (pid {pid}) cannot be ended")
            return pid
        except (ConnectionError, FileNotFoundError):
            continue
        finally:
            wire.close()
    return None


def _ask_to_stop(wire: Wire) -> None:
    """Asks, and waits until the connection ends or nothing more comes."""
    with contextlib.suppress(OSError, ProtocolError):
        send_now(wire, Hello(identity.release(), "", os.getpid(), "stop"))
        send_now(wire, Stop())
        while receive_now(wire) is not None:
            pass


def _gone(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def _candidates(device: str) -> list[str]:
    resolved = paths.resolve(device)
    return [resolved, "cpu"] if device == "auto" and resolved != "cpu" else [resolved]
