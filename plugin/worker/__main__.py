"""`python -m plugin.worker --device cpu`: becomes the worker of a device.

Prints one line, `ready PID` or `error SENTENCE`, on standard output, and goes into the background before that unless
`--foreground` is given. Whoever starts it holds the lock of the runtime folder and passes it as `--lock`, so that
the lock is held until the socket is there even if the starter dies.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import fcntl
import gc
import logging
import logging.handlers
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from models import wording
from nodes.errors import CleanplateError, WorkerError
from nodes.plain_text import one_line
from plugin.worker.protocol import identity, paths
from plugin.worker.protocol.failures import Unusable, out_of_memory, reason_of

IDLE_SECONDS = 300.0
LOG_BYTES, LOG_FILES = 1_000_000, 3
log = logging.getLogger("cleanplate.worker")


class OneLine(logging.Formatter):
    """A record begins a line and nothing in it does: what names in files hold cannot pass for another record."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return "\n".join(f"    {one_line(line)}" for line in super().formatException(ei).split("\n"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m plugin.worker", description="The process that runs networks.")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda:0, ...")
    parser.add_argument("--foreground", action="store_true", help="stay in the foreground and log to standard error")
    parser.add_argument("--lock", type=int, default=-1, help="descriptor of the locked runtime folder")
    options = parser.parse_args()
    try:
        device = paths.resolve(options.device)
        if not options.foreground:
            faulthandler.enable()
            _shed(options.lock)
        lock = options.lock if options.lock >= 0 else _lock()
        if not options.foreground and os.fork():
            # The child speaks for itself; leaving at once keeps the starter from waiting for a zombie.
            os._exit(0)
        # Clients spell what sentences name, each in its own words.
        with wording.speaking(None):
            return _work(device, lock, options.foreground)
    except CleanplateError as error:
        word = "unusable" if isinstance(error, Unusable) else "error"
        _say(word, one_line(" ".join(str(error).split())))
        return 1
    except Exception as error:
        log.exception("the worker cannot start")
        _say("error", _cause(error, options.device))
        return 1


def _say(word: str, rest: str) -> None:
    # Whoever started it may have given up; it is there for the next one.
    with contextlib.suppress(OSError):
        print(word, rest, flush=True)


def _cause(error: Exception, device: str) -> str:
    """Why the worker cannot start, where that is nothing it has a sentence for."""
    reason = reason_of(error)
    if out_of_memory(error) or "allocate memory" in reason or "failed to map segment" in reason:
        return f"the worker for {device} cannot start: it has too little memory, or too low a limit of it ({reason})"
    return (
        f"the worker for {device} cannot start: {type(error).__name__}: {reason}; the details are in "
        f"{paths.log_path(paths.resolve(device))}"
    )


def _shed(lock: int) -> None:
    """Lets go of what a careless starter left open or blocked, and lets the system end this process before a host.

    On macOS the starters leave nothing open, and closing what the system itself keeps open would end the process.
    """
    for name in os.listdir("/proc/self/fd") if sys.platform == "linux" else ():
        if int(name) not in (0, 1, 2, lock):
            with contextlib.suppress(OSError):
                os.close(int(name))
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(0o077)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _lock() -> int:
    descriptor = os.open(paths.runtime_folder(), os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _work(device: str, lock: int, foreground: bool) -> int:
    build = identity.build()
    log_file = paths.log_path(device)
    _begin_log(log_file, foreground)
    path = paths.socket_path(device)
    if _answers(path):
        raise WorkerError(f"there is a worker for {device} already")
    from plugin.worker.device.setup import prepare

    accelerator = prepare(device)
    from plugin.worker.server.server import Server

    listener = _listen(path)
    server = Server(listener, path, accelerator, build, log_file, _idle_seconds())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    # What is there now stays; collecting garbage need not look through all of torch.
    gc.collect()
    gc.freeze()
    log.info("ready: pid %d, %s (%s), build %s", os.getpid(), device, accelerator.description, build)
    _say("ready", str(os.getpid()))
    os.close(lock)
    if not foreground:
        _detach(log_file)
    server.serve()
    log.info("left")
    logging.shutdown()
    # Threads of jobs that were cut off may be deep inside a network; nothing is worth waiting for.
    os._exit(0)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.connect(os.fspath(path))
        return True
    return False


def _listen(path: Path) -> socket.socket:
    """A listening socket under its name at once, in place of a dead worker's."""
    listener = socket.socket(socket.AF_UNIX)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.unlink(missing_ok=True)
    listener.bind(os.fspath(temporary))
    temporary.chmod(0o600)
    listener.listen(64)
    temporary.rename(path)
    return listener


def _idle_seconds() -> float:
    try:
        return max(0.1, float(os.environ["CLEANPLATE_IDLE_SECONDS"]))
    except (KeyError, ValueError):
        return IDLE_SECONDS


def _begin_log(path: Path, foreground: bool) -> None:
    handlers: list[Any] = []
    with contextlib.suppress(OSError):
        handlers.append(logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES))
    if foreground or not handlers:
        handlers.append(logging.StreamHandler())
    for handler in handlers:
        handler.setFormatter(OneLine(f"%(asctime)s [{os.getpid()}] %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=handlers)
    logging.captureWarnings(True)


def _detach(log_file: Path) -> None:
    """Lets go of the starter's terminal, session and folder; what libraries print goes to the log."""
    with contextlib.suppress(OSError):
        os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    try:
        out = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        out = null
    for source, target in ((null, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    faulthandler.enable()


if __name__ == "__main__":
    sys.exit(main())
