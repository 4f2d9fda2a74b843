"""Which frames of a shot are rendered."""

from __future__ import annotations

from nodes.errors import ParameterError
from nodes.footage.frame_list import format_frames, parse_frames
from nodes.footage.reader import Footage


def frames_to_render(text: str | None, source: Footage) -> list[int]:
    """The frames of a list such as `1001-1100x2`, or all of the source. Raises ParameterError for those it lacks."""
    first, last = source.range()
    if text is None:
        return source.frames() or [first]
    frames = parse_frames(text)
    if not source.sequence.is_still and source.missing == "error":
        outside = [frame for frame in frames if not first <= frame <= last]
        if outside:
            raise ParameterError(
                f"frames {format_frames(outside)} are outside the source, which has {first}-{last}: "
                "change --frames, or set missingFrames=hold"
            )
    return frames
