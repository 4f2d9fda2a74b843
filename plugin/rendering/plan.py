"""What to render, from what was asked for: the plan is checked as a whole before the first frame."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.weights import WeightsFacts
from nodes import catalogue
from nodes.errors import ParameterError
from nodes.faces.face import Face
from nodes.footage.exr import compression
from nodes.footage.files.numbered import numbered
from nodes.footage.files.sequence import Sequence as FileSequence
from nodes.footage.reader import Footage
from nodes.footage.writer import DataType
from nodes.opening import split_layer
from plugin.rendering import used_weights
from plugin.rendering.frames import frames_to_render
from plugin.rendering.inputs import check_alpha, one_for_all, open_footage
from plugin.rendering.shot import Shot, file_named


@dataclass(frozen=True)
class Request:
    """A render as it is asked for. `footage` maps inputs' options (`source`, `plate`) to patterns.

    `settings` are parameters of the node, as text or as values; `frames` None means all of the source, `passes` None
    all of the node's. `bit_depth` None leaves it to the passes.
    """

    node: str
    footage: Mapping[str, str]
    out: str
    frames: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    passes: Sequence[str] | None = None
    bit_depth: DataType | None = None
    compression: str = "zip"
    overwrite: bool = False


@dataclass(frozen=True)
class Plan:
    """A checked render: a shot for each view, their weights, the device they run on, and what is to be said before."""

    shots: tuple[Shot, ...]
    weights: tuple[WeightsFacts, ...]
    device: str
    notes: tuple[str, ...] = ()

    @property
    def shot(self) -> Shot:
        return self.shots[0]


def plan(request: Request, awaited: Collection[str] = ()) -> Plan:
    """Raises FootageError, ParameterError or WeightsError where the request cannot be rendered.

    `awaited` are options of inputs that are not there yet and will be when the render begins.
    """
    face = catalogue.find(request.node)
    settings = dict(request.settings)
    if settings.get("weights"):
        settings["weights"] = _absolute_if_file(settings["weights"])
    params = face.parse(settings)
    if (frame := _one_picture(request, face)) is not None:
        request, params["stillSource"] = dataclasses.replace(request, frames=str(frame)), True
    compression.parse(request.compression)
    views = [
        (one, out, open_footage(face, request.footage, one, awaited))
        for one, out in _views(request, face, params, awaited)
    ]
    chosen = used_weights.planned(face, params)
    shots = tuple(_shot(request, face, one, out, footage, chosen) for one, out, footage in views)
    for shot in shots:
        check_alpha(face, shot.footage, shot.frames, awaited)
        shot.guard.refuse(path for one in shots for frame in one.frames for path in one.paths(frame))
    notes = dict.fromkeys(note for shot in shots if len(shot.frames) > 1 for note in one_for_all(face, shot.footage))
    return Plan(shots, chosen, params["device"], tuple(notes))


def _one_picture(request: Request, face: Face) -> int | None:
    """The number of the one file that goes into one file: who names two files means a picture, and no sequence."""
    source, _ = split_layer(request.footage.get(face.inputs[0].option, ""))
    if request.frames is not None or not os.path.isfile(source) or not FileSequence.parse(request.out).is_still:
        return None
    found = numbered(source)
    return found.frame if found is not None and found.others else None


def _views(
    request: Request, face: Face, params: Mapping[str, Any], awaited: Collection[str]
) -> Iterator[tuple[Mapping[str, Any], FileSequence]]:
    """Parameters and files of each view that is rendered: one, or all of the source where the files name them."""
    out = FileSequence.parse(request.out)
    if not out.has_view:
        yield params, out
        return
    views = (
        [params["view"]]
        if params["view"]
        else open_footage(face, request.footage, params, awaited)[face.inputs[0].name].views()
    )
    if not views:
        raise ParameterError(f"{request.out} has a place for the view, but the source has no views: leave out %V")
    for view in views:
        yield {**params, "view": view}, out.of_view(view)


def _shot(
    request: Request,
    face: Face,
    params: Mapping[str, Any],
    out: FileSequence,
    footage: Mapping[str, Footage],
    weights: tuple[WeightsFacts, ...],
) -> Shot:
    main = face.inputs[0]
    named, _ = split_layer(request.footage.get(main.option, ""))
    frames = frames_to_render(request.frames, footage[main.name], named, params["stillSource"])
    if out.is_still and len(frames) > 1:
        raise ParameterError(f"{request.out} is one file for {len(frames)} frames: put #### where the number belongs")
    if not out.pattern.lower().endswith(".exr"):
        raise ParameterError(f"{request.out} does not end in .exr: passes are written as OpenEXR")
    return Shot(
        face,
        footage,
        params,
        frames,
        out,
        used_weights.digest(weights),
        face.choose_passes(params, request.passes),
        request.bit_depth,
        request.compression,
        reads=(*(ref.path for ref in weights), *_files_named(face, params)),
        overwrite=request.overwrite,
    )


def _files_named(face: Face, params: Mapping[str, Any]) -> list[str]:
    """Files that parameters name, such as a list of classes."""
    return [path for one in face.parameters if (path := file_named(one, params[one.name]))]


def _absolute_if_file(text: str) -> str:
    """The worker has a folder of its own, so a file is handed over with its whole path."""
    path = os.path.expanduser(text)
    return os.path.abspath(path) if os.path.exists(path) or "/" in text else text
