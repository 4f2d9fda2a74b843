"""Primaries and white points: the matrices between RGB spaces.

Chromaticities are eight numbers, x and y of red, green, blue and white, as EXR files store them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nodes.footage.colour.space import ColourMatrix

REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
REC2020 = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290)
P3_D65 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290)
ADOBE_RGB = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.3290)
AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.0770, 0.32168, 0.33767)
AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
# EXR's chromaticities that mean "already CIE XYZ".
CIE_XYZ = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)

_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_Array = npt.NDArray[np.float64]


def to_rec709(chromaticities: Sequence[float]) -> ColourMatrix:
    """The matrix from linear RGB with these primaries to linear Rec.709, white adapted with Bradford's transform.

    Raises ValueError for primaries that span no triangle. http://www.brucelindbloom.com, "Chromatic Adaptation".
    """
    source, target = _to_xyz(chromaticities), _to_xyz(REC709)
    cone_source = _BRADFORD @ _white(chromaticities)
    cone_target = _BRADFORD @ _white(REC709)
    if np.any(np.abs(cone_source) < 1e-6):
        raise ValueError("the white point is impossible")
    adapt = np.linalg.inv(_BRADFORD) @ np.diag(cone_target / cone_source) @ _BRADFORD
    return _as_matrix(np.linalg.inv(target) @ adapt @ source)


def from_xyz_d65() -> _Array:
    """The matrix from CIE XYZ with a white of D65 to linear Rec.709."""
    return np.asarray(np.linalg.inv(_to_xyz(REC709)), dtype=np.float64)


def luminance_weights(chromaticities: Sequence[float]) -> tuple[float, float, float]:
    """How much red, green and blue contribute to luminance; they sum to one. Raises ValueError like to_rec709.

    >>> [round(weight, 4) for weight in luminance_weights(REC709)]
    [0.2126, 0.7152, 0.0722]
    """
    weights = _to_xyz(chromaticities)[1]
    return float(weights[0]), float(weights[1]), float(weights[2])


def same(first: Sequence[float], second: Sequence[float], tolerance: float = 2e-3) -> bool:
    """Whether two sets of chromaticities mean the same space; files round them."""
    return len(first) == len(second) == 8 and bool(np.allclose(first, second, rtol=0, atol=tolerance))


def _to_xyz(chromaticities: Sequence[float]) -> _Array:
    """RGB to XYZ with the white at Y = 1 (SMPTE RP 177)."""
    values = np.asarray(chromaticities, dtype=np.float64)
    if values.shape != (8,) or not np.isfinite(values).all():
        raise ValueError("chromaticities are eight finite numbers")
    x, y = values[0:6:2], values[1:6:2]
    primaries = np.stack([x, y, 1 - x - y])
    if abs(np.linalg.det(primaries)) < 1e-6 or abs(values[7]) < 1e-6:
        raise ValueError("the primaries span no triangle")
    return np.asarray(primaries * np.linalg.solve(primaries, _white(chromaticities)), dtype=np.float64)


def _white(chromaticities: Sequence[float]) -> _Array:
    x, y = float(chromaticities[6]), float(chromaticities[7])
    if abs(y) < 1e-6:
        raise ValueError("the white point is impossible")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _as_matrix(matrix: _Array) -> ColourMatrix:
    rows = [tuple(float(value) for value in row) for row in matrix]
    return (rows[0][:3], rows[1][:3], rows[2][:3])  # type: ignore[return-value]
