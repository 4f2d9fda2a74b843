"""Colour from luminance and chroma, as EXR files may store it ("Technical Introduction to OpenEXR")."""

from __future__ import annotations

import numpy as np

from nodes.footage.colour.primaries import REC709, luminance_weights
from nodes.footage.frame import Pixels


def to_rgb(pixels: Pixels, chromaticities: tuple[float, ...] | None = None) -> Pixels:
    """R, G, B (and A) from Y, RY, BY (and A), `[height, width, 3 or 4]`, where RY = (R-Y)/Y and BY = (B-Y)/Y.

    `chromaticities` are the eight numbers of the file's attribute; Rec.709 without them.
    """
    red, green, blue = luminance_weights(chromaticities if chromaticities and len(chromaticities) == 8 else REC709)
    luma, ry, by = pixels[:, :, 0], pixels[:, :, 1], pixels[:, :, 2]
    out = np.empty_like(pixels)
    out[:, :, 0] = (ry + 1) * luma
    out[:, :, 2] = (by + 1) * luma
    out[:, :, 1] = (luma - out[:, :, 0] * red - out[:, :, 2] * blue) / green
    out[:, :, 3:] = pixels[:, :, 3:]
    return out
