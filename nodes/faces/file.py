"""Reads a face from its YAML file, and says in one sentence what is wrong with it.

What the entries mean stands in `nodes/faces/face.py`, how to write one in CONTRIBUTING.md.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from nodes.errors import FaceError, ParameterError
from nodes.faces import borrowing
from nodes.faces import checks as face_checks
from nodes.faces import common as face_common
from nodes.faces.face import TYPES, Face, Input, Parameter, Pass
from nodes.faces.keys import (
    Key,
    Wrong,
    any_number,
    at_least_one,
    chosen,
    entries,
    in_few_words,
    named,
    nearest,
    notes_by_number,
    numbers,
    optional_text,
    prose,
    truth,
    whole,
    words,
    words_by_name,
)

HOUSE = Path(__file__).parents[1]
_LARGEST = 1 << 20

_FACE: Mapping[str, Key] = {
    "id": Key(named(r"[A-Za-z][A-Za-z0-9_.-]*", "a name of letters and digits, such as StudioKey"), needed=True),
    "command": Key(named(r"[a-z0-9][a-z0-9_-]*", "a name of small letters, such as studio-key"), needed=True),
    "label": Key(prose, needed=True),
    "group": Key(prose, needed=True),
    "version": Key(whole(1), needed=True),
    "history": Key(notes_by_number),
    "description": Key(prose, needed=True),
    "inputs": Key(entries, needed=True),
    "parameters": Key(entries, needed=True),
    "passes": Key(entries, needed=True),
    "module": Key(named(r"(nodes\.)?[A-Za-z_][A-Za-z0-9_]*", "the name of a Python file beside it, without .py")),
    "temporal": Key(chosen(True, False, "whole")),
    "alone": Key(words_by_name),
    "weights": Key(chosen("optional", "needed")),
    "helpers": Key(at_least_one(named(r"[A-Za-z][A-Za-z0-9_.-]*", "the id of a node, such as Inpaint"))),
}
_OPTION = named(r"[a-z][a-z0-9-]*", "a name of small letters, such as plate")
_NAME = named(r"[A-Za-z][A-Za-z0-9_]*", "a name of letters and digits")
_INPUT: Mapping[str, Key] = {
    "name": Key(_NAME, needed=True),
    "label": Key(prose, needed=True),
    "option": Key(_OPTION, needed=True),
    "hint": Key(prose, needed=True),
    "kind": Key(chosen("plate", "mask", "either")),
    "optional": Key(truth),
    "alpha_of": Key(optional_text),
}
_PARAMETER: Mapping[str, Key] = {
    "name": Key(_NAME, needed=True),
    "label": Key(prose, needed=True),
    "type": Key(chosen(*TYPES), needed=True),
    "default": Key(lambda value: value, needed=True),
    "hint": Key(prose, needed=True),
    "page": Key(prose),
    "minimum": Key(any_number),
    "maximum": Key(any_number),
    "display": Key(numbers(2)),
    "choices": Key(words),
    "choice_hints": Key(at_least_one(prose)),
    "enabled_by": Key(words_by_name),
    "animates": Key(truth),
    "changes_pixels": Key(truth),
    "selects": Key(optional_text),
    "replaces": Key(optional_text),
    "of_files": Key(truth),
    "options": Key(at_least_one(_OPTION)),
}
_PASS: Mapping[str, Key] = {
    "name": Key(prose, needed=True),
    "layer": Key(optional_text, needed=True),
    "channels": Key(at_least_one(named(r"[A-Za-z]", "one letter, such as R or A")), needed=True),
    "hint": Key(prose, needed=True),
    "exact": Key(truth),
    "as_source": Key(truth),
    "each": Key(optional_text),
    "when": Key(optional_text),
}


def load(path: Path) -> Face:
    """Reads a face and appends the parameters common to all nodes.

    Raises FaceError, in one sentence that names the file and the entry, where the file is no face or a wrong one.
    """
    try:
        return _face(path, _document(path))
    except Wrong as wrong:
        sentence = f"{path}: {wrong}"
        raise FaceError("".join(c if c.isprintable() else " " for c in sentence)[:1000]) from None


def names_in(path: Path) -> set[str]:
    """What a node may be called whose face is wrong: as much of its id, command and file name as can be read."""
    try:
        document = _document(path)
    except Wrong:
        document = {}
    given = document if isinstance(document, dict) else {}
    return {path.stem, *(str(given[key]) for key in ("id", "command") if isinstance(given.get(key), str))}


def _face(path: Path, document: Any) -> Face:
    values = _read(document, _FACE, "a face")
    for section in borrowing.KINDS:
        values[section] = borrowing.completed(path, section, values[section], _document)
    inputs = tuple(_all(values["inputs"], Input, _INPUT, "input"))
    passes = tuple(_all(values["passes"], Pass, _PASS, "pass"))
    own = _all(values["parameters"], Parameter, _PARAMETER, "parameter")
    common = _common()
    every = _all(common["parameters"], Parameter, _PARAMETER, "parameter")
    # A face may say something else about what an input brings with it.
    mentioned = {parameter.name for parameter in own}
    brought = _all(face_common.brought_by(inputs, common), Parameter, _PARAMETER, "parameter")
    brought = [parameter for parameter in brought if parameter.name not in mentioned]
    face = Face(
        **{key: values[key] for key in ("id", "command", "label", "group", "version", "description")},
        inputs=inputs,
        parameters=_with_conditions([*own, *brought, *every]),
        passes=tuple(entry for entry in passes if not entry.each),
        module=values.get("module", f"nodes.{path.stem}" if path.parent == HOUSE else path.stem),
        temporal=bool(values.get("temporal", False)),
        looks_ahead=values.get("temporal") == "whole",
        alone=values.get("alone", {}),
        weights_optional=values.get("weights") == "optional",
        helpers=values.get("helpers", ()),
        variable=tuple(entry for entry in passes if entry.each),
        history=values.get("history", {}),
        file=str(path),
    )
    face_checks.check(face, mentioned & {parameter.name for parameter in every})
    return face


@functools.cache
def _common() -> Any:
    return _document(face_common.FILE)


def _with_conditions(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """With the values in `enabled_by` as words where they are those of a choice, see `words`."""
    choices = {parameter.name for parameter in parameters if parameter.type == "choice"}
    return tuple(
        replace(p, enabled_by={name: words(list(v)) if name in choices else v for name, v in p.enabled_by.items()})
        for p in parameters
    )


def _document(path: Path) -> Any:
    """What the YAML file holds. Raises Wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise Wrong(f"the face cannot be read: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise Wrong("the face is larger than 1 MB")
    try:
        return yaml.load(data.decode("utf-8"), _Loader)  # a safe one
    except UnicodeDecodeError:
        raise Wrong("the face is not text in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}" if mark else ""
        raise Wrong(f"the face is not YAML{where}: {in_few_words(error.problem or error.context)}") from None
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, AttributeError, RecursionError) as error:
        raise Wrong(f"the face is not YAML: {in_few_words(error)}") from None


class _Loader(yaml.SafeLoader):
    """Of two entries of one name YAML keeps the last without a word."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"'{twice[0]}' stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _all(given: Sequence[Any], kind: Callable[..., Any], keys: Mapping[str, Key], what: str) -> list[Any]:
    made = []
    for place, entry in enumerate(given, 1):
        name = entry.get("name") if isinstance(entry, dict) else None
        where = f"{what} '{in_few_words(name)}'" if isinstance(name, str) else f"{what} {place}"
        values = _read(entry, keys, where)
        if kind is Parameter:
            values["default"] = _default(values, where)
        made.append(kind(**values))
    return made


def _read(given: Any, keys: Mapping[str, Key], where: str) -> dict[str, Any]:
    """The checked values of a mapping. Raises Wrong."""
    if not isinstance(given, dict):
        raise Wrong(f"{where} is a list of keys and values, such as label: Gain, not {in_few_words(given)}")
    for key in given:
        if key not in keys:
            raise Wrong(f"{where} has no key '{in_few_words(key)}'{nearest(str(key), keys)}")
    missing = [key for key, about in keys.items() if about.needed and key not in given]
    if missing:
        raise Wrong(f"{where} lacks {' and '.join(repr(key) for key in missing)}")
    values = {}
    for key, value in given.items():
        try:
            values[key] = keys[key].read(value)
        except Wrong as wrong:
            raise Wrong(f"{where}: '{key}' must be {wrong}, not {in_few_words(value)}") from None
    return values


def _default(values: Mapping[str, Any], where: str) -> Any:
    """The default as a value of the parameter's type. Raises Wrong."""
    given, kind = values["default"], values["type"]
    fits: dict[str, Any] = {
        "bool": bool,
        "string": str,
        "file": str,
        "int": int,
        "float": (int, float),
        "choice": (str, int, float),
    }
    if not isinstance(given, fits.get(kind, str)) or (isinstance(given, bool) and kind in ("int", "float")):
        raise Wrong(f"{where}: 'default' does not fit the type {kind}: it is {in_few_words(given)}")
    if kind == "choice":
        given = words([given])[0]
    parameter = Parameter(**{**values, "default": given})
    try:
        return parameter.parse(given)
    except ParameterError as error:
        raise Wrong(f"the default of {error}") from None
