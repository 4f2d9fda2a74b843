"""Transfer curves between stored values and light, defined for every real number so that nothing is clipped."""

from __future__ import annotations

import numpy as np

from nodes.footage.colour.space import Pixels

_F = np.float32
_OFFSET = np.float32(10 ** ((95 - 685) / 300))  # Kodak's printing density: black at 95, white at 685, 0.002 per step
_CURVES = {
    "srgb": (0.055, 12.92, 0.0031308, 2.4),
    # BT.2020 table 4: BT.709's numbers before they were rounded.
    "rec709": (0.09929682680944, 4.5, 0.018053968510807, 1 / 0.45),
}


def decode(pixels: Pixels, transfer: str) -> Pixels:
    """Stored values to linear light, float32 of the same shape; `transfer` as in `ColourSpace`.

    Above 1 the curves go on; below 0 they are mirrored at the origin (cineon goes on instead). Raises ValueError for
    an unknown curve.

    >>> decode(np.array([0.5, 1.0, -0.5], np.float32), "srgb").round(3).tolist()
    [0.214..., 1.0, -0.214...]
    """
    if transfer == "linear":
        return pixels
    with np.errstate(all="ignore"):
        if transfer == "cineon":
            light = np.power(_F(10), pixels * _F(1023 / 300) - _F(685 / 300))
            return np.asarray((light - _OFFSET) / (1 - _OFFSET), dtype=np.float32)
        stored = np.abs(pixels)
        offset, slope, end, exponent = _curve(transfer)
        light = stored + _F(offset)
        light *= _F(1 / (1 + offset))
        np.power(light, _F(exponent), out=light)
        if slope:
            np.multiply(stored, _F(1 / slope), out=light, where=stored <= _F(end * slope))
        return np.copysign(light, pixels, out=light)


def encode(pixels: Pixels, transfer: str) -> Pixels:
    """Linear light to stored values, the inverse of decode; cineon ends at its lowest density."""
    if transfer == "linear":
        return pixels
    with np.errstate(all="ignore"):
        if transfer == "cineon":
            light = np.maximum(pixels * (1 - _OFFSET) + _OFFSET, _F(1e-7))
            return np.asarray((np.log10(light) + _F(685 / 300)) * _F(300 / 1023), dtype=np.float32)
        light = np.abs(pixels)
        offset, slope, end, exponent = _curve(transfer)
        stored = np.power(light, _F(1 / exponent))
        stored *= _F(1 + offset)
        stored -= _F(offset)
        if slope:
            np.multiply(light, _F(slope), out=stored, where=light <= _F(end))
        return np.copysign(stored, pixels, out=stored)


def _curve(transfer: str) -> tuple[float, float, float, float]:
    """(offset, slope, end, exponent): ((stored + offset) / (1 + offset)) ** exponent above `end`, a line below it."""
    kind, _, value = transfer.partition(":")
    if kind == "gamma" and value:
        return 0.0, 0.0, 0.0, float(value)
    if transfer not in _CURVES:
        raise ValueError(f"unknown transfer curve {transfer!r}")
    return _CURVES[transfer]
