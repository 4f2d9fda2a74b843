"""The worker: takes clients, answers about itself, leaves when nobody has needed it for a while."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from pathlib import Path

import torch

from nodes import catalogue
from nodes.engine import Engine
from nodes.faces.engine_file import create_engine
from nodes.faces.face import Face
from plugin.worker.device import memory
from plugin.worker.device.accelerator import Accelerator
from plugin.worker.device.threads import Threads
from plugin.worker.protocol import identity
from plugin.worker.protocol.connection import receive_now, send_now
from plugin.worker.protocol.courtesy import Busy, lock_path
from plugin.worker.protocol.fields import MOST_CLIENTS, MOST_MODELS, MOST_QUEUED, VERSION
from plugin.worker.protocol.fitting import fitted
from plugin.worker.protocol.messages import Hello, Refused, Render, Status, Welcome
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.wire import OtherVersion, Wire
from plugin.worker.server.jobs import RunningJob
from plugin.worker.server.session import MAX_JOBS, Session
from plugin.worker.server.turns import Turns

MAX_CLIENTS = 256
MAX_GREETINGS = 64
GREETING_SECONDS = 10.0
HOUSEKEEPING_SECONDS = 5.0
log = logging.getLogger(__name__)


class Server:
    """Serves one device on a listening socket that is bound to `path`."""

    def __init__(
        self, listener: socket.socket, path: Path, accelerator: Accelerator, build: str, log_file: Path, idle: float
    ) -> None:
        self._listener = listener
        self._path = path
        self._inode = path.stat().st_ino
        self._accelerator = accelerator
        self._build = build
        self._log_file = fitted(log_file)
        self._idle = idle
        self._turns = Turns(Busy(lock_path(accelerator.name)))
        self._threads = Threads("job")
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()
        self._importing = threading.Lock()
        self._sessions: list[Session] = []
        self._began = self._last_use = time.monotonic()
        self._frames = 0
        self._rested = True
        self._retired = False
        self._leaving = threading.Event()
        self._waker = socket.socketpair()
        self._greetings = threading.BoundedSemaphore(MAX_GREETINGS)

    def serve(self) -> None:
        """Returns when the worker was idle long enough, was told to stop, or was replaced and has no client left."""
        every = min(HOUSEKEEPING_SECONDS, max(self._idle / 4, 0.05))
        self._listener.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._waker[0], selectors.EVENT_READ)
            while not self._leaving.is_set():
                selector.select(every)
                self._accept()
                self._keep_house()
        self._withdraw()
        for session in self._all_sessions():
            session.connection.hang_up()

    def stop(self) -> None:
        """Makes `serve` return soon; safe in a signal handler."""
        self._leaving.set()
        with contextlib.suppress(OSError):
            self._waker[1].send(b".")

    def _accept(self) -> None:
        try:
            connected, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            log.warning("a client could not be taken: %s", error)
            self._leaving.wait(0.1)
            return
        if self._greetings.acquire(blocking=False):
            threading.Thread(target=self._greet, args=(connected,), name="greeting", daemon=True).start()
        else:
            connected.close()

    def _greet(self, connected: socket.socket) -> None:
        try:
            self._greet_one(connected)
        finally:
            self._greetings.release()

    def _greet_one(self, connected: socket.socket) -> None:
        wire = Wire(connected)
        wire.timeout(GREETING_SECONDS)
        wire.keep_little()
        session = None
        try:
            _, user = wire.peer()
            if user == os.getuid():
                session = self._welcome(wire)
        except OtherVersion as other:
            if other.code == Hello.code:
                self._refuse(wire, f"the worker speaks protocol {VERSION}, the client protocol {other.version}")
        except (ProtocolError, OSError) as error:
            log.warning("a connection was refused: %s", error)
        except Exception:
            log.exception("a connection could not be greeted")
        if session is None:
            wire.close()
        else:
            wire.timeout(None)
            session.connection.start()

    def _welcome(self, wire: Wire) -> Session | None:
        hello = receive_now(wire)
        if hello is None:
            return None
        if not isinstance(hello, Hello):
            raise ProtocolError(f"{type(hello).__name__} came before Hello")
        wanted = identity.build() if hello.build == identity.CURRENT else hello.build
        if wanted and wanted != self._build:
            self._refuse(wire, "the software or its settings changed since the worker was started")
            return None
        with self._lock:
            if self._leaving.is_set() or len(self._sessions) >= MAX_CLIENTS:
                return None
            session = Session(wire, hello, self)
            self._sessions.append(session)
        welcome = Welcome(
            release=identity.release(),
            build=self._build,
            pid=os.getpid(),
            device=self._accelerator.name,
            log=self._log_file,
            max_jobs=MAX_JOBS,
        )
        try:
            send_now(wire, welcome)
        except OSError:
            self.ended(session)
            raise
        return session

    def _refuse(self, wire: Wire, sentence: str) -> None:
        """Makes room for the worker the client needs: takes nobody new, leaves with the last client."""
        log.info("retiring: %s", sentence)
        self._retired = True
        self._withdraw()
        with contextlib.suppress(OSError):
            send_now(wire, Refused(sentence, retired=True))
        if not self._all_sessions():
            self.stop()

    def _withdraw(self) -> None:
        """Takes the socket away, unless it is another worker's by now."""
        if self._reachable():
            self._path.unlink(missing_ok=True)

    def _reachable(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    def ended(self, session: Session) -> None:
        with self._lock:
            if session in self._sessions:
                self._sessions.remove(session)
            self._last_use = time.monotonic()
            alone = not self._sessions
        if alone and self._retired:
            self.stop()

    def _all_sessions(self) -> list[Session]:
        with self._lock:
            return list(self._sessions)

    def _keep_house(self) -> None:
        sessions = self._all_sessions()
        now = time.monotonic()
        if any(session.jobs() for session in sessions):
            self._last_use, self._rested = now, False
        for session in sessions:
            session.outgoing.trim(30.0)
        if not self._reachable():
            # Somebody cleared the folder: new clients start a new worker.
            self._retired = True
            if not sessions:
                self.stop()
        if now - self._last_use < self._idle:
            return
        if not sessions:
            log.info("leaving: idle for %.0f s", self._idle)
            self.stop()
        elif not self._rested:
            log.info("giving memory back: idle for %.0f s", self._idle)
            self._rested = True
            self._accelerator.release(set())

    def admit(self, request: Render, session: Session) -> RunningJob:
        """A job with its place in the line; `launch` sets it off."""
        self._frames += 1
        return RunningJob(request, session, self._turns, self._accelerator, self._node, self._log_file)

    def launch(self, job: RunningJob) -> None:
        self._threads.submit(job.run)

    def _node(self, name: str) -> tuple[Face, Engine]:
        face = catalogue.find(name)
        # Importing a network takes seconds in which clients are still greeted.
        with self._importing:
            if face.id not in self._engines:
                self._engines[face.id] = create_engine(face)
            return face, self._engines[face.id]

    def status(self) -> Status:
        """What `cleanplate worker status` shows."""
        accelerator = self._accelerator
        sessions = self._all_sessions()
        queue = [job.status() for session in sessions for job in session.jobs()]
        return Status(
            pid=os.getpid(),
            release=identity.release(),
            device=accelerator.name,
            device_name=fitted(accelerator.description),
            torch=str(torch.__version__),
            threads=torch.get_num_threads(),
            uptime=time.monotonic() - self._began,
            frames=self._frames,
            models=tuple(accelerator.models()[-MOST_MODELS:]),
            kept_bytes=accelerator.kept_bytes(),
            budget_bytes=accelerator.kept.budget,
            resident_bytes=memory.resident(),
            device_bytes=accelerator.device_bytes(),
            buffer_bytes=sum(session.outgoing.bytes() for session in sessions),
            clients=tuple(session.client_status() for session in sessions[:MOST_CLIENTS]),
            queue=tuple(queue[:MOST_QUEUED]),
            log=self._log_file,
        )
