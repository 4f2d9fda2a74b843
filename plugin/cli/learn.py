"""`cleanplate learn`: teaches a network one shot from the frames that an artist painted."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

from nodes import catalogue
from nodes.errors import ParameterError
from nodes.faces.face import Face
from nodes.footage.files.frame_list import parse_frames
from plugin.cli.render import add_shorthands, parameters_of, shorthands_of
from plugin.learning.reports import report
from plugin.learning.request import NODE, LearnRequest, ShotAndKeys, plan_learning

# How the node's parameters begin that say nothing about how a shot and its key frames are read.
OTHERS = ("weights", "device", "core", "garbage", "mask")


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "learn",
        help="teach a network one shot from key frames",
        description="Learns a matte, or a clean-up, from the frames of a shot that somebody painted, and writes "
        "weights for 'cleanplate render learned'. The key frames are the files that exist under --keys. It may be "
        "stopped at any time; the same command goes on, also with more keys.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--source", metavar="PATTERN", action="append", required=True, help="the shot, such as shot.####.exr"
    )
    parser.add_argument(
        "--keys",
        metavar="PATTERN",
        action="append",
        required=True,
        help="the painted frames, such as roto.####.exr: one channel or an alpha teaches a matte, three colour "
        "channels a picture; FILE:LAYER.CHANNEL names one. Several --source each have their --keys, in the same order",
    )
    parser.add_argument("--plate", metavar="FILE", action="append", default=[], help="the clean plate of each --source")
    parser.add_argument("--out", metavar="FILE", required=True, help="the weights, FILE.safetensors")
    parser.add_argument("--minutes", metavar="M", type=float, help="how long to learn in all, default: 8, on a GPU 1.5")
    parser.add_argument("--steps", metavar="N", type=int, help="how many steps in all: the same weights every time")
    parser.add_argument("--seed", metavar="N", type=int, default=1, help="of all that is random, default: 1")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.add_argument(
        "--from", dest="start", metavar="FILE", default="", help="weights to begin with, for a new --out"
    )
    parser.add_argument(
        "--teach", choices=("auto", "matte", "picture"), default="auto", help="what the keys are, default: as they look"
    )
    parser.add_argument(
        "--preview", metavar="FRAMES", help="frames shown in FILE.preview.png, default: between the keys"
    )
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="parameters of learned about its inputs",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON per event")
    add_shorthands(parser.add_argument_group("how inputs are read"), [_face()])
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when it is learned, 130 when it was stopped before."""
    from plugin.cli.main import INTERRUPTED
    from plugin.learning.learn import learn

    planned = plan_learning(request_of(options))
    telling = report(options.json)
    try:
        return 0 if learn(planned, telling) else INTERRUPTED
    finally:
        telling.close()


def request_of(options: argparse.Namespace) -> LearnRequest:
    """What the command line asks for. Raises ParameterError."""
    face = _face()
    settings: dict[str, Any] = parameters_of(options.set)
    settings |= shorthands_of(options, face, settings)
    return LearnRequest(
        _pairs(options.source, options.keys, options.plate),
        options.out,
        options.minutes,
        options.steps,
        options.seed,
        options.device,
        options.start,
        options.teach,
        parse_frames(options.preview) if options.preview else (),
        settings,
    )


def _face() -> Face:
    """The node's face with the parameters that say how a shot is read."""
    face = catalogue.find(NODE)
    kept = tuple(parameter for parameter in face.parameters if not parameter.name.startswith(OTHERS))
    return dataclasses.replace(face, parameters=kept)


def _pairs(sources: Sequence[str], keys: Sequence[str], plates: Sequence[str]) -> list[ShotAndKeys]:
    if len(keys) != len(sources):
        raise ParameterError(f"there are {len(sources)} --source and {len(keys)} --keys: give each shot its own keys")
    if len(plates) not in (0, len(sources)):
        raise ParameterError(
            f"there are {len(sources)} --source and {len(plates)} --plate: give each shot its own, or none"
        )
    return [ShotAndKeys(*words) for words in zip(sources, keys, plates or [""] * len(sources), strict=True)]
