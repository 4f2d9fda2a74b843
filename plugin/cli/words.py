"""The words of the shell: how it spells what an error or a note names, and errors as people and programs get them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

from nodes import catalogue, wording
from nodes.plain_text import one_line


def in_shell(text: str) -> str:
    """A sentence with its parameters and inputs as they are typed.

    >>> in_shell("; " + wording.setting("missingFrames", "hold", "black") + " to go on")
    '; add --set missingFrames=hold (or black) to go on'
    """
    return wording.spelled(text, parameter=_parameter, setting=_setting, source=_source)


def say_error(text: str, as_json: bool = False) -> None:
    """The sentence on standard error, and for programs an event besides."""
    if as_json:
        print(json_error(text), flush=True)
    print(f"cleanplate: {one_line(in_shell(text))}", file=sys.stderr)


def json_error(text: str) -> str:
    return json.dumps({"event": "error", "time": round(time.time(), 3), "text": in_shell(text)})


def _option(name: str) -> str:
    """The option that is short for a parameter, empty where there is none."""
    parameters = (parameter for face in catalogue.all_faces() for parameter in face.parameters)
    return next((parameter.options[0] for parameter in parameters if parameter.name == name and parameter.options), "")


def _parameter(name: str) -> str:
    return f"--{_option(name)}" if _option(name) else f"'{name}'"


def _setting(name: str, values: Sequence[str]) -> str:
    first, others = values[0], "".join(f" (or {other})" for other in values[1:])
    option = _option(name)
    return f"add --{option} {first}{others}" if option else f"add --set {name}={first}{others}"


def _source(option: str, name: str, parameter: str) -> str:
    return f"name one with --{option}"
