"""How a sentence names a parameter or an input, so that each door can spell it in its own words.

Sentences hold marks such as `<<missingFrames=hold|black>>`; of that one the shell makes `add --set missingFrames=hold
(or black)` and a compositor `set Missing frames to hold (or black)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_MARK = re.compile(r"<<(\w+)(?:=([^<>]*)|:([^<>]*))?>>")


def parameter(name: str) -> str:
    """A parameter by its script name, to stand where a noun stands."""
    return f"<<{name}>>"


def setting(name: str, *values: object) -> str:
    """What to do: set a parameter to a value, or to another of them. Stands where a verb stands."""
    return f"<<{name}={'|'.join(map(str, values))}>>"


def footage(name: str, option: str, parameter: str = "") -> str:
    """What to do: give the node's input `name`, which is `option` in the shell and maybe a file parameter of a host."""
    return f"<<{name}:{option}|{parameter}>>"


def spelled(
    text: str,
    *,
    parameter: Callable[[str], str],
    setting: Callable[[str, Sequence[str]], str],
    source: Callable[[str, str, str], str],
) -> str:
    """The text with every mark in the words of a door."""

    def word(mark: re.Match[str]) -> str:
        if mark[2] is not None:
            return setting(mark[1], mark[2].split("|"))
        if mark[3] is not None:
            option, _, named = mark[3].partition("|")
            return source(option, mark[1], named)
        return parameter(mark[1])

    return _MARK.sub(word, text)
