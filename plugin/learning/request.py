"""What is asked of `cleanplate learn`, checked as far as that goes without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from models import weights
from models.weights import WeightsRef
from nodes import catalogue
from nodes.errors import ParameterError
from nodes.footage.files.frame_list import parse_frames
from nodes.footage.reader import Footage
from plugin.learning.files import Files
from plugin.rendering.inputs import open_footage
from plugin.rendering.safety import Guard

NODE = "learned"


START = "video_matte_mobilenetv3"  # bundled: what it knows of edges is worth minutes of learning


@dataclass(frozen=True)
class ShotAndKeys:
    """A shot, the frames that were painted for it, and its clean plate, which may be empty: `FILE[:LAYER]`."""

    source: str
    keys: str
    plate: str = ""


@dataclass(frozen=True)
class LearnRequest:
    """`minutes` None leaves it to the device; `steps` ends it as well where it is named. `settings` are parameters of
    the node Learned: those that say how inputs are read count. `start` are weights to begin with. `teach` is what the
    keys are, `auto`, `matte` or `picture`."""

    pairs: Sequence[ShotAndKeys]
    out: str
    minutes: float | None = None
    steps: int | None = None
    seed: int = 1
    device: str = "auto"
    start: str = ""
    teach: Literal["auto", "matte", "picture"] = "auto"
    preview: Sequence[int] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LearnPlan:
    """What is learned: the opened inputs of each shot, by their names in the node's face; no `key_frames` mean all."""

    request: LearnRequest
    files: Files
    footage: Sequence[Mapping[str, Footage]]
    exposure: float
    key_frames: Sequence[int]
    start: WeightsRef


def plan_learning(request: LearnRequest) -> LearnPlan:
    """Raises ParameterError, FootageError or WeightsError where nothing can be learned."""
    if request.minutes is not None and not request.minutes > 0:
        raise ParameterError(f"--minutes {request.minutes:g} is no time to learn: give a number above 0")
    if request.steps is not None and request.steps < 1:
        raise ParameterError(f"--steps {request.steps} is nothing to learn in: give a whole number above 0")
    files = Files(request.out)
    face = catalogue.find(NODE)
    params = face.parse(request.settings)
    plates = {bool(pair.plate) for pair in request.pairs}
    if len(plates) > 1:
        raise ParameterError(
            "some of the shots have a clean plate and some have none: give --plate for all, or for none"
        )
    footage = [
        open_footage(face, {"source": pair.source, "keys": pair.keys, "plate": pair.plate}, params)
        for pair in request.pairs
    ]
    key_frames = parse_frames(params["keyFrames"]) if params["keyFrames"].strip() else []
    start = _start(request.start or START)
    for inputs in footage:
        read = {f"--{face.input(name).option}": one for name, one in inputs.items()}
        Guard("--out", read, [str(start.path)] if str(start.path) != files.weights else []).refuse(files.all)
    files.known()
    files.check_writable()
    return LearnPlan(request, files, footage, float(params["exposure"]), key_frames, start)


def _start(named: str) -> WeightsRef:
    """The weights to begin with: taught ones, or those of VideoMatte, whose body the network has."""
    found = weights.complete(weights.resolve(named))
    if found.network != "learned" and (found.network, found.options.get("variant")) != ("rvm", "mobilenetv3"):
        raise ParameterError(
            f"--from {named} is no start for learning: name weights that cleanplate learn wrote, or VideoMatte's of "
            "the size mobilenetv3"
        )
    return found


def name_of(pair: ShotAndKeys) -> str:
    """What sentences and cards call a shot: the name of its files."""
    return pair.source.rpartition("/")[2]
