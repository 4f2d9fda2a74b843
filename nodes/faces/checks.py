"""What the entries of a face must be to each other: names that differ and are there, ranges that hold something."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from nodes.errors import ParameterError
from nodes.faces.face import LONGEST_LAYER, Face, Parameter, Pass
from nodes.faces.keys import Wrong

MAIN = "Source"
_WHOLE = 2**31 - 1


def check(face: Face, doubled: Collection[str]) -> None:
    """`doubled` are names of parameters that every node has and the face lists as well. Raises Wrong."""
    if not face.inputs or face.inputs[0].name != MAIN:
        raise Wrong(f"its first input must be called {MAIN}: that is where the frames come from")
    if not face.passes:
        raise Wrong("it has no pass: a node gives at least one")
    versions = list(face.history)
    if versions and (versions != sorted(versions) or versions[-1] != face.version):
        raise Wrong(f"its 'history' must rise to the version: its last entry must be {face.version}")
    for name in doubled:
        raise Wrong(f"parameter '{name}' is one that every node has: choose another name")
    _differ("input", [entry.name for entry in face.inputs])
    options = {option for parameter in face.parameters for option in parameter.options}
    _differ("option", [entry.option for entry in face.inputs] + sorted(options))
    for entry in face.inputs:
        if entry.alpha_of and entry.alpha_of not in {other.name for other in face.inputs if other is not entry}:
            raise Wrong(f"input '{entry.name}': 'alpha_of' names an input that is not there: '{entry.alpha_of}'")
    _differ("parameter", [parameter.name for parameter in face.parameters])
    for parameter in face.parameters:
        _parameter(face, parameter)
    for name, values in face.alone.items():
        for value in values:
            _fits(face, name, value, "'alone' is wrong")
    _passes(face)


def _parameter(face: Face, parameter: Parameter) -> None:
    where = f"parameter '{parameter.name}'"
    if (parameter.type == "choice") != bool(parameter.choices):
        raise Wrong(f"{where} must have 'choices' if it is of the type choice, and only then")
    if len(parameter.choice_hints) not in (0, len(parameter.choices)):
        raise Wrong(f"{where} must have as many 'choice_hints' as 'choices', or none")
    limits = [limit for limit in (parameter.minimum, parameter.maximum) if limit is not None]
    if limits and parameter.type not in ("float", "int"):
        raise Wrong(f"{where} has a 'minimum' or 'maximum' but is no number")
    if limits != sorted(limits) or (parameter.display and parameter.display[0] > parameter.display[1]):
        raise Wrong(f"{where} has a range that ends before it begins")
    if parameter.type == "int" and any(abs(limit) > _WHOLE for limit in [*limits, parameter.default]):
        raise Wrong(f"{where} has a number beyond {_WHOLE}, which hosts cannot hold")
    for other, values in parameter.enabled_by.items():
        if other == parameter.name:
            raise Wrong(f"{where}: 'enabled_by' names the parameter itself")
        for value in values:
            _fits(face, other, value, f"{where}: 'enabled_by' is wrong")
    if parameter.replaces:
        if parameter.replaces not in [entry.name for entry in face.inputs]:
            raise Wrong(f"{where}: 'replaces' names an input that is not there: '{parameter.replaces}'")
        if parameter.type != "file":
            raise Wrong(f"{where}: 'replaces' is for parameters of the type file")


def _passes(face: Face) -> None:
    everything = [*face.passes, *face.variable]
    _differ("pass", [entry.name for entry in everything])
    _differ("channel", [channel for entry in face.passes for channel in _channels(entry)])
    for entry in everything:
        if len(entry.channels) > 4 or len(set(entry.channels)) != len(entry.channels):
            raise Wrong(f"pass '{entry.name}' must have one to four channels that differ")
        if len(entry.layer.encode()) > LONGEST_LAYER or entry.layer != entry.layer.strip(". "):
            raise Wrong(f"pass '{entry.name}' has a 'layer' of more than {LONGEST_LAYER} bytes, or with dots around it")
    for entry in face.variable:
        for key, name, kind in (("each", entry.each, "string"), ("when", entry.when, "bool")):
            if name and kind not in [p.type for p in face.parameters if p.name == name]:
                raise Wrong(f"pass '{entry.name}': '{key}' must name a parameter of the type {kind}, not '{name}'")
    names = [entry.name for entry in face.passes]
    for parameter in face.parameters:
        if parameter.name == "output":
            unknown = [choice for choice in parameter.choices if choice not in names]
            if parameter.type != "choice" or unknown:
                raise Wrong("parameter 'output' must be a choice among the passes: " + ", ".join(names))


def _channels(entry: Pass) -> list[str]:
    return [f"{entry.layer}.{channel}" if entry.layer else channel for channel in entry.channels]


def _fits(face: Face, name: str, value: object, what: str) -> None:
    try:
        face.parameter(name).parse(value)
    except ParameterError as error:
        raise Wrong(f"{what}: {error}") from None


def _differ(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise Wrong(f"the {what} '{name}' stands twice")
        seen.add(name.casefold())
