"""A render that was asked for, and the frames that are fetched for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nodes.engine import Passes
from nodes.errors import Cancelled, CleanplateError, WorkerError
from nodes.footage.frame import Frame
from plugin.worker.protocol import frames
from plugin.worker.protocol.connection import Connection
from plugin.worker.protocol.failures import FrameFailed, exception, kind_of
from plugin.worker.protocol.fitting import fitted
from plugin.worker.protocol.messages import IdentityAnswer, Missing, Need, NeedIdentity, Render, Result
from plugin.worker.protocol.schema import ProtocolError

log = logging.getLogger(__name__)


class Sources(Protocol):
    """The footage of a job as `nodes.engine.Inputs` describes it; asked from threads of the client, several at once.

    `frame` and `identity` raise FootageError where there is nothing; any other exception ends the job with it.
    """

    def connected(self) -> Iterable[str]: ...

    def range(self, name: str) -> tuple[int, int]: ...

    def frames(self, name: str) -> Sequence[int] | None: ...

    def frame(self, name: str, frame: int) -> Frame: ...

    def identity(self, name: str, first: int, last: int) -> bytes: ...

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes: ...


class Job:
    """What `Worker.submit` returns."""

    def __init__(self, request: Render, sources: Sources, cancel: Callable[[Job], None]) -> None:
        self.request = request
        self.sources = sources
        self.sent_on: Connection | None = None
        self.started = False
        self.deaths = 0
        self.bystander_deaths = 0
        self.cancelled = False
        self._cancel = cancel
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._passes: Passes | None = None
        self._error: Exception | None = None

    @property
    def done(self) -> bool:
        return self._done.is_set()

    def result(self, timeout: float | None = None) -> Passes:
        """Waits for the passes: views of shared memory, which may be written to and are freed when let go.

        `info` says besides what the engine put there `device`, `precision`, `execution` and the `milliseconds` it
        took. Raises what went wrong: a FrameError where the reason lies in the frame, another CleanplateError where no
        frame would fare better, Cancelled, or TimeoutError after `timeout` seconds.
        """
        if not self._done.wait(timeout):
            raise TimeoutError(f"{self.request.node} frame {self.request.frame} is not rendered yet")
        if self._error is not None:
            raise self._error
        assert self._passes is not None
        return self._passes

    def cancel(self) -> None:
        """Gives up the job: whoever waits for its result gets Cancelled at once, the worker stops soon."""
        if self.fail(Cancelled("the render was cancelled")):
            self.cancelled = True
            self._cancel(self)

    def succeed(self, passes: Passes) -> None:
        with self._lock:
            if not self._done.is_set():
                self._passes = passes
                self._done.set()

    def fail(self, error: Exception) -> bool:
        """Whether the job had not ended yet."""
        with self._lock:
            if self._done.is_set():
                return False
            self._error = error
            self._done.set()
            return True

    def fail_as(self, kind: str, sentence: str) -> None:
        self.fail(exception(kind, sentence))

    def give_up(self, error: Exception) -> None:
        """Ends the job with an error of its own sources."""
        if self.fail(error):
            self.cancelled = True
            self._cancel(self)

    @staticmethod
    def unpack(message: Result, memory: npt.NDArray[np.uint8]) -> Passes:
        passes = frames.passes_of(message, memory)
        passes.info.setdefault("milliseconds", message.milliseconds)
        return passes


def answer_need(connection: Connection, job: Job, need: Need | NeedIdentity) -> None:
    """Answers what the worker needs for a job; runs in a thread that may wait for decoding."""
    if job.done:
        return
    number = job.request.job
    try:
        try:
            _answer(connection, job, need)
        except CleanplateError as error:
            connection.send(Missing(number, need.need, kind_of(error), fitted(error)))
    except BaseException as error:
        # Whatever it is, nobody waits for ever.
        log.debug("fetching %s failed", need, exc_info=error)
        job.give_up(error if isinstance(error, Exception) else WorkerError(f"fetching was ended: {error!r}"))


def _identity(sources: Sources, need: NeedIdentity) -> bytes:
    if need.frames:
        return sources.identity_of(need.input, need.frames)
    return sources.identity(need.input, need.first, need.last)


def _answer(connection: Connection, job: Job, need: Need | NeedIdentity) -> None:
    number = job.request.job
    if isinstance(need, NeedIdentity):
        connection.send(IdentityAnswer(number, need.need, _identity(job.sources, need)))
        return
    frame = job.sources.frame(need.input, need.frame)
    try:
        connection.send(*frames.frame_answer(connection.outgoing, number, need.need, frame))
    except (ProtocolError, OSError) as error:
        path = getattr(frame.metadata, "path", "")
        named = f" ({path})" if path else ""
        raise FrameFailed(
            f"frame {need.frame} of {need.input}{named} cannot be handed to the worker: {error}"
        ) from error
