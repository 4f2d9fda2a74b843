"""What is read from files becomes footage as every node expects it: stills scene-linear, alpha premultiplied."""

from __future__ import annotations

import dataclasses

from nodes.footage.association import premultiplied
from nodes.footage.colour.space import LINEAR_REC709
from nodes.footage.colour.spaces import to_linear_rec709
from nodes.footage.frame import Frame
from nodes.footage.metadata import SourceMetadata


def linearised(frame: Frame) -> Frame:
    """A PNG, JPEG, TIFF or DPX in scene-linear Rec.709, as everything in an EXR file is expected to be.

    EXR footage stays in its space, whatever it is: passes come out in the space the footage came in. Straight alpha is
    multiplied in, which the metadata's notes say.
    """
    metadata = frame.metadata
    if not isinstance(metadata, SourceMetadata):
        return frame
    if metadata.file_format != "openexr":
        pixels = to_linear_rec709(frame.pixels, frame.colour)
        frame = dataclasses.replace(frame, pixels=pixels, colour=LINEAR_REC709)
    return premultiplied(frame)
