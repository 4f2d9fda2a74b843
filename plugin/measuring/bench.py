"""`make bench`: where the time and the memory of a render go on this machine.

Each stage is measured alone, then the whole render, in one run: machines are noisy, ratios are not.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from models.weights.errors import WeightsError
from nodes import catalogue
from nodes.footage.files.sequence import Sequence as FileSequence
from nodes.footage.frame import Frame
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame
from plugin.demo import shot as demo_shot
from plugin.rendering import used_weights
from plugin.rendering.arrays import ArrayFootage
from plugin.rendering.render import ShotRender, layers_of
from plugin.rendering.shot import Shot
from plugin.worker.client.worker import Worker

SIZES = {"HD": (1920, 1080), "UHD": (3840, 2160)}
FIRST = 1001
MIB = 2**20


@dataclass(frozen=True)
class RenderRow:
    """Seconds per frame of each stage alone and of the whole render; memory in bytes."""

    node: str
    size: str
    frames: int
    decode: float
    network: float
    encode: float
    whole: float
    worker_peak: int
    moved: int

    @property
    def ratio(self) -> float:
        """Cost of the whole render against the sum of its stages run alone."""
        return self.whole / (self.decode + self.network + self.encode)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--frames", type=int, default=12, help="HD frames; a quarter of it at UHD")
    parser.add_argument("--nodes", default="background-matte,video-matte")
    parser.add_argument("--sizes", default="HD,UHD")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rvm-weights", default="", help="weights for video-matte where none are installed")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cleanplate-bench-"))
    print(f"{'node':<18}{'size':<6}{'decode':>8}{'network':>9}{'encode':>8}{'whole':>8}{'sum':>8}{'whole/sum':>11}"
          f"{'fps':>7}{'worker MiB':>12}{'client MiB':>12}{'moved MiB':>11}")  # fmt: skip
    try:
        for size in options.sizes.split(","):
            count = options.frames if size == "HD" else max(2, options.frames // 4)
            shot = make_shot(folder / size, SIZES[size], count)
            for node in options.nodes.split(","):
                settings = dict(entry.split("=", 1) for entry in options.set)
                if node == "video-matte" and options.rvm_weights:
                    settings["weights"] = options.rvm_weights
                try:
                    _print(measure(node, size, shot, count, options.device, settings))
                except WeightsError as error:
                    print(f"{node:<18}{size:<6}skipped: {error}")
    finally:
        shutil.rmtree(folder)
    return 0


def _print(row: RenderRow) -> None:
    client = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    total = row.decode + row.network + row.encode
    print(
        f"{row.node:<18}{row.size:<6}{row.decode:>8.3f}{row.network:>9.3f}{row.encode:>8.3f}{row.whole:>8.3f}"
        f"{total:>8.3f}{row.ratio:>11.2f}{1 / row.whole:>7.2f}{row.worker_peak / MIB:>12.0f}{client / MIB:>12.0f}"
        f"{row.moved / MIB:>11.0f}",
        flush=True,
    )


def make_shot(folder: Path, size: tuple[int, int], count: int) -> dict[str, str]:
    """Writes `count` frames of the demo shot at another size, and its clean plate, as half-float ZIP."""
    folder.mkdir(parents=True)
    window = Window(0, 0, *size)

    def save(path: Path, pixels: np.ndarray) -> None:
        big = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC), np.float32)
        write_frame(str(path), [("", "RGB", big)], Frame(big, tuple("RGB"), window, window))

    save(folder / "plate.exr", demo_shot.clean_plate())
    for frame in demo_shot.frames(count=count):
        save(folder / f"shot.{frame.number}.exr", frame.source)
    return {"Source": str(folder / "shot.####.exr"), "C": str(folder / "plate.exr")}


def measure(
    node: str, size: str, patterns: Mapping[str, str], count: int, device: str, settings: Mapping[str, Any]
) -> RenderRow:
    """One row of the table. Raises WeightsError where the node has no weights."""
    face = catalogue.find(node)
    params = face.parse(settings)
    chosen = used_weights.planned(face, params)
    names = {entry.name for entry in face.inputs}
    footage = {name: Footage(pattern) for name, pattern in patterns.items() if name in names}
    frames = range(FIRST, FIRST + count)
    folder = Path(patterns["Source"]).parent
    out, alone = (FileSequence.parse(str(folder / f"{name}.####.exr")) for name in (node, f"{node}_encoded"))
    shot = Shot(face, footage, params, list(frames), out, used_weights.digest(chosen), face.passes)

    decode = _per_frame(frames, lambda n: footage["Source"].frame(n))
    decoded = {name: [f.frame(n) for n in (f.frames() or [FIRST])] for name, f in footage.items()}
    pictures = ArrayFootage(decoded)
    source, numbers = decoded["Source"][0], pictures.numbers("Source")
    for name in decoded:
        pictures.identity(name, numbers[0], numbers[-1])
    with Worker(device, on_note=lambda text: None) as worker:
        passes = worker.submit(face.id, numbers[0], params, pictures).result()
        network = _per_frame(numbers, lambda n: worker.submit(face.id, n, params, pictures).result())
        encode = _per_frame(
            frames,
            lambda n: write_frame(alone.path(n), layers_of(face.passes, passes, None, source), source, passes.window),
        )
        began = time.perf_counter()
        ShotRender(shot, worker, _Silent()).run()
        whole = (time.perf_counter() - began) / count
        peak = _peak(worker.status()["pid"])
    moved = sum(f[0].pixels.nbytes for f in decoded.values()) + sum(i.nbytes for i in passes.images.values())
    return RenderRow(node, size, count, decode, network, encode, whole, peak, moved)


class _Silent:
    def event(self, name: str, /, **fields: Any) -> None:
        if name == "failed":
            sys.exit(f"frame {fields['frame']}: {fields['text']}")

    def close(self) -> None:
        pass


def _per_frame(frames: Sequence[int], stage: Callable[[int], object]) -> float:
    began = time.perf_counter()
    for frame in frames:
        stage(frame)
    return (time.perf_counter() - began) / len(frames)


def _peak(pid: int) -> int:
    """Largest resident memory of a process so far, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return psutil.Process(pid).memory_info().rss


if __name__ == "__main__":
    sys.exit(main())
