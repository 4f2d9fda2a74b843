"""The kinds of values that a face's keys take: each reads one, or says what it must be."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

_LONGEST_NAME = 60
_LONGEST_TEXT = 4000


class Wrong(Exception):
    """What is wrong with a face, as the rest of a sentence."""


@dataclass(frozen=True)
class Key:
    """`read` gives the value of a key or raises Wrong with what it must be."""

    read: Callable[[Any], Any]
    needed: bool = False


def prose(value: Any) -> str:
    """Something to read, its lines joined."""
    joined = optional_text(value)
    if not joined:
        raise Wrong("a text")
    return joined


def optional_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong("a text (in quotes if it looks like something else)")
    joined = " ".join(value.split())
    if not joined.isprintable() or len(joined) > _LONGEST_TEXT:
        raise Wrong(f"a text of at most {_LONGEST_TEXT} readable characters")
    return joined


def named(pattern: str, what: str) -> Callable[[Any], str]:
    """A name that `pattern` matches as a whole."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) > _LONGEST_NAME or not re.fullmatch(pattern, value):
            raise Wrong(what)
        return value

    return read


def chosen(*values: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not any(value is one or (isinstance(value, str) and value == one) for one in values):
            raise Wrong("one of " + ", ".join(map(_word, values)))
        return value

    return read


def truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Wrong("true or false")
    return value


def any_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Wrong("a number")
    return value


def whole(least: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**31:
            raise Wrong(f"a whole number from {least} on")
        return value

    return read


def at_least_one(read: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    """A list of at least one value that `read` takes."""

    def read_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not value:
            raise Wrong("a list")
        try:
            return tuple(map(read, value))
        except Wrong as wrong:
            raise Wrong(f"a list, and each of it {wrong}") from None

    return read_all


def numbers(count: int) -> Callable[[Any], tuple[float, ...]]:
    def read(value: Any) -> tuple[float, ...]:
        if not isinstance(value, list) or len(value) != count:
            raise Wrong(f"a list of {count} numbers")
        return tuple(map(any_number, value))

    return read


def words(value: Any) -> tuple[str, ...]:
    """Choices: YAML takes a bare `off` for a truth value and `1` for a number."""
    found = at_least_one(_as_text)(value)
    if len(set(found)) != len(found):
        raise Wrong("a list in which nothing stands twice")
    return found


def words_by_name(value: Any) -> dict[str, tuple[Any, ...]]:
    """Names of parameters, each with a value or a list of them."""
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise Wrong("names of parameters, each with its values")
    return {name: tuple(one) if isinstance(one, list) else (one,) for name, one in value.items()}


def notes_by_number(value: Any) -> dict[int, str]:
    """Versions and what came with each."""
    if not isinstance(value, dict) or not value or not all(type(number) is int for number in value):
        raise Wrong("versions, each with what changed: {1: The node.}")
    return {number: prose(note) for number, note in value.items()}


def entries(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Wrong("a list ([] for none)")
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """The rest of a sentence about a name that is not known."""
    known = list(known)
    close = difflib.get_close_matches(name, known, 1)
    return f": did you mean '{close[0]}'?" if close else f": it has {', '.join(known)}"


def in_few_words(value: Any) -> str:
    """A value in a few readable characters."""
    if isinstance(value, list | tuple | dict | set):
        return f"{'a mapping' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if value is None:
        return "nothing"
    flat = "".join(c if c.isprintable() else " " for c in _word(value))
    return " ".join(flat.split())[:60]


def _as_text(value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise Wrong("a text")
    return prose(_word(value))


def _word(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
