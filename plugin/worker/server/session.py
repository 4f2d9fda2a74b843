"""The worker's side of one client: what it submitted, and its answers."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from nodes.errors import ParameterError
from plugin.worker.protocol import frames
from plugin.worker.protocol.buffers import Buffer, Outgoing
from plugin.worker.protocol.connection import Connection
from plugin.worker.protocol.failures import exception
from plugin.worker.protocol.fields import ClientStatus
from plugin.worker.protocol.messages import (
    AskStatus,
    Cancel,
    Failed,
    FrameAnswer,
    Hello,
    IdentityAnswer,
    Message,
    Missing,
    Render,
    Status,
    Stop,
)
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.wire import Wire
from plugin.worker.server.inputs import Needs
from plugin.worker.server.jobs import RunningJob
from plugin.worker.server.words import in_labels

MAX_JOBS = 16
log = logging.getLogger(__name__)


class Admission(Protocol):
    """What a session needs of the worker."""

    def admit(self, request: Render, session: Session) -> RunningJob: ...

    def launch(self, job: RunningJob) -> None: ...

    def status(self) -> Status: ...

    def stop(self) -> None: ...

    def ended(self, session: Session) -> None: ...


class Session:
    """Lives from a client's Hello to the end of its connection; its jobs die with it."""

    def __init__(self, wire: Wire, hello: Hello, worker: Admission) -> None:
        self.pid = hello.pid
        self.name = hello.name
        self._marks = hello.marks
        self._worker = worker
        self._lock = threading.Lock()
        self._jobs: dict[int, RunningJob] = {}
        self.needs = Needs()
        self.connection = Connection(wire, f"client {hello.pid}", self._receive, self._closed, MAX_JOBS)

    @property
    def outgoing(self) -> Outgoing:
        return self.connection.outgoing

    def send(self, message: Message, buffer: Buffer | None = None) -> None:
        self.connection.send(message if self._marks else in_labels(message), buffer)

    def finished(self, job: RunningJob) -> None:
        with self._lock:
            self._jobs.pop(job.request.job, None)

    def jobs(self) -> list[RunningJob]:
        with self._lock:
            return list(self._jobs.values())

    def client_status(self) -> ClientStatus:
        return ClientStatus(self.pid, self.name, len(self._jobs))

    def _receive(self, message: Message, descriptors: list[int]) -> None:
        match message:
            case Render():
                self._submit(message)
            case FrameAnswer():
                pixels = self.connection.open(message.buffer, descriptors)
                try:
                    self._answer(message.job, message.need, frames.frame_of(message, pixels))
                except ParameterError as error:
                    self._answer(message.job, message.need, error)
            case IdentityAnswer():
                self._answer(message.job, message.need, message.digest)
            case Missing():
                self._answer(message.job, message.need, exception(message.kind, message.sentence))
            case Cancel():
                with self._lock:
                    job = self._jobs.get(message.job)
                if job is not None:
                    job.cancel()
            case AskStatus():
                self.send(self._worker.status())
            case Stop():
                self._worker.stop()
            case _:
                raise ProtocolError(f"{type(message).__name__} is not for the worker")

    def _submit(self, request: Render) -> None:
        with self._lock:
            if request.job in self._jobs:
                raise ProtocolError(f"job {request.job} is under way already")
            full = len(self._jobs) >= MAX_JOBS
            if not full:
                job = self._jobs[request.job] = self._worker.admit(request, self)
        if full:
            sentence = f"a client may have no more than {MAX_JOBS} renders under way"
            self.send(Failed(request.job, "worker", sentence))
        else:
            self._worker.launch(job)

    def _answer(self, number: int, need: int, value: object) -> None:
        with self._lock:
            job = self._jobs.get(number)
        if job is not None:
            job.answer(need, value)  # type: ignore[arg-type]

    def _closed(self, error: Exception | None) -> None:
        if isinstance(error, ProtocolError):
            log.warning("client %d (%s) was dropped: %s", self.pid, self.name, error)
        for job in self.jobs():
            job.cancel()
        self._worker.ended(self)
