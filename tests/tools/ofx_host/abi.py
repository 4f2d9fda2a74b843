"""The C side of OpenFX: structures, status codes, and functions of suites that report instead of failing silently."""

from __future__ import annotations

import ctypes
import functools
import traceback
from collections.abc import Callable
from typing import Any

Pointer, Text, Int, Double = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_double

OK, FAILED, FATAL, UNKNOWN, MISSING_FEATURE, UNSUPPORTED, EXISTS, FORMAT, MEMORY, BAD_HANDLE, BAD_INDEX, VALUE = range(
    12
)
REPLY_YES, REPLY_NO, REPLY_DEFAULT = 12, 13, 14
STATUS = dict(
    enumerate(
        "OK Failed ErrFatal ErrUnknown ErrMissingHostFeature ErrUnsupported ErrExists ErrFormat ErrMemory ErrBadHandle "  # noqa: SIM905
        "ErrBadIndex ErrValue ReplyYes ReplyNo ReplyDefault".split()
    )
)


class RectD(ctypes.Structure):
    _fields_ = [("x1", Double), ("y1", Double), ("x2", Double), ("y2", Double)]


FETCH_SUITE = ctypes.CFUNCTYPE(Pointer, Pointer, Text, Int)


class OfxHost(ctypes.Structure):
    _fields_ = [("host", Pointer), ("fetchSuite", FETCH_SUITE)]


SET_HOST = ctypes.CFUNCTYPE(None, ctypes.POINTER(OfxHost))
MAIN_ENTRY = ctypes.CFUNCTYPE(Int, Text, Pointer, Pointer, Pointer)


class OfxPlugin(ctypes.Structure):
    _fields_ = [
        ("pluginApi", Text),
        ("apiVersion", Int),
        ("pluginIdentifier", Text),
        ("pluginVersionMajor", ctypes.c_uint),
        ("pluginVersionMinor", ctypes.c_uint),
        ("setHost", SET_HOST),
        ("mainEntry", MAIN_ENTRY),
    ]


class Function:
    """A function of a suite: its C type and the method that answers it."""

    def __init__(self, method: Callable[..., Any], result: Any, arguments: tuple[Any, ...]) -> None:
        self.method, self.type = method, ctypes.CFUNCTYPE(result, *arguments)


def function(*arguments: Any, result: Any = Int) -> Callable[[Callable[..., Any]], Function]:
    """Marks a method of a `Suite` as its next C function."""
    return lambda method: Function(method, result, arguments)


class Suite:
    """A table of C functions, in the order in which the class defines them.

    An exception in one of them is written down in the journal and becomes kOfxStatFailed.
    """

    def __init__(self, host: Any) -> None:
        self.host = host
        entries = [
            (name, entry)
            for kind in reversed(type(self).__mro__)
            for name, entry in vars(kind).items()
            if isinstance(entry, Function)
        ]
        table = type("Table", (ctypes.Structure,), {"_fields_": [(name, entry.type) for name, entry in entries]})
        self.table = table(*(entry.type(self._guarded(name, entry)) for name, entry in entries))
        self.address = ctypes.addressof(self.table)

    def _guarded(self, name: str, entry: Function) -> Callable[..., Any]:
        @functools.wraps(entry.method)
        def call(*arguments: Any) -> Any:
            try:
                return entry.method(self, *arguments)
            except Exception:
                self.host.journal.wrong(f"{name}: {traceback.format_exc()}")
                return FAILED

        return call


def text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "surrogateescape")


def write_pointer(where: int, value: int | None) -> None:
    Pointer.from_address(where).value = value


def write_int(where: int, value: int) -> None:
    Int.from_address(where).value = value


def write_double(where: int, value: float) -> None:
    Double.from_address(where).value = value
