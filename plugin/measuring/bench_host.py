"""Part of `make bench`: what a frame costs in a host beyond what the worker computes.

The OpenFX host of the tests drives the built bundle over HD frames; a memory copy of the same frame is measured in the
same run. A render action takes as long as the worker computes; what comes on top is the adapter's and the way's: two
inputs and one output of 33 MB each to and fro, the worker's turn, the questions and answers.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plugin.worker.client.running import stop_running

HOUSE = Path(__file__).resolve().parents[1]
BUNDLE = HOUSE / "build" / "Cleanplate.ofx.bundle"
SIZE = (1920, 1080)
# What a frame may cost beside two copies of it, in milliseconds.
ALLOWED = 15.0
# The first frames pay for fresh memory; then the buffers go round. The very first also waits for the worker to start.
FRESH = 10


@dataclass(frozen=True)
class HostRow:
    """Milliseconds per frame: medians of the render action and of the worker's part; what the action costs beyond that,
    at best, in the middle and while memory is fresh; `copy` is one copy of the frame (four channels of 32-bit float).
    """

    action: float
    worker: float
    overhead: float
    median: float
    fresh: float
    copy: float

    @property
    def allowed(self) -> float:
        return ALLOWED + 2 * self.copy

    @property
    def met(self) -> bool:
        """By the best frame: what else runs on a machine can only add."""
        return self.overhead <= self.allowed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m plugin.measuring.bench_host", description=__doc__)
    parser.add_argument("--frames", type=int, default=2 * FRESH)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    bundle = Path(os.environ.get("CLEANPLATE_OFX_BUNDLE") or BUNDLE)
    if not bundle.exists():
        print(f"overhead in a host: skipped, there is no {bundle}; build it with: make plugin")
        return 0
    row = measure(bundle, options.frames, options.device)
    names = ("render", "worker", "overhead", "median", "fresh", "copy", "allowed")
    values = (row.action, row.worker, row.overhead, row.median, row.fresh, row.copy, row.allowed)
    print("\n" + "milliseconds in an OpenFX host, HD".ljust(36) + "".join(f"{name:>9}" for name in names))
    print("background-matte, two inputs".ljust(36) + "".join(f"{value:>9.1f}" for value in values), end="")
    print("  met" if row.met else "  MISSED", flush=True)
    return 0


def measure(bundle: Path, frames: int, device: str, size: tuple[int, int] = SIZE, fresh: int = FRESH) -> HostRow:
    """Renders that many frames, more than `fresh`, through a worker of its own."""
    pictures = _pictures(frames + 1, size)
    with _own_worker(device):
        actions, workers, copies = _host().timed(bundle, pictures, device)
    overhead = [action - worker for action, worker in zip(actions, workers, strict=True)]
    steady = overhead[fresh:]
    median = statistics.median
    return HostRow(
        action=median(actions[fresh:]),
        worker=median(workers[fresh:]),
        overhead=min(steady),
        median=median(steady),
        fresh=median(overhead[1:fresh]),
        copy=min(copies),
    )


def _host() -> Any:
    """The module of the tests that renders in the host and takes the time."""
    if str(HOUSE / "tests") not in sys.path:
        sys.path.append(str(HOUSE / "tests"))
    return importlib.import_module("ofx_host.timing")


def _pictures(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """A plate and `count - 1` frames of a shot, RGBA."""
    width, height = size
    plate = np.random.default_rng(1).random((height, width, 4), np.float32)
    pictures = [plate]
    for n in range(count - 1):
        frame = plate.copy()
        left = (n + 2) * width // (count + 8)
        frame[height // 4 :, left : left + width // 5] *= 0.25
        pictures.append(frame)
    return pictures


@contextmanager
def _own_worker(device: str) -> Iterator[None]:
    """A folder for a worker that nobody else uses, and its end."""
    folder, before = tempfile.mkdtemp(prefix="cleanplate-bench-"), os.environ.get("CLEANPLATE_RUNTIME")
    os.environ["CLEANPLATE_RUNTIME"] = folder
    try:
        yield
    finally:
        stop_running(device)
        if before is None:
            del os.environ["CLEANPLATE_RUNTIME"]
        else:
            os.environ["CLEANPLATE_RUNTIME"] = before
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
