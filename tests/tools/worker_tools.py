"""What the worker's tests share: footage made up on the spot, and a worker of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from nodes.errors import FootageError
from nodes.footage.frame import Frame
from nodes.footage.window import Window

NODES = Path(__file__).parent / "toy_nodes"


def picture(frame: int, height: int = 8, width: int = 12, channels: int = 4) -> np.ndarray:
    """Pixels that differ between frames and places."""
    count = height * width * channels
    return (np.arange(count, dtype=np.float32) % 251 + frame * 1000).reshape(height, width, channels)


class Footage:
    """`plugin.worker.client.worker.Sources` of made-up frames; counts what is fetched."""

    def __init__(
        self, height: int = 8, width: int = 12, first: int = 1, last: int = 1000, seconds: float = 0.0
    ) -> None:
        self.size = (height, width)
        self.span = (first, last)
        self.seconds = seconds
        self.fetched: list[tuple[str, int]] = []

    def connected(self) -> list[str]:
        return ["Source"]

    def range(self, name: str) -> tuple[int, int]:
        return self.span

    def frame(self, name: str, frame: int) -> Frame:
        self.fetched.append((name, frame))
        if not self.span[0] <= frame <= self.span[1]:
            raise FootageError(f"there is no frame {frame} in /shots/plate.####.exr")
        time.sleep(self.seconds)
        height, width = self.size
        window = Window(-3, 5, width, height)
        return Frame(picture(frame, height, width), ("R", "G", "B", "A"), window, Window(0, 0, 64, 48))

    def frames(self, name: str) -> list[int] | None:
        return None

    def identity(self, name: str, first: int, last: int) -> bytes:
        return repr((name, first, last)).encode()

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        return repr((name, *frames)).encode()


@contextlib.contextmanager
def own_runtime(**settings: str) -> Iterator[Path]:
    """A runtime folder of the test's own; every worker in it is ended in the end."""
    folder = Path(tempfile.mkdtemp(prefix="cpw"))
    before = dict(os.environ)
    os.environ.update(
        CLEANPLATE_RUNTIME=str(folder / "run"),
        XDG_STATE_HOME=str(folder / "state"),
        CLEANPLATE_NODE_PATH=str(NODES),
        CLEANPLATE_BUILD="tests",
        **{"CLEANPLATE_IDLE_SECONDS": "60", **settings},
    )
    try:
        yield folder
    finally:
        for pid in worker_pids(folder):
            with contextlib.suppress(OSError):
                os.kill(pid, 9)
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


def worker_pids(folder: Path) -> list[int]:
    """The workers whose runtime folder lies in `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes()
            wanted = b"CLEANPLATE_RUNTIME=" + os.fsencode(folder / "run") + b"\0"
            if b"plugin.worker\0" in command and wanted in environment + b"\0":
                found.append(int(entry.name))
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Raises TimeoutError unless the condition comes true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come true")
        time.sleep(0.01)
