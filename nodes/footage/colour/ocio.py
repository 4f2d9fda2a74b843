"""Colour spaces of an OpenColorIO configuration, through OpenImageIO."""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np
import OpenImageIO as oiio

from nodes.errors import ParameterError
from nodes.footage.colour.primaries import AP0, AP1, to_rec709
from nodes.footage.colour.space import ColourSpace, Pixels

BUILT_IN = "ocio://default"
CAMERAS = "ocio://studio-config-latest"  # the built-in configuration that has the cameras' spaces as well
_LINEAR_REC709 = (
    "lin_rec709_scene", "lin_rec709", "Linear Rec.709 (sRGB)", "Utility - Linear - sRGB", "Utility - Linear - Rec.709",
    "lin_srgb", "scene-linear Rec.709-sRGB", "Linear Rec.709", "Linear BT.709",
)  # fmt: skip
_THROUGH = (("lin_ap0_scene", AP0), ("ACES2065-1", AP0), ("ACES - ACES2065-1", AP0), ("ACEScg", AP1))


def _configs() -> tuple[str, ...]:
    """The configurations in use: the file $OCIO names, else the built-in ones."""
    name = os.environ.get("OCIO")
    if not name:
        return (BUILT_IN, CAMERAS)
    return (name if name.startswith("ocio://") else os.path.abspath(name),)


def config_label() -> str:
    """The configuration in words, for messages."""
    name = os.environ.get("OCIO")
    return f"the OCIO configuration {name}" if name else "the built-in OCIO configuration"


def find(name: str) -> ColourSpace | None:
    """The space, alias or role of the current configuration; None where it has none of that name.

    Raises ParameterError where $OCIO names a configuration that cannot be read.
    """
    for config_name in _configs():
        config = _config(config_name)
        if config.getColorSpaceIndex(name.strip()) >= 0:
            return ColourSpace(str(config.resolve(name.strip())), "ocio", ocio_config=config_name)
    return None


def names() -> list[str]:
    """All colour spaces of the current configuration."""
    found = (str(name) for config_name in _configs() for name in _config(config_name).getColorSpaceNames())
    return list(dict.fromkeys(found))


def convert(pixels: Pixels, space: ColourSpace, forward: bool) -> Pixels:
    """Pixels `[height, width, 3 or 1]` from the space to linear Rec.709, or the other way; float32.

    Raises ParameterError where the configuration lacks the space or has no way to linear Rec.709. The configuration the
    process started with is read once, any other for every call, which costs about 0.1 s.
    """
    config = space.ocio_config or BUILT_IN
    bridge, chromaticities = _bridge(config)
    grey = pixels.shape[2] == 1
    rgb = np.ascontiguousarray(np.repeat(pixels, 3, axis=2) if grey else pixels, dtype=np.float32)
    matrix = None
    if chromaticities:
        matrix = np.asarray(to_rec709(chromaticities), dtype=np.float64)
        if not forward:
            rgb = np.ascontiguousarray(rgb @ np.linalg.inv(matrix).astype(np.float32).T)
    source, target = (space.name, bridge) if forward else (bridge, space.name)
    named = "" if config == _process_config() else config
    result = oiio.ImageBufAlgo.colorconvert(oiio.ImageBuf(rgb), source, target, False, colorconfig=named)
    if result.has_error:
        raise ParameterError(
            f"The OCIO configuration {config} cannot convert {source!r} to {target!r}: {result.geterror()}."
        )
    out = np.asarray(result.get_pixels(oiio.FLOAT), dtype=np.float32)
    if matrix is not None and forward:
        out = out @ matrix.astype(np.float32).T
    return np.ascontiguousarray(out[:, :, 1:2]) if grey else out


@functools.lru_cache(maxsize=1)
def _process_config() -> str:
    """The configuration OpenImageIO took when it first needed one, and keeps."""
    name = str(oiio.ColorConfig.default_colorconfig().configname())
    return os.path.abspath(name) if os.path.isfile(name) else name


@functools.lru_cache(maxsize=8)
def _config(name: str) -> Any:
    if not name.startswith("ocio://") and not os.path.isfile(name):
        raise ParameterError(f"The OCIO configuration {name} does not exist; check the environment variable OCIO.")
    config = oiio.ColorConfig(name)
    error = config.geterror()
    if error or not config.getColorSpaceNames():
        raise ParameterError(f"The OCIO configuration {name} cannot be read: {str(error).strip() or 'it is empty'}.")
    return config


@functools.lru_cache(maxsize=8)
def _bridge(name: str) -> tuple[str, tuple[float, ...] | None]:
    """The space of a configuration to go through, and its primaries where it is not linear Rec.709 itself."""
    config = _config(name)
    for candidate in _LINEAR_REC709:
        if config.getColorSpaceIndex(candidate) >= 0:
            return candidate, None
    interchange = config.getColorSpaceNameByRole("aces_interchange")
    if interchange:
        return str(interchange), AP0
    for candidate, chromaticities in _THROUGH:
        if config.getColorSpaceIndex(candidate) >= 0:
            return candidate, chromaticities
    raise ParameterError(
        f"The OCIO configuration {name} has neither a linear Rec.709 space nor an ACES one to go through; "
        "add the role aces_interchange."
    )
