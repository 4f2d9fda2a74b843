"""What the frames before and after show of the same place, moved until both agree.

Where a hole hides the background its motion is only guessed, so each side arrives a little off: too far into the one
direction what comes from before, into the other what comes from after, as far as each was carried. Found as motion
from the one to the other, the difference is taken out in proportion, which is where the thing really is in between.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.motion import EightBit, Way, shift, stay
from nodes.aligning.grid import Floats, Mask
from nodes.filling.moving.trails import NOWHERE, Revealed
from nodes.filling.moving.views import MotionView, at, part
from nodes.footage.window import Window

# Blur in pixels of the share of the way at which the two meet, and the side of the patches by which they are compared.
SOFT_SHARE = 3.0
PATCH = 5
ROUNDS = 4


class ShownSide(NamedTuple):
    """`which` `[h,w]` station of a walk shows a pixel, or NOWHERE, and at which of the places `[h,w,2]` of the frame
    itself, counted from the window's corner, the walk has to be asked for it."""

    revealed: Revealed
    which: NDArray[np.int16]
    asked: Way


class Met(NamedTuple):
    """Both sides, and how little they look alike `[h,w]`, 0..1; 0 where only one shows anything."""

    before: ShownSide
    after: ShownSide
    differ: Floats


def meet(view: MotionView, window: Window, hole: Mask, before: Revealed, after: Revealed) -> Met:
    """`hole` `[h,w]` over `window` of a frame, and what both sides show of it."""
    here = stay(window.height, window.width)
    both = before.where & after.where
    own = part(view.codes, view.window, window)
    left, right = (_shown(own, side, window) for side in (before, after))
    left = np.where((after.where & ~before.where)[..., None], right, left)
    right = np.where((before.where & ~after.where)[..., None], left, right)
    share = _share(before, after, both, hole)
    soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 1.0)[..., None]
    forth, back = (shift(_grey(a), _grey(b), care="fine") * soft for a, b in ((left, right), (right, left)))
    tries: list[tuple[Way, Way]] = [(here, here)]
    one = _origin(here, forth, share)
    tries.append((one, here + (1 - share)[..., None] * _at(forth, one)))
    other = _origin(here, back, 1 - share)
    tries.append((here + share[..., None] * _at(back, other), other))
    off = np.stack([_unlike(_at(left, a), _at(right, b)) for a, b in tries])
    pick = off.argmin(0)
    chosen = [np.choose(pick[..., None], ways) for ways in zip(*tries, strict=True)]
    differ = np.where(both, off.min(0) / np.float32(255), np.float32(0))
    return Met(_side(before, chosen[0], here), _side(after, chosen[1], here), differ)


def _shown(own: EightBit, side: Revealed, window: Window) -> Floats:
    """The frame's codes `[h,w,3]` with what the side shows in the hole."""
    shown = own.astype(np.float32)
    for number in np.unique(side.which[side.where]):
        station = side.walk.station(int(number))
        assert station is not None
        there = side.which == number
        shown[there] = at(station.view.codes, station.view.window, station.places)[there]
    return shown


def _share(before: Revealed, after: Revealed, both: Mask, hole: Mask) -> Floats:
    """How far on the way from before to after the frame is."""
    total = np.where(both, before.which + after.which, 1)
    share = np.where(both, before.which / total, np.where(before.where | ~hole, 0, 1)).astype(np.float32)
    weight = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), SOFT_SHARE)
    blurred = cv2.GaussianBlur(share * hole, (0, 0), SOFT_SHARE) / np.maximum(weight, np.float32(1e-6))
    return np.asarray(blurred, np.float32)


def _origin(here: Way, motion: Way, share: Floats) -> Way:
    """Where that was which a share of the motion brings to each pixel."""
    place = here
    for _ in range(ROUNDS):
        place = here - share[..., None] * _at(motion, place)
    return np.asarray(place, np.float32)


def _at(image: Floats, places: Way) -> Floats:
    return np.asarray(at(image, Window(0, 0, image.shape[1], image.shape[0]), places), np.float32)


def _grey(codes: Floats) -> EightBit:
    return np.asarray(cv2.cvtColor(np.asarray(codes + 0.5, np.uint8), cv2.COLOR_RGB2GRAY), np.uint8)


def _unlike(one: Floats, other: Floats) -> Floats:
    return np.asarray(cv2.blur(np.abs(one - other).mean(-1), (PATCH, PATCH)), np.float32)


def _side(side: Revealed, asked: Way, here: Way) -> ShownSide:
    """What shows a pixel at the place where it is asked; beyond what the side shows, as if it had not moved."""
    x, y = (np.clip(np.rint(asked[..., i]).astype(int), 0, asked.shape[1 - i] - 1) for i in (0, 1))
    which = side.which[y, x]
    lost = (which == NOWHERE) & side.where
    return ShownSide(
        side, np.where(lost, side.which, np.where(side.where, which, NOWHERE)), np.where(lost[..., None], here, asked)
    )
