"""ICC profiles of stills, through OpenColorIO: what numbers of a picture with a matrix and curves mean as light."""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import threading

import numpy as np
import OpenImageIO as oiio

from nodes.footage.colour import primaries
from nodes.footage.colour.names import known
from nodes.footage.colour.space import ColourSpace, Pixels
from nodes.footage.colour.transfer import decode

# What profiles usually are; one that agrees with a space within the tolerance is that space, without its rounding.
_USUAL = (
    "srgb_rec709",
    "srgb_p3d65",
    "g22_adobergb",
    "lin_rec709",
    "rec709",
    "g22_rec709",
    "lin_rec2020",
    "g18_rec709",
)
_TOLERANCE = 2e-3
_LARGEST = 4 << 20
_lock = threading.Lock()


@functools.lru_cache(maxsize=16)
def space_of(profile: bytes, name: str) -> ColourSpace | None:
    """The colour space of a profile; None where OpenColorIO cannot tell: it needs RGB, a matrix and curves.

    `name` is the profile's description, for messages.
    """
    if not 128 < len(profile) <= _LARGEST or profile[16:20] != b"RGB ":
        return None
    levels = np.linspace(0, 1, 9, dtype=np.float32)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    space = ColourSpace(f"ICC profile {name!r}", "icc", profile=profile)
    light = to_rec709(colours, space)
    if light is None or not np.isfinite(light).all() or np.ptp(light) < 0.1:
        return None
    for one in map(known, _USUAL):
        assert one is not None
        same = decode(colours, one.transfer) @ np.asarray(one.to_rec709, np.float32).T
        if np.abs(same - light).max() < _TOLERANCE:
            return one
    return space


def to_rec709(pixels: Pixels, space: ColourSpace) -> Pixels | None:
    """Values of 0..1, `[height, width, 3]`, as linear Rec.709; None where the profile cannot be used."""
    # OpenColorIO's forward direction is from light to the device's values.
    out = oiio.ImageBufAlgo.ociofiletransform(
        oiio.ImageBuf(np.ascontiguousarray(pixels, np.float32)), _file_of(space.profile), False, True, "ocio://default"
    )
    if out.has_error:
        out.geterror()
        return None
    xyz = np.asarray(out.get_pixels(oiio.FLOAT), np.float32)
    return np.ascontiguousarray(xyz @ primaries.from_xyz_d65().astype(np.float32).T)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cleanplate-icc-")


def _file_of(profile: bytes) -> str:
    """OpenColorIO reads files, and remembers them by their names."""
    with _lock:
        path = os.path.join(_folder().name, hashlib.sha256(profile).hexdigest() + ".icc")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(profile)
    return path
