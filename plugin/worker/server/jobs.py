"""One render on its way through the worker: fetch frames, wait for a turn, compute, hand over the passes."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from nodes.engine import Engine, Passes
from nodes.faces.engine_file import asked, checked
from nodes.faces.face import Face
from nodes.footage.frame import Frame
from plugin.worker.protocol import frames
from plugin.worker.protocol.buffers import Buffer, Outgoing
from plugin.worker.protocol.failures import kind_and_sentence
from plugin.worker.protocol.fields import JobStatus
from plugin.worker.protocol.fitting import fitted
from plugin.worker.protocol.messages import Failed, Message, Note, Render, Result, Started
from plugin.worker.server.file_inputs import FileInputs, with_files
from plugin.worker.server.inputs import JobInputs, Needs
from plugin.worker.server.turns import Turns

if TYPE_CHECKING:
    from plugin.worker.device.accelerator import Accelerator

log = logging.getLogger(__name__)


class Client(Protocol):
    """What a job needs of the client that submitted it."""

    pid: int
    needs: Needs

    @property
    def outgoing(self) -> Outgoing: ...

    def send(self, message: Message, buffer: Buffer | None = None) -> None: ...

    def finished(self, job: RunningJob) -> None: ...


class RunningJob:
    """Runs in a thread of its own; `answer` and `cancel` come from the client's reader thread."""

    def __init__(
        self,
        request: Render,
        client: Client,
        turns: Turns,
        accelerator: Accelerator,
        node: Callable[[str], tuple[Face, Engine]],
        log_file: str,
    ) -> None:
        self.request = request
        self._client = client
        self._turns = turns
        self._accelerator = accelerator
        self._node = node
        self._log_file = log_file
        self._since = time.monotonic()
        self._state = "fetching"
        self._place = turns.queue(client, request.priority == "interactive")
        self.inputs = JobInputs(request, self._place, client.send, client.needs)

    def run(self) -> None:
        """Ends with exactly one Result or Failed; raises nothing."""
        name = self.request.node
        kind = ""
        try:
            face, engine = self._node(name)
            name = face.label
            self._render(face, engine)
        except BaseException as error:
            what = f"{name} on frame {self.request.frame}"
            kind, sentence = kind_and_sentence(error, what, self._accelerator.name, self._log_file)
            self._fail(kind, sentence)
        finally:
            self._place.leave()
            self.inputs.close()
            self._client.finished(self)
        if kind == "memory":
            self._accelerator.release(set())

    def answer(self, need: int, value: Frame | bytes | Exception) -> None:
        self.inputs.answer(need, value)

    def cancel(self) -> None:
        self.inputs.cancel()
        self._turns.wake()

    def note(self, sentence: str) -> None:
        """Tells the user what takes so long."""
        self._client.send(Note(self.request.job, fitted(sentence)))

    def _waiting(self, ahead: int) -> None:
        self.note(f"waiting, {ahead} frame{'s' if ahead > 1 else ''} ahead")

    def status(self) -> JobStatus:
        request = self.request
        seconds = time.monotonic() - self._since
        state = "computing" if self._place.computing else self._state
        return JobStatus(self._client.pid, request.node, request.frame, request.priority, state, seconds)

    def _render(self, face: Face, engine: Engine) -> None:
        request = self.request
        params = face.parse(request.params)
        for name in request.inputs:
            face.input(name)
        inputs = with_files(self.inputs, face, params)
        inputs.prefetch(asked(engine.needs(request.frame, params, inputs), face))
        self._state = "queued"
        self._place.take(self.inputs.check_cancelled, self._waiting)
        self._client.send(Started(request.job))
        device = self._accelerator.for_job(face, params, self.inputs.check_cancelled, self.note)
        began = time.perf_counter()
        passes = device.compute(lambda: engine.render(request.frame, params, inputs, device))
        milliseconds = 1000 * (time.perf_counter() - began)
        checked(passes, face, request.passes, {result.name: len(result.channels) for result in face.passes})
        read = inputs.notes(request.frame) if isinstance(inputs, FileInputs) else []
        passes = dataclasses.replace(passes, weights=device.weights_used(), notes=[*read, *passes.notes])
        passes.info.setdefault("device", self._accelerator.name)
        passes.info.setdefault("precision", device.precision)
        passes.info.setdefault("execution", device.execution)
        self._place.leave()
        self._state = "sending"
        self.inputs.check_cancelled()
        self._send(passes, milliseconds)

    def _send(self, passes: Passes, milliseconds: float) -> None:
        message, buffer = frames.result(
            self._client.outgoing, self.request.job, passes, self.request.passes, milliseconds
        )
        self._answer(message, buffer)

    def _fail(self, kind: str, sentence: str) -> None:
        try:
            self._answer(Failed(self.request.job, kind, sentence))
        except Exception:
            # Without an answer the client would wait for ever.
            log.exception("an answer cannot be sent: %s", sentence)
            self._client.send(Failed(self.request.job, "internal", f"the frame failed; see {self._log_file}"))

    def _answer(self, message: Failed | Result, buffer: Buffer | None = None) -> None:
        # First, since who has the answer may submit the next job at once.
        self._client.finished(self)
        self._client.send(message, buffer)
