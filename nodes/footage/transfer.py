"""Transfer curves between stored values and light, defined for every real number so that nothing is clipped."""

from __future__ import annotations

import numpy as np

from nodes.footage.frame import Pixels


def decode(pixels: Pixels, transfer: str) -> Pixels:
    """Stored values to linear light, float32 of the same shape; `transfer` as in `ColourSpace`.

    Above 1 the curves go on; below 0 they are mirrored at the origin (cineon goes on instead). Raises ValueError for
    an unknown curve.
    """
    if transfer == "linear":
        return pixels
    if transfer == "cineon":
        return (np.power(10.0, pixels * np.float32(1023 / 300) - np.float32(685 / 300)) - _OFFSET) / (1 - _OFFSET)
    magnitude = np.abs(pixels)
    with np.errstate(all="ignore"):
        if transfer == "srgb":
            light = np.where(
                magnitude <= 0.04045, magnitude / _F(12.92), ((magnitude + _F(0.055)) / _F(1.055)) ** _F(2.4)
            )
        elif transfer == "rec709":
            light = np.where(
                magnitude < 0.081, magnitude / _F(4.5), ((magnitude + _F(0.099)) / _F(1.099)) ** _F(1 / 0.45)
            )
        else:
            light = magnitude ** _F(_gamma(transfer))
        return np.asarray(np.copysign(light, pixels), dtype=np.float32)


def encode(pixels: Pixels, transfer: str) -> Pixels:
    """Linear light to stored values; the inverse of decode."""
    if transfer == "linear":
        return pixels
    with np.errstate(all="ignore"):
        if transfer == "cineon":
            light = np.maximum(pixels * (1 - _OFFSET) + _OFFSET, _F(1e-7))
            return np.asarray((np.log10(light) + _F(685 / 300)) * _F(300 / 1023), dtype=np.float32)
        magnitude = np.abs(pixels)
        if transfer == "srgb":
            stored = np.where(
                magnitude <= 0.0031308, magnitude * _F(12.92), _F(1.055) * magnitude ** _F(1 / 2.4) - _F(0.055)
            )
        elif transfer == "rec709":
            stored = np.where(magnitude < 0.018, magnitude * _F(4.5), _F(1.099) * magnitude ** _F(0.45) - _F(0.099))
        else:
            stored = magnitude ** _F(1 / _gamma(transfer))
        return np.asarray(np.copysign(stored, pixels), dtype=np.float32)


_F = np.float32
_OFFSET = np.float32(10 ** ((95 - 685) / 300))  # Kodak's printing density: black at 95, white at 685, 0.002 per step


def _gamma(transfer: str) -> float:
    kind, _, value = transfer.partition(":")
    if kind != "gamma" or not value:
        raise ValueError(f"unknown transfer curve {transfer!r}")
    return float(value)
