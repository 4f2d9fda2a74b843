"""What a compositor paints out, as holes of training pictures: wires, rods, blobs, boxes and brush strokes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.procedural.fields import Array, value_noise

KINDS = {"strokes": 0.4, "lines": 0.2, "blob": 0.25, "boxes": 0.15}
# Share of the picture that a hole covers.
SMALLEST, LARGEST = 0.01, 0.4


def hole(rng: np.random.Generator, height: int, width: int) -> Array:
    """A mask (height, width) float32 of 0 and 1 in which 1 to 40 % are hole."""
    draw = {"strokes": _strokes, "lines": _lines, "blob": _blob, "boxes": _boxes}
    for _ in range(20):
        mask = draw[str(rng.choice(list(KINDS), p=list(KINDS.values())))](rng, height, width)
        if SMALLEST <= mask.mean() <= LARGEST:
            return mask
    mask = np.zeros((height, width), np.float32)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 1
    return mask


def thin_hole(rng: np.random.Generator, height: int, width: int) -> Array:
    """A mask (height, width) float32 of 0 and 1: wires from border to border and markers, 2 to 7 pixels across."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        _line(mask, rng, lambda: round(float(np.exp(rng.uniform(np.log(2), np.log(7))))))
    for _ in range(int(rng.integers(0, 4))):
        cv2.circle(mask, tuple(int(v) for v in rng.uniform(0, 1, 2) * [width, height]), int(rng.integers(1, 4)), 1, -1)
    return mask.astype(np.float32)


def _strokes(rng: np.random.Generator, height: int, width: int) -> Array:
    """Brush strokes that turn at random (arXiv:2109.07161, section 2.4)."""
    mask = np.zeros((height, width), np.uint8)
    side = min(height, width)
    for _ in range(int(rng.integers(1, 5))):
        point = rng.uniform(0, 1, 2) * [width, height]
        angle = rng.uniform(0, 2 * np.pi)
        thickness = int(rng.uniform(0.03, 0.22) * side) + 1
        for _ in range(int(rng.integers(1, 6))):
            angle += rng.normal(0, 0.9)
            other = point + rng.uniform(0.05, 0.4) * side * np.array([np.cos(angle), np.sin(angle)])
            ends = [tuple(int(v) for v in end) for end in (point, other)]
            cv2.line(mask, ends[0], ends[1], 1, thickness)
            point = np.clip(other, 0, [width, height])
    return mask.astype(np.float32)


def _lines(rng: np.random.Generator, height: int, width: int) -> Array:
    """Wires and rods from border to border."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 7))):
        _line(mask, rng, lambda: int(rng.integers(2, 3 + min(height, width) // 14)))
    return mask.astype(np.float32)


def _line(mask: NDArray[np.uint8], rng: np.random.Generator, thickness: Callable[[], int]) -> None:
    height, width = mask.shape
    angle, middle = rng.uniform(0, np.pi), rng.uniform(0, 1, 2) * [width, height]
    reach = (height + width) * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(int(v) for v in middle + sign * reach) for sign in (-1, 1)]
    cv2.line(mask, ends[0], ends[1], 1, thickness())


def _blob(rng: np.random.Generator, height: int, width: int) -> Array:
    """An irregular patch, as a roto shape around a subject would be."""
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    centre = rng.uniform(0.1, 0.9, 2) * [height, width]
    radius = rng.uniform(0.1, 0.4, 2) * min(height, width)
    distance = np.hypot((ys - centre[0]) / radius[0], (xs - centre[1]) / radius[1])
    wave = value_noise(rng, height, width, 0.3 * min(height, width))
    return (distance + 0.25 * wave < 1).astype(np.float32)


def _boxes(rng: np.random.Generator, height: int, width: int) -> Array:
    mask = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(1, 5))):
        h, w = (int(rng.uniform(0.06, 0.45) * side) + 1 for side in (height, width))
        y, x = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
        mask[y : y + h, x : x + w] = 1
    return mask
