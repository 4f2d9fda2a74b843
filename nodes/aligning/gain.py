"""Exposure and white balance between a plate and a shot: one gain per channel, in linear light."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from nodes.aligning.grid import Floats, Mask

BLOCK = 4
DARK = 0.01
SATURATED = 0.91
MIN_BLOCKS = 30
QUARTER_OF_NORMAL = 0.6373  # a quarter of a normal distribution lies within +-0.3186 sigma

Gain = tuple[float, float, float]

NO_GAIN: Gain = (1.0, 1.0, 1.0)


def estimate_gain(source: Floats, plate: Floats, background: Mask) -> Gain | None:
    """Gain per channel that brings the plate's linear light to the source's.

    source, plate: registered HxWx3 in linear light, 0..1, decoded before any resampling, as averaged noise would
    otherwise darken the plate. background: HxW, True where both show the same thing.

    Ratios of block sums, so that noise averages out, of pixels that are neither crushed nor saturated in either
    picture; of their logarithms the most common, so that a cast shadow or a reflection of the subject does not count.
    None if there are too few such blocks.
    """
    red, green, blue = cv2.split(np.maximum(source, plate))
    fit = background & (np.maximum(np.maximum(red, green), blue) < SATURATED)
    weight = fit.astype(np.float32)
    size = source.shape[1] // BLOCK, source.shape[0] // BLOCK
    if min(size) < 1:
        return None
    counts, sums, references = (
        cv2.resize(a, size, interpolation=cv2.INTER_AREA)
        for a in (weight, source * weight[..., None], plate * weight[..., None])
    )
    gains = []
    for channel in range(3):
        # Darkness is judged by blocks and on both: noisy pixels picked one by one would be picked for their noise.
        lit = sums[..., channel] + references[..., channel] > 2.0 * DARK * counts
        full = lit & (counts > 0.5) & (np.minimum(sums, references)[..., channel] > 0.0)
        if np.count_nonzero(full) < MIN_BLOCKS:
            return None
        light, reference = (a[..., channel][full].astype(np.float64) for a in (sums, references))
        gains.append(float(np.exp(_typical(np.log(light / reference), light + reference))))
    return (gains[0], gains[1], gains[2])


def _typical(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The most common value: Tukey-weighted mean about the centre of the narrowest quarter of the values.

    A median would be drawn by a shadow that covers half of the background.
    """
    order = np.argsort(values, kind="stable")
    ordered, below = values[order], np.concatenate([[0.0], np.cumsum(weights[order])])
    last = np.searchsorted(below[1:], below[:-1] + 0.25 * below[-1]).clip(max=len(values) - 1)
    widths = np.where(below[:-1] <= 0.75 * below[-1], ordered[last] - ordered, np.inf)
    first = int(widths.argmin())
    centre = float(ordered[first : last[first] + 1].mean())
    spread = max(float(widths[first]) / QUARTER_OF_NORMAL, 1e-4)
    for _ in range(20):
        weight = weights * np.square(np.clip(1.0 - np.square((values - centre) / (3.0 * spread)), 0.0, None))
        update = float(np.sum(weight * values) / np.sum(weight))
        if abs(update - centre) < 1e-6:
            return update
        centre = update
    return centre
