"""What a network sees of the light around a hole: a bounded, display-encoded picture with a way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodes.aligning.grid import Floats, Mask
from nodes.footage.colour.transfer import decode, encode

# Light from which on highlights are rolled off, if there are any above 1.
KNEE = 0.6
# The brightest light that is told apart, after exposure, and the share of pixels that may be brighter.
BRIGHTEST = 64.0
CLIPPED_SHARE = 0.002
# Middle light around a hole that is left as it is; beyond, the exposure is corrected to the nearer end.
DARKEST_MIDDLE, BRIGHTEST_MIDDLE = 0.02, 0.5
LARGEST_CORRECTION = 64.0


@dataclass(frozen=True)
class Encoding:
    """Light to codes 0..1: times `gain`, above `KNEE` rolled off logarithmically so that `peak` is 1, then sRGB."""

    gain: float
    peak: float
    curvature: float

    def shown(self, light: Floats) -> Floats:
        """sRGB-encoded 0..1; light below 0 and above the peak is clipped."""
        exposed = np.clip(light * np.float32(self.gain), 0, np.float32(self.peak))
        if self.peak > 1:
            above = np.float32(1 / self.curvature) * np.log1p(
                np.float32(self.curvature) * np.maximum(exposed - KNEE, 0)
            )
            exposed = np.where(exposed > KNEE, KNEE + above, exposed)
        return np.clip(encode(np.asarray(exposed, np.float32), "srgb"), 0, 1)

    def light(self, shown: Floats) -> Floats:
        """Inverse of `shown`."""
        exposed = decode(np.clip(shown, 0, 1), "srgb")
        if self.peak > 1:
            above = np.expm1(np.float32(self.curvature) * np.maximum(exposed - KNEE, 0)) / np.float32(self.curvature)
            exposed = np.where(exposed > KNEE, KNEE + above, exposed)
        return np.asarray(exposed / np.float32(self.gain), np.float32)


def choose_encoding(light: Floats, known: Mask, stops: float) -> Encoding:
    """The encoding for a region: its exposure and highlights are those of the `known` pixels of `light` `[h,w,3]`.

    `stops` is the user's correction on top.
    """
    seen = light[known]
    middle = float(np.median(seen.mean(axis=1))) * 2.0**stops
    nearest = min(max(middle, DARKEST_MIDDLE), BRIGHTEST_MIDDLE)
    correction = min(max(nearest / middle, 1 / LARGEST_CORRECTION), LARGEST_CORRECTION) if middle > 1e-6 else 1.0
    gain = 2.0**stops * correction
    brightest = float(np.quantile(seen.max(axis=1), 1 - CLIPPED_SHARE)) * gain
    peak = min(max(brightest, 1.0), BRIGHTEST)
    return Encoding(gain, peak, _curvature(peak))


def _curvature(peak: float) -> float:
    """c with log(1 + c (peak - KNEE)) / c = 1 - KNEE: slope 1 at the knee, code 1 at the peak."""
    if peak <= 1:
        return 0.0
    low, high = 1e-6, 1e6
    for _ in range(200):
        middle = (low * high) ** 0.5
        if np.log1p(middle * (peak - KNEE)) / middle > 1 - KNEE:
            low = middle
        else:
            high = middle
    return float((low * high) ** 0.5)
