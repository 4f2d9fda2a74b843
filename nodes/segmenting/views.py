"""The views of a frame whose answers are averaged: sizes, the mirror image, and neighbours in time.

Neighbours are a fixed window around the frame, so the order in which frames are rendered does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from models import motion
from models.hrnet_ocr import LARGEST_SCALE, MOST_SCALES, SMALLEST_SCALE
from models.wording import parameter
from nodes.errors import ParameterError
from nodes.picture import to_pixels

# Longer side at which motion is looked for, and how far a neighbour that was laid over the frame may differ from it.
MOTION_SIDE = 960
DIFFERENCE = 0.06


@dataclass(frozen=True)
class View:
    """One look at the frame: a picture [1,3,H,W] in its place, and how it is shown to the network."""

    picture: Tensor
    scale: float
    flipped: bool
    weight: float


def scales(text: str, best: Sequence[float]) -> tuple[float, ...]:
    """The sizes in a text such as "0.5, 1, 1.5"; if it is empty, the `best` for the weights. Raises ParameterError."""
    if not text.strip():
        return tuple(best)
    try:
        found = tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        found = ()
    if not 0 < len(found) <= MOST_SCALES or not all(SMALLEST_SCALE <= s <= LARGEST_SCALE for s in found):
        raise ParameterError(
            f"{parameter('scales')} cannot be '{text}': it is one to {MOST_SCALES} numbers from {SMALLEST_SCALE:g} to "
            f"{LARGEST_SCALE:g}, such as 1 or 0.75, 1, 1.25"
        )
    return found


def laid_over(neighbour: Tensor, current: Tensor) -> Tensor:
    """A neighbour's picture [1,3,H,W] moved onto the current one, by optical flow (DIS, arXiv:1603.03590).

    Where it does not match, as where something was hidden, the current picture takes its place.
    """
    height, width = current.shape[-2:]
    scale = min(1.0, MOTION_SIDE / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    here, there = to_pixels(current), to_pixels(neighbour)
    no_shift = np.zeros((size[1], size[0], 2), np.float32)
    found = motion.shift(_grey(here, size), _grey(there, size), no_shift, care="quick")
    way = motion.stay(height, width) + motion.enlarged_shift(found, height, width)
    moved = motion.along(there, way).reshape(here.shape)
    off = cv2.blur(np.abs(moved - here).max(axis=2), (5, 5)) > DIFFERENCE
    result = np.where(off[..., None], here, moved)
    return torch.from_numpy(np.ascontiguousarray(result.transpose(2, 0, 1)))[None].to(current)


def _grey(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    small = cv2.resize(pixels.mean(axis=2), size, interpolation=cv2.INTER_AREA)
    return np.asarray((small * 255).round(), np.uint8)
