"""What engines, files and people say, fitted to what a message may hold: the sender keeps the protocol's limits."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from nodes.plain_text import one_line
from plugin.worker.protocol.fields import MOST_FACTS, MOST_NOTES, NAME_TEXT, SENTENCE_TEXT
from plugin.worker.protocol.schema import SCALAR_TEXT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Record = TypeVar("Record", bound=DataclassInstance)

# Notes that differ in nothing but numbers are kin; more of them than this are said as one.
KIN = 4
# Characters of all notes together, and of all facts: both stay far below a message's bytes, however many they are.
_ALL_NOTES, _ALL_FACTS = 64_000, 128_000
_LARGEST = 2**53
_NUMBER = re.compile(r"-?\d+")


def fitted(text: object, limit: int = SENTENCE_TEXT) -> str:
    """A text as a message may hold it and anybody may print it: one line of at most `limit` characters.

    Total: what cannot even say what it is becomes the name of its type.
    """
    try:
        line = one_line(str(text))
    except Exception:
        line = type(text).__name__
    return line if len(line) <= limit else line[: limit - 1] + "…"


def fitted_name(text: object) -> str:
    """The same for a name."""
    return fitted(text, NAME_TEXT)


def fitted_record(texts: Record) -> Record:
    """The same for every field of a dataclass that holds nothing but texts."""
    return dataclasses.replace(
        texts, **{one.name: fitted(getattr(texts, one.name)) for one in dataclasses.fields(texts)}
    )


def fitted_notes(notes: Iterable[object]) -> tuple[str, ...]:
    """The notes of a frame: those that differ in numbers alone are folded, and the rest is counted.

    >>> fitted_notes([f"no frame {n}" for n in range(1003, 1067)])
    ('no frame 1003 (64 frames like this, first 1003)',)
    """
    kin: dict[str, list[str]] = {}
    for note in notes:
        line = fitted(note)
        kin.setdefault(_NUMBER.sub("\0", line), []).append(line)
    found = [text for group in kin.values() for text in _folded(list(dict.fromkeys(group)))]
    ends = list(itertools.accumulate(map(len, found)))
    fitting = min(MOST_NOTES, sum(end <= _ALL_NOTES for end in ends))
    if len(found) <= fitting:
        return tuple(found)
    kept = found[: fitting - 1]
    return (*kept, f"and {len(found) - len(kept)} more notes")


def _folded(group: list[str]) -> list[str]:
    if len(group) <= KIN:
        return group
    numbers = [_NUMBER.findall(line) for line in group[:2]]
    first = next(a for a, b in zip(*numbers, strict=True) if a != b)
    return [fitted(f"{group[0][: SENTENCE_TEXT - 80]} ({len(group)} frames like this, first {first})")]


def fitted_facts(info: Mapping[Any, Any]) -> dict[str, str | int | float]:
    """What an engine says about a frame: texts, numbers and truth values as they are, everything else as text."""
    facts: dict[str, str | int | float] = {}
    room = _ALL_FACTS
    for name, value in list(info.items())[:MOST_FACTS]:
        fact = _fact(value, min(room, SCALAR_TEXT))
        room -= len(fact) if isinstance(fact, str) else 0
        if room < 1:
            break
        facts[fitted_name(name)] = fact
    return facts


def _fact(value: Any, limit: int) -> str | int | float:
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if type(value) is bool or (type(value) is int and abs(value) <= _LARGEST):
        return value
    if type(value) is float and math.isfinite(value):
        return value
    return fitted(value, limit)
