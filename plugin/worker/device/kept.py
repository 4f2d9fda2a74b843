"""What outlives a frame in the worker: networks and what engines keep, least recently used dropped first."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
_DEPTH = 6


class Kept:
    """A store with a budget in bytes. Values may grow while they are kept: `measure` looks again."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._lock = threading.RLock()
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, build: Callable[[], T]) -> T:
        """The value of `key`, built if it is not there; two jobs may build it at once, one of them wins.

        What is dropped lives on for those who still use it.
        """
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key][0]
        value = build()
        with self._lock:
            if key in self._entries:
                return self._entries[key][0]
            self._entries[key] = (value, size_of(value))
            self._shrink(keep=key)
        return value

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._entries

    def measure(self, keys: Iterable[Hashable]) -> None:
        """Looks again how big these values are, and drops others if they outgrew the budget."""
        with self._lock:
            for key in keys:
                if key in self._entries:
                    value, _ = self._entries[key]
                    self._entries[key] = (value, size_of(value))
            self._shrink(keep=None)

    def drop_all_but(self, keys: Iterable[Hashable]) -> bool:
        """Drops everything else; False when there was nothing else."""
        wanted = set(keys)
        with self._lock:
            others = [key for key in self._entries if key not in wanted]
            for key in others:
                del self._entries[key]
        return bool(others)

    def entries(self) -> list[tuple[Hashable, Any, int]]:
        """Keys, values and their sizes in bytes, least recently used first."""
        with self._lock:
            return [(key, value, size) for key, (value, size) in self._entries.items()]

    def _shrink(self, keep: Hashable) -> None:
        total = sum(size for _, size in self._entries.values())
        for key in list(self._entries):
            if total <= self.budget:
                return
            if key != keep:
                total -= self._entries.pop(key)[1]


def size_of(value: Any) -> int:
    """Bytes of the tensors, arrays and byte strings in a value, each counted once."""
    seen: dict[int, int] = {}
    _collect(value, seen, _DEPTH)
    return sum(seen.values())


def _collect(value: Any, seen: dict[int, int], depth: int) -> None:
    if id(value) in seen or depth < 0:
        return
    if hasattr(value, "element_size") and hasattr(value, "numel"):
        seen[id(value)] = value.element_size() * value.numel()
    elif hasattr(value, "nbytes"):
        seen[id(value)] = int(value.nbytes)
    elif isinstance(value, bytes | bytearray):
        seen[id(value)] = len(value)
    elif hasattr(value, "state_dict"):
        for tensor in value.state_dict().values():
            _collect(tensor, seen, 0)
    elif isinstance(value, Mapping):
        for entry in list(value.values()):
            _collect(entry, seen, depth - 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for entry in list(value):
            _collect(entry, seen, depth - 1)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for entry in dataclasses.fields(value):
            _collect(getattr(value, entry.name), seen, depth - 1)
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        _collect(vars(value), seen, depth - 1)
