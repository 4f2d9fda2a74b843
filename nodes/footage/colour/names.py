"""Colour spaces that need no OpenColorIO, by artists' names and the interop ids of the ASWF Color Interop Forum."""

from __future__ import annotations

from nodes.footage.colour import primaries
from nodes.footage.colour.space import IDENTITY, ColourSpace

_PRIMARIES = {
    "rec709": primaries.REC709,
    "rec2020": primaries.REC2020,
    "p3d65": primaries.P3_D65,
    "adobergb": primaries.ADOBE_RGB,
    "ap0": primaries.AP0,
    "ap1": primaries.AP1,
    "ciexyzd65": (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.3127, 0.3290),
}
_TRANSFERS = {
    "lin": "linear",
    "srgb": "srgb",
    "g18": "gamma:1.8",
    "g22": "gamma:2.2",
    "g24": "gamma:2.4",
    "g26": "gamma:2.6",
}
_OTHER_NAMES = {
    "linear": "lin_rec709",
    "scenelinear": "lin_rec709",
    "scenelinearrec709": "lin_rec709",
    "linearrec709": "lin_rec709",
    "linearrec709srgb": "lin_rec709",
    "linsrgb": "lin_rec709",
    "utilitylinearsrgb": "lin_rec709",
    "utilitylinearrec709": "lin_rec709",
    "scenelinearrec709srgb": "lin_rec709",
    "data": "lin_rec709",
    "raw": "lin_rec709",
    "unknown": "lin_rec709",
    "acescg": "lin_ap1",
    "acesacescg": "lin_ap1",
    "aces20651": "lin_ap0",
    "acesaces20651": "lin_ap0",
    "aces": "lin_ap0",
    "linearrec2020": "lin_rec2020",
    "linearp3d65": "lin_p3d65",
    "srgb": "srgb_rec709",
    "srgbencoded": "srgb_rec709",
    "srgbtexture": "srgb_rec709",
    "srgbtx": "srgb_rec709",
    "utilitysrgbtexture": "srgb_rec709",
    "srgbencodedrec709srgb": "srgb_rec709",
    "displayp3": "srgb_p3d65",
    "srgbdisplayp3": "srgb_p3d65",
    "adobergb": "g22_adobergb",
    "rec709": "rec709",
    "kodaklog": "cineon",
    "cineon": "cineon",
}
# What the command line and the nodes offer by name.
OFFERED = ("auto", "scene-linear Rec.709", "ACEScg", "ACES2065-1", "sRGB", "cineon")


def known(name: str) -> ColourSpace | None:
    """The space of that name; None for names that only an OCIO configuration may know."""
    text = name.strip().lower().removeprefix("ocio:")
    key = "".join(char for char in text if char.isalnum())
    return _ALL.get(text.removesuffix("_scene").removesuffix("_display")) or _ALL.get(_OTHER_NAMES.get(key, ""))


def chromaticities_of(name: str) -> tuple[float, ...] | None:
    """Primaries and white of a known space's name, such as `lin_ap1`; None where they are not known."""
    return _PRIMARIES.get("rec709" if name == "srgb" else name.partition("_")[2])


def all_names() -> list[str]:
    return [*OFFERED, *_ALL]


def _table() -> dict[str, ColourSpace]:
    spaces: dict[str, ColourSpace] = {}
    for colours, values in _PRIMARIES.items():
        matrix = IDENTITY if colours == "rec709" else primaries.to_rec709(values)
        for prefix, transfer in _TRANSFERS.items():
            name = f"{prefix}_{colours}"
            spaces[name] = ColourSpace(name, transfer, matrix)
    spaces["srgb_rec709"] = ColourSpace("srgb", "srgb")
    spaces["rec709"] = ColourSpace("rec709", "rec709")
    spaces["cineon"] = ColourSpace("cineon", "cineon")
    return spaces


_ALL = _table()
