"""The safetensors format: a length, a JSON header, numbers. Reading trusts nothing; writing is reproducible.

The same arrays and metadata always give the same bytes, so that a file's sha256 names its weights on every machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from models.weights.errors import BadFile
from models.weights.formats.arrays import ITEM_SIZE, MAX_ARRAYS, Storage, StoredArray, contiguous_stride, view

MAX_HEADER = 4 << 20
# What says how weights came about; of other texts nobody needs more than so many letters.
CARD, LONGEST_TEXT = "card.", 2000
_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
_CODES = {name: code for code, name in _DTYPES.items()}


class SafetensorsFile:
    """`arrays` and `metadata` of a file; `read` returns an array's bytes.

    Raises BadFile if the header is larger than the file (or than 4 MB), is not what the format asks for, or
    describes arrays outside the file, overlapping, or of another length than their shape says.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        length = int.from_bytes(file.read(8), "little")
        if length > size - 8:
            raise BadFile(f"is cut short or damaged: its header claims {length:,} bytes, the file has {size:,}")
        if length > MAX_HEADER:
            raise BadFile("is not a plausible weights file: its header is larger than 4 MB")
        self._start = 8 + length
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            raise BadFile("is damaged: its header cannot be read") from None
        if not isinstance(header, dict) or len(header) > MAX_ARRAYS:
            raise BadFile("is damaged: its header is not a list of arrays")
        metadata = header.pop("__metadata__", None)
        self.metadata = _texts(metadata) if isinstance(metadata, dict) else {}
        self._places: dict[str, int] = {}
        self.arrays = {name: self._array(name, entry) for name, entry in header.items()}
        self._check_layout(size - self._start)

    def _array(self, name: str, entry: Any) -> StoredArray:
        try:
            dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        except (TypeError, KeyError, ValueError):
            raise BadFile("is damaged: its header does not describe its arrays") from None
        dtype = _DTYPES.get(dtype) if isinstance(dtype, str) else None
        if dtype is None:
            raise BadFile("holds numbers of a kind Cleanplate does not read")
        if type(begin) is not int or type(end) is not int or not 0 <= begin <= end:
            raise BadFile("is damaged: its header does not describe its arrays")
        storage = Storage(name, dtype, (end - begin) // ITEM_SIZE[dtype])
        array = view(storage, 0, shape, contiguous_stride(shape) if _plain(shape) else (), dtype)
        if array.size != end - begin:
            raise BadFile("is damaged: an array is not as long as its shape says")
        self._places[name] = begin
        return array

    def _check_layout(self, available: int) -> None:
        end = 0
        for name in sorted(self._places, key=lambda name: (self._places[name], self.arrays[name].size)):
            if self._places[name] < end:
                raise BadFile("is damaged: its arrays overlap")
            end = self._places[name] + self.arrays[name].size
        if end > available:
            raise BadFile("is cut short: its last arrays are missing; download or copy it again")

    def read(self, storage: Storage) -> bytearray:
        """The bytes of one array. Raises BadFile if they are not all there."""
        self._file.seek(self._start + self._places[storage.key])
        data = bytearray(self._file.read(storage.size))
        if len(data) != storage.size:
            raise BadFile("is cut short; download or copy it again")
        return data


def write_safetensors(
    file: IO[bytes], layout: Mapping[str, tuple[str, tuple[int, ...]]], metadata: Mapping[str, str], data: Iterable[Any]
) -> None:
    """Write a safetensors file: `layout` gives (dtype, shape) by name, `data` yields the bytes in `layout`'s order.

    Arrays of wide numbers come first in a file that other readers like; order `layout` by `layout_order`.
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    at = 0
    for name, (dtype, shape) in layout.items():
        size = ITEM_SIZE[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": _CODES[dtype], "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for piece in data:
        file.write(piece)


def layout_order(item: tuple[str, str]) -> tuple[int, str]:
    """Sort key for (name, dtype): widest numbers first, so that every array starts at a multiple of its width."""
    name, dtype = item
    return -ITEM_SIZE[dtype], name


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file. Raises BadFile, or OSError if the file cannot be opened."""
    with path.open("rb") as file:
        return SafetensorsFile(file, path.stat().st_size).metadata


def _plain(shape: tuple[Any, ...]) -> bool:
    return len(shape) <= 8 and all(type(side) is int and 0 <= side < 1 << 48 for side in shape)


def _texts(metadata: dict[Any, Any]) -> dict[str, str]:
    """Texts fit to be shown on a terminal; a card's may be longer."""
    texts = ((key, " ".join(value.split())) for key, value in metadata.items() if isinstance(value, str))
    return {
        key: value
        for key, value in texts
        if value.isprintable() and (len(value) <= LONGEST_TEXT or key.startswith(CARD))
    }
