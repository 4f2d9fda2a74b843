"""The motion of the background from a frame to the one beside it, continued smoothly where a hole hides it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.membrane import membrane
from models.motion import EightBit, Way, enlarged_shift, shift, stay
from nodes.aligning.features import MATCH_RADIUS, homography_of, match
from nodes.aligning.grid import Floats, Mask, grid_matrix
from nodes.cuts import same_shot
from nodes.filling.moving.views import SMALLEST, MotionView, at, part, places_of
from nodes.filling.view import widened
from nodes.footage.window import Window

# Pixels around the holes in which motion is found.
MARGIN = 40
# By how much the picture is made smaller to find where it all moves.
COARSE = 4
# Matched details of one motion that are no accident.
FEWEST_DETAILS = 12
# Motion that leads back further than this from where it began is no motion of what is seen there.
ASTRAY = 1.5
BESIDE = 2
# Pixels across which motion is thought to change little.
CELL = 4
# Of motion that one perspective explains: every how many pixels of it are looked at, how many there must be, how near
# they must lie, and which share of them; and how far off, from and to, something is of another depth.
THINNED, FEWEST, AGREE, ENOUGH = 6, 40, 0.5, 0.25
ON_PLANE = 0.05, 0.2
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
    guess = coarse - move.astype(np.float32)
    own, other = _each_by_the_other(
        (part(here.grey, here.window, window), part(here.hidden, here.window, window)),
        (part(there.grey, there.window, beyond), part(there.hidden, there.window, beyond)),
        guess,
    )
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


def _each_by_the_other(
    own: tuple[EightBit, Mask], other: tuple[EightBit, Mask], guess: Way
) -> tuple[EightBit, EightBit]:
    """Two pictures, each with what hides it: there with what the other shows, so that no hole seems to move."""
    corner = Window(0, 0, guess.shape[1], guess.shape[0])
    places = places_of(corner)
    first = np.where(own[1], at(other[0], corner, places + guess), own[0])
    return first, np.where(other[1], at(own[0], corner, places - guess), other[0])


def continued(motion: Way, sure: Mask) -> Way:
    """`motion` `[h,w,2]` where it is `sure` `[h,w]`, somewhere at least, and its continuation elsewhere.

    What one perspective explains is continued as that; what differs from it, as with depth, is continued smoothly.
    """
    height, width = sure.shape
    plane = perspective(motion, sure)
    size: tuple[int, int] = max(1, width // CELL), max(1, height // CELL)
    weight = np.asarray(cv2.resize(sure.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
    summed = np.asarray(cv2.resize((motion - plane) * sure[..., None], size, interpolation=cv2.INTER_AREA), np.float32)
    known = weight > 0
    apart = np.divide(summed, np.maximum(weight, np.float32(1e-6))[..., None])
    far = np.linalg.norm(apart, axis=-1, keepdims=True)
    apart = np.asarray(apart * np.clip((far - ON_PLANE[0]) / (ON_PLANE[1] - ON_PLANE[0]), 0, 1), np.float32)
    apart = cv2.resize(membrane(apart, known), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(sure[..., None], motion, plane + apart)


def perspective(motion: Way, sure: Mask) -> Way:
    """The motion `[h,w,2]` of the plane that most of what is `sure` agrees with; that of their middle without one."""
    places = stay(*sure.shape)
    thinned = np.zeros_like(sure)
    thinned[::THINNED, ::THINNED] = sure[::THINNED, ::THINNED]
    middle = np.median(motion[sure], axis=0)
    here, there = places[thinned], (places + motion)[thinned]
    if len(here) >= FEWEST:
        matrix, agree = cv2.findHomography(here, there, cv2.RANSAC, AGREE)
        if matrix is not None and agree.mean() >= ENOUGH:
            led = cv2.perspectiveTransform(places.reshape(-1, 1, 2), matrix).reshape(places.shape)
            return np.asarray(led - places, np.float32)
    return np.broadcast_to(middle, motion.shape).astype(np.float32)


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
    """Roughly where `window` goes: found from no motion and from that of matched details, which neither speed nor a
    pattern that repeats misleads; the one after which the pictures are more alike."""
    form = here.window
    small = Window(0, 0, max(SMALLEST, form.width // COARSE), max(SMALLEST, form.height // COARSE))
    own, other = (_thinned(image, small) for image in (here.grey, part(there.grey, there.window, form)))
    seen = _thinned((here.hidden | part(there.hidden, there.window, form)).view(np.uint8) * np.uint8(255), small) == 0
    tries = [shift(own, other)]
    guess = _by_details(here, there, small)
    if guess is not None:
        tries += [guess, shift(own, other, guess)]
    off = [np.abs(at(other, small, places_of(small) + way).astype(np.float32) - own) for way in tries]
    best = tries[int(np.argmin([one[seen].mean() if seen.any() else one.mean() for one in off]))]
    return np.asarray(part(enlarged_shift(best, form.height, form.width), form, window))


def _by_details(here: MotionView, there: MotionView, small: Window) -> Way | None:
    """The motion `[h,w,2]` of the plane that matched details agree on, for the whole picture made `small`."""
    size = max(here.window.width, here.window.height)
    matrix, agreeing = homography_of(*match(there.details, here.details, MATCH_RADIUS * size))
    if matrix is None or agreeing < FEWEST_DETAILS:
        return None
    down = grid_matrix((here.window.height, here.window.width), (small.height, small.width))
    places = places_of(small)
    led = cv2.perspectiveTransform(places.reshape(-1, 1, 2), down @ matrix @ np.linalg.inv(down))
    return np.asarray(led.reshape(places.shape) - places, np.float32)


def _thinned(image: EightBit, small: Window) -> EightBit:
    return np.asarray(cv2.resize(image, (small.width, small.height), interpolation=cv2.INTER_AREA), np.uint8)


def _beside(hidden: Mask) -> Mask:
    """Also what is near enough to a hole for its motion to be mixed up with that of what is removed."""
    side = 2 * BESIDE + 1
    return np.asarray(cv2.dilate(hidden.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def _roomy(window: Window, within: Window) -> Window:
    """At least as large as motion needs."""
    width, height = max(window.width, SMALLEST), max(window.height, SMALLEST)
    return Window(min(window.x, within.right - width), min(window.y, within.bottom - height), width, height)
