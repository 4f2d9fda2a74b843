"""Connected pieces of what a network found, judged by how long they are."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray


def too_short(
    found: NDArray[np.bool_], kinds: NDArray[np.integer], shortest: Sequence[float] | NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Where a piece is shorter than what it is taken for can be; bool (h, w).

    found: (h, w), the pixels of all pieces; pixels that touch, also by a corner, are one piece. kinds: (h, w), what
    each pixel is taken for, an index into `shortest`, which says how many pixels the diagonal of a piece's bounding box
    must have. A pixel outside `found`, such as one of a soft rim, belongs to the piece nearest to it.

    >>> found = np.array([[1, 1, 1, 0, 0, 1]], bool)
    >>> too_short(found, np.zeros((1, 6), int), [3.0])[0].tolist()
    [False, False, False, False, True, True]
    """
    if not found.any():
        return np.zeros_like(found)
    _, nearest = cv2.distanceTransformWithLabels(
        (~found).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    needed = np.asarray(shortest, np.float32)[kinds]
    return np.asarray(_lengths(found, np.asarray(nearest, np.int32))[nearest] < needed)


def _lengths(found: NDArray[np.bool_], labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """By label: the diagonal of the bounding box of the found pixels that have it."""
    ys, xs = np.nonzero(found)
    of = labels[ys, xs]
    spans = []
    for at in (ys, xs):
        low = np.full(of.max() + 1, np.iinfo(np.int64).max)
        high = np.full(of.max() + 1, -1)
        np.minimum.at(low, of, at)
        np.maximum.at(high, of, at)
        spans.append(np.where(high >= 0, high - low + 1, 0))
    return np.hypot(*spans).astype(np.float32)
