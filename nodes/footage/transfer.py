"""Transfer curves between stored values and light, defined for every real number so that nothing is clipped."""

from __future__ import annotations

import numpy as np

from nodes.footage.frame import Pixels

_F = np.float32
_OFFSET = np.float32(10 ** ((95 - 685) / 300))  # Kodak's printing density: black at 95, white at 685, 0.002 per step
_ALPHA, _BETA = 1.09929682680944, 0.018053968510807  # BT.2020 table 4: BT.709's numbers before they were rounded


def decode(pixels: Pixels, transfer: str) -> Pixels:
    """Stored values to linear light, float32 of the same shape; `transfer` as in `ColourSpace`.

    Above 1 the curves go on; below 0 they are mirrored at the origin (cineon goes on instead). Raises ValueError for
    an unknown curve.
    """
    if transfer == "linear":
        return pixels
    with np.errstate(all="ignore"):
        if transfer == "cineon":
            light = np.power(_F(10), pixels * _F(1023 / 300) - _F(685 / 300))
            return np.asarray((light - _OFFSET) / (1 - _OFFSET), dtype=np.float32)
        stored = np.abs(pixels)
        if transfer == "srgb":
            curve = (stored / _F(1.055) + _F(0.055 / 1.055)) ** _F(2.4)
            light = np.where(stored <= 0.04045, stored / _F(12.92), curve)
        elif transfer == "rec709":
            curve = (stored / _F(_ALPHA) + _F((_ALPHA - 1) / _ALPHA)) ** _F(1 / 0.45)
            light = np.where(stored < 4.5 * _BETA, stored / _F(4.5), curve)
        else:
            light = stored ** _F(_gamma(transfer))
        return np.asarray(np.copysign(light, pixels), dtype=np.float32)


def encode(pixels: Pixels, transfer: str) -> Pixels:
    """Linear light to stored values, the inverse of decode; cineon ends at its lowest density."""
    if transfer == "linear":
        return pixels
    with np.errstate(all="ignore"):
        if transfer == "cineon":
            light = np.maximum(pixels * (1 - _OFFSET) + _OFFSET, _F(1e-7))
            return np.asarray((np.log10(light) + _F(685 / 300)) * _F(300 / 1023), dtype=np.float32)
        light = np.abs(pixels)
        if transfer == "srgb":
            curve = _F(1.055) * light ** _F(1 / 2.4) - _F(0.055)
            stored = np.where(light <= 0.0031308, light * _F(12.92), curve)
        elif transfer == "rec709":
            curve = _F(_ALPHA) * light ** _F(0.45) - _F(_ALPHA - 1)
            stored = np.where(light < _BETA, light * _F(4.5), curve)
        else:
            stored = light ** _F(1 / _gamma(transfer))
        return np.asarray(np.copysign(stored, pixels), dtype=np.float32)


def _gamma(transfer: str) -> float:
    kind, _, value = transfer.partition(":")
    if kind != "gamma" or not value:
        raise ValueError(f"unknown transfer curve {transfer!r}")
    return float(value)
