"""A worker that runs: what it says about itself, and its end. Starts none."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from nodes.errors import WorkerError
from plugin.worker import lifecycle, paths
from plugin.worker.connection import receive_now, send_now
from plugin.worker.messages import AskStatus, Status, Stop
from plugin.worker.schema import ProtocolError

ANSWER_SECONDS = 20.0


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
    """Ends the worker that runs and waits until it has; its process id, None where none ran. Raises WorkerError."""
    for candidate in _candidates(device):
        with contextlib.suppress(lifecycle.Absent, lifecycle.Retired):
            wire, welcome = lifecycle.connect(candidate, "stop", build="")
            try:
                wire.timeout(ANSWER_SECONDS)
                send_now(wire, Stop())
                while receive_now(wire) is not None:
                    pass
            except (OSError, ProtocolError):
                pass
            finally:
                wire.close()
            lifecycle.wait_until_gone(candidate, welcome.pid)
            return welcome.pid
    return None


def _candidates(device: str) -> list[str]:
    resolved = paths.resolve(device)
    return [resolved, "cpu"] if device == "auto" and resolved != "cpu" else [resolved]
