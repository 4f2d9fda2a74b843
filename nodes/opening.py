"""How a node's inputs are read from files, the same for a client's files and for those that the worker reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from nodes.errors import FootageError
from nodes.faces.face import Face, Input
from nodes.footage.files.numbered import sequence_of
from nodes.footage.files.sequence import Sequence
from nodes.footage.picture import Kind
from nodes.footage.reader import Alpha, Footage, MissingRule


@dataclass(frozen=True)
class Reading:
    """What decides how an input's files are read; `Footage` says what the values mean.

    `numbered`: a single file is the frame that its name says, not a still.
    """

    layer: str = ""
    missing: MissingRule = "error"
    input_space: str = "auto"
    kind: Kind = "plate"
    view: str = ""
    needs_view: bool = False
    offset: int = 0
    unsaid_space: str = "auto"
    numbered: bool = False
    alpha: Alpha = "auto"

    def open(self, pattern: str, layer: str = "") -> Footage:
        """The footage of a pattern; a `layer` that was named with it goes before the one of the parameters.

        Raises FootageError or ParameterError; whether there are files is not looked at.
        """
        return Footage(
            sequence_of(pattern) if self.numbered else pattern,
            layer or self.layer,
            self.missing,
            self.input_space,
            view=self.view,
            kind=self.kind,
            needs_view=self.needs_view,
            offset=self.offset,
            unsaid_space=self.unsaid_space,
            alpha=self.alpha,
        )


def reading(face: Face, entry: Input, params: Mapping[str, Any], connected: Collection[str] = ()) -> Reading:
    """How an input of the node is read: the main one by parameters of its own, the others by those they bring along.

    A view is asked of all, but only the main input must have it. `connected` names the inputs that have footage: alpha
    that stands in for another input is no coverage, so colour is never multiplied by it.
    """
    taken = any(other.alpha_of == entry.name and other.name not in connected for other in face.inputs)
    main = entry is face.inputs[0]
    mask = entry.kind == "mask"
    named = entry.setting("Channel" if mask else "Layer")
    return Reading(
        layer=params["layer"] if main else params.get(named, ""),
        missing=params["missingFrames"],
        input_space=params.get(space_parameter(face, entry), "auto"),
        kind=entry.kind,
        view=params.get("view", ""),
        needs_view=main,
        offset=0 if main else params.get(entry.setting("Offset"), 0),
        unsaid_space="auto" if main or mask else params["inputSpace"],
        numbered=entry.kind == "either" or (main and not params.get("stillSource", False)),
        alpha="premultiplied" if taken else params["alpha"] if main else params.get(entry.setting("Alpha"), "auto"),
    )


def space_parameter(face: Face, entry: Input) -> str:
    """The name of the parameter that says which colour space an input is in."""
    if entry is face.inputs[0]:
        return "inputSpace"
    if entry.kind == "either":
        return entry.setting("Space")
    return "maskSpace" if entry.kind == "mask" else "plateSpace"


def split_layer(text: str) -> tuple[str, str]:
    """`FILE:LAYER` as a pattern and a layer; the layer is empty where none is named, or where a file has that name.

    >>> split_layer("roto.####.exr:matte.A")
    ('roto.####.exr', 'matte.A')
    """
    places = [place for place, letter in enumerate(text) if letter == ":"]
    candidates = [(text, ""), *((text[:place], text[place + 1 :].strip()) for place in reversed(places))]
    candidates = [(pattern, layer) for pattern, layer in candidates if _may_be(pattern, layer)]
    if len(candidates) > 1:
        for pattern, layer in candidates:
            if _has_files(pattern):
                return pattern, layer
    # Nothing is on disk: the error should name the file and not the layer.
    return candidates[1] if len(candidates) == 2 else (text, "")


def _may_be(pattern: str, layer: str) -> bool:
    drive = len(pattern) == 1 and pattern.isalpha()
    return bool(pattern.strip()) and not drive and "/" not in layer and "\\" not in layer


def _has_files(pattern: str) -> bool:
    try:
        sequence = Sequence.parse(pattern)
        return bool(sequence.views()) if sequence.has_view else sequence.range() is not None
    except FootageError:
        return False
