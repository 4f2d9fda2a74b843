"""Finds damage in a PNG before libpng does, which would write about it to stderr."""

from __future__ import annotations

import struct
import zlib

# Each may unpack to 8 MB.
_MOST_PACKED_TEXTS = 64
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def damage(path: str) -> str:
    """What is wrong with the chunks of a PNG file, in a few words; empty where all is well or it is no PNG.

    Raises OSError where the file cannot be read.
    """
    with open(path, "rb") as file:
        if file.read(8) != SIGNATURE:
            return ""
        packed = 0
        while True:
            head = file.read(8)
            if len(head) < 8:
                return "it is cut off"
            size, kind = struct.unpack(">I4s", head)
            if size > 0x7FFFFFFF or not kind.isalpha():
                return "its chunks make no sense"
            data = file.read(size + 4)
            if len(data) < size + 4:
                return "it is cut off"
            if zlib.crc32(memoryview(data)[:size], zlib.crc32(kind)) != int.from_bytes(data[size:], "big"):
                return "a checksum does not fit its data"
            packed += kind in (b"zTXt", b"iTXt")
            if packed > _MOST_PACKED_TEXTS:
                return f"it has more than {_MOST_PACKED_TEXTS} compressed texts"
            if kind == b"IEND":
                return ""
