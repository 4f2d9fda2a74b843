"""Other frames of the shot: which to look at, and what they show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.align_grid import Floats, Mask
from nodes.engine import Inputs, Params
from nodes.errors import FrameError
from nodes.filling.mask import Hole, find_holes, hidden
from nodes.filling.view import light_of
from nodes.footage.frame import Frame
from nodes.footage.window import Window


@dataclass(frozen=True, eq=False)
class Look:
    """A frame with its holes."""

    frame: int
    source: Frame
    holes: list[Hole]

    def background(self, window: Window) -> tuple[Floats, Mask]:
        """Light `[h,w,3]` of `window`, and where it is background that this frame really shows."""
        light, real = light_of(self.source, window)
        return light, real & ~hidden(self.holes, window)


class Shot:
    """The footage of one render, with the holes of each frame."""

    def __init__(self, params: Params, inputs: Inputs) -> None:
        self.params, self.inputs = params, inputs
        self.notes: list[str] = []

    def look(self, frame: int) -> Look:
        """Raises FootageError where the frame or its mask is missing, FrameError where they do not fit."""
        source = self.inputs.frame("Source", frame)
        return Look(frame, source, find_holes(source, frame, self.params, self.inputs))

    def look_aside(self, frame: int, like: Frame) -> Look | None:
        """Another frame of the shot, or None, with a note, where it is missing or of another size than `like`."""
        self.inputs.check_cancelled()
        try:
            look = self.look(frame)
        except FrameError as error:
            self.note(f"frame {frame} does not help to find the background: {error}")
            return None
        have, want = look.source.display_window, like.display_window
        if (have.width, have.height) != (want.width, want.height):
            self.note(
                f"frame {frame} does not help to find the background: it is {have.width}x{have.height}, not "
                f"{want.width}x{want.height}"
            )
            return None
        return look

    def forget(self, frame: int) -> None:
        self.inputs.forget("Source", frame)
        if self.inputs.connected("Mask"):
            self.inputs.forget("Mask", frame)

    def identity(self, first: int, last: int) -> bytes:
        """Digest of the footage of these frames."""
        names = ["Source", "Mask"] if self.inputs.connected("Mask") else ["Source"]
        return b"".join(self.inputs.identity(name, first, last) for name in names)

    def range(self) -> tuple[int, int]:
        return self.inputs.range("Source")

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


def spread(first: int, last: int, count: int) -> list[int]:
    """At most `count` frames from first to last, evenly spread, both ends among them, ascending."""
    if last < first:
        return []
    count = min(count, last - first + 1)
    return sorted({round(at) for at in np.linspace(first, last, count).tolist()})
