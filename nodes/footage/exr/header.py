"""Reads the header of an OpenEXR file without decoding pixels, and trusts nothing it says.

OpenImageIO reads the pixels; this reader exists because a compositor's attributes must survive bit by bit (OpenImageIO
renames some and drops those of unknown types), and because a damaged header must be recognised before anything is
allocated for it. The layout is described in "OpenEXR File Layout" (openexr.com).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from nodes.footage.exr.compression import BY_NAME, by_number
from nodes.footage.metadata import Attribute
from nodes.footage.window import Window

MAGIC = b"\x76\x2f\x31\x01"
TILED, LONG_NAMES, DEEP, MULTIPART = 0x200, 0x400, 0x800, 0x1000
PIXEL_TYPES = ("uint", "half", "float")
_MOST_ROWS = 4096  # in a chunk, supposed of compressions that are not known

_MAX_HEADER = 64 << 20
_MAX_COORDINATE = 1 << 29
_MAX_NAME = 255
_MAX_CHANNELS = 4096
# What OpenImageIO does with attributes grows with the square of a part's.
_MAX_ATTRIBUTES, _MAX_ATTRIBUTES_IN_ALL = 4096, 32_768


class DamagedHeader(ValueError):
    """The header contradicts itself or the file's size; the text says how and continues "FILE is damaged: "."""


class CutHeader(DamagedHeader):
    """The file ends before its header, or the table after it, does."""


@dataclass(frozen=True, slots=True)
class Channel:
    name: str
    pixel_type: str
    x_sampling: int
    y_sampling: int


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a file: its raw attributes, and the few that decide how it is read."""

    attributes: dict[str, Attribute]
    channels: tuple[Channel, ...]
    data_window: Window
    display_window: Window
    compression: str
    deep: bool
    tile: tuple[int, int] | None

    @property
    def name(self) -> str:
        return _text(self.attributes["name"].data) if "name" in self.attributes else ""

    @property
    def view(self) -> str:
        return _text(self.attributes["view"].data) if "view" in self.attributes else ""

    @property
    def raw_bytes(self) -> int:
        """Size of the uncompressed pixels of all channels, of a file without mip levels."""
        area = self.data_window.width * self.data_window.height
        return sum(area * (2 if c.pixel_type == "half" else 4) // (c.x_sampling * c.y_sampling) for c in self.channels)

    @property
    def chunk_bytes(self) -> int:
        """Size of the largest chunk when it is uncompressed; a decoder holds some of them at once."""
        window = self.data_window
        columns, rows = window.width, min(window.height, self._chunk_rows)
        if self.tile:
            columns, rows = min(window.width, self.tile[0]), min(window.height, self.tile[1])
        return columns * rows * sum(2 if channel.pixel_type == "half" else 4 for channel in self.channels)

    @property
    def chunks(self) -> int:
        """How many chunks the part has at least (mip levels not counted)."""
        window = self.data_window
        if self.tile:
            return -(-window.width // self.tile[0]) * -(-window.height // self.tile[1])
        return -(-window.height // self._chunk_rows)

    @property
    def _chunk_rows(self) -> int:
        return BY_NAME[self.compression].rows if self.compression in BY_NAME else _MOST_ROWS


@dataclass(frozen=True, slots=True)
class ExrHeader:
    """`end` is the offset of the first chunk table, right after the header."""

    parts: tuple[Part, ...]
    flags: int
    end: int
    file_size: int


def is_exr(path: str | os.PathLike[str]) -> bool:
    """Whether the file starts like an EXR, whatever it is called. Raises OSError where it cannot be read."""
    with open(path, "rb") as file:
        return file.read(4) == MAGIC


def read_header(path: str | os.PathLike[str]) -> ExrHeader:
    """The header of the file. Raises DamagedHeader where it makes no sense and OSError where it cannot be read."""
    with open(path, "rb") as file:
        return parse_header(file, os.fstat(file.fileno()).st_size)


def parse_header(file: BinaryIO, size: int) -> ExrHeader:
    """The header of an open file of `size` bytes. Raises DamagedHeader."""
    cursor = _Cursor(file, size)
    if cursor.take(4) != MAGIC:
        raise DamagedHeader("it does not begin like an EXR file")
    (flags,) = struct.unpack("<I", cursor.take(4))
    if flags & 0xFF != 2 or flags & ~(0xFF | TILED | LONG_NAMES | DEEP | MULTIPART):
        raise DamagedHeader(f"it says it is of an unknown version (0x{flags:08x})")
    parts: list[Part] = []
    count = 0
    while True:
        attributes = _attributes(cursor)
        if not attributes:
            break
        count += len(attributes)
        if count > _MAX_ATTRIBUTES_IN_ALL:
            raise DamagedHeader(f"it has more than {_MAX_ATTRIBUTES_IN_ALL} attributes")
        parts.append(_part(attributes, flags))
        if not flags & MULTIPART:
            break
        if len(parts) > 1024:
            raise DamagedHeader("it has more than 1024 parts")
    if not parts:
        raise DamagedHeader("its header is empty")
    table = 8 * sum(part.chunks for part in parts)
    if cursor.position + table > size:
        raise CutHeader(f"it ends after {size} bytes, before its picture begins")
    return ExrHeader(tuple(parts), flags, cursor.position, size)


class _Cursor:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self._buffer, self.position = bytearray(), 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > self._size or end > _MAX_HEADER:
            raise CutHeader("its header runs past the end of the file")
        self._fill(end)
        chunk = bytes(self._buffer[self.position : end])
        self.position = end
        return chunk

    def string(self) -> str:
        self._fill(min(self._size, self.position + _MAX_NAME + 1))
        end = self._buffer.find(b"\0", self.position, self.position + _MAX_NAME + 1)
        if end < 0:
            cut = self._size <= self.position + _MAX_NAME
            raise (CutHeader if cut else DamagedHeader)("its header has a name without an end")
        text = _text(bytes(self._buffer[self.position : end]))
        self.position = end + 1
        return text

    def _fill(self, end: int) -> None:
        while len(self._buffer) < end:
            more = self._file.read(max(1 << 16, end - len(self._buffer)))
            if not more:
                raise CutHeader("its header runs past the end of the file")
            self._buffer += more


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _attributes(cursor: _Cursor) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {}
    count = 0
    while name := cursor.string():
        kind = cursor.string()
        (size,) = struct.unpack("<i", cursor.take(4))
        if size < 0:
            raise DamagedHeader(f"its attribute {name[:40]!r} has a negative size")
        attributes[name] = Attribute(kind, cursor.take(size))
        count += 1
        if count > _MAX_ATTRIBUTES:
            raise DamagedHeader(f"it has more than {_MAX_ATTRIBUTES} attributes")
    return attributes


def _part(attributes: dict[str, Attribute], flags: int) -> Part:
    channels = _channels(_required(attributes, "channels", "chlist"))
    number = _required(attributes, "compression", "compression", 1)[0]
    windows = [_window(_required(attributes, name, "box2i", 16), name) for name in ("dataWindow", "displayWindow")]
    kind = _text(attributes["type"].data) if "type" in attributes else ""
    deep = kind.startswith("deep") and bool(flags & (DEEP | MULTIPART))
    tile = None
    if (flags & TILED and not flags & MULTIPART) or (flags & MULTIPART and kind in ("tiledimage", "deeptile")):
        x, y, _mode = struct.unpack("<IIB", _required(attributes, "tiles", "tiledesc", 9))
        if not (1 <= x <= _MAX_COORDINATE and 1 <= y <= _MAX_COORDINATE):
            raise DamagedHeader(f"its tiles measure {x}x{y} pixels")
        tile = (x, y)
    known = by_number(number)
    compression = known.name if known else f"number {number}"
    return Part(attributes, channels, windows[0], windows[1], compression, deep, tile)


def _required(attributes: dict[str, Attribute], name: str, kind: str, size: int | None = None) -> bytes:
    attribute = attributes.get(name)
    if attribute is None:
        raise DamagedHeader(f"its header lacks {name!r}")
    if attribute.type != kind or (size is not None and len(attribute.data) != size):
        raise DamagedHeader(f"its attribute {name!r} is not of the type {kind}")
    return attribute.data


def _channels(data: bytes) -> tuple[Channel, ...]:
    channels: list[Channel] = []
    position = 0
    while position < len(data) and data[position]:
        end = data.find(b"\0", position)
        if end < 0 or end + 17 > len(data):
            raise DamagedHeader("its list of channels is cut off")
        kind, _linear, x, y = struct.unpack_from("<iB3xii", data, end + 1)
        if not 0 <= kind < len(PIXEL_TYPES) or not (1 <= x < 1024 and 1 <= y < 1024):
            raise DamagedHeader("its list of channels makes no sense")
        channels.append(Channel(_text(data[position:end]), PIXEL_TYPES[kind], x, y))
        position = end + 17
        if len(channels) > _MAX_CHANNELS:
            raise DamagedHeader(f"it has more than {_MAX_CHANNELS} channels")
    if not channels:
        raise DamagedHeader("it has no channels")
    return tuple(channels)


def _window(data: bytes, name: str) -> Window:
    left, top, right, bottom = struct.unpack("<4i", data)
    if max(map(abs, (left, top, right, bottom))) > _MAX_COORDINATE or right < left or bottom < top:
        raise DamagedHeader(f"its attribute {name!r} goes from {left},{top} to {right},{bottom}")
    return Window(left, top, right - left + 1, bottom - top + 1)
