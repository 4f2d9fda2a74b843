"""Finds the worker of a device, and starts one where there is none; the client's side, without torch."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from nodes.errors import WorkerError
from nodes.plain_text import one_line
from plugin.worker.protocol import identity, paths
from plugin.worker.protocol.connection import receive_now, send_now
from plugin.worker.protocol.failures import Unusable
from plugin.worker.protocol.fields import VERSION
from plugin.worker.protocol.messages import Hello, Refused, Welcome
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.wire import OtherVersion, Wire

START_SECONDS = 180.0
BIRTHS = 5
GREETING_SECONDS = 30.0
_MOST_WORDS = 1 << 16
# How lines begin that say where a process was when it died.
_STACK = (" ", "\t", "Traceback", "Current thread", "Thread 0x", "Extension modules")
# A Python worker needs none of what a host sets for its own Python, and much of it would break one.
_SCRUBBED = ("LD_LIBRARY_PATH", "LD_PRELOAD")
_SCRUBBED_KINDS = ("PYTHON", "QT_", "NATRON", "DYLD_", "__PYVENV_LAUNCHER__")


class Absent(Exception):
    """Nobody answers at the socket."""


class Stillborn(WorkerError):
    """The worker ended while it started, and no sentence says why; `cause` is the same for the same cause."""

    def __init__(self, device: str, said: str) -> None:
        words = last_words(said)
        self.cause = re.sub(r"\d+", "", words)
        ending = f": {words}" if words else " without a word, as one that is killed when memory runs out"
        super().__init__(f"the worker for {device} ended while it started{ending}; its log is {paths.log_path(device)}")


class Retired(Exception):
    """The worker made room for another one."""


def connect_or_start(device: str, name: str, note: Callable[[str], None]) -> tuple[Wire, Welcome]:
    """A greeted connection to the worker of a resolved device. Raises WorkerError."""
    build = identity.build()
    with contextlib.suppress(Absent, Retired):
        return connect(device, name, build)
    with _locked() as lock:
        deadline = time.monotonic() + START_SECONDS
        causes: list[str] = []
        while True:
            with contextlib.suppress(Absent, Retired):
                return connect(device, name, build)
            if time.monotonic() > deadline:
                raise WorkerError(f"the worker for {device} cannot be reached; see {paths.log_path(device)}")
            note(f"starting the worker for {device}")
            try:
                start(device, lock)
            except Stillborn as death:
                # Somebody may have killed it by mistake; what comes the same way twice is no mistake.
                causes.append(death.cause)
                if len(causes) == BIRTHS or death.cause in causes[:-1]:
                    raise


def connect(device: str, name: str, build: str) -> tuple[Wire, Welcome]:
    """A greeted connection to a worker that runs. Raises Absent, Retired or WorkerError."""
    connected = socket.socket(socket.AF_UNIX)
    wire = Wire(connected)
    wire.timeout(GREETING_SECONDS)
    try:
        connected.connect(os.fspath(paths.socket_path(device)))
        _, user = wire.peer()
        if user not in (os.getuid(), 0):
            raise WorkerError(f"the worker's socket {paths.socket_path(device)} belongs to another user")
        send_now(wire, Hello(identity.release(), build, os.getpid(), name, marks=True))
        answer = receive_now(wire)
        if isinstance(answer, Welcome):
            wire.timeout(None)
            return wire, answer
        if isinstance(answer, Refused) and not answer.retired:
            raise WorkerError(answer.sentence)
        raise Retired if isinstance(answer, Refused) else Absent
    except OtherVersion as other:
        wire.close()
        if build:
            raise Retired from None
        raise WorkerError(
            f"the worker for {device} speaks protocol {other.version}, this is protocol {VERSION}: "
            "it was started by another version of Cleanplate"
        ) from None
    except TimeoutError:
        wire.close()
        raise WorkerError(
            f"the worker for {device} does not answer; stop it with `cleanplate worker stop` or end its process"
        ) from None
    except (OSError, ProtocolError) as error:
        wire.close()
        if isinstance(error, PermissionError):
            raise WorkerError(f"the worker's socket {paths.socket_path(device)} cannot be opened") from None
        raise Absent from None
    except BaseException:
        wire.close()
        raise


def start(device: str, lock: int) -> None:
    """Starts a worker and waits until it is ready. Raises WorkerError with its reason when it cannot be."""
    command = [sys.executable, "-m", "plugin.worker", "--device", device, "--lock", str(lock)]
    try:
        process = subprocess.Popen(
            command,
            cwd=identity.HOUSE,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerError(f"the worker cannot be started: {sys.executable}: {error.strerror}") from None
    assert process.stdout is not None
    with process.stdout:
        word, rest = _hear(process.stdout.fileno(), START_SECONDS)
    if not word:
        # Whatever hangs there must not keep the lock.
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if word == "unusable":
        raise Unusable(rest)
    if word == "error":
        raise WorkerError(rest)
    if word != "ready":
        raise Stillborn(device, rest)


def environment() -> dict[str, str]:
    """This process's environment without what a host sets for itself."""
    return {n: v for n, v in os.environ.items() if n not in _SCRUBBED and not n.startswith(_SCRUBBED_KINDS)}


@contextlib.contextmanager
def _locked() -> Iterator[int]:
    """The lock of the runtime folder, which whoever starts a worker holds. Raises WorkerError if it is never free."""
    folder = paths.runtime_folder()
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WorkerError(f"another process has been starting a worker in {folder} for too long") from None
                time.sleep(0.02)
        yield descriptor
    finally:
        os.close(descriptor)


def _hear(descriptor: int, seconds: float) -> tuple[str, str]:
    """What a worker that starts says: the word that decides and the rest of its line.

    Without such a line the word is empty and the rest is all it said: it died, or took too long.
    """
    deadline = time.monotonic() + seconds
    said = unfinished = b""
    while True:
        left = deadline - time.monotonic()
        piece = os.read(descriptor, 4096) if left > 0 and select.select([descriptor], [], [], left)[0] else b""
        said = (said + piece)[-_MOST_WORDS:]
        *lines, unfinished = (unfinished + piece).split(b"\n")
        for line in (line.decode(errors="replace") for line in lines):
            word, _, rest = line.partition(" ")
            if word in ("ready", "unusable", "error"):
                return word, rest
            if re.search(r"ready \d+$", line):  # after what a library wrote without an end of the line
                return "ready", ""
        if not piece:
            return "", said.decode(errors="replace")


def last_words(text: str) -> str:
    """The end of what a process said before it died, in a line, without the stack that led there."""
    lines = [line for line in text.splitlines() if line and not line.startswith(_STACK)]
    return one_line("; ".join(line.strip() for line in lines[-3:]))[-300:]
