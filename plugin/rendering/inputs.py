"""The footage of a render: which file is which input, and what is missing."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from models import wording
from nodes.errors import FootageError, ParameterError
from nodes.faces.face import Face
from nodes.footage.files.numbered import numbered
from nodes.footage.reader import Footage
from nodes.opening import reading, split_layer


def open_footage(
    face: Face, named: Mapping[str, str], params: Mapping[str, Any], awaited: Collection[str] = ()
) -> dict[str, Footage]:
    """The footage of each input, by the input's name. `named` maps options (`source`, `plate`) to `FILE[:LAYER]`.

    `awaited` are options of inputs that are made before the render begins.

    Raises ParameterError for an input that the node has not or that is missing, FootageError where there are no files.
    """
    given = {option: pattern for option, pattern in named.items() if pattern}
    for parameter in face.parameters:
        if parameter.replaces and params[parameter.name]:
            given.setdefault(face.input(parameter.replaces).option, params[parameter.name])
    known = {entry.option: entry for entry in face.inputs}
    for option in given:
        if option not in known:
            raise ParameterError(f"{face.command} has no input --{option}: it has --{', --'.join(known)}")
    for entry in face.inputs:
        if not entry.optional and entry.option not in given and entry.option not in awaited:
            raise ParameterError(f"{face.command} needs --{entry.option}: {entry.hint[0].lower()}{entry.hint[1:]}")
    names = [known[option].name for option in given]
    footage = {}
    for option, text in given.items():
        try:
            footage[known[option].name] = reading(face, known[option], params, names).open(*split_layer(text))
            footage[known[option].name].range()
        except FootageError as error:
            raise FootageError(f"--{option}: {error}") from None
    return footage


def check_alpha(
    face: Face, footage: Mapping[str, Footage], frames: Iterable[int], awaited: Collection[str] = ()
) -> None:
    """Raises ParameterError where an input was left out and no frame has the alpha that would stand in for it.

    A frame that cannot be read says nothing: it fails alone, for its own reason. `awaited` are options of inputs that
    are made before the render begins.
    """
    for entry in face.inputs:
        source = footage.get(entry.alpha_of)
        if source is None or entry.name in footage or entry.option in awaited:
            continue
        seen = list(_until_alpha(source, frames))
        if seen and "A" not in seen[-1]:
            raise ParameterError(
                f"{face.command} has no {entry.name}, and no frame of {source.sequence.pattern} has alpha that could "
                f"stand in: {wording.footage(entry.name, entry.option)}"
            )


def _until_alpha(footage: Footage, frames: Iterable[int]) -> Iterator[tuple[str, ...]]:
    """The channels of the frames that can be read, up to the first with alpha among them."""
    for frame in frames:
        with contextlib.suppress(FootageError):
            channels = footage.header(frame).channels
            yield channels
            if "A" in channels:
                return


def one_for_all(face: Face, footage: Mapping[str, Footage]) -> tuple[str, ...]:
    """What is to be said of inputs that are one file of a numbered sequence, which then serves for every frame."""
    notes = []
    for entry in face.inputs[1:]:
        if entry.name not in footage or not footage[entry.name].sequence.is_still:
            continue
        path = footage[entry.name].sequence.path(1)
        one = numbered(path)
        if one and one.others:
            notes.append(
                f"--{entry.option} {path} is one of {one.others + 1} numbered files and is used at every frame; "
                f"{one.pattern} names all of them"
            )
    return tuple(notes)
