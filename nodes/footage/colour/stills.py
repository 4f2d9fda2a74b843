"""What a still says about the meaning of its numbers: its ICC profile, its DPX transfer, its format's convention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import OpenImageIO as oiio

from nodes.footage.colour import icc
from nodes.footage.colour.names import known
from nodes.footage.colour.space import ColourSpace

# SMPTE 268M, "transfer characteristic"; OpenImageIO reads some of them as what they are not, or not at all.
_DPX_TRANSFERS = {
    "Linear": "lin_rec709",
    "Logarithmic": "cineon",
    "Printing density": "cineon",
    "SMPTE 274M": "rec709",
    "ITU-R 709-4": "rec709",
    "ITU-R 601-5 system B or G": "rec709",
    "ITU-R 601-5 system M": "rec709",
    "NTSC composite video": "rec709",
    "PAL composite video": "rec709",
    "Z depth linear": "lin_rec709",
    "Z depth homogeneous": "lin_rec709",
}
_FILM = ("Printing density", "Logarithmic")
_SHORT = 80


@dataclass(frozen=True, slots=True)
class StillColour:
    """`name` is for the attribute `oiio:ColorSpace`. `space` goes before it where the file's profile says more than a
    name can. `note` is a sentence about what had to be guessed."""

    name: str
    space: ColourSpace | None = None
    note: str = ""


def colour_of(spec: Any, file_format: str) -> StillColour:
    """What an OpenImageIO spec says, by profile, then by the format's own fields."""
    if file_format in ("dpx", "cineon"):
        return _film(spec, file_format)
    stated = _stated(spec)
    profile = spec.getattribute("ICCProfile")
    if not isinstance(profile, np.ndarray) or _colour_channels(spec) == 0:
        return StillColour(stated)
    name = _printable(spec.get_string_attribute("ICCProfile:profile_description")) or "without a name"
    space = icc.space_of(profile.astype(np.uint8).tobytes(), name)
    if space and (is_integer(spec) or space.transfer != "icc"):
        return StillColour(stated, space)
    return StillColour(
        stated,
        None,
        f"it has the ICC profile {name!r}, which cannot be used (OpenColorIO reads RGB profiles of a matrix and "
        f"curves); it is read as {_word(stated)}. Name its input space if it is another.",
    )


def is_integer(spec: Any) -> bool:
    return spec.format.basetype not in (oiio.HALF, oiio.FLOAT, oiio.DOUBLE)


def bits_of(spec: Any) -> int:
    """Bits that a channel's numbers really have."""
    return int(spec.get_int_attribute("oiio:BitsPerSample", 0)) or 8 * int(spec.format.size())


def _film(spec: Any, file_format: str) -> StillColour:
    transfer = spec.get_string_attribute("dpx:Transfer")
    if file_format == "cineon":
        return StillColour("cineon")
    if transfer == "ADX":
        return StillColour("ADX10" if bits_of(spec) <= 10 else "ADX16")
    stated = spec.get_string_attribute("oiio:ColorSpace")
    if transfer not in _DPX_TRANSFERS and spec.get_string_attribute("dpx:Colorimetric") in _FILM:
        return StillColour("cineon")
    if name := _DPX_TRANSFERS.get(transfer) or ("" if stated.startswith(("srgb_", "lin_")) else stated):
        return StillColour(name)
    if not is_integer(spec):
        return StillColour("lin_rec709")
    note = ""
    if bits_of(spec) > 8:
        note = (
            f"it does not say what its {bits_of(spec)}-bit numbers mean (transfer {_printable(transfer)!r}); it is "
            "read as sRGB. Film scans are cineon: name the input space if it is one."
        )
    return StillColour("srgb_rec709_scene", None, note)


def _stated(spec: Any) -> str:
    """The file's word; without one, integers are sRGB and floats linear."""
    name = str(spec.get_string_attribute("oiio:ColorSpace"))
    if not is_integer(spec):
        return name if name.startswith("lin_") else "lin_rec709_scene"
    if not name or name.startswith("g22_rec709"):  # a PNG's gamma of 2.2: its writers meant sRGB
        return "srgb_rec709_scene"
    return name


def _colour_channels(spec: Any) -> int:
    return int(spec.nchannels) - (spec.alpha_channel >= 0)


def _word(name: str) -> str:
    space = known(name)
    return "scene-linear" if space and space.transfer == "linear" else "sRGB"


def _printable(text: Any) -> str:
    return "".join(char for char in str(text) if char.isprintable())[:_SHORT].strip()
