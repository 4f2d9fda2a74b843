"""How EXR files compress their pixels: what each way is called, its number in a file, what it keeps."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from nodes.errors import ParameterError
from nodes.footage.metadata import Attribute

SOURCE = "source"
USUAL_DWA_LEVEL = 45  # of files that do not say theirs


@dataclass(frozen=True, slots=True)
class Compression:
    """`name` is OpenImageIO's, `number` the one in files; `rows` are those of a scanline chunk.

    Lossless ones keep every bit of half, float and uint; `lossless` says so of half alone where float loses some
    (pxr24). `levels` is the highest level, 0 where there are none. `ratio` is how much smaller than its pixels a whole
    file can be; 0 where there is no useful bound.
    """

    name: str
    number: int
    rows: int
    lossless: frozenset[str]
    levels: int = 0
    ratio: int = 0


_ALL, _NONE = frozenset({"half", "float"}), frozenset[str]()
KNOWN = (
    Compression("none", 0, 1, _ALL, ratio=1),
    Compression("rle", 1, 1, _ALL, ratio=130),
    Compression("zips", 2, 1, _ALL, levels=9, ratio=1200),
    Compression("zip", 3, 16, _ALL, levels=9, ratio=1200),
    Compression("piz", 4, 32, _ALL),
    Compression("pxr24", 5, 16, frozenset({"half"}), ratio=1600),
    Compression("b44", 6, 32, frozenset({"float"})),
    Compression("b44a", 7, 32, frozenset({"float"})),
    Compression("dwaa", 8, 32, _NONE, levels=500),
    Compression("dwab", 9, 256, _NONE, levels=500),
    Compression("htj2k256", 10, 256, _ALL),
    Compression("htj2k32", 11, 32, _ALL),
    Compression("zstd", 13, 1, _ALL, levels=22),
)
BY_NAME = {one.name: one for one in KNOWN}
_BY_NUMBER = {one.number: one for one in KNOWN}
_USUAL = BY_NAME["zip"]


def by_number(number: int) -> Compression | None:
    """The compression with this number in a file; None for one that is not known."""
    return _BY_NUMBER.get(number)


def parse(text: str) -> tuple[str, int | None]:
    """Name and level of a text such as `zip`, `zip:9` or `source`. Raises ParameterError."""
    name, colon, level = text.strip().lower().partition(":")
    if name != SOURCE and name not in BY_NAME:
        raise ParameterError(
            f"the compression cannot be '{text}': it is one of {', '.join(BY_NAME)}, or {SOURCE} for that of the source"
        )
    most = BY_NAME[name].levels if name in BY_NAME else 0
    if not colon:
        return name, None
    if not most:
        raise ParameterError(f"the compression cannot be '{text}': {name} has no levels")
    if not (level.isascii() and level.isdigit() and 1 <= int(level) <= most):
        raise ParameterError(f"the compression cannot be '{text}': the level of {name} is a number from 1 to {most}")
    return name, int(level)


def of_source(attributes: Mapping[str, Attribute]) -> tuple[Compression, int | None]:
    """The compression, and its level where it says one, of the file with these attributes.

    zip where it is not an EXR file, or one with a compression that cannot be written.
    """
    stored = attributes.get("compression")
    found = by_number(stored.data[0]) if stored is not None and stored.data else None
    if found is None:
        return _USUAL, None
    return found, _dwa_level(attributes) if found.name.startswith("dwa") else None


def written_like(attributes: Mapping[str, Attribute], bit_depth: str) -> str:
    """A sentence for the user: what `source` means for a source with these attributes."""
    found, _ = of_source(attributes)
    if "compression" not in attributes:
        return f"the source is no EXR file and has no compression to take over: passes are written with {found.name}"
    if by_number(attributes["compression"].data[0]) is None:
        return f"the source's compression cannot be written: passes are written with {found.name}"
    if bit_depth not in found.lossless:
        return f"passes are written with {found.name} like the source, which changes pixels a little"
    return f"passes are written with {found.name} like the source"


def keeps_pixels(text: str, bit_depth: str) -> bool:
    """Whether files of this compression hold the pixels exactly, whatever the source is.

    >>> keeps_pixels("zip:4", "half"), keeps_pixels("dwaa", "half")
    (True, False)
    """
    name, _ = parse(text)
    return name in BY_NAME and bit_depth in BY_NAME[name].lossless


def _dwa_level(attributes: Mapping[str, Attribute]) -> int:
    stored = attributes.get("dwaCompressionLevel")
    try:
        level = struct.unpack("<f", stored.data)[0] if stored is not None else USUAL_DWA_LEVEL
        return min(max(round(level), 1), 500)
    except (struct.error, ValueError, OverflowError):
        return USUAL_DWA_LEVEL
