"""Checked fields: what a message may hold, stated once in each field's type and enforced on both sides of the wire.

A message is a dataclass whose fields are `Annotated[type, check]` or dataclasses themselves. A field with a default may
be absent from what arrives, so that a field that was added later does not shut older peers out.
"""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Check = Callable[[Any, str], Any]
AnyRecord = TypeVar("AnyRecord")

SCALAR_TEXT = 65_536
MOST_ENTRIES = 1 << 14


class ProtocolError(Exception):
    """A message breaks the rules of the protocol; the text says which field and why."""


def text(limit: int = 4096) -> Check:
    """A string of at most `limit` characters."""

    def check(value: Any, where: str) -> str:
        if not isinstance(value, str):
            raise ProtocolError(f"{where} is not text")
        if len(value) > limit:
            raise ProtocolError(f"{where} is longer than {limit} characters")
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise ProtocolError(f"{where} is not Unicode: {value[:80]!a}")
        return value

    return check


def word(*allowed: str) -> Check:
    """One of the given strings."""

    def check(value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ProtocolError(f"{where} is none of {', '.join(allowed)}")
        return value

    return check


def matching(pattern: str) -> Check:
    """A string that a regular expression matches whole."""
    allowed = re.compile(pattern)

    def check(value: Any, where: str) -> str:
        if not isinstance(value, str) or not allowed.fullmatch(value):
            raise ProtocolError(f"{where} is not {pattern}")
        return value

    return check


def integer(low: int, high: int) -> Check:
    """A whole number from `low` to `high`, both included."""

    def check(value: Any, where: str) -> int:
        if type(value) is not int:
            raise ProtocolError(f"{where} is not a whole number")
        if not low <= value <= high:
            raise ProtocolError(f"{where} is {value}, outside {low}..{high}")
        return value

    return check


def number(value: Any, where: str) -> float:
    """A finite number."""
    if type(value) not in (int, float):
        raise ProtocolError(f"{where} is not a number")
    if not math.isfinite(value):
        raise ProtocolError(f"{where} is not finite")
    return float(value)


def boolean(value: Any, where: str) -> bool:
    if type(value) is not bool:
        raise ProtocolError(f"{where} is neither true nor false")
    return value


def blob(limit: int) -> Check:
    """At most `limit` bytes."""

    def check(value: Any, where: str) -> bytes:
        if not isinstance(value, bytes):
            raise ProtocolError(f"{where} is not binary")
        if len(value) > limit:
            raise ProtocolError(f"{where} is longer than {limit} bytes")
        return value

    return check


def scalar(value: Any, where: str) -> str | int | float | bool:
    """A parameter's value: text, a number or a truth value."""
    if isinstance(value, str):
        return text(SCALAR_TEXT)(value, where)
    if type(value) is bool:
        return value
    if type(value) is int:
        return integer(-(2**53), 2**53)(value, where)
    return number(value, where)


def listed(check: Check, limit: int, least: int = 0) -> Check:
    """A list of `least` to `limit` entries; becomes a tuple."""

    def check_list(value: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise ProtocolError(f"{where} is not a list")
        if not least <= len(value) <= limit:
            raise ProtocolError(f"{where} has {len(value)} entries, not {least}..{limit}")
        return tuple(check(entry, f"{where}[{index}]") for index, entry in enumerate(value))

    return check_list


def mapped(check: Check, limit: int, key_limit: int = 128) -> Check:
    """A map from text to what `check` accepts, of at most `limit` entries."""
    check_key = text(key_limit)

    def check_map(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ProtocolError(f"{where} is not a map")
        if len(value) > limit:
            raise ProtocolError(f"{where} has {len(value)} entries, more than {limit}")
        return {check_key(k, f"a key of {where}"): check(v, f"{where}.{k}") for k, v in value.items()}

    return check_map


def record(kind: type[AnyRecord]) -> Check:
    """A map with exactly the fields of a dataclass, those that have a default if they are there."""

    def check(value: Any, where: str) -> AnyRecord:
        if isinstance(value, kind):
            return value
        return read(kind, value, where)

    return check


def read(kind: type[AnyRecord], value: Any, where: str) -> AnyRecord:
    """The dataclass with the fields of the map `value`. Raises ProtocolError."""
    if not isinstance(value, Mapping):
        raise ProtocolError(f"{where} is not a map")
    checks = _checks(kind)
    if value.keys() != checks.keys():
        odd = sorted(map(repr, (value.keys() ^ checks.keys()) - (_optional(kind) - value.keys())))
        if odd:
            raise ProtocolError(f"{where} lacks the field {odd[0][:80]} or should not have it")
    return kind(**{name: check(value[name], f"{where}.{name}") for name, check in checks.items() if name in value})


def _optional(kind: Any) -> set[str]:
    return {entry.name for entry in dataclasses.fields(kind) if entry.default is not dataclasses.MISSING}


def write(message: Any, where: str) -> dict[str, Any]:
    """The map of a dataclass's fields, checked, nested dataclasses included. Raises ProtocolError."""
    checks = _checks(type(message))
    return {name: _plain(check(getattr(message, name), f"{where}.{name}")) for name, check in checks.items()}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return write(value, type(value).__name__)
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return value


_known: dict[type, dict[str, Check]] = {}


def _check(hint: Any) -> Check:
    if hasattr(hint, "__metadata__"):
        check: Check = hint.__metadata__[0]
        return check
    return text() if hint is str else record(hint)


def _checks(kind: type) -> dict[str, Check]:
    """The check of each field: the one in its `Annotated` type, that of text, or that of the dataclass it is."""
    if kind not in _known:
        checks: dict[str, Check] = {}
        for name, hint in typing.get_type_hints(kind, include_extras=True).items():
            if typing.get_origin(hint) is not typing.ClassVar:
                checks[name] = _check(hint)
        _known[kind] = checks
    return _known[kind]
