"""Other frames of the shot: which to look at, and what they show."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from nodes.aligning.grid import Floats, Mask
from nodes.engine import Inputs, Params
from nodes.errors import FrameError
from nodes.filling.mask import Hole, find_holes, hidden
from nodes.filling.view import light_of
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from nodes.frame_runs import frames_there
from nodes.picture import laid_on, same_size


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


class HoledShot:
    """The footage of one render, with the holes of each frame."""

    def __init__(self, params: Params, inputs: Inputs) -> None:
        self.params, self.inputs = params, inputs
        self.notes: list[str] = []

    def look(self, frame: int, like: Frame | None = None) -> Look:
        """The frame, laid on the format of `like` where it is of its size.

        Raises FootageError where the frame or its mask is missing, FrameError where they do not fit.
        """
        source = self.inputs.frame("Source", frame)
        if like is not None and same_size(source, like):
            source = laid_on("frame", source, like)
        return Look(frame, source, find_holes(source, frame, self.params, self.inputs))

    def look_aside(self, frame: int, like: Frame) -> Look | None:
        """Another frame of the shot, or None, with a note, where it is missing or of another size than `like`."""
        self.inputs.check_cancelled()
        try:
            look = self.look(frame, like)
        except FrameError as error:
            self.note(f"frame {frame} does not help to find the background: {error}")
            return None
        have, want = look.source.display_window, like.display_window
        if not same_size(look.source, like):
            self.note(
                f"frame {frame} does not help to find the background: it is {have.width}x{have.height}, not "
                f"{want.width}x{want.height}"
            )
            return None
        return look

    def forget(self, frame: int) -> None:
        for name in self._given:
            self.inputs.forget(name, frame)

    def identity_of(self, frames: Sequence[int]) -> bytes:
        """Digest of the footage of these frames."""
        return b"".join(self.inputs.identity_of(name, frames) for name in self._given)

    @property
    def _given(self) -> list[str]:
        return [name for name in ("Source", "Mask", "Shadow") if self.inputs.connected(name)]

    def key(self, what: str, frames: Sequence[int], like: Frame, names: Sequence[str]) -> str:
        """Equal for what is made of the same pixels of these frames and their masks, and of the settings `names`."""
        settings = [self.params[name] for name in ("maskThreshold", "grow", "feather", *names)]
        text = repr((what, list(frames), settings, self.identity_of(frames), like.display_window, like.colour))
        return "inpaint " + hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def frames(self) -> Sequence[int]:
        """The frames that can be looked at, ascending, at least one: those with a source and a mask of their own.

        A missing mask that is held or black is one. Where only one frame has both, all of the source.
        """
        source = frames_there(self.inputs, "Source")
        masks = self.inputs.frames("Mask") if self.inputs.connected("Mask") else None
        if masks is None or masks == source or self.params["missingFrames"] != "error":
            return source
        known = set(masks)
        both = [frame for frame in source if frame in known]
        return both if len(both) > 1 else source

    def place(self, frame: int) -> int:
        """The place among `frames` of the one that is shown at `frame`."""
        return max(bisect_right(self.frames, frame) - 1, 0)

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)
