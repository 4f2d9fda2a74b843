"""Finds the worker of a device, and starts one where there is none; the client's side, without torch."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nodes.errors import WorkerError
from plugin.worker import identity, paths
from plugin.worker.connection import receive_now, send_now
from plugin.worker.failures import Unusable
from plugin.worker.fields import VERSION
from plugin.worker.messages import Hello, Refused, Welcome
from plugin.worker.schema import ProtocolError
from plugin.worker.wire import OtherVersion, Wire

START_SECONDS = 180.0
BIRTHS = 5
GREETING_SECONDS = 30.0
# A Python worker needs none of what a host sets for its own Python, and much of it would break one.
_SCRUBBED = ("LD_LIBRARY_PATH", "LD_PRELOAD")
_SCRUBBED_KINDS = ("PYTHON", "QT_", "NATRON", "DYLD_", "__PYVENV_LAUNCHER__")


class Absent(Exception):
    """Nobody answers at the socket."""


class Stillborn(WorkerError):
    """The worker ended while it started, without a word: killed, or unable to run at all."""


class Retired(Exception):
    """The worker made room for another one."""


def connect_or_start(device: str, name: str, note: Callable[[str], None]) -> tuple[Wire, Welcome]:
    """A greeted connection to the worker of a resolved device. Raises WorkerError."""
    build = identity.build()
    with contextlib.suppress(Absent, Retired):
        return connect(device, name, build)
    with _locked() as lock:
        deadline, births = time.monotonic() + START_SECONDS, BIRTHS
        while True:
            with contextlib.suppress(Absent, Retired):
                return connect(device, name, build)
            if time.monotonic() > deadline:
                raise WorkerError(f"the worker for {device} cannot be reached; see {paths.log_path(device)}")
            note(f"starting the worker for {device}")
            try:
                start(device, lock)
            except Stillborn:
                births -= 1
                if not births:
                    raise


def connect(device: str, name: str, build: str) -> tuple[Wire, Welcome]:
    """A greeted connection to a worker that runs. Raises Absent, Retired or WorkerError."""
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(GREETING_SECONDS)
    wire = Wire(connected)
    try:
        connected.connect(os.fspath(paths.socket_path(device)))
        _, user = wire.peer()
        if user not in (os.getuid(), 0):
            raise WorkerError(f"the worker's socket {paths.socket_path(device)} belongs to another user")
        send_now(wire, Hello(identity.release(), build, os.getpid(), name, marks=True))
        answer = receive_now(wire)
        if isinstance(answer, Welcome):
            connected.settimeout(None)
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
            stderr=subprocess.DEVNULL,
            pass_fds=[lock],
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerError(f"the worker cannot be started: {sys.executable}: {error.strerror}") from None
    assert process.stdout is not None
    with process.stdout:
        line = _line(process.stdout.fileno(), START_SECONDS)
    if not line:
        # Whatever hangs there must not keep the lock.
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    word, _, rest = line.partition(" ")
    if word == "unusable":
        raise Unusable(rest)
    if word == "error":
        raise WorkerError(rest)
    if word != "ready":
        raise Stillborn(f"the worker for {device} ended while it started; {_last_words(paths.log_path(device))}")


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


def _line(descriptor: int, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    text = b""
    while b"\n" not in text:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return ""
        piece = os.read(descriptor, 4096)
        if not piece:
            break
        text += piece
    return text.decode(errors="replace").split("\n", 1)[0]


def _last_words(log_file: Path) -> str:
    try:
        lines = log_file.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return f"its log {log_file} ends with: {lines[-1][:300]}" if lines else f"it left no log in {log_file}"
