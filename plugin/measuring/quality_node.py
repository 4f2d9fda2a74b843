"""BackgroundMatte's scenes through the whole node, in the worker: what a compositor gets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.training.procedural import Composite
from models.training.procedural.fields import Array
from nodes import catalogue
from nodes.footage.colour.space import SRGB
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from plugin.worker.client.worker import Worker


class Scenes:
    """Scene i as frame i of the source and of the plate."""

    def __init__(self, scenes: Sequence[Composite]) -> None:
        self.pictures = {"Source": [scene.src for scene in scenes], "C": [scene.bgr for scene in scenes]}

    def connected(self) -> list[str]:
        return list(self.pictures)

    def range(self, name: str) -> tuple[int, int]:
        return 0, len(self.pictures[name]) - 1

    def frame(self, name: str, frame: int) -> Frame:
        pixels = np.ascontiguousarray(self.pictures[name][frame])
        window = Window(0, 0, pixels.shape[1], pixels.shape[0])
        return Frame(pixels, tuple("RGB"), window, window, colour=SRGB)

    def frames(self, name: str) -> Sequence[int]:
        return range(len(self.pictures[name]))

    def identity(self, name: str, first: int, last: int) -> bytes:
        return self.identity_of(name, range(first, last + 1))

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        digest = hashlib.sha256()
        for frame in frames:
            digest.update(np.ascontiguousarray(self.pictures[name][frame]).tobytes())
        return digest.digest()


def mattes(scenes: Sequence[Composite], file: Path) -> list[Array]:
    """Alpha [H,W] of every scene, the node at its defaults with the weights of a file, on the processor."""
    face = catalogue.find("background-matte")
    params, sources = face.parse({"weights": str(file)}), Scenes(scenes)
    with Worker("cpu", on_note=lambda note: None, name="quality") as worker:
        jobs = [worker.submit(face.id, number, params, sources) for number in range(len(scenes))]
        return [np.asarray(job.result().images["alpha"][..., 0], np.float32) for job in jobs]
