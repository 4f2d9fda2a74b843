"""Calm over time: what the network says of the frames beside one is moved onto it and counts as far as they match.

The same edge is judged anew in each frame, a little differently; where the pictures agree the mean of several is nearer
the truth than each, and flickers less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from models.learning.lesson import EightBit, Floats
from models.motion import along, enlarged, flow, grey

SHRINK = 2
MATCH = 0.05  # pictures that differ by this much count 1/e


class Beside(NamedTuple):
    """What the network says of a picture uint8 [h, w, 3], float32 [h, w, c], and how much that counts."""

    picture: EightBit
    value: Floats
    counts: float


def steadied(picture: EightBit, value: Floats, others: Sequence[Beside]) -> Floats:
    """`value` [h, w, c] of a picture [h, w, 3], steadied by what was said of `others` of the same size."""
    here, total, weights = grey(picture, SHRINK), value.copy(), np.ones((*value.shape[:2], 1), np.float32)
    for other in others:
        way = enlarged(flow(here, grey(other.picture, SHRINK)), *picture.shape[:2])
        off = np.abs(along(other.picture, way).astype(np.float32) - picture).mean(-1) / np.float32(255)
        matches = np.exp(-cv2.GaussianBlur(off, (0, 0), 1.5) / np.float32(MATCH))[..., None]
        weight = np.asarray(other.counts * matches, np.float32)
        total += weight * np.asarray(along(other.value, way), np.float32).reshape(value.shape)
        weights += weight
    return np.asarray(total / weights, np.float32)
