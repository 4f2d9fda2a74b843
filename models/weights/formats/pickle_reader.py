"""Reads the pickles inside PyTorch files without running them.

A pickle is a small program for a stack machine; Python's own unpickler lets it import and call anything. This machine
has no way to import or call: a class or function named in the file becomes an `InertName`, what the file would have
called or built becomes a `Record` of plain data, and only the handful of names in `torch_names`, with which PyTorch
describes tensors, are understood, by code of this package. Work and memory are bounded by `MAX_STEPS`.

Example:
    >>> tree, end = read_pickle(b"\\x80\\x02}U\\x01aK\\x01s.")
    >>> tree
    {'a': 1}
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from models.weights.errors import BadFile
from models.weights.formats.torch_names import InertName, Record, meaning, plain_key, storage

# A network with 2,000 arrays takes 60,000 steps, with optimiser state 200,000.
MAX_STEPS = 500_000
MAX_BYTES = 32 << 20
# Names are short; whatever longer texts a training framework left in a file are of no use here.
MAX_TEXT = 1 << 16


class _Mark:
    __slots__ = ()


_MARK = _Mark()


def read_pickle(data: bytes, start: int = 0) -> tuple[Any, int]:
    """The plain data a pickle describes, and where the pickle ends in `data`.

    Dicts, lists, tuples, strings and numbers come back as such (sets as lists), tensors as `arrays.StoredArray`,
    storages as `arrays.Storage`, everything else as inert `Record` and `InertName`.

    Raises BadFile for anything that is not a complete, reasonable pickle.
    """
    machine = _Machine(data, start)
    try:
        return machine.run(), machine.at
    except (LookupError, struct.error, ValueError, TypeError, OverflowError, RecursionError):
        raise BadFile("is damaged: its list of contents cannot be read") from None


class _Machine:
    def __init__(self, data: bytes, start: int) -> None:
        self.data, self.at = data, start
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.budget = MAX_STEPS

    def run(self) -> Any:
        stop = ord(".")
        while self.budget > 0:
            self.budget -= 1
            code = self.data[self.at]
            self.at += 1
            if code == stop:
                return self.stack.pop()
            step = _STEPS.get(code)
            if step is None:
                raise BadFile("is damaged: its list of contents cannot be read")
            step(self)
        raise BadFile("is not a plausible weights file: its list of contents has no end")

    # Reading arguments.
    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise BadFile("is cut short: its list of contents ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def text(self, layout: str) -> str:
        return self.take(self.number(layout))[:MAX_TEXT].decode("utf-8", "replace")

    def line(self) -> str:
        end = self.data.index(b"\n", self.at, self.at + 4096)
        return self.take(end + 1 - self.at)[:-1].decode("utf-8")

    def long(self, count: int) -> None:
        if count > 16:
            raise ValueError
        self.push(int.from_bytes(self.take(count), "little", signed=True))

    # The stack.
    def push(self, value: Any) -> None:
        self.stack.append(value)

    def to_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def top(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise IndexError
        values = tuple(self.stack[-count:])
        del self.stack[-count:]
        return values

    def remember(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    # Containers.
    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Record):
            target.items.update((len(target.items), value) for value in values)
        else:
            raise ValueError

    def fill(self, values: list[Any]) -> None:
        target = self.stack[-1]
        items = target.items if isinstance(target, Record) else target
        if not isinstance(items, dict) or len(values) % 2:
            raise ValueError
        for key, value in zip(values[::2], values[1::2], strict=True):
            items[plain_key(key)] = value

    # What stands for objects.
    def named(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError
        self.push(InertName(module, name))

    def call(self, kind: Any, args: Any) -> None:
        if isinstance(args, tuple) and args and isinstance(args[0], (list, dict, tuple)):
            self.budget -= len(args[0])  # it may be copied
        self.push(meaning(kind, args))

    def build(self) -> None:
        (state,) = self.top(1)
        if isinstance(self.stack[-1], Record):
            self.stack[-1].state = state

    def persistent(self, value: Any) -> None:
        if isinstance(value, tuple) and len(value) >= 5 and value[0] == "storage" and isinstance(value[1], InertName):
            self.push(storage(value))
        elif isinstance(value, tuple) and len(value) >= 2 and value[0] == "module":
            self.push(value[1])
        else:
            self.push(Record("persistent", value))


def _steps() -> dict[int, Callable[[_Machine], None]]:
    """What each opcode does; codes that are missing (registered extensions, out-of-band buffers) are refused."""
    m: dict[bytes, Callable[[_Machine], Any]] = {
        b"\x80": lambda m: m.take(1),  # protocol
        b"\x95": lambda m: m.take(8),  # frame
        b"(": lambda m: m.push(_MARK),
        b"0": lambda m: m.stack.pop(),
        b"1": lambda m: m.to_mark(),
        b"2": lambda m: m.push(m.stack[-1]),
        b"N": lambda m: m.push(None),
        b"\x88": lambda m: m.push(True),
        b"\x89": lambda m: m.push(False),
        b"I": lambda m: m.push(_int_line(m.line())),
        b"L": lambda m: m.push(int(m.line().rstrip("L"))),
        b"J": lambda m: m.push(m.number("<i")),
        b"K": lambda m: m.push(m.number("<B")),
        b"M": lambda m: m.push(m.number("<H")),
        b"\x8a": lambda m: m.long(m.number("<B")),
        b"\x8b": lambda m: m.long(m.number("<i")),
        b"F": lambda m: m.push(float(m.line())),
        b"G": lambda m: m.push(m.number(">d")),
        b"S": lambda m: m.push(m.line().strip("'\"")),
        b"V": lambda m: m.push(m.line()),
        b"T": lambda m: m.push(m.text("<i")),
        b"U": lambda m: m.push(m.text("<B")),
        b"X": lambda m: m.push(m.text("<I")),
        b"\x8c": lambda m: m.push(m.text("<B")),
        b"\x8d": lambda m: m.push(m.text("<Q")),
        b"B": lambda m: m.push(m.take(m.number("<I"))),
        b"C": lambda m: m.push(m.take(m.number("<B"))),
        b"\x8e": lambda m: m.push(m.take(m.number("<Q"))),
        b"\x96": lambda m: m.push(m.take(m.number("<Q"))),
        b")": lambda m: m.push(()),
        b"t": lambda m: m.push(tuple(m.to_mark())),
        b"\x85": lambda m: m.push(m.top(1)),
        b"\x86": lambda m: m.push(m.top(2)),
        b"\x87": lambda m: m.push(m.top(3)),
        b"]": lambda m: m.push([]),
        b"l": lambda m: m.push(m.to_mark()),
        b"a": lambda m: m.extend(list(m.top(1))),
        b"e": lambda m: m.extend(m.to_mark()),
        b"}": lambda m: m.push({}),
        b"d": lambda m: _dict_of(m, m.to_mark()),
        b"s": lambda m: m.fill(list(m.top(2))),
        b"u": lambda m: m.fill(m.to_mark()),
        b"\x8f": lambda m: m.push([]),  # sets become lists
        b"\x90": lambda m: m.extend(m.to_mark()),
        b"\x91": lambda m: m.push(m.to_mark()),
        b"p": lambda m: m.remember(int(m.line())),
        b"q": lambda m: m.remember(m.number("<B")),
        b"r": lambda m: m.remember(m.number("<I")),
        b"\x94": lambda m: m.remember(len(m.memo)),
        b"g": lambda m: m.push(m.memo[int(m.line())]),
        b"h": lambda m: m.push(m.memo[m.number("<B")]),
        b"j": lambda m: m.push(m.memo[m.number("<I")]),
        b"c": lambda m: m.named(m.line(), m.line()),
        b"\x93": lambda m: m.named(*m.top(2)),
        b"R": lambda m: m.call(*m.top(2)),
        b"\x81": lambda m: m.call(*m.top(2)),
        b"\x92": lambda m: m.call(*m.top(3)[:2]),
        b"i": lambda m: m.call(InertName(m.line(), m.line()), tuple(m.to_mark())),
        b"o": lambda m: _object(m, m.to_mark()),
        b"b": lambda m: m.build(),
        b"P": lambda m: m.persistent(m.line()),
        b"Q": lambda m: m.persistent(*m.top(1)),
    }
    return {code[0]: step for code, step in m.items()}


def _int_line(text: str) -> int | bool:
    return text == "01" if text in ("00", "01") else int(text)


def _dict_of(machine: _Machine, values: list[Any]) -> None:
    machine.push({})
    machine.fill(values)


def _object(machine: _Machine, values: list[Any]) -> None:
    machine.call(values[0], tuple(values[1:]))


_STEPS = _steps()
