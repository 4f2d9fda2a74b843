"""What the frames around one show: views, the motion between them, and pixels beside their holes, each found once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nodes.aligning.grid import Floats, Mask
from nodes.engine import Device
from nodes.filling.moving.steps import MARGIN, Step, step
from nodes.filling.moving.views import MotionView, full_window, motion_view, shrink_for
from nodes.filling.shot import HoledShot, Look
from nodes.filling.view import widened
from nodes.footage.frame import Frame
from nodes.footage.window import Window

SEEN_WITH = ("exposure",)


class Band(NamedTuple):
    """Light `[h,w,3]` around the holes of a frame, over full `window`, and where it is background."""

    window: Window
    light: NDArray[np.float16] | Floats
    real: Mask


class _Seen(NamedTuple):
    view: MotionView | None
    band: Band | None
    notes: list[str]


class Surroundings:
    """The shot around a frame whose format is that of `like`; what is kept depends on no frame that asks."""

    def __init__(self, look: Look, shot: HoledShot, device: Device, digests: dict[int, str] | None = None) -> None:
        self.look, self.shot, self.device = look, shot, device
        self.shrink = shrink_for(look.source.display_window)
        self._seen: dict[int, _Seen] = {}
        self._digests = {} if digests is None else digests

    def around(self, look: Look, shot: HoledShot) -> Surroundings:
        """The same footage around another frame of the format, with notes of its own."""
        return Surroundings(look, shot, self.device, self._digests)

    @property
    def like(self) -> Frame:
        return self.look.source

    def view(self, frame: int) -> MotionView | None:
        """None, with a note, where a frame cannot be looked at."""
        return self._see(frame).view

    def next_view(self, frame: int, direction: int) -> MotionView | None:
        """The frame beside one, the nearest that can be looked at; None beyond the end of the shot."""
        place = self.shot.place(frame)
        while 0 <= (place := place + direction) < len(self.shot.frames):
            found = self.view(self.shot.frames[place])
            if found is not None:
                return found
        return None

    def step(self, here: MotionView, there: MotionView) -> Step | None:
        key = " ".join(["step", self.digest(here.frame), self.digest(there.frame)])
        return self.device.kept(key, lambda: [step(here, there)])[0]

    def digest(self, frame: int) -> str:
        """Equal for frames that show the same, with the same holes."""
        if frame not in self._digests:
            self._digests[frame] = self.shot.key("view", [frame], self.like, SEEN_WITH)
        return self._digests[frame]

    def light_around(self, frame: int, wanted: Window) -> Band:
        """Light of a frame that covers `wanted`, as far as the frame has it."""
        band = self._see(frame).band
        if band is not None and _covers(band.window, wanted.intersect(self._data_window(frame))):
            return band
        look = self.shot.look_aside(frame, self.like)
        assert look is not None
        return _band(look, wanted.intersect(look.source.data_window))

    def _data_window(self, frame: int) -> Window:
        seen = self._see(frame).view
        assert seen is not None
        return full_window(seen.window, self.shrink)

    def _see(self, frame: int) -> _Seen:
        if frame not in self._seen:
            self._seen[frame] = self.device.kept(self.digest(frame), lambda: self._look_at(frame))
            for note in self._seen[frame].notes:
                self.shot.note(note)
        return self._seen[frame]

    def _look_at(self, frame: int) -> _Seen:
        alone = HoledShot(self.shot.params, self.shot.inputs)
        look = self.look if frame == self.look.frame else alone.look_aside(frame, self.like)
        if look is None:
            return _Seen(None, None, alone.notes)
        found = motion_view(look, self.shrink, self.shot.params["exposure"])
        band = None
        if found is not None:
            around = full_window(widened(found.core, MARGIN, found.window), self.shrink)
            band = _band(look, around.intersect(look.source.data_window))
        if frame != self.look.frame:
            self.shot.forget(frame)
        return _Seen(found, band, alone.notes)


def _band(look: Look, window: Window) -> Band:
    light, real = look.background(window)
    with np.errstate(over="ignore"):
        half = light.astype(np.float16)
    exact = np.array_equal(half.astype(np.float32), light)
    return Band(window, half if exact else light, real)


def _covers(window: Window, wanted: Window) -> bool:
    return wanted.empty or window.intersect(wanted) == wanted
