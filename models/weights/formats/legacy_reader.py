"""Files written by PyTorch before 1.6: four pickles, a list of storages, then the storages one after the other."""

from __future__ import annotations

import struct
from typing import IO, Any

from models.weights.errors import BadFile
from models.weights.formats.arrays import Storage
from models.weights.formats.pickle_reader import MAX_BYTES, read_pickle
from models.weights.formats.tree import storages

# The pickled number every such file starts with.
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_PROTOCOL = 1001


class LegacyFile:
    """`tree` is what the file describes; `read` returns the bytes of a storage.

    Raises BadFile if the file is cut short, damaged, or of another byte order.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        head = file.read(min(size, MAX_BYTES))
        _, at = read_pickle(head)
        protocol, at = read_pickle(head, at)
        system, at = read_pickle(head, at)
        if protocol != _PROTOCOL or not isinstance(system, dict) or system.get("little_endian") is not True:
            raise BadFile("is damaged, or was written on a machine of another kind")
        self.tree, at = read_pickle(head, at)
        keys, at = read_pickle(head, at)
        self._places = self._index(keys, at, size)

    def _index(self, keys: Any, at: int, size: int) -> dict[str, int]:
        known = storages(self.tree)
        places: dict[str, int] = {}
        for key in keys if isinstance(keys, list) else []:
            storage = known.get(str(key)) if isinstance(key, (str, int)) else None
            if storage is None:
                raise BadFile("holds numbers of a kind Cleanplate does not read")
            self._file.seek(at)
            count = self._file.read(8)
            if len(count) < 8 or at + 8 + storage.size > size:
                raise BadFile("is cut short; download or copy it again")
            if struct.unpack("<q", count)[0] != storage.count:
                raise BadFile("is damaged: its arrays are not as long as it says")
            places[storage.key] = at + 8
            at += 8 + storage.size
        return places

    def read(self, storage: Storage) -> bytearray:
        """The bytes of one storage. Raises BadFile if they are not all there."""
        place = self._places.get(storage.key)
        if place is None:
            raise BadFile("is incomplete: it describes arrays it does not hold")
        self._file.seek(place)
        data = bytearray(self._file.read(storage.size))
        if len(data) != storage.size:
            raise BadFile("is cut short; download or copy it again")
        return data
