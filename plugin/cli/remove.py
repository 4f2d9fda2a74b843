"""`cleanplate remove`: finds rigs in a shot and fills in what was behind them; Segment's matte is Inpaint's mask."""

from __future__ import annotations

import argparse
import os
from pathlib import PurePath
from typing import Any

from nodes.errors import ParameterError
from nodes.footage.files.sequence import Sequence as FileSequence
from nodes.footage.reader import Footage
from plugin.cli import render
from plugin.cli.usage import negative_values_joined
from plugin.rendering.course import one_course
from plugin.rendering.plan import plan
from plugin.rendering.safety import Guard

# A mask that takes too much costs a little fill, one that misses something leaves a rig in the picture.
FINDING = ("threshold=0.25", "softness=0.1", "dropShort=false")


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "remove",
        help="find wires, markers or stands and fill in what was behind them",
        description="Renders segment and, with its matte as the mask, inpaint. The masks stay beside the result, to be "
        "looked at and, where something was missed, to be mended by hand and used with 'cleanplate render inpaint'.",
        allow_abbrev=False,
    )
    parser.add_argument("--source", metavar="PATTERN", required=True, help="the shot, such as shot.####.exr")
    parser.add_argument("--classes", default="wire,marker", help="what to remove, default: wire,marker")
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
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu or cuda:N")
    parser.add_argument("--overwrite", action="store_true", help="replace files that Cleanplate did not make")
    parser.add_argument("--json", action="store_true", help="print one line of JSON per event")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    masks = options.mask_out or mask_pattern(options.out)
    if os.path.abspath(masks) == os.path.abspath(options.out):
        raise ParameterError(f"--mask-out {masks} is also --out: choose another name for the masks")
    shared = ["--source", options.source, "--device", options.device]
    shared += ["--frames", options.frames] if options.frames else []
    shared += ["--json"] if options.json else []
    shared += ["--overwrite"] if options.overwrite else []
    found = [f"classes={options.classes}", *FINDING, *options.find]
    filled = ["--set", *options.set] if options.set else []
    find = _options("segment", *shared, "--out", masks, "--passes", "alpha", "--set", *found)
    fill = _options("inpaint", *shared, "--out", options.out, *filled)
    _refuse_outputs(find, fill, masks)
    with one_course(2):
        status = render.run(find)
        # Where a mask could not be made its frame fails here as well, and alone.
        return render.run(_options("inpaint", *shared, "--mask", masks, "--out", options.out, *filled)) or status


def _options(node: str, *arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    render.add_parser(parser.add_subparsers())
    return parser.parse_args(negative_values_joined(["render", node, *arguments]))


def _refuse_outputs(find: argparse.Namespace, fill: argparse.Namespace, masks: str) -> None:
    """Checks all that will be written before the first mask is. Raises ParameterError."""
    plan(render.request_of(find))
    shot = plan(render.request_of(fill)).shot
    paths = [path for frame in shot.frames for path in shot.paths(frame)]
    Guard("--out", {"--mask-out": Footage(masks)}).refuse(paths)
    shot.guard.refuse_foreign(*paths)


def mask_pattern(out: str) -> str:
    """Where the masks of a result go: clean/shot.####.exr has clean/mask_shot.####.exr.

    Raises FootageError where `out` is no pattern.
    """
    pattern = PurePath(FileSequence.parse(out).pattern.replace("%P", "mask"))
    return str(pattern.with_name(f"mask_{pattern.name}"))
