"""What the filler sees of a frame: the hole with its surroundings, at which scale, in which tiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nodes.aligning.grid import Mask
from nodes.filling.mask import Hole, distance_within
from nodes.filling.view import widened
from nodes.footage.window import Window

# A network that was trained on pictures of 256 pixels sees at least that much, where there is so much.
LEAST_SIDE = 256
LEAST_MARGIN = 32
# A network sees this many times the hole's thickness.
SIGHT = 3.0


def thickness(hole: Mask) -> float:
    """Diameter of the largest disc that fits into a hole `[h,w]`, in pixels."""
    distance = distance_within(np.pad(hole, 1))
    return 2 * float(distance.max())


def region_of(hole: Hole, within: Window, context: float) -> Window:
    """The hole's box and, around it, `context` times the hole's thickness, at least a little; cut to `within`."""
    margin = max(LEAST_MARGIN, round(context * thickness(hole.support)))
    box = hole.box
    across = max(margin, (LEAST_SIDE - box.width) // 2)
    down = max(margin, (LEAST_SIDE - box.height) // 2)
    wide = Window(box.x - across, box.y - down, box.width + 2 * across, box.height + 2 * down)
    return _pushed_inside(wide, within)


def ring_of(hole: Hole, within: Window, width: int) -> Window:
    """The hole's box with `width` pixels around it, cut to `within`."""
    return widened(hole.box, width, within)


def scale_for(shape: tuple[int, ...], hole: Mask, side: int) -> float:
    """At which scale, 1 at most, a region `[h,w]` is shown to a network that sees `side` pixels at once.

    Small enough for it to see across the hole, or the whole region at once, whichever is larger: a long wire is seen
    at full size in tiles, a large square hole is made smaller.
    """
    whole = side / max(shape)
    across = side / max(SIGHT * thickness(hole), 1.0)
    return min(1.0, max(whole, across))


def tiles(hole: Mask, side: int) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Tiles of at most `side` pixels that cover a hole `[h,w]`: (what is seen, what of it is kept), row by row.

    What is kept of a tile lies a quarter of it inside, or at the region's border; the parts kept do not overlap.
    Nothing is kept of a tile without a hole, so there is none.
    """
    rows, columns = ([(0, n, 0, n)] if n <= side else list(_spans(n, side)) for n in hole.shape)
    for top, bottom, first_row, last_row in rows:
        for left, right, first_column, last_column in columns:
            kept = slice(first_row, last_row), slice(first_column, last_column)
            if hole[kept].any():
                yield (slice(top, bottom), slice(left, right)), kept


def _spans(length: int, side: int) -> Iterator[tuple[int, int, int, int]]:
    step = max(1, side // 2)
    count = -(-(length - side) // step) + 1
    starts = [round(index * (length - side) / (count - 1)) for index in range(count)]
    for index, start in enumerate(starts):
        first = 0 if index == 0 else (start + starts[index - 1] + side) // 2
        last = length if index == count - 1 else (starts[index + 1] + start + side) // 2
        yield start, start + side, first, last


def _pushed_inside(window: Window, within: Window) -> Window:
    """The window moved into `within` as far as it fits, so that a hole at the border has its surroundings as well."""
    width, height = min(window.width, within.width), min(window.height, within.height)
    x = min(max(window.x, within.x), within.right - width)
    y = min(max(window.y, within.y), within.bottom - height)
    return Window(x, y, width, height)
