"""Which colour space footage is in, and the way from there to scene-linear Rec.709 and back."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping

import numpy as np

from nodes.errors import ParameterError
from nodes.footage import exr_attributes
from nodes.footage.colour import icc, ocio, primaries
from nodes.footage.colour.names import OFFERED, all_names, known
from nodes.footage.colour.space import IDENTITY, LINEAR_REC709, SRGB, ColourSpace, Pixels
from nodes.footage.colour.transfer import decode, encode
from nodes.footage.metadata import Attribute

_FLOAT_FORMATS = ("openexr", "hdr", "")


def identify_space(
    attributes: Mapping[str, Attribute], file_format: str, input_space: str = "auto", unsaid: str = "auto"
) -> ColourSpace:
    """The colour space of a picture.

    `auto` goes by what the file says: `colorInteropID`, then `chromaticities`, then `oiio:ColorSpace`; a file that
    says nothing is in the space `unsaid` where it holds floating-point numbers (`auto`: scene-linear Rec.709), and sRGB
    where it does not. Anything else
    is the name of a space and overrules the file: `scene-linear Rec.709`, `ACEScg`, `sRGB`, an interop id such as
    `lin_ap0_scene`, or a space, alias or role of the OpenColorIO configuration ($OCIO, else OpenColorIO's built-in
    studio configuration). `file_format` is OpenImageIO's name for it; empty means a host's float image.
    Raises ParameterError for an unknown name.
    """
    if is_named(input_space):
        return by_name(input_space)
    for name in ("colorInteropID", "oiio:ColorSpace"):
        text = _text(attributes.get(name))
        if text and (space := known(text) or ocio.find(text)):
            return space
        if name == "colorInteropID" and (space := _of_chromaticities(attributes)):
            return space
    if file_format not in _FLOAT_FORMATS:
        return SRGB
    return by_name(unsaid) if is_named(unsaid) else LINEAR_REC709


def is_named(space: str) -> bool:
    """Whether a setting names a space, and does not leave it to the file."""
    return space.strip().lower() not in ("", "auto")


def by_name(name: str) -> ColourSpace:
    """The space of that name: a configuration named by $OCIO goes first. Raises ParameterError with close matches."""
    space = (ocio.find(name) if os.environ.get("OCIO") and not _is_offered(name) else None) or known(name)
    space = space or ocio.find(name)
    if space:
        return space
    choices = [*all_names(), *ocio.names()]
    close = difflib.get_close_matches(name, choices, 3, 0.5)
    hint = f"did you mean {' or '.join(repr(one) for one in close)}?" if close else f"try one of {', '.join(OFFERED)}."
    raise ParameterError(f"The input space {name!r} is unknown to {ocio.config_label()}; {hint}")


def to_linear_rec709(pixels: Pixels, space: ColourSpace) -> Pixels:
    """Stored values as scene-linear Rec.709, float32 of the same shape `[height, width, channels]`.

    Converted are the first three channels of three or more, or the first of one or two; what follows (alpha) is left
    alone. Values below 0 and above 1 are carried through. The input itself is returned where there is nothing to do.
    Raises ParameterError where the space's OpenColorIO configuration fails.
    """
    if _is_linear_rec709(space):
        return pixels
    return _convert(pixels, space, forward=True)


def from_linear_rec709(pixels: Pixels, space: ColourSpace) -> Pixels:
    """The inverse of to_linear_rec709, to float32 precision."""
    if _is_linear_rec709(space):
        return pixels
    return _convert(pixels, space, forward=False)


def _convert(pixels: Pixels, space: ColourSpace, forward: bool) -> Pixels:
    colours = 3 if pixels.shape[2] >= 3 else 1
    colour = pixels[:, :, :colours]
    if space.transfer == "ocio":
        colour = ocio.convert(colour, space, forward)
    elif space.transfer == "icc":
        colour = _by_profile(colour, space, forward)
    elif forward:
        colour = _apply(space.to_rec709, decode(colour, space.transfer))
    else:
        colour = encode(_apply(_inverse(space.to_rec709), colour), space.transfer)
    if colours == pixels.shape[2]:
        return colour
    out = pixels.copy()
    out[:, :, :colours] = colour
    return out


def _by_profile(pixels: Pixels, space: ColourSpace, forward: bool) -> Pixels:
    grey = pixels.shape[2] == 1
    light = icc.to_rec709(np.repeat(pixels, 3, axis=2) if grey else pixels, space) if forward else None
    if light is None:
        raise ParameterError(f"The {space.name} cannot be used {'to' if forward else 'from'} scene-linear Rec.709.")
    return light[:, :, 1:2] if grey else light


def _apply(matrix: object, pixels: Pixels) -> Pixels:
    array = np.asarray(matrix, dtype=np.float32)
    if pixels.shape[2] != 3 or np.array_equal(array, np.asarray(IDENTITY)):
        return pixels
    return (pixels.reshape(-1, 3) @ array.T).reshape(pixels.shape)  # one product of matrices is the fast case


def _inverse(matrix: object) -> object:
    return np.linalg.inv(np.asarray(matrix, dtype=np.float64))


def _is_linear_rec709(space: ColourSpace) -> bool:
    return space.transfer == "linear" and space.to_rec709 == IDENTITY


def _is_offered(name: str) -> bool:
    return name.strip().lower() in {one.lower() for one in OFFERED}


def _of_chromaticities(attributes: Mapping[str, Attribute]) -> ColourSpace | None:
    attribute = attributes.get("chromaticities")
    values = exr_attributes.decode(attribute) if attribute else None
    if not isinstance(values, tuple) or len(values) != 8:
        return None
    if primaries.same(values, primaries.REC709):
        return LINEAR_REC709
    for name, table in (("lin_ap1", primaries.AP1), ("lin_ap0", primaries.AP0), ("lin_rec2020", primaries.REC2020)):
        if primaries.same(values, table):
            return known(name)
    if primaries.same(values, primaries.P3_D65):
        return known("lin_p3d65")
    try:
        return ColourSpace("lin_chromaticities", "linear", primaries.to_rec709(values))
    except ValueError:
        return None


def _text(attribute: Attribute | None) -> str:
    value = exr_attributes.decode(attribute) if attribute else ""
    return value if isinstance(value, str) else ""
