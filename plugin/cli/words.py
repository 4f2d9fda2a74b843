"""The words of the shell: how it spells what an error or a note names, and errors as people and programs get them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

from models.wording import Door, values
from nodes import catalogue
from nodes.plain_text import one_line


def say_error(text: str, as_json: bool = False) -> None:
    """The sentence on standard error, and for programs an event besides."""
    if as_json:
        print(json_error(text), flush=True)
    print(f"cleanplate: {one_line(text)}", file=sys.stderr)


def json_error(text: str) -> str:
    return json.dumps({"event": "error", "time": round(time.time(), 3), "text": text})


def _option(name: str) -> str:
    """The option that is short for a parameter, empty where there is none."""
    parameters = (parameter for face in catalogue.all_faces() for parameter in face.parameters)
    return next((parameter.options[0] for parameter in parameters if parameter.name == name and parameter.options), "")


def _parameter(name: str) -> str:
    return f"--{_option(name)}" if _option(name) else f"'{name}'"


def _setting(name: str, words: Sequence[str]) -> str:
    return f"add --{_option(name)} {values(words)}" if _option(name) else f"add --set {name}={values(words)}"


SHELL = Door(_parameter, _setting, lambda name, option, file_parameter: f"name one with --{option}")
