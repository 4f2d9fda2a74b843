"""The attributes that tell the colour space of written pixels."""

from __future__ import annotations

from collections.abc import Mapping

from nodes.footage import exr_attributes
from nodes.footage.colour.names import chromaticities_of
from nodes.footage.colour.space import ColourSpace
from nodes.footage.metadata import Attribute

_COLOUR = (
    "colorInteropID",
    "chromaticities",
    "oiio:ColorSpace",
    "whiteLuminance",
    "adoptedNeutral",
)


def with_colour(attributes: Mapping[str, Attribute], space: ColourSpace) -> dict[str, Attribute]:
    """The attributes with what they said about colour replaced by `space`.

    Known spaces get a `colorInteropID` and, where they are linear, `chromaticities`; any other is named in
    `oiio:ColorSpace`, so that a pass that is read again is what it is.
    """
    out = {name: value for name, value in attributes.items() if name not in _COLOUR}
    values = chromaticities_of(space.name)
    if values:
        name = "srgb_rec709" if space.name == "srgb" else space.name
        out["colorInteropID"] = exr_attributes.encode(f"{name}_scene")
        if space.transfer == "linear":
            out["chromaticities"] = exr_attributes.encode(values, "chromaticities")
    else:
        out["oiio:ColorSpace"] = exr_attributes.encode(space.name)
    return out
