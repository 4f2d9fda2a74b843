"""Renders of shots without a worker process: a node that multiplies, files on disk, everything else as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nodes.engine import Passes
from nodes.faces import file as face_file
from nodes.footage.files.sequence import Sequence as FileSequence
from nodes.footage.frame import Frame
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame
from plugin.rendering.render import ShotRender, Summary
from plugin.rendering.shot import Shot

FACE = face_file.load(Path(__file__).parent / "toy_nodes" / "toy_gain.yaml")


class Events:
    """Keeps what a render reports."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def event(self, name: str, /, **fields: Any) -> None:
        self.told.append((name, fields))

    def close(self) -> None:
        pass

    def frames(self, name: str) -> list[int]:
        return [fields["frame"] for told, fields in self.told if told == name]


class LocalWorker:
    """Computes in the caller's thread, when the result is asked for; `before(frame)` may raise or take time."""

    def __init__(self, before: Callable[[int], None] = lambda frame: None) -> None:
        self.before = before
        self.asked: list[int] = []

    def submit(self, node: str, frame: int, params: Any, sources: Any, priority: str, names: Sequence[str]) -> Any:
        worker = self

        class Job:
            def result(self) -> Passes:
                worker.asked.append(frame)
                source = sources.frame("Source", frame)
                if "Mask" in sources.connected():
                    sources.frame("Mask", frame)
                worker.before(frame)
                images = {name: source.pixels * np.float32(params["gain"]) for name in names}
                return Passes(images, source.data_window)

            def cancel(self) -> None:
                pass

        return Job()


def write_shot(pattern: Path, frames: Sequence[int], value: float = 0.5, **how: Any) -> str:
    """Small RGBA frames; `value` plus a hundredth of the number."""
    for number in frames:
        window = Window(0, 0, 8, 6)
        pixels = np.full((6, 8, 4), value + number / 100, np.float32)
        path = FileSequence.parse(str(pattern)).path(number)
        write_frame(path, [("", tuple("RGBA"), pixels)], Frame(pixels, tuple("RGBA"), window, window), **how)
    return str(pattern)


def shot(source: str, out: str, frames: Sequence[int], mask: str = "", node: Any = FACE, **settings: Any) -> Shot:
    footage = {"Source": Footage(source)} | ({"Mask": Footage(mask)} if mask else {})
    params = node.parse(settings)
    return Shot(node, footage, params, frames, FileSequence.parse(out), "", node.passes_for(params))


def render(what: Shot, worker: LocalWorker | None = None, events: Events | None = None) -> Summary:
    return ShotRender(what, worker or LocalWorker(), events or Events()).run()  # type: ignore[arg-type]
