"""What lies where a pass is to be written: a finished frame of ours, a piece of one, or what somebody else made."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from nodes.footage import exr_attributes
from nodes.footage.exr import compression
from nodes.footage.exr.header import MAGIC, CutHeader, DamagedHeader, parse_header
from nodes.footage.metadata import Attribute

_USUAL_HEADER = 16 << 10
_PLAIN = (b"\2\0\0\0", b"\2\4\0\0")  # one part of scanlines, with short names or long ones
KEY, INPUTS = "cleanplate/key", "cleanplate/inputs"
_STRUCTURE = {"channels", "compression", "dataWindow"}
_WANTED = {name.encode(): name for name in (KEY, INPUTS, *_STRUCTURE)}


@dataclass(frozen=True, slots=True)
class Making:
    """What a file says about its making: the `key` and `inputs` it was written with, and whether it is `whole`.

    `foreign` is one that Cleanplate did not make, or that nobody can tell; a piece of an EXR file that ends within its
    header, and an empty file, are neither foreign nor whole: they hold no picture.
    """

    key: str = ""
    inputs: str = ""
    whole: bool = False
    foreign: bool = False


def read_making(path: str | os.PathLike[str]) -> Making | None:
    """None where there is nothing, or a link to nothing."""
    try:
        with open(path, "rb") as file:
            return _making(file, os.fstat(file.fileno()).st_size)
    except FileNotFoundError:
        return None
    except (OSError, DamagedHeader, struct.error, ValueError, IndexError):
        return Making(foreign=True)


def is_finished(path: str | os.PathLike[str], key: str) -> bool:
    """Whether `path` is a whole frame that was written with this key; an unreadable one is not finished."""
    making = read_making(path)
    return making is not None and making.whole and making.key == key


def _making(file: BinaryIO, size: int) -> Making:
    start = file.read(_USUAL_HEADER)
    if not start.startswith(MAGIC):
        return Making(foreign=not MAGIC.startswith(start))
    found = _plain_header(start)
    if found is None:
        file.seek(0)
        try:
            header = parse_header(file, size)
        except CutHeader:
            return Making()
        attributes, end, count = header.parts[0].attributes, header.end, header.parts[0].chunks
    else:
        attributes, end = found
        count = _chunks(attributes)
        if end + 8 * count > size:
            return Making()
    key, inputs = (_text(attributes, name) for name in (KEY, INPUTS))
    return Making(key, inputs, _is_whole(file, end, count, size), foreign=not key)


def _plain_header(start: bytes) -> tuple[dict[str, Attribute], int] | None:
    """What matters here of the header of a file such as ours, and its end, without what `parse_header` makes sure of.

    A hundred thousand of them are looked at before a render. None where it is another kind of file, or cut off.
    """
    attributes: dict[str, Attribute] = {}
    if start[: len(MAGIC)] != MAGIC or start[4:8] not in _PLAIN:
        return None
    position = 8
    try:
        while start[position]:
            name_end = start.index(0, position)
            type_end = start.index(0, name_end + 1)
            (size,) = struct.unpack_from("<i", start, type_end + 1)
            end = type_end + 5 + size
            if size < 0 or end >= len(start):
                return None
            if (name := start[position:name_end]) in _WANTED:
                attributes[_WANTED[name]] = Attribute(
                    start[name_end + 1 : type_end].decode(), start[type_end + 5 : end]
                )
            position = end
    except (IndexError, ValueError, struct.error):
        return None
    return (attributes, position + 1) if attributes.keys() >= _STRUCTURE else None


def _chunks(attributes: Mapping[str, Attribute]) -> int:
    _, top, _, bottom = struct.unpack("<4i", attributes["dataWindow"].data)
    known = compression.by_number(attributes["compression"].data[0])
    return -(-(bottom - top + 1) // known.rows) if known else 1


def _is_whole(file: BinaryIO, end: int, count: int, size: int) -> bool:
    """Files are renamed when they are whole, but a machine that loses power may still leave a shortened one: the last
    chunk must end where the file ends."""
    try:
        file.seek(end)
        last = max(struct.unpack(f"<{count}Q", file.read(8 * count)))
        file.seek(last + 4)
        (last_size,) = struct.unpack("<i", file.read(4))
    except (OSError, ValueError, struct.error, OverflowError):
        return False
    return bool(last + 8 + last_size == size)


def _text(attributes: Mapping[str, Attribute], name: str) -> str:
    attribute = attributes.get(name)
    text = exr_attributes.decode(attribute) if attribute is not None else ""
    return text if isinstance(text, str) else ""
