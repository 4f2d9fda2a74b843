"""`cleanplate remove`: finds rigs in a shot and fills in what was behind them; Segment's matte is Inpaint's mask."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from nodes import catalogue
from plugin.cli import render
from plugin.cli.chained import add_parameters, files_beside, named_beside, render_chained
from plugin.rendering.plan import Request

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
    add_parameters(parser, f"segment; {', '.join(FINDING)} unless given", "inpaint")
    parser.add_argument("--mode", metavar="M", help="of inpaint: per frame, still plate, follow or motion")
    render.add_writing(parser)
    both = parser.add_argument_group("parameters of both; weights: of inpaint, --find weights=NAME names segment's")
    render.add_shorthands(both, map(catalogue.find, (FIND, FILL)))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    return render_both(*requests_of(options, files_beside(options.out, options.mask_out, "mask")), options.json)


def render_both(find: Request, fill: Request, as_json: bool) -> int:
    """Renders the masks that `find` asks for and, with them, what `fill` does; the exit status."""
    return render_chained(find, fill, "mask", as_json)


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


def mask_pattern(out: str) -> str:
    """Where the masks of a result go. Raises FootageError where `out` is no pattern."""
    return named_beside(out, "mask")
