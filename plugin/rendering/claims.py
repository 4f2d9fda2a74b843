"""Several renders into one folder share the work: a frame in work is claimed, for as long as its maker lives.

A claim is a hidden file beside the frame's first one. On the same machine its maker lives while the process does; on
another, which may share no more than the file system, while the claim's time goes on.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any

import psutil

from nodes.footage.atomic_file import cannot_write, hidden_name, temporaries

_ENDING = ".claim"
BEAT_SECONDS = 10.0
# Network file systems may show a time that is a minute old.
STALE_SECONDS = 120.0
_SAME_START = 2.0  # seconds by which the system's word for a process's start may vary


class Claims:
    """The claims of one render; usable from several threads."""

    def __init__(self) -> None:
        self._token, pid = secrets.token_hex(8), os.getpid()
        content = {"token": self._token, "machine": _machine(), "pid": pid, "started": _started(pid)}
        self._content = json.dumps(content).encode()
        self._held: dict[str, str] = {}
        self._seen: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._heart: threading.Thread | None = None

    def take(self, paths: Iterable[str]) -> bool:
        """Claims the frame with these files; False where another render that lives has it. Raises OutputError."""
        paths = list(paths)
        claim = _claim_of(paths[0])
        try:
            os.makedirs(os.path.dirname(claim) or ".", exist_ok=True)
            if not self._create(claim) and not (self._clear(claim, paths) and self._create(claim)):
                return False
        except OSError as error:
            raise cannot_write(paths[0], error) from error
        with self._lock:
            self._held[paths[0]] = claim
            self._seen.pop(claim, None)
            if self._heart is None:
                self._heart = threading.Thread(target=self._beat, name="claims", daemon=True)
                self._heart.start()
        return True

    def release(self, path: str) -> None:
        """Gives up the claim of the frame whose first file this is."""
        with self._lock:
            claim = self._held.pop(path, None)
        if claim is not None and _content(claim).get("token") == self._token:
            with contextlib.suppress(OSError):
                os.unlink(claim)

    def close(self) -> None:
        self._over.set()
        for path in list(self._held):
            self.release(path)

    def sweep(self, folders: Iterable[str]) -> None:
        """Removes what renders left behind that were killed: claims, and files that were being written."""
        for folder in folders:
            with contextlib.suppress(OSError):
                for name in os.listdir(folder or "."):
                    if name.startswith(".") and name.endswith(_ENDING):
                        path = os.path.join(folder, name[1 : -len(_ENDING)])
                        self._clear(_claim_of(path), [path])

    def _create(self, claim: str) -> bool:
        try:
            descriptor = os.open(claim, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, self._content)
        except OSError:
            os.unlink(claim)
            raise
        finally:
            os.close(descriptor)
        return True

    def _clear(self, claim: str, paths: Iterable[str]) -> bool:
        """Whether the claim is out of the way: gone, or of a maker that is dead, and then with all it left behind."""
        content = _content(claim)
        if not self._is_stale(claim, content):
            return not os.path.exists(claim)
        # Of several that find it stale one gets it; a newer claim in its place is put back.
        aside = f"{claim}.{self._token}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(claim, aside)
            if _content(aside) != content:
                with contextlib.suppress(OSError):
                    os.link(aside, claim)
                os.unlink(aside)
                return False
            os.unlink(aside)
            for path in paths:
                for left in temporaries(path):
                    with contextlib.suppress(OSError):
                        os.unlink(left)
        return True

    def _is_stale(self, claim: str, content: dict[str, Any]) -> bool:
        if content.get("machine") == _machine():
            started = _started(content.get("pid"))
            return started is None or abs(started - float(content.get("started") or 0)) > _SAME_START
        try:
            beat = os.stat(claim).st_mtime_ns
        except OSError:
            return False
        # Clocks of machines differ: what counts is how long the time has stood still while it was looked at.
        with self._lock:
            known, since = self._seen.get(claim, (0, 0.0))
            if beat != known:
                self._seen[claim] = beat, time.monotonic()
                return False
        return time.monotonic() - since > STALE_SECONDS

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            with self._lock:
                held = list(self._held.values())
            for claim in held:
                with contextlib.suppress(OSError):
                    os.utime(claim)


def _claim_of(path: str) -> str:
    return hidden_name(path, _ENDING)


def _content(claim: str) -> dict[str, Any]:
    """What a claim says; nothing where it is gone or not written yet."""
    try:
        with open(claim, "rb") as file:
            content = json.loads(file.read(4096))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@functools.cache
def _machine() -> str:
    """This run of this machine, as far as processes see each other."""
    told = []
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        told.append(file.read().strip())
    with contextlib.suppress(OSError):
        told.append(os.readlink("/proc/self/ns/pid"))
    return " ".join([socket.gethostname(), *told])


def _started(pid: Any) -> float | None:
    """When a process began, in seconds since the epoch; None where there is none."""
    try:
        process = psutil.Process(int(pid))
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except (psutil.NoSuchProcess, TypeError, ValueError, OverflowError):
        return None
    except psutil.AccessDenied:
        return 0.0
