"""Runs an engine in the test's own process: inputs from arrays, networks with the reference fill instead of weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import models
from models.weights import WeightsRef
from nodes import catalogue
from nodes.engine import Passes
from nodes.errors import FootageError
from nodes.faces.engine_file import create_engine
from nodes.footage.colour.space import LINEAR_REC709, ColourSpace
from nodes.footage.frame import Frame
from nodes.footage.window import Window


def picture(
    pixels: Any,
    channels: str = "RGB",
    at: tuple[int, int] = (0, 0),
    display: Window | None = None,
    colour: ColourSpace = LINEAR_REC709,
) -> Frame:
    """A frame from an array `[H,W,C]`."""
    array = np.asarray(pixels, np.float32)
    window = Window(at[0], at[1], array.shape[1], array.shape[0])
    return Frame(array, tuple(channels), window, display or window, colour=colour)


class ArrayInputs:
    """Footage from arrays: a frame for every frame number, or a mapping of frame numbers to frames."""

    def __init__(self, **inputs: Frame | Mapping[int, Frame]) -> None:
        self.inputs = inputs
        self.fetched: list[tuple[str, int]] = []
        self.identified: list[tuple[str, int]] = []

    def connected(self, name: str) -> bool:
        return name in self.inputs

    def _at(self, name: str, frame: int) -> Frame:
        entry = self.inputs[name]
        if isinstance(entry, Frame):
            return entry
        if frame not in entry:
            raise FootageError(f"frame {frame} is missing")
        return entry[frame]

    def frame(self, name: str, frame: int) -> Frame:
        self.fetched.append((name, frame))
        return self._at(name, frame)

    def forget(self, name: str, frame: int) -> None:
        pass

    def range(self, name: str) -> tuple[int, int]:
        entry = self.inputs[name]
        return (1, 1) if isinstance(entry, Frame) else (min(entry), max(entry))

    def frames(self, name: str) -> list[int] | None:
        entry = self.inputs[name]
        return None if isinstance(entry, Frame) else sorted(entry)

    def identity(self, name: str, first: int, last: int) -> bytes:
        return self.identity_of(name, range(first, last + 1))

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        self.identified += [(name, frame) for frame in frames]
        digest = hashlib.sha256()
        for frame in frames:
            try:
                digest.update(self._at(name, frame).pixels.tobytes())
            except FootageError:
                digest.update(b"missing")
        return digest.digest()

    def check_cancelled(self) -> None:
        pass


MODELS: dict[str, torch.nn.Module] = {}


class LocalDevice:
    """The processor, with deterministic weights; `out_of_memory` raises that many times before a network runs."""

    torch_device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, fill: Callable[[torch.nn.Module], Any] = lambda model: None, **options: Any) -> None:
        self.fill, self.options = fill, options
        self.store: dict[str, Any] = {}
        self.out_of_memory = 0
        self.released = 0

    def model(
        self, weights: str, network: str, options: Mapping[str, Any], dtype: torch.dtype | None = None
    ) -> torch.nn.Module:
        if self.out_of_memory:
            self.out_of_memory -= 1
            raise torch.OutOfMemoryError("made up by the test")
        key = f"{network} {sorted(options.items())}"
        if key not in MODELS:
            MODELS[key] = models.create(network, **options)
            self.fill(MODELS[key])
        return MODELS[key]

    def weights_of(
        self, weights: str, network: str | Sequence[str], options: Mapping[str, Any] | None = None
    ) -> WeightsRef:
        """Several networks may be offered; the first is taken."""
        name = network if isinstance(network, str) else network[0]
        return WeightsRef(Path(weights or "fill"), weights or "fill", "0" * 64, "file", name, self.options)

    def as_node(self, node: str) -> LocalDevice:
        return self

    def release_memory(self) -> bool:
        self.released += 1
        return False

    def kept(self, key: str, build: Callable[[], Any]) -> Any:
        if key not in self.store:
            self.store[key] = build()
        return self.store[key]


def render(node: str, frame: int, inputs: ArrayInputs, device: LocalDevice, **settings: Any) -> Passes:
    """One frame of a node with the given parameters."""
    face = catalogue.find(node)
    with torch.inference_mode():
        return create_engine(face).render(frame, face.parse(settings), inputs, device)
