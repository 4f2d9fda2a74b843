"""Resampling of a scene-linear plate onto the source's pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from nodes.aligning.grid import Floats, Mask, Matrix, Size, grid_matrix, resized, transform_points

LARGEST = 65504.0
EDGE = 0.5 + 1e-3
FILTER_REACH = 4


def resample(plate: Floats, matrix: Matrix, size: Size) -> tuple[Floats, Mask]:
    """Warp `plate` (HxWxC float32, any range) by `matrix` (plate -> output coordinates) to `size`.

    Bicubic, limited to the least and greatest value of the 3x3 pixels around the nearest plate pixel: sharp, and
    without the dark rings that a cubic leaves around a lamp of value 50. A plate larger than the output is averaged
    down first. Outside the plate its border is repeated. Returns the warped plate and HxW bool, True where the plate
    has real, finite pixels.
    """
    finite = np.isfinite(plate).all(axis=2)
    clean = bool(finite.all())
    if not clean:
        plate = np.nan_to_num(plate, nan=0.0, posinf=LARGEST, neginf=-LARGEST)
    valid = covered(plate.shape[:2], matrix, size)
    if not clean:
        spoilt: Any = (~finite).astype(np.uint8)
        holes = _warp(cv2.dilate(spoilt, np.ones((3, 3), np.uint8)), matrix, size, cv2.INTER_NEAREST)
        valid &= holes == 0
    smaller = min(plate.shape[0], size[0]), min(plate.shape[1], size[1])
    if smaller != plate.shape[:2]:
        matrix = matrix @ np.linalg.inv(grid_matrix(plate.shape[:2], smaller))
    channels = [
        _resample_few(resized(np.ascontiguousarray(plate[..., first : first + 4]), smaller), matrix, size)
        for first in range(0, plate.shape[2], 4)
    ]
    return np.concatenate(channels, axis=2) if len(channels) > 1 else channels[0], valid


def resample_part(plate: Floats, matrix: Matrix, size: Size, rows: slice, columns: slice) -> tuple[Floats, Mask]:
    """`resample(...)[rows, columns]`, both results, to the filter's accuracy (1/32 pixel), at the cost of that part.

    Only for a plate of the output's size; another is resampled whole.
    """
    top, left = rows.start, columns.start
    height, width = rows.stop - top, columns.stop - left
    outline = np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]])
    back: Matrix = np.asarray(np.linalg.inv(matrix), np.float64)
    depth = np.column_stack([outline, np.ones(4)]) @ back[2]
    if plate.shape[:2] != size or (depth * np.sign(depth[0]) <= 0).any():
        whole, valid = resample(plate, matrix, size)
        return whole[rows, columns], valid[rows, columns]
    there = transform_points(back, outline.astype(np.float64))
    first = np.maximum(np.floor(there.min(axis=0)).astype(int) - FILTER_REACH, 0)
    last = np.minimum(np.ceil(there.max(axis=0)).astype(int) + FILTER_REACH, (size[1], size[0]))
    if (last <= first).any():
        return np.zeros((height, width, plate.shape[2]), np.float32), np.zeros((height, width), bool)
    seen = np.ascontiguousarray(plate[first[1] : last[1], first[0] : last[0]])
    shifted = _translation(-left, -top) @ matrix @ _translation(*first.tolist())
    # Never smaller than what is seen, which `resample` would take for a larger plate.
    large = max(height, seen.shape[0]), max(width, seen.shape[1])
    part, valid = resample(seen, shifted, large)
    return part[:height, :width], valid[:height, :width]


def _translation(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def covered(plate_size: Size, matrix: Matrix, size: Size) -> Mask:
    """HxW bool: output pixels whose centre falls on the plate's area."""
    height, width = plate_size
    inverse = np.linalg.inv(matrix)
    inverse = inverse / inverse[2, 2]
    x, y, w = inverse
    columns, rows = np.arange(size[1], dtype=np.float64)[None, :], np.arange(size[0], dtype=np.float64)[:, None]
    inside: Mask = np.ones(size, dtype=bool)
    for a, b, c in (x + EDGE * w, y + EDGE * w, (width - 1 + EDGE) * w - x, (height - 1 + EDGE) * w - y):
        inside &= a * columns + (b * rows + c) >= 0
    return inside


def _resample_few(plate: Floats, matrix: Matrix, size: Size) -> Floats:
    """At most four channels, as OpenCV's filters take them."""
    out = limited_cubic(plate, lambda image, how: _warp(image, matrix, size, how))
    return out.reshape(*size, plate.shape[2])


def limited_cubic(image: Any, taken: Callable[[Any, int], Any]) -> Any:
    """What `taken` makes of an image with OpenCV's bicubic interpolation, limited to the least and the greatest of the
    3x3 pixels around the nearest one; `taken` is also asked for that."""
    kernel = np.ones((3, 3), np.uint8)
    low, high = (taken(reduce(image, kernel), cv2.INTER_NEAREST) for reduce in (cv2.erode, cv2.dilate))
    return cv2.min(cv2.max(taken(image, cv2.INTER_CUBIC), low), high)


def _warp(image: Any, matrix: Matrix, size: Size, interpolation: int) -> Any:
    return cv2.warpPerspective(image, matrix, (size[1], size[0]), flags=interpolation, borderMode=cv2.BORDER_REPLICATE)
