"""The attributes of a frame that stands in for a missing one: they say the frame that is shown, as editors go by it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nodes.footage import exr_attributes
from nodes.footage.metadata import Attribute
from nodes.footage.timecode import of_text, shifted, to_text

# nuke/input/frame, frameNumber, dpx:FramePosition: what names the frame, if it says the number that was read.
_FRAME = re.compile(r"(?:^|[^a-z])frame(?:[ _]?(?:number|no|position|index))?$", re.IGNORECASE)
_TIMECODE = re.compile(r"time[ _]?code$", re.IGNORECASE)
_RATE = re.compile(r"(?:^|[^a-z])(?:temporal)?(?:frame[ _]?rate|frames[ _]?per[ _]?second|fps)$", re.IGNORECASE)
Attributes = Mapping[str, Attribute]


def standing_in(
    attributes: Attributes, read: int, shown: int, others: Callable[[], Iterable[tuple[int, Attributes]]]
) -> tuple[dict[str, Attribute], str]:
    """The attributes of the file of frame `read` for the frame `shown`, and a sentence where something was left out.

    `others` gives the attributes of more frames of the shot by their numbers; it is asked only where timecode counts in
    an unknown rate.
    """
    out: dict[str, Attribute] = {}
    left_out = ""
    rate, known = _rate(attributes), None
    for name, value in attributes.items():
        here = _timecode(name, value)
        if here is None:
            out[name] = _renumbered(name, value, read, shown)
            continue
        if rate is None and known is None:
            known = list(others())
        there = [(n - read, one) for n, other in known or () if (one := _timecode(name, other.get(name)))]
        moved = shifted(here, shown - read, rate, there)
        if moved is None:
            left_out = f"frame {shown} has no timecode: the rate that frame {read} counts in is unknown"
        else:
            out[name] = exr_attributes.encode(to_text(moved)) if value.type == "string" else moved
    return out, left_out


def _timecode(name: str, attribute: Attribute | None) -> Attribute | None:
    """The timecode that an attribute is, or is the text of."""
    if attribute is None or attribute.type == "timecode":
        return attribute
    value = exr_attributes.decode(attribute) if _TIMECODE.search(name) else None
    return of_text(value) if isinstance(value, str) else None


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
    for name, attribute in attributes.items():
        if not _RATE.search(name):
            continue
        value = exr_attributes.decode(attribute)
        if isinstance(value, tuple) and len(value) == 2 and value[1]:
            value = value[0] / value[1]
        if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value.strip()):
            value = float(value)
        if isinstance(value, int | float) and value > 0:
            return float(value)
    return None
