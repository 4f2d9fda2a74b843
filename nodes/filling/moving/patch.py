"""What a hole has so far, while one way after the other is tried to fill it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.membrane import membrane
from nodes.aligning.grid import Floats, Mask
from nodes.filling.filled import HERE, origin_of
from nodes.filling.mask import Hole, distance_within
from nodes.filling.seen import Seen, nothing
from nodes.footage.colour.transfer import decode, encode
from nodes.footage.window import Window

# Pixels from the nearest real one up to which what is missing is a speck, which its surroundings fill.
SPECK = 4.0


class Patch(NamedTuple):
    """What a hole's box has so far: its share `[h,w,3]` painted here, painted elsewhere and real, where that was found,
    and how far it is trusted."""

    seen: Seen
    origin: Floats
    found: Floats
    trust: Floats

    def with_more(self, more: Patch, wanted: Mask) -> Patch:
        """With `more` where nothing was so far."""
        new = wanted & more.seen.where & ~self.seen.where
        seen = Seen(
            np.where(new[..., None], more.seen.light, self.seen.light),
            self.seen.where | new,
            np.where(new, more.seen.grain, self.seen.grain),
        )
        origin, found = (
            np.where(new[..., None], theirs, ours)
            for theirs, ours in ((more.origin, self.origin), (more.found, self.found))
        )
        return Patch(seen, origin, found, np.where(new, more.trust, self.trust))


def empty_patch(box: Window) -> Patch:
    seen = nothing(box)
    return Patch(seen, np.zeros_like(seen.light), np.zeros_like(seen.light), np.zeros_like(seen.grain))


def without_specks(patch: Patch, hole: Hole, shrink: int) -> Patch:
    """A patch whose smallest gaps are closed smoothly: no network is asked for them."""
    left = hole.support & ~patch.seen.where
    specks = left & (distance_within(~patch.seen.where) <= SPECK * shrink)
    if not specks.any():
        return patch
    smooth = decode(membrane(encode(patch.seen.light, "srgb"), patch.seen.where), "srgb")
    empty = empty_patch(hole.box)
    closed = empty._replace(seen=Seen(smooth, specks, empty.seen.grain), origin=origin_of(HERE, specks))
    return patch.with_more(closed, left)
