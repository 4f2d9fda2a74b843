"""Which movement of the plate to believe, if any: in place, or as found.

Judged at half the working resolution, where noise is lower and a defocused background still has detail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nodes.aligning.dense import Agreement, Level, agreement, significance
from nodes.aligning.gain import NO_GAIN, Gain, estimate_gain
from nodes.aligning.grid import Floats, Mask, Matrix, Size, corners, grid_matrix, resized, transform_points, warp
from nodes.footage.colour.transfer import decode, encode

MAX_SHIFT = 0.2
MIN_SUPPORT = 0.1
SURE = 40.0


@dataclass(frozen=True)
class Fit:
    """One movement (plate -> source, the level's pixels), what speaks for it, the plate so moved (linear), its gain."""

    matrix: Matrix
    agreed: Agreement
    plate: Floats
    gain: Gain


class Judge:
    """Both pictures at one level.

    level: what is compared. finest: the pixel grid that matrices refer to. source, plate: display-encoded HxWx3, 0..1.
    """

    def __init__(self, level: Level, finest: Size, source: Floats, plate: Floats) -> None:
        self.level = level
        self.down = grid_matrix(finest, level.size)
        self.source = resized(source, level.size)
        self.source_light, self.plate_light = (decode(a, "srgb") for a in (self.source, resized(plate, level.size)))

    def fit(self, matrix: Matrix) -> Fit:
        """What speaks for `matrix` (plate -> source, pixels of the finest level), and the gain that goes with it."""
        matrix = self.down @ matrix @ np.linalg.inv(self.down)
        agreed = agreement(self.level, matrix)
        plate = warp(self.plate_light, matrix, self.level.size)
        gain = estimate_gain(self.source_light, plate, agreed.agreeing)
        return Fit(matrix, agreed, plate, NO_GAIN if gain is None else gain)

    def better(self, still: Fit, moved: Fit, smallest: float) -> bool:
        """Whether the plate should move: the movement is at least `smallest` (pixels of the finest level), is no
        accident of the noise, and lowers the difference.
        """
        if moved.agreed.support < MIN_SUPPORT:
            return False
        if still.agreed.support < MIN_SUPPORT:
            return True
        if self._shift(moved) < smallest or significance(self.level, moved.matrix) < SURE:
            return False
        shared = still.agreed.agreeing | moved.agreed.agreeing
        return self.residual(moved, shared) < self.residual(still, shared)

    def residual(self, fit: Fit, where: Mask) -> float:
        """Median absolute difference in 8-bit display code values, the plate's light brought to the source's."""
        there = np.flatnonzero(where)
        there = there[:: max(1, len(there) // 30_000)]
        lit = encode(np.clip(fit.plate.reshape(-1, 3)[there] * np.array(fit.gain, np.float32), 0.0, 1.0), "srgb")
        return float(np.median(np.abs(self.source.reshape(-1, 3)[there] - lit))) * 255.0

    def _shift(self, fit: Fit) -> float:
        """How far the plate's agreeing details move, in pixels of the finest level: their 98th percentile."""
        y, x = np.nonzero(fit.agreed.agreeing)
        every = max(1, len(x) // 5000)
        there: NDArray[np.float64] = np.array([x[::every], y[::every]], dtype=np.float64).T
        back: Matrix = np.asarray(np.linalg.inv(fit.matrix), dtype=np.float64)
        moves = transform_points(back, there) - there
        return float(np.percentile(np.hypot(moves[:, 0], moves[:, 1]), 98)) / float(self.down[0, 0])


def plausible(matrix: Matrix, size: Size) -> bool:
    """A hand-held plate may be off by a fifth of the picture, upright, not mirrored, not through the horizon."""
    there = corners(size)
    depth = np.column_stack([there, np.ones(4)]) @ matrix[2]
    if not np.isfinite(matrix).all() or depth.min() < 0.5 or depth.max() > 2.0:
        return False
    return bool(np.hypot(*(transform_points(matrix, there) - there).T).max() < MAX_SHIFT * max(size))
