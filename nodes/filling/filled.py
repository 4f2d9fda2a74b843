"""A hole that was filled, and how what is missing of it is painted in its frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.aligning.grid import Floats, Mask
from nodes.errors import FrameError
from nodes.filling.fill import Filler
from nodes.filling.grain import Grain
from nodes.filling.mask import Hole, hidden
from nodes.filling.regions import region_of
from nodes.filling.seen import Seen
from nodes.filling.shot import HoledShot, Look

HERE, ELSEWHERE, REVEALED = range(3)
# What a plate or a reference depends on besides the footage, its mask and what is said of that.
FILLING = (
    *("context", "samples", "reach", "referenceEvery", "model", "weights"),
    *("workingSize", "exposure", "precision", "execution"),
)


@dataclass(frozen=True, eq=False)
class Filled:
    """New light `[h,w,3]` for a hole's box; the share `[h,w,3]` of it painted in this frame, painted elsewhere and
    revealed by other frames; and the share `[h,w]` of the plate's grain, as a variance, that it has.

    `found` `[h,w,3]` says which share is real and from frames before, after, or elsewhere, and `trust` `[h,w]` how far
    it can be relied on; without them what is real is from elsewhere, and is trusted. `measured` is the shot's grain as
    seen by comparing frames, where they were compared.
    """

    light: Floats
    origin: Floats
    grain: Floats
    measured: tuple[Grain, ...] = ()
    found: Floats | None = None
    trust: Floats | None = None


def paint_rest(look: Look, hole: Hole, have: Seen, origin: Floats, shot: HoledShot, filler: Filler) -> Filled:
    """A fill whose pixels without light are painted in this frame, from the frame and from what there is."""
    left = hole.support & ~have.where
    if not left.any():
        return Filled(have.light, origin, have.grain)
    region = region_of(hole, look.source.data_window, shot.params["context"])
    around, known = look.background(region)
    broken = np.count_nonzero(~known & ~hidden(look.holes, region))
    if broken:
        shot.note(f"{broken} pixels around the hole are NaN or infinite; they were kept and not looked at")
    inside = hole.box.slices_in(region)
    given = hole.support & have.where
    around[inside][given], known[inside][given] = have.light[given], True
    if not known.any():
        raise FrameError(
            f"the mask covers the whole picture at frame {look.frame}: nothing is left to fill the hole from; check "
            "the mask, or raise maskThreshold"
        )
    painted = filler.fill(np.where(known[..., None], around, np.float32(0)), known)
    return Filled(
        np.where(left[..., None], painted.light[inside], have.light),
        np.where(left[..., None], origin_of(HERE, left), origin),
        np.where(left, np.float32(painted.grain), have.grain),
    )


def origin_of(kind: int, where: Mask) -> Floats:
    out = np.zeros((*where.shape, 3), np.float32)
    out[..., kind] = where
    return out
