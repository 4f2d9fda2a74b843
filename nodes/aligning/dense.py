"""Sub-pixel refinement of a homography by robust Gauss-Newton on contrast-normalised luma, coarse to fine.

The family of ECC (Evangelidis and Psarakis, "Parametric Image Alignment Using Enhanced Correlation Coefficient
Maximization", PAMI 2008) in the inverse compositional form (Baker and Matthews, "Lucas-Kanade 20 Years On", IJCV 2004):
invariant to gain and offset, here locally, and with weights, so that a subject in half of the picture does not pull.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from nodes.aligning.grid import (
    Floats,
    Mask,
    Matrix,
    Size,
    blurred,
    contrast_normalised,
    grid_matrix,
    noise_level,
    pyramid,
    resized,
    warp,
)

AGREEING = 0.6
FAINTEST = 0.006
TEXTURED = 0.2
STEEP = 0.02
HIDDEN = 0.25
MAX_POINTS = 40_000
WINDOW_SIGMA = 5.0
FEWEST_POINTS = 64
NOISE_AREA = 8.0
LARGEST_STEP = 0.25  # of half the width


@dataclass(frozen=True)
class Level:
    """One pyramid level, all HxW: contrast-normalised luma of both, and whether the source may show the background."""

    source: Floats
    plate: Floats
    usable: Mask

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.source.shape[0], self.source.shape[1]


@dataclass(frozen=True)
class Agreement:
    """How well a warped plate agrees with the source, on the source's grid.

    correlation: HxW, local correlation of detail, -1..1. judged: HxW, True where the plate has detail to judge by and
    the source may show it.
    """

    correlation: Floats
    judged: Mask

    @property
    def agreeing(self) -> Mask:
        """Where there is detail and it is in place."""
        return self.judged & (self.correlation > AGREEING)

    @property
    def support(self) -> float:
        """Share of the detail that is in place, 0..1."""
        return int(np.count_nonzero(self.agreeing)) / max(1, int(np.count_nonzero(self.judged)))


def build_levels(source_luma: Floats, plate_luma: Floats, hidden: Floats, count: int = 4) -> list[Level]:
    """Finest first. All HxW of one size; hidden 0..1, where the subject is."""
    levels = []
    for source, plate in zip(pyramid(source_luma, count), pyramid(plate_luma, count), strict=True):
        floor = max(FAINTEST, 2.0 * noise_level(source), 2.0 * noise_level(plate))
        size = source.shape[0], source.shape[1]
        levels.append(
            Level(contrast_normalised(source, floor), contrast_normalised(plate, floor), resized(hidden, size) < HIDDEN)
        )
    return levels


def agreement(level: Level, matrix: Matrix) -> Agreement:
    """Local correlation of the source's detail and the plate's, warped by `matrix` (plate -> source coordinates)."""
    plate = warp(level.plate, matrix, level.size)
    inside = warp(np.ones(level.size, np.float32), matrix, level.size, cv2.BORDER_CONSTANT)
    product = blurred(level.source * plate, WINDOW_SIGMA)
    source_power = blurred(level.source * level.source, WINDOW_SIGMA)
    plate_power = blurred(plate * plate, WINDOW_SIGMA)
    correlation: Floats = product / np.sqrt(source_power * plate_power + np.float32(1e-3))
    judged = (plate_power > TEXTURED) & (inside > 0.99) & level.usable
    return Agreement(correlation, judged)


def refine(levels: list[Level], matrix: Matrix, coarsest: int, iterations: int = 10) -> Matrix:
    """Refine `matrix` (plate -> source coordinates of the finest level) from level `coarsest` down to level 0.

    A level's answer is kept unless clearly less detail agrees with it than before.
    """
    for level in levels[min(coarsest, len(levels) - 1) :: -1]:
        down = grid_matrix(levels[0].size, level.size)
        up = np.linalg.inv(down)
        before = agreement(level, down @ matrix @ up)
        refined = _refine_level(level, down @ matrix @ up, before, iterations)
        if agreement(level, refined).support > 0.95 * before.support:
            matrix = up @ refined @ down
    return matrix / matrix[2, 2]


def significance(level: Level, matrix: Matrix) -> float:
    """How surely `matrix` is not the identity: the Wald statistic of its movement, about 8 for one that is only noise.

    Counts how far the plate's slopes carry its values under the movement, against the scatter that remains after it.
    Blurred noise is alike over about `NOISE_AREA` points, so that many count as one.
    """
    x, y, slope_x, slope_y = _points(level.plate)
    where = _project(matrix, np.stack([x, y, np.ones_like(x)]).astype(np.float64))
    agreed = _sample(agreement(level, matrix).agreeing.astype(np.float32), where, cv2.INTER_LINEAR) > 0.5
    if np.count_nonzero(agreed) < FEWEST_POINTS:
        return 0.0
    error = (_sample(level.source, where, cv2.INTER_CUBIC) - level.plate[y, x])[agreed]
    spread = max(1.4826 * float(np.median(np.abs(error))), 1e-3)
    change = (slope_x * (where[0] - x) + slope_y * (where[1] - y))[agreed] / spread
    return float(np.sum(np.square(change), dtype=np.float64)) / NOISE_AREA


def _refine_level(level: Level, matrix: Matrix, start: Agreement, iterations: int) -> Matrix:
    height, width = level.size
    x, y, slope_x, slope_y = _points(level.plate)
    if len(x) < FEWEST_POINTS:
        return matrix
    target = level.plate[y, x]
    half = width / 2.0
    normalise = np.array([[1 / half, 0, -(width - 1) / width], [0, 1 / half, -(height - 1) / width], [0, 0, 1.0]])
    denormalise = np.linalg.inv(normalise)
    jacobian = _jacobian(x, y, slope_x, slope_y, normalise)
    trust = np.clip((start.correlation - 0.3) * 2.0, 0.0, 1.0) * level.usable
    homogeneous = np.stack([x, y, np.ones_like(x)]).astype(np.float64)
    for _ in range(iterations):
        where = _project(matrix, homogeneous)
        weight = _sample(trust, where, cv2.INTER_LINEAR)
        error = _sample(level.source, where, cv2.INTER_CUBIC) - target
        trusted = np.abs(error[weight > 0.5])
        if len(trusted) < FEWEST_POINTS:
            return matrix
        spread = max(1.4826 * float(np.median(trusted)), 1e-4)
        weight = weight / np.square(1.0 + np.square(error / (2.0 * spread)))
        step = _solve(jacobian, weight, error, spread)
        if np.abs(step).max() > LARGEST_STEP:
            return matrix
        increment = denormalise @ (np.eye(3) + np.append(step, 0.0).reshape(3, 3)) @ normalise
        matrix = matrix @ np.linalg.inv(increment)
        matrix = matrix / matrix[2, 2]
        if np.abs(step).max() * half < 2e-3:
            break
    return matrix


def _points(plate: Floats) -> tuple[Any, Any, Floats, Floats]:
    """Positions with a clear slope, spread over the picture: x, y, and the slopes there, per pixel."""
    slope_x: Any = cv2.Sobel(plate, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    slope_y: Any = cv2.Sobel(plate, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    steep = np.square(slope_x) + np.square(slope_y) > STEEP
    steep[:2], steep[-2:], steep[:, :2], steep[:, -2:] = False, False, False, False
    flat = np.flatnonzero(steep)
    # an irrational stride instead of [::k]: no beat with the picture's columns
    count = min(len(flat), MAX_POINTS)
    flat = flat[(np.arange(count) * (len(flat) / max(1, count))).astype(np.intp)]
    y, x = np.divmod(flat, plate.shape[1])
    return x, y, slope_x[y, x], slope_y[y, x]


def _jacobian(x: NDArray[np.intp], y: NDArray[np.intp], slope_x: Floats, slope_y: Floats, normalise: Matrix) -> Floats:
    """(8, N): change of the plate's value per unit of each homography coefficient in normalised coordinates."""
    u = (x * normalise[0, 0] + normalise[0, 2]).astype(np.float32)
    v = (y * normalise[1, 1] + normalise[1, 2]).astype(np.float32)
    gu, gv = slope_x / np.float32(normalise[0, 0]), slope_y / np.float32(normalise[1, 1])
    along = gu * u + gv * v
    return np.stack([gu * u, gu * v, gu, gv * u, gv * v, gv, -u * along, -v * along])


def _solve(jacobian: Floats, weight: Floats, error: Floats, spread: float) -> NDArray[np.float64]:
    """Weighted least squares; the sums are numpy's own, whose order, unlike BLAS's, never depends on the threads.

    The small diagonal holds still what the picture cannot tell: detail in one corner does not fix a perspective.
    """
    normal = np.zeros((8, 8))
    weighted = jacobian * weight
    for i in range(8):
        for j in range(i, 8):
            normal[i, j] = normal[j, i] = np.sum(weighted[i] * jacobian[j], dtype=np.float64)
    right = np.sum(weighted * error, axis=1, dtype=np.float64)
    held = np.array([1.0, 1.0, 1e-4, 1.0, 1.0, 1e-4, 4.0, 4.0]) * 3e4 * spread**2
    step: NDArray[np.float64] = np.asarray(np.linalg.solve(normal + np.diag(held), right), dtype=np.float64)
    return step


def _project(matrix: Matrix, homogeneous: NDArray[np.float64]) -> tuple[Floats, Floats]:
    rows = [(row[0] * homogeneous[0] + row[1] * homogeneous[1] + row[2]) for row in matrix]
    return (rows[0] / rows[2]).astype(np.float32), (rows[1] / rows[2]).astype(np.float32)


def _sample(image: Floats, where: tuple[Floats, Floats], interpolation: int) -> Floats:
    """`image` at fractional positions, 0 outside. Split into rows because cv2.remap limits a map's width to 32767."""
    count = len(where[0])
    width = 256
    padded = [np.resize(w, (-(-count // width), width)) for w in where]
    out: Any = cv2.remap(image, padded[0], padded[1], interpolation, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return out.reshape(-1)[:count]
