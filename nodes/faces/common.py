"""Parameters that a face does not list itself: those that every node has, and those that its inputs bring with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nodes.faces.face import Input

FILE = Path(__file__).parents[1] / "common.yaml"


def brought_by(inputs: Sequence[Input], common: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each input besides the first brings with it, after its kind, and each kind once, as entries of a face."""
    kinds = dict.fromkeys(entry.kind for entry in inputs[1:])
    made = [dict(one) for kind in kinds for one in common["of_kind"].get(kind, ())]
    for entry in inputs[1:]:
        for one in common["of_input"].get(entry.kind, ()):
            words = {"{label}": entry.label, "{what}": entry.label.lower(), "{option}": entry.option}
            text = {key: _filled(value, words) for key, value in one.items()}
            made.append(text | {"name": entry.setting(one["name"])})
    return made


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    """A template's text with the words of an input in it; spellings that come out the same stand once."""
    if isinstance(value, list):
        return list(dict.fromkeys(_filled(one, words) for one in value))
    for place, word in words.items():
        value = value.replace(place, word) if isinstance(value, str) else value
    return value
