"""Tells whether a pass is still what was written: somebody may have painted in it and saved it with our metadata.

The seal is a digest of the header, of the sizes of all chunks and of their ends, where zip keeps a checksum of their
pixels; of whole chunks where the pixels are stored as they are. No file has to be read as a whole for it.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Mapping, Sequence

from nodes.footage.exr.header import DamagedHeader, parse_header
from nodes.footage.metadata import Attribute

SEAL = "cleanplate/seal"
_END = 8
_STORED = (b"\0", b"\1")  # the numbers of no compression and of run lengths


def seal_of(
    attributes: Mapping[str, Attribute], offsets: Sequence[int], size: int, read: Callable[[int, int], bytes]
) -> str:
    """The seal of a file of `size` bytes with these attributes and chunks; `read(start, end)` gives its bytes.

    Raises ValueError where the chunks do not follow each other to the end of the file.
    """
    digest = hashlib.sha256()
    for name, attribute in sorted(attributes.items()):
        if name != SEAL:
            text = f"{name}\0{attribute.type}\0".encode("utf-8", "surrogateescape")
            digest.update(text + struct.pack("<i", len(attribute.data)) + attribute.data)
    whole = attributes["compression"].data in _STORED
    for start, end in zip(offsets, (*offsets[1:], size), strict=True):
        if not 0 <= start <= end <= size:
            raise ValueError("the chunks are out of order")
        digest.update(struct.pack("<q", end - start) + read(start if whole else max(start, end - _END), end))
    return digest.hexdigest()


def is_untouched(path: str) -> bool:
    """Whether a file is as it was sealed, or was never sealed."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            header = parse_header(file, size)
            part = header.parts[0]
            if SEAL not in part.attributes:
                return True
            offsets = struct.unpack(f"<{part.chunks}q", os.pread(file.fileno(), 8 * part.chunks, header.end))
            seal = seal_of(
                part.attributes, offsets, size, lambda start, end: os.pread(file.fileno(), end - start, start)
            )
    except (OSError, DamagedHeader, struct.error, OverflowError, ValueError):
        return False
    return part.attributes[SEAL].data == seal.encode()
