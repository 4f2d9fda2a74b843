"""Shadows and reflections taken away: the picture stays, with its texture and grain, and gets the light of the fill."""

from __future__ import annotations

import cv2
import numpy as np

from nodes.aligning.grid import Floats, Mask

# Lines of a picture that are one pixel of the blur in which light is compared, and the largest change.
LINES, LARGEST = 160, 16.0
# Light that is too little to be compared.
DARK = 1e-5


def relit(picture: Floats, fill: Floats, where: Mask, lines: int) -> Floats:
    """`picture` `[h,w,3]`, scene-linear, as bright as the `fill` `[h,w,3]` is over a neighbourhood.

    where: `[h,w]`, where both may be looked at. lines: the height of the format that the neighbourhood is a part of.
    """
    sigma = max(1.0, lines / LINES)
    weight = where.astype(np.float32)[..., None]

    def level(light: Floats) -> Floats:
        return np.asarray(cv2.GaussianBlur(np.maximum(light, 0) * weight, (0, 0), sigma), np.float32)

    there = cv2.GaussianBlur(weight[..., 0], (0, 0), sigma)[..., None]
    change = (level(fill) + DARK * there) / np.maximum(level(picture) + DARK * there, 1e-12)
    return np.asarray(picture * np.clip(change, 1 / LARGEST, LARGEST), np.float32)
