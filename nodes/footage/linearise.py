"""Pictures that are encoded for a display become scene-linear footage."""

from __future__ import annotations

import dataclasses

from nodes.footage.colour import to_linear_rec709
from nodes.footage.colour_space import LINEAR_REC709
from nodes.footage.frame import Frame
from nodes.footage.metadata import SourceMetadata


def linearised(frame: Frame) -> Frame:
    """A PNG, JPEG, TIFF or DPX in scene-linear Rec.709, as everything in an EXR file is expected to be.

    EXR footage is returned as it is, whatever its space: passes come out in the space the footage came in.
    """
    metadata = frame.metadata
    if not isinstance(metadata, SourceMetadata) or metadata.file_format == "openexr":
        return frame
    pixels = to_linear_rec709(frame.pixels, frame.colour)
    return dataclasses.replace(frame, pixels=pixels, colour=LINEAR_REC709)
