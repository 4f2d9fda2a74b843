"""`cleanplate remove`: finds rigs in a shot and fills in what was behind them; Segment's matte is Inpaint's mask."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from nodes import catalogue
from nodes.errors import ParameterError
from nodes.footage.files.sequence import Sequence as FileSequence
from nodes.footage.reader import Footage
from plugin.cli import render
from plugin.rendering.course import one_course
from plugin.rendering.plan import Plan, Request, plan
from plugin.rendering.safety import Guard

# A mask that takes too much costs a little fill, one that misses something leaves a rig in the picture.
FIND, FILL = "segment", "inpaint"
FINDING = ("threshold=0.25", "softness=0.1", "dropShort=false")
CLASSES = "wire,marker"


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "remove",
        help="find wires, markers or stands and fill in what was behind them",
        description="Renders segment and, with its matte as the mask, inpaint. The masks stay beside the result, to be "
        "looked at and, where something was missed, to be mended by hand and used with 'cleanplate render inpaint'.",
        allow_abbrev=False,
    )
    parser.add_argument("--source", metavar="PATTERN", required=True, help="the shot, such as shot.####.exr")
    parser.add_argument("--classes", default=CLASSES, help=f"what to remove, default: {CLASSES}")
    parser.add_argument("--frames", metavar="A-B[xSTEP]", help="frames to render, default: all of the source")
    parser.add_argument("--out", metavar="PATTERN", required=True, help="files to write, such as clean/shot.####.exr")
    parser.add_argument("--mask-out", metavar="PATTERN", help="masks to write, default: mask_NAME beside the result")
    parser.add_argument(
        "--find",
        metavar="NAME=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help=f"parameters of segment; {', '.join(FINDING)} unless given",
    )
    parser.add_argument(
        "--set", metavar="NAME=VALUE", nargs="+", action="extend", default=[], help="parameters of inpaint"
    )
    parser.add_argument("--mode", metavar="M", help="of inpaint: per frame, still plate or follow")
    render.add_writing(parser)
    both = parser.add_argument_group("parameters of both; weights: of inpaint, --find weights=NAME names segment's")
    render.add_shorthands(both, map(catalogue.find, (FIND, FILL)))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    masks = options.mask_out or mask_pattern(options.out)
    if os.path.abspath(masks) == os.path.abspath(options.out):
        raise ParameterError(f"--mask-out {masks} is also --out: choose another name for the masks")
    return render_both(*requests_of(options, masks), options.json)


def render_both(find: Request, fill: Request, as_json: bool) -> int:
    """Renders the masks that `find` asks for and, with them, what `fill` does; the exit status."""
    finding = plan(find)
    _refuse_outputs(plan(fill, awaited=["mask"]), find.out)
    with one_course(2):
        status = render.render_plan(finding, as_json)
        # Where a mask could not be made its frame fails here as well, and alone.
        filled = dataclasses.replace(fill, footage={**fill.footage, "mask": find.out})
        return render.render_plan(plan(filled), as_json) or status


def requests_of(options: argparse.Namespace, masks: str) -> tuple[Request, Request]:
    """What segment and inpaint are asked for, the latter without its mask, which is not there yet."""
    source = {"source": options.source}
    finding = render.parameters_of([f"classes={options.classes}", *FINDING, *options.find])
    filling = render.parameters_of([*([f"mode={options.mode}"] if options.mode else []), *options.set])
    shared = argparse.Namespace(**{**vars(options), f"{render.SETTING}weights": None})
    finding |= render.shorthands_of(shared, catalogue.find(FIND), finding, strict=False)
    filling |= render.shorthands_of(options, catalogue.find(FILL), filling, strict=False)
    writing = render.writing_of(options)
    alone = {**writing, "passes": ["alpha"], "bit_depth": None}
    return (
        Request(FIND, source, masks, options.frames, finding, **alone),
        Request(FILL, source, options.out, options.frames, filling, **writing),
    )


def removal(source: str, out: str, both: Mapping[str, Any]) -> tuple[Request, Request]:
    """The same for a shot from which goes what goes by default, with some parameters of both nodes."""
    finding = render.parameters_of([f"classes={CLASSES}", *FINDING])
    return (
        Request(FIND, {"source": source}, mask_pattern(out), settings={**finding, **both}, passes=["alpha"]),
        Request(FILL, {"source": source}, out, settings=both),
    )


def _refuse_outputs(fill: Plan, masks: str) -> None:
    """Checks the result's files before the first mask is written. Raises ParameterError."""
    for shot in fill.shots:
        paths = [path for frame in shot.frames for path in shot.paths(frame)]
        Guard("--out", {"--mask-out": Footage(masks)}).refuse(paths)
        shot.guard.refuse_foreign(*paths)


def mask_pattern(out: str) -> str:
    """Where the masks of a result go: clean/shot.####.exr has clean/mask_shot.####.exr.

    Raises FootageError where `out` is no pattern.
    """
    pattern = PurePath(FileSequence.parse(out).pattern.replace("%P", "mask"))
    return str(pattern.with_name(f"mask_{pattern.name}"))
