"""How a sentence names a parameter or an input of a node, so that each door spells it in its own words.

Sentences hold marks such as `<<missingFrames=hold|black>>`. The shell makes `add --set missingFrames=hold (or black)`
of that one, a compositor `set Missing frames to hold (or black)` and Python, whose words are the usual ones, `set
missingFrames to hold (or black)`. An error is spelled when it is shown (`str(error)`), by the door of `speaking`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_MARK = re.compile(r"<<(\w+)(?:=([^<>]*)|:([^<>|]*)\|([^<>]*))?>>")


@dataclass(frozen=True)
class Door:
    """`parameter` spells a name, `setting` what to do with it and values, `footage` how an input is given.

    `footage` gets the input's name, its option and the file parameter that can stand for it, which may be empty.
    """

    parameter: Callable[[str], str]
    setting: Callable[[str, Sequence[str]], str]
    footage: Callable[[str, str, str], str]


def parameter(name: str) -> str:
    """A parameter by its script name, where a noun stands."""
    return f"<<{name}>>"


def setting(name: str, *values: object) -> str:
    """What to do, where a verb stands: set a parameter to a value, or to another of them."""
    return f"<<{name}={'|'.join(map(str, values))}>>"


def footage(name: str, option: str, file_parameter: str = "") -> str:
    """What to do, where a verb stands: give the node's input `name`, which is `option` in the shell."""
    return f"<<{name}:{option}|{file_parameter}>>"


def values(words: Sequence[str]) -> str:
    """A value and, in brackets, others that would do."""
    return words[0] + "".join(f" (or {word})" for word in words[1:])


PYTHON = Door(
    lambda name: f"'{name}'",
    lambda name, words: f"set {name} to {values(words)}",
    lambda name, option, file_parameter: f"give {option}",
)
_door: Door | None = PYTHON


@contextlib.contextmanager
def speaking(door: Door | None) -> Iterator[None]:
    """Within, this process says what errors name in the words of a door; None leaves the marks to another process."""
    global _door
    before, _door = _door, door
    try:
        yield
    finally:
        _door = before


def said(text: str) -> str:
    """A sentence in the words of this process's door."""
    return spelled(text, _door) if _door else text


def spelled(text: str, door: Door) -> str:
    """A sentence in the words of a door.

    >>> spelled(f"{parameter('scales')} is odd: {setting('scales', 1, 2)}", PYTHON)
    "'scales' is odd: set scales to 1 (or 2)"
    """

    def word(mark: re.Match[str]) -> str:
        name, chosen, option, file_parameter = mark.groups()
        if chosen is not None:
            return door.setting(name, chosen.split("|"))
        return door.footage(name, option, file_parameter) if option is not None else door.parameter(name)

    return _MARK.sub(word, text) if "<<" in text else text
