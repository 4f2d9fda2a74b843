"""What motion is found on: a frame made small, its holes covered smoothly.

Windows and places in this room are in small pixels unless they are called full. A small pixel covers `shrink` by
`shrink` full ones, counted from the origin that EXR windows have, so that frames of any data window share one grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from models.membrane import membrane
from models.motion import EightBit, Way, enlarged_shift, stay
from nodes.aligning.features import FeaturePoints, detect
from nodes.aligning.grid import Floats, Mask, contrast_normalised
from nodes.cuts import SmallFrame, view_of
from nodes.filling.exposure import Encoding, choose_encoding
from nodes.filling.mask import bounds, hidden
from nodes.filling.shot import Look
from nodes.filling.view import widened
from nodes.footage.window import Window

# Longer side at which motion is found; finer costs more than it brings.
LONGER_SIDE = 1000
# Small pixels beside a hole that are not looked at: what was removed shines into them.
RIM = 2
SMALLEST = 32
# Longer side at which details are looked for, and the contrast (of 0..1) below which there are none.
DETAILS_SIDE, FLOOR = 360, 0.01
# Every how many pixels light is measured, and how many of them around a hole its cover hangs on.
THINNED, AROUND = 4, 8


@dataclass(frozen=True, eq=False)
class MotionView:
    """`codes` uint8 `[h,w,3]` over `window`, light as `encoding` shows it; `hidden` `[h,w]` is what must not be looked
    at, and there `codes` are a smooth cover; `core` is the window around the holes."""

    frame: int
    window: Window
    codes: EightBit
    grey: EightBit
    hidden: Mask
    core: Window
    encoding: Encoding
    small: SmallFrame

    @cached_property
    def details(self) -> tuple[FeaturePoints, Floats]:
        """What can be found again in other views: places in small pixels, and what is there."""
        scale = min(1.0, DETAILS_SIDE / max(self.window.width, self.window.height))
        size = round(self.window.width * scale), round(self.window.height * scale)
        small = np.asarray(cv2.resize(self.grey, size, interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)
        veil = cv2.resize(self.hidden.view(np.uint8) * np.uint8(255), size, interpolation=cv2.INTER_AREA)
        points, kinds = detect(contrast_normalised(small, FLOOR), np.asarray(veil == 0))
        return (points + np.float32(0.5)) / np.float32(scale) - np.float32(0.5), kinds

    def hides(self, places: Way) -> Mask:
        """Which of the places `[h,w,2]` must not be looked at, or are beyond the picture."""
        veil = self.hidden.view(np.uint8) * np.uint8(255)
        return np.asarray(at(veil, self.window, places, beyond=255.0) > 2)


def shrink_for(form: Window) -> int:
    """How many full pixels are one small one, across, for a format."""
    return max(1, round(max(form.width, form.height) / LONGER_SIDE))


def motion_view(look: Look, shrink: int, stops: float) -> MotionView | None:
    """The view of a frame; `stops` is the user's exposure. None where nothing of it can be looked at."""
    window = _small(look.source.data_window, shrink)
    full = full_window(window, shrink)
    light, known = look.background(full)
    share = _reduced(known.astype(np.float32), window)
    small = np.divide(_reduced(light, window), np.maximum(share, np.float32(1e-6))[..., None])
    beside = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    unseen = cv2.dilate((share < 1 - 1e-4).astype(np.uint8), beside) > 0
    if unseen.all():
        return None
    thinned = (slice(None, None, THINNED),) * 2
    thinned = thinned if not unseen[thinned].all() else (slice(None),) * 2
    encoding = choose_encoding(small[thinned], ~unseen[thinned], stops)
    shown = encoding.shown(small)
    holes = _reduced(hidden(look.holes, full).astype(np.float32), window) > 0
    core = widened(bounds(holes, window), RIM, window)
    covered = widened(core, AROUND, window).slices_in(window)
    if not core.empty and not unseen[covered].all():
        shown[covered] = membrane(shown[covered], ~unseen[covered])
    codes = np.asarray(np.clip(shown, 0, 1) * 255 + 0.5, np.uint8)
    grey = np.asarray(cv2.cvtColor(codes, cv2.COLOR_RGB2GRAY), np.uint8)
    form = small_window(look.source.display_window, shrink)
    small_frame = view_of(part(shown, window, form), part(~unseen, window, form))
    return MotionView(look.frame, window, codes, grey, unseen, core, encoding, small_frame)


def part(image: Any, have: Window, want: Window) -> Any:
    """`image`, which covers `have`, over `want`; beyond its border its last pixels."""
    rows = np.clip(np.arange(want.y, want.bottom) - have.y, 0, have.height - 1)
    columns = np.clip(np.arange(want.x, want.right) - have.x, 0, have.width - 1)
    return np.ascontiguousarray(image[rows][:, columns])


def places_of(window: Window) -> Way:
    """The place `[h,w,2]` of each pixel of a window."""
    return stay(window.height, window.width) + np.array([window.x, window.y], np.float32)


def at(image: Any, window: Window, places: Way, beyond: float | None = None) -> Any:
    """`image` over `window` as seen at `places` `[h,w,2]`; off its edge its last pixels, or `beyond`."""
    edge = cv2.BORDER_REPLICATE if beyond is None else cv2.BORDER_CONSTANT
    here = places - np.array([window.x, window.y], np.float32)
    return cv2.remap(image, here, None, cv2.INTER_LINEAR, borderMode=edge, borderValue=[beyond or 0.0] * 4)  # type: ignore[call-overload]


def full_window(window: Window, shrink: int) -> Window:
    """The full pixels that a window covers."""
    return Window(window.x * shrink, window.y * shrink, window.width * shrink, window.height * shrink)


def small_window(full: Window, shrink: int) -> Window:
    """The window that covers full pixels."""
    left, top = full.x // shrink, full.y // shrink
    return Window(left, top, -(-full.right // shrink) - left, -(-full.bottom // shrink) - top)


def full_places(places: Way, window: Window, shrink: int) -> Way:
    """Places `[h,w,2]` over `window`, in full pixels and for each full pixel that it covers."""
    if shrink == 1:
        return places
    full = full_window(window, shrink)
    moved = enlarged_shift(places - places_of(window), full.height, full.width)
    return places_of(full) + moved


def _small(full: Window, shrink: int) -> Window:
    found = small_window(full, shrink)
    return Window(found.x, found.y, max(SMALLEST, found.width), max(SMALLEST, found.height))


def _reduced(image: Floats, window: Window) -> Floats:
    small = cv2.resize(image, (window.width, window.height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)
