"""What to render, from what was asked for: the plan is checked as a whole before the first frame."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.weights import WeightsRef
from nodes import catalogue
from nodes.errors import ParameterError
from nodes.face import Face
from nodes.footage import compression
from nodes.footage.sequence import Sequence as FileSequence
from nodes.footage.writer import DataType
from plugin.rendering import used_weights
from plugin.rendering.frames import frames_to_render
from plugin.rendering.inputs import one_for_all, open_footage
from plugin.rendering.shot import Shot


@dataclass(frozen=True)
class Request:
    """A render as it is asked for. `footage` maps inputs' options (`source`, `plate`) to patterns.

    `settings` are parameters of the node, as text or as values; `frames` None means all of the source, `passes` None
    all of the node's.
    """

    node: str
    footage: Mapping[str, str]
    out: str
    frames: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    passes: Sequence[str] | None = None
    bit_depth: DataType = "half"
    compression: str = "zip"
    overwrite: bool = False


@dataclass(frozen=True)
class Plan:
    """A checked render: the shot, its weights, the device it is to run on, and what is to be said before it."""

    shot: Shot
    weights: tuple[WeightsRef, ...]
    device: str
    notes: tuple[str, ...] = ()


def plan(request: Request) -> Plan:
    """Raises FootageError, ParameterError or WeightsError where the request cannot be rendered."""
    face = catalogue.find(request.node)
    settings = dict(request.settings)
    if settings.get("weights"):
        settings["weights"] = _absolute_if_file(settings["weights"])
    params = face.parse(settings)
    compression.parse(request.compression)
    footage = open_footage(face, request.footage, params)
    out = FileSequence.parse(request.out)
    main = face.inputs[0]
    named = request.footage.get(main.option, "")
    frames = frames_to_render(request.frames, footage[main.name], named, params["stillSource"])
    if out.is_still and len(frames) > 1:
        raise ParameterError(f"{request.out} is one file for {len(frames)} frames: put #### where the number belongs")
    if not out.pattern.lower().endswith(".exr"):
        raise ParameterError(f"{request.out} does not end in .exr: passes are written as OpenEXR")
    passes = face.choose_passes(params, request.passes)
    chosen = used_weights.planned(face, params)
    digest = used_weights.digest(chosen)
    shot = Shot(
        face,
        footage,
        params,
        frames,
        out,
        digest,
        passes,
        request.bit_depth,
        request.compression,
        reads=(*(str(ref.path) for ref in chosen), *_files_named(face, params)),
        overwrite=request.overwrite,
    )
    shot.guard.refuse(path for frame in frames for path in shot.paths(frame))
    return Plan(shot, chosen, params["device"], one_for_all(face, footage) if len(frames) > 1 else ())


def _files_named(face: Face, params: Mapping[str, Any]) -> list[str]:
    """Files that parameters name, such as a list of classes."""
    values = [params[parameter.name] for parameter in face.parameters if parameter.type in ("string", "file")]
    return [value for value in values if value and os.path.isfile(value)]


def _absolute_if_file(text: str) -> str:
    """The worker has a folder of its own, so a file is handed over with its whole path."""
    path = os.path.expanduser(text)
    return os.path.abspath(path) if os.path.exists(path) or "/" in text else text
