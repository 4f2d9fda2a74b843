"""A node's face: what a compositor sees of it, read from `nodes/<node>.yaml`.

Both doors, the command line and the OpenFX adapter, are generated from faces; nothing here needs torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from nodes.errors import ParameterError

COMMON = Path(__file__).with_name("common.yaml")
ON, OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")
TYPES = ("float", "int", "bool", "choice", "string", "file")


@dataclass(frozen=True)
class Input:
    """`option` is the command-line spelling; `kind` is `plate` (colour) or `mask` (one channel is used)."""

    name: str
    label: str
    option: str
    hint: str
    kind: str = "plate"
    optional: bool = True

    def setting(self, what: str) -> str:
        """The name of a parameter that the input brings with it: `plateOffset` of the input `plate`."""
        first, *rest = self.option.split("-")
        return first + "".join(word.capitalize() for word in rest) + what


@dataclass(frozen=True)
class Parameter:
    """`enabled_by` names parameters and the values under which this one has a meaning.

    `replaces` names the input whose footage a `file` parameter is read instead of. One `of_files` has a meaning only
    for footage that is read from files: a host shows it once a file is named. `selects` says that a value other
    than `auto` narrows which weights fit: `network` (the value is the network's name, or the start of several), else
    the network's option that has to have this value. `options` are its spellings on the command line besides `--set`;
    one that several parameters have sets them all.
    """

    name: str
    label: str
    type: str
    default: Any
    hint: str
    page: str = "Model"
    minimum: float | None = None
    maximum: float | None = None
    display: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    choice_hints: tuple[str, ...] = ()
    enabled_by: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    animates: bool = False
    changes_pixels: bool = True
    selects: str = ""
    replaces: str = ""
    of_files: bool = False
    options: tuple[str, ...] = ()

    def parse(self, value: Any) -> Any:
        """A checked value from a string (command line) or a typed one (host). Raises ParameterError."""
        try:
            parsed = self._convert(value)
        except (TypeError, ValueError):
            raise ParameterError(f"parameter '{self.name}' cannot be '{value}': it is {self._expected()}") from None
        if self.type in ("float", "int"):
            low = self.minimum if self.minimum is not None else float("-inf")
            high = self.maximum if self.maximum is not None else float("inf")
            if not low <= parsed <= high:
                raise ParameterError(f"parameter '{self.name}' cannot be {parsed}: it is {self._expected()}")
        return parsed

    def _convert(self, value: Any) -> Any:
        if self.type == "bool":
            if isinstance(value, bool | int):
                return bool(value)
            word = str(value).strip().lower()
            if word not in ON + OFF:
                raise ValueError
            return word in ON
        if self.type == "choice":
            if str(value) not in self.choices:
                raise ValueError
            return str(value)
        if self.type == "int":
            if isinstance(value, float) and not value.is_integer():
                raise ValueError
            return int(value)
        return float(value) if self.type == "float" else str(value)

    def _expected(self) -> str:
        if self.type == "choice":
            return "one of " + ", ".join(self.choices)
        if self.type == "bool":
            return "on or off"
        kind = {"int": "a whole number", "float": "a number"}.get(self.type, "text")
        if self.minimum is not None and self.maximum is not None:
            return f"{kind} from {self.minimum:g} to {self.maximum:g}"
        return kind


@dataclass(frozen=True)
class Pass:
    """A result: `layer` and `channels` are its EXR layer, for instance `matte` and `("A",)`; `""` is the main layer.

    An `exact` pass is always written as 32-bit float. One with `each` stands for several: one for every name in the
    text parameter of that name, if the parameter `when` is on; see `Face.passes_for`.
    """

    name: str
    layer: str
    channels: tuple[str, ...]
    hint: str
    exact: bool = False
    each: str = ""
    when: str = ""


@dataclass(frozen=True)
class Face:
    """`command` is the name on the command line; `label` and `group` are what a host's menu shows.

    `passes` are those that a frame always has, `variable` those that depend on parameters. A `temporal` node looks at
    earlier frames, one that `looks_ahead` at later ones as well, unless a parameter has a value under which each frame
    stands `alone`. Where `weights_optional`, it can do without some.
    """

    id: str
    command: str
    label: str
    group: str
    version: int
    description: str
    inputs: tuple[Input, ...]
    parameters: tuple[Parameter, ...]
    passes: tuple[Pass, ...]
    module: str = ""
    temporal: bool = False
    looks_ahead: bool = False
    alone: Mapping[str, Any] = field(default_factory=dict)
    weights_optional: bool = False
    variable: tuple[Pass, ...] = ()

    def passes_for(self, params: Mapping[str, Any]) -> tuple[Pass, ...]:
        """The passes of a frame with these parameters: the fixed ones and those of each name that is asked for.

        Raises ParameterError where names are needed and there are none.
        """
        passes = list(self.passes)
        for entry in self.variable:
            if entry.when and not params[entry.when]:
                continue
            names = [name.strip() for name in str(params[entry.each]).split(",") if name.strip()]
            if not names:
                raise ParameterError(f"'{entry.when}' needs names: list them in '{entry.each}'")
            layers = dict.fromkeys(layer_name(name) for name in names)
            passes += [replace(entry, name=f"{entry.name} {layer}", layer=layer) for layer in layers]
        return tuple(passes)

    def frames_behind(self, frame: int, footage: tuple[int, int], params: Mapping[str, Any]) -> tuple[int, int]:
        """First and last frame of an input that a frame may depend on; `footage` has frames from and to these."""
        if not self.temporal or any(params[name] == value for name, value in self.alone.items()):
            return frame, frame
        return min(footage[0], frame), max(footage[1], frame) if self.looks_ahead else frame

    def parameter(self, name: str) -> Parameter:
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise ParameterError(_unknown("parameter", name, self.command, [p.name for p in self.parameters]))

    def input(self, name: str) -> Input:
        for candidate in self.inputs:
            if candidate.name == name:
                return candidate
        raise ParameterError(_unknown("input", name, self.command, [i.name for i in self.inputs]))

    def parse(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter's value: the defaults and, over them, the checked settings. Raises ParameterError."""
        values = {parameter.name: parameter.default for parameter in self.parameters}
        for name, value in settings.items():
            values[name] = self.parameter(name).parse(value)
        return values


def layer_name(name: str) -> str:
    """A name as an EXR layer can have it: `traffic light` becomes `traffic_light`."""
    return "".join(c if c.isalnum() else "_" for c in name.strip().lower())


def _unknown(what: str, name: str, node: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{close[0]}'?" if close else "it has " + ", ".join(known)
    return f"{node} has no {what} '{name}': {hint}"


def load(path: Path) -> Face:
    """Reads a face and appends the parameters common to all nodes. Raises ParameterError on a face that is wrong."""
    data = yaml.safe_load(path.read_text("utf-8"))
    common = yaml.safe_load(COMMON.read_text("utf-8"))
    passes = tuple(_make(Pass, entry, path) for entry in data["passes"])
    inputs = tuple(_make(Input, entry, path) for entry in data["inputs"])
    entries = data["parameters"] + _brought_by(inputs, common, data["parameters"]) + common["parameters"]
    parameters = [_make(Parameter, entry, path) for entry in entries]
    for parameter in parameters:
        if parameter.type not in TYPES or parameter.parse(parameter.default) != parameter.default:
            raise ParameterError(f"{path}: parameter '{parameter.name}' has a wrong type or default")
    names = [p.name for p in parameters]
    if len(set(names)) != len(names):
        raise ParameterError(f"{path}: a parameter name stands twice")
    return Face(
        id=data["id"],
        command=data["command"],
        label=data["label"],
        group=data["group"],
        version=data["version"],
        description=data["description"].strip(),
        inputs=inputs,
        parameters=tuple(parameters),
        passes=tuple(entry for entry in passes if not entry.each),
        variable=tuple(entry for entry in passes if entry.each),
        module=data.get("module", f"nodes.{path.stem}"),
        temporal=bool(data.get("temporal", False)),
        looks_ahead=data.get("temporal") == "whole",
        alone=data.get("alone", {}),
        weights_optional=data.get("weights") == "optional",
    )


def _brought_by(inputs: tuple[Input, ...], common: Mapping[str, Any], own: list[Any]) -> list[dict[str, Any]]:
    """What each input besides the first brings with it, after its kind, and each kind once; the face's own go first."""
    kinds = dict.fromkeys(entry.kind for entry in inputs[1:])
    made = [dict(one) for kind in kinds for one in common["of_kind"].get(kind, ())]
    for entry in inputs[1:]:
        for one in common["of_input"].get(entry.kind, ()):
            words = {"{label}": entry.label, "{what}": entry.label.lower(), "{option}": entry.option}
            text = {key: _filled(value, words) for key, value in one.items()}
            made.append(text | {"name": entry.setting(one["name"])})
    taken = {one["name"] for one in own}
    return [one for one in made if one["name"] not in taken]


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    """A template's text with the words of an input in it; spellings that come out the same stand once."""
    if isinstance(value, list):
        return list(dict.fromkeys(_filled(one, words) for one in value))
    for place, word in words.items():
        value = value.replace(place, word) if isinstance(value, str) else value
    return value


def _make(kind: type, entry: Mapping[str, Any], path: Path) -> Any:
    values = dict(entry)
    for key in ("choices", "choice_hints", "channels", "display", "options"):
        if key in values:
            values[key] = tuple(values[key])
    if "choices" in values:
        # YAML takes a bare `off` for a truth value.
        values["choices"] = tuple(
            {True: "on", False: "off"}.get(c, c) if isinstance(c, bool) else str(c) for c in values["choices"]
        )
    if "enabled_by" in values:
        values["enabled_by"] = {k: tuple(v) if isinstance(v, list) else (v,) for k, v in values["enabled_by"].items()}
    if isinstance(values.get("hint"), str):
        values["hint"] = " ".join(values["hint"].split())
    try:
        return kind(**values)
    except TypeError as error:
        raise ParameterError(f"{path}: {error}") from None
