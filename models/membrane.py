"""The smoothest surface through what is known: Laplace's equation in the hole, the picture on its border.

Solved from coarse to fine by conjugate gradients (the cascadic multigrid of Bornemann and Deuflhard, Numerische
Mathematik 75, 1996), so the cost grows with the hole's area only.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
COARSEST = 16
FINEST_ITERATIONS, MOST_ITERATIONS = 12, 64
TOLERANCE = 1e-5


def membrane(values: Floats, known: Mask) -> Floats:
    """`values` `[h,w,C]` where `known` `[h,w]`, and elsewhere a surface without bumps through them; any range.

    Beyond the picture's border nothing pulls. Raises ValueError if nothing is known.

    >>> values = np.array([[[0], [9], [9], [9], [4]]], np.float32)
    >>> membrane(values, np.array([[True, False, False, False, True]]))[0, :, 0].round(2).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    if not known.any():
        raise ValueError("a membrane needs a pixel to hang on")
    if known.all():
        return values
    start = _coarse_to_fine(np.where(known[..., None], values, np.float32(0)), known)
    return np.where(known[..., None], values, start)


def _coarse_to_fine(values: Floats, known: Mask, iterations: int = FINEST_ITERATIONS) -> Floats:
    height, width = known.shape
    if max(height, width) <= COARSEST or known.all():
        mean = values[known].mean(axis=0)
        return _relaxed(np.where(known[..., None], values, mean), known, 4 * COARSEST)
    # A coarse pixel is known where a fine one is; its value is their mean.
    padded = ((0, height % 2), (0, width % 2))
    counts = np.pad(known.astype(np.float32), padded)
    sums = np.pad(values * known[..., None], (*padded, (0, 0)))
    counts = counts[::2, ::2] + counts[1::2, ::2] + counts[::2, 1::2] + counts[1::2, 1::2]
    sums = sums[::2, ::2] + sums[1::2, ::2] + sums[::2, 1::2] + sums[1::2, 1::2]
    means: Floats = np.asarray(sums / np.maximum(counts, 1)[..., None], np.float32)
    small = _coarse_to_fine(means, counts > 0, min(2 * iterations, MOST_ITERATIONS))
    rows, columns = counts.shape
    larger = cv2.resize(small, (2 * columns, 2 * rows), interpolation=cv2.INTER_LINEAR)
    larger = larger.reshape(2 * rows, 2 * columns, -1)[:height, :width]
    return _relaxed(np.where(known[..., None], values, larger), known, iterations)


def _relaxed(start: Floats, known: Mask, iterations: int) -> Floats:
    """`start` brought closer to the solution; only the surroundings of what is unknown are looked at."""
    rows, columns = np.flatnonzero(~known.all(axis=1)), np.flatnonzero(~known.all(axis=0))
    result = np.asarray(start, np.float32)
    if len(rows):
        part = slice(max(0, rows[0] - 1), rows[-1] + 2), slice(max(0, columns[0] - 1), columns[-1] + 2)
        planes = np.ascontiguousarray(result[part].transpose(2, 0, 1))
        result[part] = _conjugate_gradients(planes, ~known[part], iterations).transpose(1, 2, 0)
    return result


def _conjugate_gradients(x: Floats, unknown: Mask, iterations: int) -> Floats:
    """`x` `[C,h,w]` with less of a Laplacian where it is `unknown` `[h,w]`."""
    free = unknown.astype(np.float32)
    residual = -_laplacian(x) * free
    direction = residual.copy()
    power = _dots(residual, residual)
    enough = TOLERANCE**2 * np.count_nonzero(unknown) * np.maximum(np.square(x).mean(axis=(1, 2)), 1e-12)
    for _ in range(iterations):
        if (power <= enough).all():
            break
        product = _laplacian(direction) * free
        along = _dots(direction, product)
        step = np.where(along > 0, power / np.where(along > 0, along, 1), 0)[:, None, None]
        x += step * direction
        residual -= step * product
        after = _dots(residual, residual)
        direction *= np.where(power > 0, after / np.where(power > 0, power, 1), 0)[:, None, None]
        direction += residual
        power = after
    return x


def _dots(a: Floats, b: Floats) -> Floats:
    return np.asarray((a * b).reshape(len(a), -1).sum(axis=1), np.float32)


def _laplacian(x: Floats) -> Floats:
    """How much each pixel exceeds its neighbours, of which there are fewer at the border."""
    out = np.zeros_like(x)
    down, across = x[:, 1:] - x[:, :-1], x[:, :, 1:] - x[:, :, :-1]
    out[:, 1:] += down
    out[:, :-1] -= down
    out[:, :, 1:] += across
    out[:, :, :-1] -= across
    return out
