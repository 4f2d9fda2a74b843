"""The client's side: submit renders to the worker of a device, hand it frames, get passes. Imports no torch.

    with Worker("auto") as worker:
        job = worker.submit("background-matte", 1001, {"alphaBlack": 0.1}, sources)
        passes = job.result()

A worker that dies is started again and asked again for what it owed, at most `RESTARTS` times per frame it died on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from models.wording import said
from nodes.errors import Cancelled, WorkerError
from nodes.frame_runs import FrameRuns
from plugin.worker.client import lifecycle
from plugin.worker.client.job import Job, Sources, answer_need
from plugin.worker.client.running import status_of_running, stop_running
from plugin.worker.protocol import paths
from plugin.worker.protocol.connection import Connection
from plugin.worker.protocol.failures import FrameFailed, Unusable
from plugin.worker.protocol.fields import MAX_STEPS, Span
from plugin.worker.protocol.fitting import fitted_name
from plugin.worker.protocol.messages import (
    AskStatus,
    Cancel,
    Failed,
    Message,
    Need,
    NeedIdentity,
    Note,
    Render,
    Result,
    Started,
    Status,
    Stop,
    Welcome,
)
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.wire import Wire

RESTARTS = 2
BYSTANDER_RESTARTS = 10
FETCHERS = 4
STATUS_SECONDS = 20.0
log = logging.getLogger(__name__)


class Worker:
    """A connection to the worker process of a device, which is started when need be; usable from many threads.

    `device` is `auto`, `cpu`, `cuda:0` and so on. `on_note` gets sentences for the user, such as "loading the
    weights ...", in a thread of the connection. `name` says who this is in the worker's status.
    """

    def __init__(self, device: str = "auto", on_note: Callable[[str], None] | None = None, name: str = "") -> None:
        self.device = paths.resolve(device)
        self._automatic = device == "auto"
        self._on_note = on_note or log.info
        self._name = fitted_name(name or Path(sys.argv[0]).name or "client")
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._connection: Connection | None = None
        self._welcome: Welcome | None = None
        # Notes of this worker: what holds for several jobs is said once.
        self._said: set[str] = set()
        self._questions: list[Future[Status]] = []
        self._fetchers = ThreadPoolExecutor(FETCHERS, "answer_need")
        self._closing = False

    def __enter__(self) -> Worker:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(
        self,
        node_id: str,
        frame: int,
        params: Mapping[str, Any],
        sources: Sources,
        priority: str = "batch",
        passes: Sequence[str] | None = None,
    ) -> Job:
        """Asks for one frame of a node; `passes` names those wanted, None means all. Raises WorkerError.

        Wrong parameters and everything else that goes wrong is raised by `Job.result`.
        """
        number = next(self._numbers)
        spans = {name: _span(sources, name) for name in sources.connected()}
        request = Render(number, node_id, frame, dict(params), spans, priority, tuple(passes or ()))
        job = Job(request, sources, self._cancel)
        while True:
            self._open()
            with self._lock:
                if self._connection is not None:
                    self._jobs[number] = job
                    self._send_unsent()
                    return job

    def status(self) -> dict[str, Any]:
        """What the worker says about itself, see `messages.Status`."""
        self._open()
        answer: Future[Status] = Future()
        with self._lock:
            if self._connection is None:
                raise WorkerError("the worker has just ended")
            self._questions.append(answer)
            self._connection.send(AskStatus())
        try:
            return dataclasses.asdict(answer.result(STATUS_SECONDS))
        except TimeoutError:
            raise WorkerError(f"the worker for {self.device} does not answer") from None

    def stop(self) -> None:
        """Ends the worker process, whatever it does; other clients' renders start another one."""
        with self._lock:
            if self._connection is not None:
                self._connection.send(Stop())

    def close(self) -> None:
        """Cancels what is under way and hangs up; passes that were handed out stay valid."""
        with self._lock:
            self._closing = True
            connection, jobs = self._connection, list(self._jobs.values())
            self._jobs.clear()
        for job in jobs:
            job.fail(Cancelled("the connection to the worker was closed"))
        if connection is not None:
            connection.hang_up()
            connection.join(5.0)
        self._fetchers.shutdown(wait=False, cancel_futures=True)

    def _open(self) -> None:
        """Connects unless connected."""
        with self._connecting:
            with self._lock:
                if self._closing:
                    raise WorkerError("the connection to the worker was closed")
                if self._connection is not None:
                    return
            wire, welcome = self._reach()
            connection = Connection(wire, "worker", self._receive, lambda error: self._closed(connection, error))
            with self._lock:
                if self._closing:
                    wire.close()
                    raise WorkerError("the connection to the worker was closed")
                self._connection, self._welcome, self._said = connection, welcome, set()
                connection.start()
                self._send_unsent()

    def _reach(self) -> tuple[Wire, Welcome]:
        try:
            return lifecycle.connect_or_start(self.device, self._name, self._note)
        except Unusable as error:
            if not self._automatic or self.device == "cpu":
                raise
            self._note(f"{error}; computing on the processor instead")
            self.device = "cpu"
            return lifecycle.connect_or_start(self.device, self._name, self._note)

    def _send_unsent(self) -> None:
        """Sends jobs in the order of submission, as many as the worker takes at once. Called with the lock held."""
        if self._connection is None or self._welcome is None:
            return
        room = self._welcome.max_jobs - sum(job.sent_on is self._connection for job in self._jobs.values())
        for job in list(self._jobs.values()):
            if room <= 0:
                return
            if job.sent_on is not self._connection:
                try:
                    self._connection.send(job.request)
                except ProtocolError as error:
                    # Nobody heard of it, so that nobody will answer it.
                    del self._jobs[job.request.job]
                    job.fail(WorkerError(f"the render cannot be asked for: {error}"))
                    continue
                job.sent_on, job.started = self._connection, False
                room -= 1

    def _cancel(self, job: Job) -> None:
        with self._lock:
            connection = self._connection
            if connection is not None and job.sent_on is connection and job.request.job in self._jobs:
                # Its slot is free once the worker says so.
                connection.send(Cancel(job.request.job))
            else:
                self._jobs.pop(job.request.job, None)

    def _receive(self, message: Message, descriptors: list[int]) -> None:
        with self._lock:
            connection = self._connection
            job = self._jobs.get(getattr(message, "job", 0))
        assert connection is not None, "only the connection that is open has a reader"
        match message:
            case Result():
                passes = Job.unpack(message, connection.open(message.buffer, descriptors))
                if job is not None:
                    self._finish(job)
                    job.succeed(passes)
            case Failed():
                if job is not None:
                    self._finish(job)
                    job.fail_as(message.kind, message.sentence)
            case Started():
                if job is not None:
                    job.started = True
            case Need() | NeedIdentity():
                if job is not None:
                    with contextlib.suppress(RuntimeError):  # no more threads once closed
                        self._fetchers.submit(answer_need, connection, job, message)
            case Note():
                if message.sentence not in self._said:
                    self._said.add(message.sentence)
                    self._note(message.sentence)
            case Status():
                with self._lock:
                    question = self._questions.pop(0) if self._questions else None
                if question is not None:
                    question.set_result(message)
            case _:
                raise ProtocolError(f"{type(message).__name__} is not for a client")

    def _finish(self, job: Job) -> None:
        with self._lock:
            self._jobs.pop(job.request.job, None)
            self._send_unsent()

    def _closed(self, connection: Connection, error: Exception | None) -> None:
        """Runs in the old connection's reader thread; asks again for what the worker owes."""
        with self._lock:
            if self._connection is connection:
                self._connection = None
            questions, self._questions = self._questions, []
            for job in list(self._jobs.values()):
                if job.cancelled:
                    del self._jobs[job.request.job]
            owed = list(self._jobs.values())
        for question in questions:
            question.set_exception(WorkerError("the worker has just ended"))
        if self._closing or not owed:
            return
        for job in owed:
            if job.sent_on is connection and not self._may_try_again(job):
                with self._lock:
                    self._jobs.pop(job.request.job, None)
                job.fail(FrameFailed(self._died(job)))
        reason = f"broke the protocol ({error})" if error else "ended unexpectedly"
        self._note(f"the worker {reason}; what it owes is asked for again")
        try:
            self._open()
        except Exception as failure:
            with self._lock:
                jobs, self._jobs = list(self._jobs.values()), {}
            for job in jobs:
                job.fail(failure)

    def _may_try_again(self, job: Job) -> bool:
        """Counts a death of the worker against the job it computed, and less so against those that only waited."""
        if job.started:
            job.deaths += 1
        else:
            job.bystander_deaths += 1
        return job.deaths <= RESTARTS and job.bystander_deaths <= BYSTANDER_RESTARTS

    def _died(self, job: Job) -> str:
        request = job.request
        log_file = self._welcome.log if self._welcome else paths.log_path(self.device)
        return (
            f"the worker died {job.deaths or job.bystander_deaths} times while it rendered {request.node} "
            f"frame {request.frame}, perhaps because memory ran out; its log is {log_file}"
        )

    def _note(self, sentence: str) -> None:
        try:
            self._on_note(said(sentence))
        except Exception:
            log.exception("a note could not be shown: %s", sentence)


def _span(sources: Sources, name: str) -> Span:
    frames = sources.frames(name)
    runs = frames if frames is None or isinstance(frames, FrameRuns) else FrameRuns.of(frames)
    # Footage of more runs than a message holds is as one that is not known.
    return Span(*sources.range(name), runs.steps if runs and len(runs.steps) <= MAX_STEPS else ())


__all__ = ["Job", "Sources", "Worker", "status_of_running", "stop_running"]
