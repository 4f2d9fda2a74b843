"""Closes holes that a network leaves in a subject where its colours are near the plate's: a strap, a collar, a pocket.

A true gap shows the plate, perhaps in a shadow; such a hole shows something else. A network that cannot tell from the
colours alone leaves both open, but once a hole is enclosed by the subject its core can be compared with the plate.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nodes.matting.subject_colour import to_cells
from nodes.picture import to_pixels

Floats = NDArray[np.float32]

# Holes are looked at in a picture of half the size.
STEP = 2
# A hole is what is enclosed below this alpha; its core, which tells what shows there, lies below the second one and is
# at least this share of it.
OPEN, CORE = 0.9, 0.2
SMALLEST_CORE = 0.05
# Share of the picture from which on a hole is too large to be a mistake.
LARGEST = 0.01
MOST = 500
# A shadow leaves at least this much of the plate's display-encoded colours.
DARKEST, BRIGHTEST = 0.3, 1.1
# How far the core's colours are from the plate's: up to the first it is the plate, from the second on it is not. To
# both comes twice what source and plate differ by where there is surely no subject.
PLATE, OTHER = 0.012, 0.028
GRAIN = 2.0
RIM = 3


def close_holes(alpha: Tensor, source: Tensor, plate: Tensor, amount: float = 1.0) -> Tensor:
    """`alpha` `[1,1,H,W]` with small enclosed holes closed in which `source` `[1,3,H,W]` does not show `plate`.

    Colours are display-encoded, 0..1. `amount` 0..1 is how far holes are closed.
    """
    if amount <= 0:
        return alpha
    matte = to_pixels(to_cells(alpha, STEP))[..., 0]
    labels, holes = _enclosed(matte)
    if not holes:
        return alpha
    seen, behind = (to_pixels(to_cells(picture, STEP)) for picture in (source, plate))
    usual = GRAIN * _usual_difference(matte, seen, behind)
    closed = np.zeros_like(matte)
    for label, part in holes:
        hole = labels[part] == label
        core = hole & (matte[part] < CORE)
        unlike = _difference(_calm(seen[part], core), _calm(behind[part], core))
        share = np.clip((unlike - usual - PLATE) / (OTHER - PLATE), 0, 1)
        rim = cv2.dilate(hole.astype(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8))
        closed[part] = np.maximum(closed[part], rim * np.float32(share))
    height, width = alpha.shape[-2:]
    full = cv2.resize(closed, (closed.shape[1] * STEP, closed.shape[0] * STEP), interpolation=cv2.INTER_LINEAR)
    weight = torch.from_numpy(full[:height, :width].copy()).to(alpha.device, alpha.dtype)
    return alpha + (1 - alpha) * weight * amount


def _enclosed(matte: Floats) -> tuple[NDArray[np.int32], list[tuple[int, tuple[slice, slice]]]]:
    """Labels `[h,w]`, and of every small hole with a core that does not touch the border its label and surroundings.

    Of a matte that is nothing but holes the MOST largest count.
    """
    count, labels, boxes, _ = cv2.connectedComponentsWithStats((matte < OPEN).astype(np.uint8), connectivity=8)
    height, width = matte.shape
    x, y, w, h, area = boxes.T
    cores = np.bincount(labels[matte < CORE], minlength=count)
    kept = (x > 0) & (y > 0) & (x + w < width) & (y + h < height) & (area <= LARGEST * matte.size)
    kept &= cores >= SMALLEST_CORE * area
    kept[0] = False

    def around(start: int, length: int) -> slice:
        return slice(max(0, start - RIM), start + length + RIM)

    largest = sorted(np.flatnonzero(kept), key=lambda label: -int(area[label]))[:MOST]
    parts = [(int(n), (around(int(y[n]), int(h[n])), around(int(x[n]), int(w[n])))) for n in largest]
    return np.asarray(labels, np.int32), parts


def _usual_difference(matte: Floats, seen: Floats, behind: Floats) -> float:
    """By how much source and plate differ where there is no subject: grain, and what registration left."""
    empty = cv2.erode((matte < 0.01).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    if not empty.any():
        return 0.0
    return float(np.median(np.abs(cv2.blur(seen - behind, (3, 3))[empty]).max(axis=1)))


def _calm(picture: Floats, core: NDArray[np.bool_]) -> Floats:
    """The colours `[N,3]` of a core, each the mean of those beside it that belong to it."""
    weight = core.astype(np.float32)
    total = cv2.blur(picture * weight[..., None], (3, 3))[core]
    return np.asarray(total / cv2.blur(weight, (3, 3))[core][:, None], np.float32)


def _difference(seen: Floats, behind: Floats) -> float:
    """The usual largest difference of colours `[N,3]` from the plate's, as it is or in a shadow."""
    gain = float((seen * behind).sum() / max(float((behind * behind).sum()), 1e-6))
    gains = (1.0, float(np.clip(gain, DARKEST, BRIGHTEST)))
    return min(float(np.median(np.abs(seen - one * behind).max(axis=1))) for one in gains)
