"""Whether two frames are of one shot: what both show must agree in its detail, whatever the exposure.

Judged on pictures of a few thousand pixels, so that grain and small movements do not count.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from nodes.aligning.grid import Floats, Mask

# Longer side of what is compared, and up to which size something is detail, as a share of it.
SIDE = 64
LARGEST_DETAIL = 1 / 16
# Correlation of the detail from which on two frames are of one shot: with the camera still, and searched within REACH
# of each other. Filmed frames of different shots stay below 0.22 and 0.35; one shot from frame to frame above 0.58.
STILL, MOVED = 0.25, 0.45
REACH = 0.15
# Standard deviation of detail (of 0..1) below which there is none, and by how much the levels may then differ.
FAINT = 0.006
LEVELS = 0.1
# Pixels that both must show.
FEWEST = 64


class SmallFrame(NamedTuple):
    """A frame made small: its detail `[h,w]`, 0 where nothing is seen; where something is; its levels `[h,w,3]`."""

    detail: Floats
    seen: Mask
    levels: Floats


def view_of(shown: Floats, seen: Mask) -> SmallFrame:
    """The view of a display-encoded picture `[H,W,3]`, 0..1, where it is `seen` `[H,W]`."""
    height, width = seen.shape
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    share = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    levels = cv2.resize(np.where(seen[..., None], shown, np.float32(0)), size, interpolation=cv2.INTER_AREA)
    there: Mask = np.asarray(share > 0.5)
    levels = np.where(there[..., None], levels / np.maximum(share, 0.5)[..., None], np.float32(0)).astype(np.float32)
    grey, sigma = levels.mean(axis=2), max(size) * LARGEST_DETAIL
    weight = cv2.GaussianBlur(there.astype(np.float32), (0, 0), sigma)
    coarse = cv2.GaussianBlur(grey, (0, 0), sigma) / np.maximum(weight, 1e-6)
    detail: Floats = np.asarray(np.where(there, grey - coarse, np.float32(0)), np.float32)
    return SmallFrame(detail, there, np.asarray(levels, np.float32))


def same_shot(one: SmallFrame, other: SmallFrame, moving: bool = False) -> bool | None:
    """Whether two views of one format are of the same shot; `moving` allows for a camera that moves between them.

    None where they show too little of the same place to tell.
    """
    both = one.seen & other.seen
    if np.count_nonzero(both) < min(FEWEST, both.size // 2):
        return None
    faint = [float(view.detail[both].std()) < FAINT for view in (one, other)]
    if all(faint):
        difference = np.median(one.levels[both], axis=0) - np.median(other.levels[both], axis=0)
        return bool(np.abs(difference).max() < LEVELS) if moving else True
    if any(faint):
        return False
    return _searched(one, other) > MOVED if moving else _in_place(one, other, both) > STILL


def _in_place(one: SmallFrame, other: SmallFrame, both: Mask) -> float:
    a, b = one.detail[both].astype(np.float64), other.detail[both].astype(np.float64)
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def _searched(one: SmallFrame, other: SmallFrame) -> float:
    """The middle of each is looked for in the other."""
    height, width = one.detail.shape
    rows, columns = (slice(round(REACH * n), n - round(REACH * n)) for n in (height, width))
    return max(
        float(np.nan_to_num(cv2.matchTemplate(there.detail, here.detail[rows, columns], cv2.TM_CCOEFF_NORMED)).max())
        for here, there in ((one, other), (other, one))
    )
