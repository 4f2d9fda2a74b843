"""Timecode as EXR files hold it (SMPTE 12M, binary-coded decimal), and the one some frames later."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

from nodes.footage.metadata import Attribute

# Frames a second that timecode counts in; higher rates are written in several ways.
BASES = (24, 25, 30)
_DROP = 1 << 6
_DIGITS = 0x3F7F7F3F
_TEXT = re.compile(r"([0-2]\d):([0-5]\d):([0-5]\d)([:;.])([0-3]\d)")


def shifted(
    timecode: Attribute, frames: int, rate: float | None, others: Iterable[tuple[int, Attribute]]
) -> Attribute | None:
    """The timecode `frames` frames later; None where it cannot be known.

    `rate` is the shot's, in frames a second. Without one, `others` tell: timecodes of the same shot and how many frames
    later than this one they stand. The bits for users and colour frames stay as they are.
    """
    here = _fields(timecode)
    if here is None:
        return None
    bases = BASES if rate is None else tuple(base for base in BASES if abs(rate / base - 1) < 0.005)
    drop = bool(here[4])
    if drop:
        bases = tuple(base for base in bases if base == 30)
    known = [(later, fields) for later, other in others if (fields := _fields(other)) is not None]
    for later, fields in known if rate is None else ():
        bases = tuple(base for base in bases if _moved(here, later, base) == fields[:4])
    found = {_moved(here, frames, base) for base in bases if here[3] < base}
    if len(found) != 1:
        return None
    return _with(timecode, found.pop())


def of_text(text: str) -> Attribute | None:
    """The timecode that is written as `01:02:03:04`, with a semicolon or a dot before frames that drop numbers."""
    found = _TEXT.fullmatch(text.strip())
    if not found:
        return None
    word = int(found[1] + found[2] + found[3] + found[5], 16) | (0 if found[4] == ":" else _DROP)
    return Attribute("timecode", struct.pack("<2I", word, 0))


def to_text(timecode: Attribute) -> str:
    hours, minutes, seconds, frames, drop = _fields(timecode) or (0, 0, 0, 0, 0)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if drop else ':'}{frames:02d}"


def _fields(timecode: Attribute) -> tuple[int, int, int, int, int] | None:
    """Hours, minutes, seconds, frames, and whether numbers are dropped; None where it is no timecode."""
    if timecode.type != "timecode" or len(timecode.data) != 8:
        return None
    (word,) = struct.unpack_from("<I", timecode.data)
    frames = (word >> 4 & 3) * 10 + (word & 15)
    seconds, minutes = ((word >> shift + 4 & 7) * 10 + (word >> shift & 15) for shift in (8, 16))
    hours = (word >> 28 & 3) * 10 + (word >> 24 & 15)
    whole = seconds < 60 and minutes < 60 and hours < 24 and all(word >> shift & 15 < 10 for shift in (0, 8, 16, 24))
    return (hours, minutes, seconds, frames, word & _DROP) if whole else None


def _moved(at: tuple[int, ...], by: int, base: int) -> tuple[int, int, int, int]:
    hours, minutes, seconds, frames, drop = (*at, 0)[:5]
    minutes += hours * 60
    # In drop-frame timecode the numbers 0 and 1 are left out of every minute but each tenth.
    total = (minutes * 60 + seconds) * base + frames - (2 * (minutes - minutes // 10) if drop else 0)
    total = (total + by) % (24 * 3600 * base - (2 * (1440 - 144) if drop else 0))
    if drop:
        tens, rest = divmod(total, 600 * base - 18)
        total += 18 * tens + (2 * ((rest - 2) // (60 * base - 2)) if rest >= 2 else 0)
    seconds, frames = divmod(total, base)
    return seconds // 3600, seconds // 60 % 60, seconds % 60, frames


def _with(timecode: Attribute, fields: tuple[int, ...]) -> Attribute:
    word, user = struct.unpack("<2I", timecode.data)
    hours, minutes, seconds, frames = (value // 10 << 4 | value % 10 for value in fields)
    word = word & ~_DIGITS | hours << 24 | minutes << 16 | seconds << 8 | frames
    return Attribute("timecode", struct.pack("<2I", word, user))
