"""Pixels of other frames, sampled once at the places that motion leads to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np

from models.motion import Way
from nodes.aligning.grid import Floats, Mask
from nodes.aligning.warp import limited_cubic
from nodes.filling.follow import KEPT_GRAIN
from nodes.filling.mask import bounds
from nodes.filling.moving.meeting import Met, ShownSide
from nodes.filling.moving.surroundings import Band
from nodes.filling.moving.trails import NOWHERE
from nodes.filling.moving.views import MotionView, at, full_places, full_window, part
from nodes.filling.seen import Seen
from nodes.filling.view import widened
from nodes.footage.window import Window

# Pixels of light over which its level is compared, and the share of it that is taken for granted.
LEVEL_SIGMA = 20.0
CERTAIN = 0.02
LARGEST_GAIN = 4.0
FILTER = 3
# How many frames away something is trusted half as much, and by how much (of 0..1) what is seen from both sides differs
# that is trusted as little.
LONG_AGO, DOUBTFUL = 24.0, 0.1


class Piece(NamedTuple):
    """Where (`mask` `[h,w]`) the places `[h,w,2]` of a frame are shown, whether it is one before or after, and how many
    frames away."""

    view: MotionView
    before: bool
    number: int
    mask: Mask
    places: Way


def pieces(met: Met, window: Window) -> list[Piece]:
    """What is shown of a hole over `window`: the frame nearer in time, of two as near that before."""
    nowhere = np.iinfo(np.int16).max
    before, after = (np.where(side.which == NOWHERE, nowhere, side.which) for side in (met.before, met.after))
    first = (before != nowhere) & (before <= after)
    sides = (met.before, True, first), (met.after, False, ~first)
    return [piece for side, is_before, mask in sides for piece in _pieces_of(side, is_before, mask, window)]


def _pieces_of(side: ShownSide, before: bool, wanted: Mask, window: Window) -> list[Piece]:
    corner = Window(0, 0, window.width, window.height)
    found = []
    for number in np.unique(side.which[wanted & (side.which != NOWHERE)]):
        station = side.revealed.walk.station(int(number))
        assert station is not None
        places = at(station.places, corner, side.asked)
        found.append(Piece(station.view, before, station.number, wanted & (side.which == number), places))
    return found


def gain_for(own: MotionView, piece: Piece, window: Window) -> Floats:
    """What the light of a piece's frame is multiplied with, `[h,w,3]`, so that its surroundings match the frame's."""
    there = piece.view
    both = ~part(own.hidden, own.window, window) & ~there.hides(piece.places)
    if not both.any():
        return np.ones((window.height, window.width, 3), np.float32)
    ours = own.encoding.light(part(own.codes, own.window, window).astype(np.float32) / np.float32(255))
    codes = np.asarray(at(there.codes, there.window, piece.places), np.float32)
    theirs = there.encoding.light(codes / np.float32(255))
    overall = ours[both].mean(0) / np.maximum(theirs[both].mean(0), np.float32(1e-6))
    level = np.float32(CERTAIN) * theirs[both].mean(0)
    weight = both.astype(np.float32)[..., None]
    above = cv2.GaussianBlur(ours * weight, (0, 0), LEVEL_SIGMA) + level * overall
    below = cv2.GaussianBlur(theirs * weight, (0, 0), LEVEL_SIGMA) + level
    return np.asarray(np.clip(above / np.maximum(below, 1e-9), 1 / LARGEST_GAIN, LARGEST_GAIN), np.float32)


class Gathered(NamedTuple):
    """What other frames show of full pixels; where `found` `[h,w,3]`: before, after, elsewhere; and how far each is to
    be trusted, `[h,w]`, 0..1."""

    seen: Seen
    found: Floats
    trust: Floats


def gather(
    shown: list[tuple[Piece, Floats]],
    differ: Floats,
    window: Window,
    shrink: int,
    box: Window,
    light_around: Callable[[int, Window], Band],
) -> Gathered:
    """What the pieces, which cover small `window`, each with its gain, show of the full `box`. `differ` `[h,w]`, 0..1,
    says how little the frames before and after look alike."""
    light = np.zeros((box.height, box.width, 3), np.float32)
    where = np.zeros((box.height, box.width), bool)
    found, trust = np.zeros_like(light), np.zeros(where.shape, np.float32)
    alike = np.exp(-differ / np.float32(DOUBTFUL))
    for piece, gain in shown:
        small = widened(bounds(piece.mask, window), 1, window)
        full = full_window(small, shrink)
        shared = full.intersect(box)
        if shared.empty:
            continue
        inside = shared.slices_in(full)
        mask = _each_as_full(part(piece.mask, window, small), shrink)[inside]
        if not mask.any():
            continue
        places = full_places(part(piece.places, window, small), small, shrink)[inside]
        wanted = _window_around(places[mask])
        seen, real = sampled(_within(light_around(piece.view.frame, wanted), wanted), places)
        gains = cv2.resize(part(gain, window, small), (full.width, full.height), interpolation=cv2.INTER_LINEAR)
        lit, new = seen * gains[inside], mask & real
        here = shared.slices_in(box)
        light[here][new], found[here][..., 0 if piece.before else 1][new] = lit[new], 1
        trust[here][new] = _each_as_full(part(alike, window, small), shrink)[inside][new] / (
            1 + piece.number / LONG_AGO
        )
        where[here] |= new
    return Gathered(Seen(light, where, np.where(where, np.float32(KEPT_GRAIN), np.float32(0))), found, trust)


def _each_as_full(image: Any, shrink: int) -> Any:
    return image.repeat(shrink, 0).repeat(shrink, 1)


def sampled(band: Band, places: Way) -> tuple[Floats, Mask]:
    """Light `[h,w,3]` of a band at full places `[h,w,2]`, and where it is real.

    Bicubic, limited to the least and greatest of the pixels around, so that a lamp has no dark ring.
    """
    light: Any = np.asarray(band.light, np.float32)
    here: Any = places - np.array([band.window.x, band.window.y], np.float32)
    nothing: Any = None

    def taken(image: Any, how: int) -> Any:
        return cv2.remap(image, here, nothing, how, borderMode=cv2.BORDER_REPLICATE)

    outside: Any = cv2.dilate((~band.real).astype(np.uint8), np.ones((3, 3), np.uint8))
    real = cv2.remap(outside, here, nothing, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=[1.0])
    return np.asarray(limited_cubic(light, taken), np.float32), np.asarray(real == 0)


def _within(band: Band, wanted: Window) -> Band:
    """A band without what nobody asks for."""
    window = band.window.intersect(wanted)
    where = window.slices_in(band.window)
    return band if window.empty else Band(window, band.light[where], band.real[where])


def _window_around(places: Way) -> Window:
    low, high = np.floor(places.min(0)).astype(int) - FILTER, np.ceil(places.max(0)).astype(int) + FILTER
    return Window(int(low[0]), int(low[1]), int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)
