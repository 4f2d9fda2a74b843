"""Background as one or several frames show it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nodes.aligning.grid import Floats, Mask
from nodes.footage.window import Window


class Seen(NamedTuple):
    """Light `[h,w,3]`, 0 where nothing was seen; where something was; and the share `[h,w]` of a single frame's grain,
    as a variance, that is left in it."""

    light: Floats
    where: Mask
    grain: Floats

    def part(self, where: tuple[slice, slice]) -> Seen:
        return Seen(self.light[where], self.where[where], self.grain[where])


def nothing(window: Window) -> Seen:
    shape = window.height, window.width
    return Seen(np.zeros((*shape, 3), np.float32), np.zeros(shape, bool), np.zeros(shape, np.float32))


def median_of_seen(light: Floats, seen: Mask, nearest: int | None = None) -> Seen:
    """Per pixel and channel the median of what was seen.

    light: `[n,h,w,3]`; seen: `[n,h,w]`. Of more than `nearest` views of a pixel only the first `nearest` count.
    """
    if nearest is not None:
        seen = seen & (np.cumsum(seen, axis=0) <= nearest)
    counts = seen.sum(axis=0)
    ordered = np.sort(np.where(seen[..., None], light, np.float32(np.inf)), axis=0)
    low, high = ((np.maximum(counts, 1) - 1) // 2, np.maximum(counts, 1) // 2)
    pick = [np.take_along_axis(ordered, index[None, ..., None], axis=0)[0] for index in (low, high)]
    any_seen = counts > 0
    values = np.where(any_seen[..., None], (pick[0] + pick[1]) * np.float32(0.5), 0).astype(np.float32)
    # A median of many has pi / 2 times the variance of their mean, one of one or two is the mean.
    share = np.where(counts > 2, np.pi / 2 / np.maximum(counts, 2), 1 / np.maximum(counts, 1))
    return Seen(values, any_seen, np.asarray(share * any_seen, np.float32))
