"""Small pictures for people: 8-bit sRGB PNG files of what was rendered."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio

from nodes.errors import FootageError
from nodes.footage.atomic_file import write_file
from nodes.footage.colour.transfer import encode
from nodes.footage.exr.encoder import scratch_file
from nodes.footage.frame import Pixels


def to_preview(pixels: Pixels, linear: bool = True) -> npt.NDArray[np.uint8]:
    """8-bit sRGB values of a picture `[height, width, 1, 3 or 4]`, clipped to 0..1; NaN is black.

    `linear` says that colour is scene-linear Rec.709; alpha and single channels (mattes) are never encoded.
    """
    out = np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
    if linear and pixels.shape[2] >= 3:
        out[:, :, :3] = encode(out[:, :, :3], "srgb")
    return np.asarray(out * np.float32(255) + np.float32(0.5), dtype=np.uint8)


def write_preview(path: str, pixels: Pixels, linear: bool = True) -> None:
    """Writes `to_preview(pixels)` as a PNG, alpha straight. Raises FootageError."""
    eight_bit = to_preview(pixels, linear)
    spec = oiio.ImageSpec(eight_bit.shape[1], eight_bit.shape[0], eight_bit.shape[2], oiio.UINT8)
    spec.attribute("oiio:ColorSpace", "srgb_rec709_scene")
    spec.attribute("oiio:UnassociatedAlpha", 1)
    with scratch_file() as (scratch, descriptor):
        output = oiio.ImageOutput.create("png")
        if output is None or not (output.open(scratch, spec) and output.write_image(eight_bit) and output.close()):
            raise FootageError(f"{path}: the preview cannot be encoded: {output.geterror() if output else ''}.")
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    write_file(path, data)
