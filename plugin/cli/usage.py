"""Reading the words of a command line: what argparse would misunderstand, and how it says that a word is wrong."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from nodes.errors import CleanplateError
from plugin.cli.words import json_error

_NEGATIVE = re.compile(r"-\.?\d")
WRONG_USAGE = 2


class CommandParser(argparse.ArgumentParser):
    """An argparse parser whose errors are events for those who asked for `--json`."""

    _words: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._words = list(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        message += _expanded(message)
        if "--json" in self._words:
            print(json_error(message), flush=True)
        super().error(message)


def negative_values_joined(words: Sequence[str]) -> list[str]:
    """`--frames -3--1` as `--frames=-3--1`: argparse takes what begins with a minus for an option.

    >>> negative_values_joined(["render", "--frames", "-3--1", "--json"])
    ['render', '--frames=-3--1', '--json']
    """
    joined: list[str] = []
    for word in words:
        if joined and _NEGATIVE.match(word) and re.fullmatch(r"--[a-z][a-z-]*", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _expanded(message: str) -> str:
    """What to add where the shell put the files of a sequence in the place of a pattern such as a.*.exr."""
    kind, _, rest = message.partition(": ")
    files = [word for word in rest.split() if os.path.isfile(word)]
    if kind != "unrecognized arguments" or not files:
        return ""
    from nodes.footage.files.numbered import numbered

    try:
        one = numbered(files[0])
    except CleanplateError:
        one = None
    pattern = one.pattern if one else "shot.####.exr"
    return f" (the shell replaced a pattern by the names of files; write {pattern})"
