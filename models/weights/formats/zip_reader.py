"""Zip archives from strangers: entries are listed and read within bounds that it cannot talk its way out of."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from models.weights.errors import BadFile
from models.weights.formats.arrays import MAX_FILE_BYTES

# Trained numbers hardly compress; an archive that grows more than this was made to fill a memory or a disk.
MAX_GROWTH = 20
MAX_INDEX_BYTES = 8 << 20
PIECE = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Bounded:
    """A binary file whose single reads are at most `MAX_INDEX_BYTES`: a zip index larger than that is refused."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, count: int = -1) -> bytes:
        data = self._file.read(min(count, MAX_INDEX_BYTES + 1) if count >= 0 else MAX_INDEX_BYTES + 1)
        if len(data) > MAX_INDEX_BYTES:
            raise BadFile("is not a plausible weights file: its index alone is larger than 8 MB")
        return data


class Archive:
    """A zip archive opened for reading.

    Raises BadFile if it is damaged, encrypted, compressed in a way PyTorch never uses, or unpacks to more than
    `MAX_GROWTH` times its size.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        try:
            self._zip = zipfile.ZipFile(_Bounded(file))
        except (zipfile.BadZipFile, struct.error, ValueError, OSError, NotImplementedError, UnicodeDecodeError):
            raise BadFile("is cut short or damaged: its index cannot be read; download or copy it again") from None
        entries = self._zip.infolist()
        self.sizes = {entry.filename: entry.file_size for entry in entries}
        total = sum(self.sizes.values())
        if total > min(MAX_GROWTH * size + PIECE, MAX_FILE_BYTES):
            raise BadFile(f"unpacks to {total / 1e6:,.0f} MB from {size / 1e6:,.1f} MB, which no weights file does")
        if not all(name.isprintable() for name in self.sizes):
            raise BadFile("is damaged: its parts have unreadable names")
        if len(self.sizes) != len(entries):
            raise BadFile("is damaged: it holds two parts of the same name")
        if any(entry.compress_type not in _METHODS or entry.flag_bits & 1 for entry in entries):
            raise BadFile("is encrypted or packed in an unusual way; unpack it and import the file inside")

    def names(self) -> list[str]:
        """Entries in the order of the index, folders included (they end in a slash)."""
        return list(self.sizes)

    def read(self, name: str, limit: int) -> bytearray:
        """The whole entry. Raises BadFile if it is missing, larger than `limit`, shorter than stated or damaged."""
        size = self.sizes.get(name)
        if size is None:
            raise BadFile(f"is incomplete: its part {name[-60:]!r} is missing")
        if size > limit:
            raise BadFile(f"is damaged: its part {name[-60:]!r} is larger than it can be")
        data = bytearray(size)
        at = 0
        for piece in self.pieces(name):
            data[at : at + len(piece)] = piece
            at += len(piece)
        if at != size:
            raise BadFile("is cut short; download or copy it again")
        return data

    def pieces(self, name: str) -> Iterator[bytes]:
        """The entry's bytes, a megabyte at a time, checked against the checksum the archive keeps."""
        try:
            with self._zip.open(name) as entry:
                while piece := entry.read(PIECE):
                    yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, struct.error, NotImplementedError, OSError):
            raise BadFile("is cut short or damaged: a part fails its checksum; download or copy it again") from None
