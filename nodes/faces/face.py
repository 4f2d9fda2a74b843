"""A node's face: what a compositor sees of it. `nodes/faces/file.py` reads it from `nodes/<node>.yaml`.

Both doors, the command line and the OpenFX adapter, are generated from faces; nothing here needs torch.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from models import wording
from nodes.errors import ParameterError
from nodes.footage.picture import Kind

ON, OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")
TYPES = ("float", "int", "bool", "choice", "string", "file")
# Parameters that mean something else in each node.
OWN = ("weights", "output")
# In bytes: channels and files may have 255, with what else stands in their names.
LONGEST_LAYER = 200


@dataclass(frozen=True)
class Input:
    """`option` is the command-line spelling; `kind` is `plate` (colour), `mask` (one channel is used) or
    `either` (the engine decides, and gets what files hold as it is stored).

    `alpha_of` names the input whose alpha is taken where nothing is connected.
    """

    name: str
    label: str
    option: str
    hint: str
    kind: Kind = "plate"
    optional: bool = True
    alpha_of: str = ""

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
            raise ParameterError(
                f"{wording.parameter(self.name)} cannot be '{value}': it is {self._expected()}"
            ) from None
        if isinstance(parsed, str) and parsed.encode("utf-8", "replace").decode() != parsed:
            what = f"{wording.parameter(self.name)} cannot be '{value}'"
            raise ParameterError(f"{what}: it holds bytes that are no UTF-8 text; rename the file")
        if self.type in ("float", "int"):
            low = self.minimum if self.minimum is not None else float("-inf")
            high = self.maximum if self.maximum is not None else float("inf")
            if not low <= parsed <= high:
                raise ParameterError(f"{wording.parameter(self.name)} cannot be {parsed}: it is {self._expected()}")
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

    An `exact` pass is always written as 32-bit float, one `as_source` in the float type of the source's file unless the
    user names one. One with `each` stands for several: one for every name in the
    text parameter of that name, if the parameter `when` is on; see `Face.passes_for`.
    """

    name: str
    layer: str
    channels: tuple[str, ...]
    hint: str
    exact: bool = False
    as_source: bool = False
    each: str = ""
    when: str = ""


@dataclass(frozen=True)
class Face:
    """`command` is the name on the command line; `label` and `group` are what a host's menu shows.

    `passes` are those that a frame always has, `variable` those that depend on parameters. A `temporal` node looks at
    earlier frames, one that `looks_ahead` at later ones as well, unless a parameter has one of the values under which
    each frame stands `alone`. Where `weights_optional`, it can do without some. `helpers` are the ids of nodes that its
    engine asks, each with its own default weights. `module` is where its engine is, `file` the face's own file,
    `history` what changed with each version up to this one.
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
    alone: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    weights_optional: bool = False
    helpers: tuple[str, ...] = ()
    variable: tuple[Pass, ...] = ()
    file: str = ""
    history: Mapping[int, str] = field(default_factory=dict)

    def passes_for(self, params: Mapping[str, Any]) -> tuple[Pass, ...]:
        """The passes of a frame with these parameters: the fixed ones and those of each name that is asked for.

        Raises ParameterError where names are needed and there are none.
        """
        passes = list(self.passes)
        for entry in self.variable:
            if entry.when and not params[entry.when]:
                continue
            names = comma_separated(str(params[entry.each]))
            if not names:
                raise ParameterError(f"'{entry.when or entry.name}' needs names: list them in '{entry.each}'")
            taken = [result.layer for result in passes]
            layers = zip(layer_names(names).values(), layer_names(names, taken).values(), strict=True)
            passes += [replace(entry, name=f"{entry.name} {name}", layer=layer) for name, layer in layers]
        return tuple(passes)

    def frames_behind(self, frame: int, footage: tuple[int, int], params: Mapping[str, Any]) -> tuple[int, int]:
        """First and last frame of an input that a frame may depend on; `footage` has frames from and to these."""
        if not self.temporal or any(params[name] in values for name, values in self.alone.items()):
            return frame, frame
        return min(footage[0], frame), max(footage[1], frame) if self.looks_ahead else frame

    def choose_passes(self, params: Mapping[str, Any], wanted: Iterable[str] | None) -> tuple[Pass, ...]:
        """Those of `passes_for` that are called by their name or layer; None means all.

        Raises ParameterError for one that is not there.
        """
        passes = self.passes_for(params)
        if wanted is None:
            return passes
        chosen = set()
        for name in wanted:
            found = [r for r in passes if name == r.name] or [
                r for r in passes if name.strip() and layer_name(name) in (layer_name(r.name), layer_name(r.layer))
            ]
            if not found:
                raise ParameterError(_unknown("pass", name, self.command, [result.name for result in passes]))
            chosen.add(found[0].name)
        return tuple(result for result in passes if result.name in chosen)

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

    def settings_of(self, options: Mapping[str, Any], given: Iterable[str] = ()) -> dict[str, Any]:
        """The parameters that options stand for, such as `plate-space`; one that stands for none is left out.

        What is said of one input, and what is `given` by parameters' names, goes before what is said of all of a kind.
        """
        settings: dict[str, Any] = {}
        taken = set(given)
        for option, value in options.items():
            meant = [parameter.name for parameter in self.parameters if option in parameter.options]
            for name in meant:
                if len(meant) == 1 or name not in taken | settings.keys():
                    settings[name] = value
        return settings

    def has_option(self, option: str) -> bool:
        """Whether a parameter has this option."""
        return any(option in parameter.options for parameter in self.parameters)

    def of_helper(self, helper: Face, params: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
        """The parameters of a node that this one asks: those of the same name, which mean the same, and `settings`.

        What is said of weights is said of this node's own.
        """
        shared = {p.name: params[p.name] for p in helper.parameters if p.name in params and p.name not in OWN}
        return helper.parse({**shared, **settings})

    def parse(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter's value: the defaults and, over them, the checked settings. Raises ParameterError."""
        values = {parameter.name: parameter.default for parameter in self.parameters}
        for name, value in settings.items():
            values[name] = self.parameter(name).parse(value)
        return values


def comma_separated(text: str) -> list[str]:
    """The names in a text that separates them by commas.

    >>> comma_separated("wire, marker,")
    ['wire', 'marker']
    """
    return [name.strip() for name in text.split(",") if name.strip()]


def layer_name(name: str) -> str:
    """A name as an EXR layer can have it: `traffic light` becomes `traffic_light`."""
    plain = unicodedata.normalize("NFC", name).strip().lower()
    return _shortened("".join(c if c.isalnum() else "_" for c in plain), LONGEST_LAYER)


def layer_names(names: Sequence[str], taken: Collection[str] = ()) -> dict[str, str]:
    """A layer for each name, all different and none of those that are `taken`: a number is added where need be.

    Names that differ only in capitals, spaces, hyphens and underscores are one; the first stands for all.

    >>> layer_names(["traffic light", "Traffic-Light", "car"], taken=["car"])
    {'traffic light': 'traffic_light', 'car': 'car_2'}
    """
    layers: dict[str, str] = {}
    used = {layer.casefold() for layer in taken}
    seen: set[str] = set()
    for name in names:
        plain = "".join(c for c in unicodedata.normalize("NFC", name).lower() if c not in " -_")
        if plain in seen:
            continue
        seen.add(plain)
        layer, number = layer_name(name), 1
        while layer.casefold() in used:
            number += 1
            layer = f"{_shortened(layer_name(name), LONGEST_LAYER - 8)}_{number}"
        used.add(layer.casefold())
        layers[name] = layer
    return layers


def _shortened(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")


def _unknown(what: str, name: str, node: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    listing = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    hint = f"did you mean '{close[0]}'?" if close else f"it has {listing}"
    return f"{node} has no {what} '{name}': {hint}"
