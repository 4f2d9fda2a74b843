"""Counts the IPTC entries of a JPEG or TIFF before OpenImageIO does, whose memory grows with the square of them."""

from __future__ import annotations

import struct
from typing import BinaryIO

_MOST_ENTRIES = 1000
_ENTRY = b"\x1c\x02"
# Where a TIFF keeps IPTC: by itself, and in Photoshop's resources.
_TAGS = (33723, 34377)
_MOST_PAGES = 1024
_LONGEST = 64 << 20


def damage(path: str) -> str:
    """What is wrong with the IPTC entries, in a few words; empty where nothing is or the file is of another format.

    Raises OSError where the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(4)
        try:
            if head[:3] == b"\xff\xd8\xff":
                found = _jpeg(file)
            elif head in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
                found = _tiff(file, "<" if head[:2] == b"II" else ">", big=b"+" in head)
            else:
                return ""
        except (struct.error, OverflowError, ValueError):
            return ""  # cut off: whoever decodes it says so
    return f"it has more than {_MOST_ENTRIES} IPTC entries" if found > _MOST_ENTRIES else ""


def _jpeg(file: BinaryIO) -> int:
    """Entries in the segments before the picture."""
    found, position = 0, 2
    while True:
        file.seek(position)
        mark, kind, size = struct.unpack(">BBH", file.read(4))
        if mark != 0xFF or kind == 0xDA:
            return found
        if kind == 0xFF:  # a filling byte
            position += 1
            continue
        if kind == 0xED:
            found += file.read(max(0, size - 2)).count(_ENTRY)
        position += 2 + size


def _tiff(file: BinaryIO, order: str, big: bool) -> int:
    """Entries in the tags of all pages."""
    count, entry, offset = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    entry_size, found = struct.calcsize("=" + entry), 0
    file.seek(8 if big else 4)
    (page,) = _read(file, order + offset)
    for _ in range(_MOST_PAGES):
        if not page:
            break
        file.seek(page)
        (tags,) = _read(file, order + count)
        table = file.read(min(tags, 1 << 16) * entry_size)
        (page,) = _read(file, order + offset)
        for tag, kind, length, where in struct.iter_unpack(order + entry, table):
            size = length * {3: 2, 4: 4}.get(kind, 1)
            if tag in _TAGS and size > len(where):
                file.seek(struct.unpack(order + offset, where)[0])
                found += file.read(min(size, _LONGEST)).count(_ENTRY)
    return found


def _read(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
