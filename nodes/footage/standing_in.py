"""The attributes of a frame that stands in for a missing one: they say the frame that is shown, as editors go by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nodes.footage import exr_attributes
from nodes.footage.metadata import Attribute
from nodes.footage.timecode import shifted

# nuke/input/frame, frameNumber, dpx:FramePosition: what names the frame, if it says the number that was read.
_FRAME = re.compile(r"(?:^|[^a-z])frame(?:[ _]?(?:number|no|position|index))?$", re.IGNORECASE)
Attributes = Mapping[str, Attribute]


def standing_in(
    attributes: Attributes, read: int, shown: int, others: Callable[[], Iterable[tuple[int, Attributes]]]
) -> tuple[dict[str, Attribute], str]:
    """The attributes of the file of frame `read` for the frame `shown`, and a sentence where something was left out.

    `others` gives the attributes of more frames of the shot by their numbers; it is asked only where timecode counts in
    an unknown rate.
    """
    out = {name: _renumbered(name, value, read, shown) for name, value in attributes.items()}
    timecode = attributes.get("timeCode")
    if timecode is None:
        return out, ""
    rate = _rate(attributes)
    known = [] if rate else [(n - read, other["timeCode"]) for n, other in others() if "timeCode" in other]
    moved = shifted(timecode, shown - read, rate, known)
    if moved is None:
        del out["timeCode"]
        return out, f"frame {shown} has no timecode: the rate that frame {read} counts in is unknown"
    return {**out, "timeCode": moved}, ""


def _renumbered(name: str, attribute: Attribute, read: int, shown: int) -> Attribute:
    if not _FRAME.search(name):
        return attribute
    value: Any = exr_attributes.decode(attribute)
    if isinstance(value, str) and value.strip().isdecimal() and int(value) == read:
        return exr_attributes.encode(f"{shown:0{len(value.strip())}d}", attribute.type)
    if isinstance(value, int | float) and value == read:
        return exr_attributes.encode(type(value)(shown), attribute.type)
    return attribute


def _rate(attributes: Attributes) -> float | None:
    attribute = attributes.get("framesPerSecond")
    value = exr_attributes.decode(attribute) if attribute else None
    if isinstance(value, tuple) and len(value) == 2 and value[1]:
        return float(value[0] / value[1])
    return float(value) if isinstance(value, int | float) and value > 0 else None
