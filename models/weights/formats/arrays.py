"""Arrays of a weights file as references: shape, type and place are known, the numbers are not read yet.

Everything here is free of torch, so that a file can be examined, and refused, without loading anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from models.weights.errors import BadFile

ITEM_SIZE = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
MAX_RANK = 8
# No published file of the house's networks has more than 6,000 arrays, optimiser state included.
MAX_ARRAYS = 100_000
# Nor is any larger than 2 GB; beyond this a file is refused unread.
MAX_FILE_BYTES = 16 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """A block of numbers in the file, as the file describes it. `key` says which one."""

    key: str
    dtype: str
    count: int

    @property
    def size(self) -> int:
        """Bytes of the whole block."""
        return self.count * ITEM_SIZE[self.dtype]


@dataclass(frozen=True, slots=True, eq=False)
class StoredArray:
    """One array: a view of a storage. Offset and stride count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the array's own numbers."""
        return self.count * ITEM_SIZE[self.dtype]


def view(storage: Storage, offset: Any, shape: Any, stride: Any, dtype: str) -> StoredArray:
    """A checked view of `storage`; the arguments may be anything a file can hold.

    Raises BadFile if the view leaves the storage, or repeats its elements: a file of a few bytes could otherwise
    describe an array of any size.
    """
    if not isinstance(shape, (tuple, list)) or not isinstance(stride, (tuple, list)) or len(shape) != len(stride):
        raise BadFile("is damaged: it describes an array of an impossible shape")
    if len(shape) > MAX_RANK or any(type(n) is not int or not 0 <= n < 1 << 48 for n in (offset, *shape, *stride)):
        raise BadFile("is damaged: it describes an array of an impossible shape")
    available = storage.size // ITEM_SIZE[dtype]
    count = math.prod(shape)
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True)) if count else 0
    if count > available or (count and last >= available):
        raise BadFile("is damaged: it describes an array larger than its own data")
    return StoredArray(storage, offset, tuple(shape), tuple(stride), dtype)


def contiguous_stride(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of a C-ordered array."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
