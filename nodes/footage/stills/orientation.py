"""Stills that are stored turned, as cameras and scanners do, are turned upright (TIFF 6.0, "Orientation")."""

from __future__ import annotations

import numpy as np

from nodes.footage.frame import Pixels
from nodes.footage.window import Window

UPRIGHT = 1
# Orientation -> (rows and columns change places first, then rows run backwards, columns run backwards).
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def swaps_sides(orientation: int) -> bool:
    """Whether width and height change places."""
    return _TURNS.get(orientation, _TURNS[UPRIGHT])[0]


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Pixels `[height, width, channels]` as they are to be seen; unknown orientations are upright."""
    swapped, down, across = _TURNS.get(orientation, _TURNS[UPRIGHT])
    out = pixels.swapaxes(0, 1) if swapped else pixels
    return np.ascontiguousarray(out[:: -1 if down else 1, :: -1 if across else 1])


def turned_window(window: Window, display: Window, orientation: int) -> Window:
    """Where a window of the display window lies when that is turned; the display window keeps its top left corner."""
    swapped, down, across = _TURNS.get(orientation, _TURNS[UPRIGHT])
    x, y, width, height = window.x - display.x, window.y - display.y, window.width, window.height
    full_width, full_height = display.width, display.height
    if swapped:
        x, y, width, height, full_width, full_height = y, x, height, width, full_height, full_width
    if down:
        y = full_height - y - height
    if across:
        x = full_width - x - width
    return Window(display.x + x, display.y + y, width, height)
