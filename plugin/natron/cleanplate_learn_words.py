"""What the panel of the group Learn says, and what it keeps to itself. Runs in Natron's own Python."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from typing import Any

import cleanplate_footage as footage  # type: ignore[import-not-found]
from cleanplate_process import Trouble  # type: ignore[import-not-found]

FIRST_WORDS = "Draw the subject at a few frames of a Roto at Keys, then press Learn."
# Letters that a panel has room for in its usual width.
ACROSS = 62
# What the group keeps for the node inside, and does not show.
KEPT = ("Learnedweights", "Learnednewest", "LearneddisableNode")
# As many times news of learning wait for an artist who reads what went wrong; they come every second.
PATIENCE = 8

# By the names of groups: the last news, and how many more of them wait.
_told: dict[str, str] = {}
_waiting: dict[str, int] = {}


def say(group: Any, sentence: str) -> None:
    """Shows a sentence in the panel."""
    lines = in_lines(sentence)
    if footage.value_of(group, "status") != lines:
        group.getParam("status").setValue(lines)


def tell(group: Any, news: str) -> None:
    """Shows news of learning; old ones take the place of nothing that was said since.

    Where there are none, a project that was opened shows what was true when it was saved.
    """
    name = group.getScriptName()
    news = news or _told.get(name, FIRST_WORDS)
    if _waiting.get(name, 0) > 0:
        _waiting[name] -= 1
    elif news != _told.get(name):
        _told[name] = news
        say(group, news)


def in_lines(sentence: str) -> str:
    """A sentence as the panel has room for it. Natron cuts off the foot of several lines, so an empty one follows."""
    lines = textwrap.wrap(sentence, ACROSS, break_on_hyphens=False)
    return "\n".join([*lines, ""] if len(lines) > 1 else lines)


@contextlib.contextmanager
def troubles(group: Any) -> Iterator[None]:
    """What goes wrong within is said in the group's panel."""
    _waiting.pop(group.getScriptName(), None)
    _told.setdefault(group.getScriptName(), "")
    try:
        yield
    except Trouble as error:
        say(group, str(error))
        _waiting[group.getScriptName()] = PATIENCE


def hide(group: Any) -> None:
    """Takes what is kept out of the panel: Natron shows it again in a project that was opened."""
    for name in KEPT:
        parameter = group.getParam(name)
        if parameter is not None and parameter.getIsVisible():
            parameter.setVisible(False)
