"""The pixels of a hole followed from frame to frame until nothing hides them any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.motion import Way
from nodes.aligning.grid import Mask
from nodes.filling.moving.steps import Step
from nodes.filling.moving.views import MotionView, places_of
from nodes.footage.window import Window

NOWHERE = -1
NextView = Callable[[int, int], MotionView | None]
FindStep = Callable[[MotionView, MotionView], Step | None]


class Station(NamedTuple):
    """A frame on the way, the `number`th from the first one, and where the first one's pixels are in it."""

    view: MotionView
    number: int
    places: Way


class Walk:
    """The way of all pixels of `window` of a frame, into one direction (-1 or 1), as far as somebody asks for.

    `next_view` names the frame beside one that can be looked at, `find_step` the motion between two.
    """

    def __init__(
        self, start: MotionView, window: Window, direction: int, next_view: NextView, find_step: FindStep
    ) -> None:
        self.direction, self.next_view, self.find_step = direction, next_view, find_step
        self.stations = [Station(start, 0, places_of(window))]
        self._ended = False

    def station(self, number: int) -> Station | None:
        """The frame so many away; None beyond the end of the shot."""
        while len(self.stations) <= number and not self._ended:
            self._go_on()
        return self.stations[number] if number < len(self.stations) else None

    def _go_on(self) -> None:
        last = self.stations[-1]
        view = self.next_view(last.view.frame, self.direction)
        step = None if view is None else self.find_step(last.view, view)
        if view is None or step is None:
            self._ended = True
        else:
            self.stations.append(Station(view, last.number + 1, step.lead(last.places)))


class Revealed(NamedTuple):
    """What one side shows: `which` `[h,w]` of the walk's stations shows a pixel first, or NOWHERE."""

    walk: Walk
    which: NDArray[np.int16]

    @property
    def where(self) -> Mask:
        return np.asarray(self.which != NOWHERE)


def reveal(walk: Walk, hole: Mask, reach: int) -> Revealed:
    """Follows the pixels of a hole `[h,w]` over at most `reach` frames."""
    which = np.full(hole.shape, NOWHERE, np.int16)
    left = hole.copy()
    number = 0
    while left.any() and number < reach and (station := walk.station(number + 1)) is not None:
        number = station.number
        free = ~station.view.hides(station.places)
        which[left & free] = number
        left &= ~free & _inside(station)
    return Revealed(walk, which)


def _inside(station: Station) -> Mask:
    window = station.view.window
    low = np.array([window.x, window.y], np.float32)
    high = low + np.array([window.width - 1, window.height - 1], np.float32)
    return np.asarray(((station.places >= low) & (station.places <= high)).all(-1))
