"""The motion of the background from a frame to the one beside it, continued smoothly where a hole hides it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.membrane import membrane
from models.motion import EightBit, Way, enlarged_shift, shift
from nodes.aligning.grid import Floats, Mask
from nodes.cuts import same_shot
from nodes.filling.moving.views import SMALLEST, MotionView, at, part, places_of
from nodes.filling.view import widened
from nodes.footage.window import Window

# Pixels around the holes in which motion is found.
MARGIN = 40
# By how much the picture is made smaller to find where it all moves.
COARSE = 4
# Motion that leads back further than this from where it began is no motion of what is seen there.
ASTRAY = 1.5
BESIDE = 2
# Pixels across which motion is thought to change little.
CELL = 4
# Detail that is enough to see motion by, and the side of the squares it is taken over; half of what is seen is enough.
DETAIL, DETAIL_SIDE = 10.0, 9


@dataclass(frozen=True, eq=False)
class Step:
    """Where the pixels of `window` of a frame are in the next one: `shift` `[h,w,2]`."""

    window: Window
    shift: Way

    def lead(self, places: Way) -> Way:
        """The places in the next frame of `places` in this one."""
        return np.asarray(places + at(self.shift, self.window, places), np.float32)


def step(here: MotionView, there: MotionView) -> Step | None:
    """From the surroundings of a frame's holes to another frame; None over a cut."""
    if same_shot(here.small, there.small, moving=True) is False:
        return None
    window = _roomy(widened(here.core, MARGIN, here.window), here.window)
    coarse = _coarse(here, there, window)
    move = np.rint(np.median(coarse.reshape(-1, 2), axis=0)).astype(int)
    beyond = Window(window.x + int(move[0]), window.y + int(move[1]), window.width, window.height)
    own, other = part(here.grey, here.window, window), part(there.grey, there.window, beyond)
    guess = coarse - move.astype(np.float32)
    found = shift(own, other, guess, "fine") + move.astype(np.float32)
    back = shift(other, own, -guess, "fine") - move.astype(np.float32)
    led = places_of(window) + found
    returned = np.abs(found + at(back, beyond, led)).max(-1)
    unsure = _beside(part(here.hidden, here.window, window)) | (returned > ASTRAY)
    unsure |= there.hides(led)
    if unsure.all():
        return Step(window, coarse)
    detail = detail_of(own)
    unsure |= detail < min(DETAIL, float(np.median(detail[~unsure])))
    return Step(window, continued(found, ~unsure))


def continued(motion: Way, sure: Mask) -> Way:
    """`motion` `[h,w,2]` where it is `sure` `[h,w]`, somewhere at least, and its smooth continuation elsewhere."""
    height, width = sure.shape
    size: tuple[int, int] = max(1, width // CELL), max(1, height // CELL)
    weight = np.asarray(cv2.resize(sure.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
    summed = np.asarray(cv2.resize(motion * sure[..., None], size, interpolation=cv2.INTER_AREA), np.float32)
    known = weight > 0
    coarse = membrane(np.divide(summed, np.maximum(weight, np.float32(1e-6))[..., None]), known)
    return np.where(sure[..., None], motion, cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))


def detail_of(grey: EightBit) -> Floats:
    """How much detail a picture has across as well as down, by which motion is seen: the smaller eigenvalue of the
    structure tensor (Shi and Tomasi, CVPR 1994), in squares of codes per pixel."""
    image = grey.astype(np.float32)
    x, y = (cv2.Sobel(image, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    side = (DETAIL_SIDE, DETAIL_SIDE)
    xx, yy, xy = (cv2.blur(product, side) for product in (x * x, y * y, x * y))
    smaller = (xx + yy) / 2 - np.sqrt(np.square((xx - yy) / 2) + np.square(xy))
    return np.asarray(smaller, np.float32)


def _coarse(here: MotionView, there: MotionView, window: Window) -> Way:
    """Roughly where `window` goes, from all of the picture."""
    size = max(SMALLEST, here.window.width // COARSE), max(SMALLEST, here.window.height // COARSE)
    own = cv2.resize(here.grey, size, interpolation=cv2.INTER_AREA)
    other = cv2.resize(part(there.grey, there.window, here.window), size, interpolation=cv2.INTER_AREA)
    whole = enlarged_shift(
        shift(np.asarray(own, np.uint8), np.asarray(other, np.uint8)), here.window.height, here.window.width
    )
    return np.asarray(part(whole, here.window, window))


def _beside(hidden: Mask) -> Mask:
    """Also what is near enough to a hole for its motion to be mixed up with that of what is removed."""
    side = 2 * BESIDE + 1
    return np.asarray(cv2.dilate(hidden.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def _roomy(window: Window, within: Window) -> Window:
    """At least as large as motion needs."""
    width, height = max(window.width, SMALLEST), max(window.height, SMALLEST)
    return Window(min(window.x, within.right - width), min(window.y, within.bottom - height), width, height)
