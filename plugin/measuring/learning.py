"""One shot taught as a user teaches it: files, `cleanplate learn`, `cleanplate render learned`, files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.weights.formats.safetensors_file import read_metadata
from nodes import catalogue
from nodes.errors import CleanplateError
from nodes.footage.colour.transfer import decode
from nodes.footage.frame import Frame, Pixels
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame
from nodes.learning.card import Card, read_card
from plugin.measuring.quality_shots import TrueShot, unit


@dataclass(frozen=True)
class Budget:
    """For how long something is learned; `steps` count instead of the clock where they are named."""

    minutes: float
    steps: int | None = None


@dataclass(frozen=True)
class Schooling:
    """The weights' card, and the largest memory that the process which learned had, in bytes, torch included."""

    card: Card
    peak: int


def write_shot(shot: TrueShot, folder: Path) -> str:
    """The shot as scene-linear EXR, from frame 1; its pattern."""
    folder.mkdir(parents=True)
    for at, codes in enumerate(shot.pictures):
        _write(folder / f"shot.{at + 1:04d}.exr", "RGB", _light(codes))
    return str(folder / "shot.####.exr")


def write_keys(shot: TrueShot, folder: Path, keys: Sequence[int]) -> str:
    """The truth at some frames, as an artist would paint it; its pattern."""
    folder.mkdir(parents=True)
    for key in keys:
        path = folder / f"key.{key:04d}.exr"
        if shot.clean is None:
            _write(path, "A", shot.mattes[key - 1][..., None])
        else:
            _write(path, "RGB", _light(shot.clean[key - 1]))
    return str(folder / "key.####.exr")


def teach(source: str, keys: str, out: Path, budget: Budget, start: str = "") -> Schooling:
    """`cleanplate learn`, on the processor. Raises CleanplateError where it fails."""
    limit = ["--minutes", str(budget.minutes)] if budget.steps is None else ["--steps", str(budget.steps)]
    begin = ["--from", start] if start else []
    pair = ["--source", source, "--keys", keys]
    peak = _run(["learn", *pair, "--out", str(out), *limit, *begin, "--device", "cpu", "--json"])
    card = read_card(read_metadata(out))
    if card is None:
        raise CleanplateError(f"{out} has no card of what was learned")
    return Schooling(card, peak)


def render(source: str, taught: Path, folder: Path, passes: Sequence[str]) -> dict[str, Footage]:
    """The layers of the passes as the node renders them at its defaults, by their names."""
    pattern = str(folder / "learned.####.exr")
    out = ["--out", pattern, "--passes", ",".join(passes)]
    _run(["render", "learned", "--source", source, "--weights", str(taught), *out, "--device", "cpu", "--json"])
    layers = {one.name: one.layer for one in catalogue.find("learned").passes if one.name in passes}
    return {name: Footage(pattern, layer) for name, layer in layers.items()}


def pixels_of(footage: Footage) -> Iterator[Pixels]:
    """Every frame [H,W,c], one after the other."""
    for number in footage.frames() or []:
        yield footage.frame(number).pixels


# A process begins with the peak of the one that starts it, so that it is started by a small one.
_SMALL = (
    "import os, subprocess, sys\n"
    "process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
    "_, status, used = os.wait4(process.pid, 0)\n"
    "print(used.ru_maxrss)\n"
    "sys.exit(os.waitstatus_to_exitcode(status))"
)


def _run(arguments: Sequence[str]) -> int:
    """Runs a command of ours; the most memory its process had, in bytes."""
    command = [sys.executable, "-I", "-m", "plugin", *arguments]
    done = subprocess.run(
        [sys.executable, "-I", "-c", _SMALL, *command], stdout=subprocess.PIPE, stderr=sys.stderr, check=False
    )
    if done.returncode:
        raise CleanplateError(f"'cleanplate {' '.join(arguments)}' ended with status {done.returncode}")
    return int(done.stdout) * 1024


def _light(codes: NDArray[np.uint8]) -> Pixels:
    return decode(unit(codes), "srgb")


def _write(path: Path, channels: str, pixels: Pixels) -> None:
    window = Window(0, 0, pixels.shape[1], pixels.shape[0])
    write_frame(str(path), [("", channels, pixels)], Frame(pixels, tuple(channels), window, window))
