"""`cleanplate remove`: finds rigs in a shot and fills in what was behind them; Segment's matte is Inpaint's mask."""

from __future__ import annotations

import argparse
import os
from pathlib import PurePath
from typing import Any

from nodes.errors import ParameterError
from nodes.footage.sequence import Sequence as FileSequence

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
    parser.add_argument("--json", action="store_true", help="print one line of JSON per event")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from plugin.cli.main import main

    masks = options.mask_out or mask_pattern(options.out)
    if os.path.abspath(masks) == os.path.abspath(options.out):
        raise ParameterError(f"--mask-out {masks} is also --out: choose another name for the masks")
    shared = ["--source", options.source, "--device", options.device]
    shared += ["--frames", options.frames] if options.frames else []
    shared += ["--json"] if options.json else []
    found = [f"classes={options.classes}", *FINDING, *options.find]
    status = main(["render", "segment", *shared, "--out", masks, "--passes", "alpha", "--set", *found])
    if status:
        return status
    filled = ["--set", *options.set] if options.set else []
    return main(["render", "inpaint", *shared, "--mask", masks, "--out", options.out, *filled])


def mask_pattern(out: str) -> str:
    """Where the masks of a result go: clean/shot.####.exr has clean/mask_shot.####.exr.

    Raises FootageError where `out` is no pattern.
    """
    pattern = PurePath(FileSequence.parse(out).pattern.replace("%P", "mask"))
    return str(pattern.with_name(f"mask_{pattern.name}"))
