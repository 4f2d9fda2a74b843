"""`cleanplate key`: the matte of what a loose shape holds, against a clean plate that the shot itself gives."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Mapping
from typing import Any

from nodes import catalogue
from nodes.errors import FootageError, ParameterError
from plugin.cli import render
from plugin.cli.chained import add_parameters, files_beside, render_chained
from plugin.rendering.plan import Request, plan

AUTO = "auto"
FIND, KEY = "video-matte", "key-without-plate"
# VideoMatte misses fingers and loose hair: its shapes grow by this part of the picture's longer side.
GROWN = 1 / 50


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "key",
        help="pull a matte of what is inside a loose shape, without a clean plate",
        description="Finds what is behind the subject in other frames of the shot and pulls the matte against that. "
        f"It is 'cleanplate render {KEY}', with --rough auto after 'cleanplate render {FIND}', each frame of which "
        "is the loose shape. These shapes stay beside the result, to be looked at and mended.",
        allow_abbrev=False,
    )
    face = catalogue.find(KEY)
    parser.add_argument("--source", metavar="PATTERN", required=True, help="the shot, such as shot.####.exr")
    parser.add_argument(
        "--rough",
        metavar="FILE[:LAYER.CHANNEL]",
        required=True,
        help=f"a loose shape around the subject, such as rough.####.exr, or {AUTO}: people are found",
    )
    parser.add_argument("--frames", metavar="A-B[xSTEP]", help="frames to render, default: all of the source")
    parser.add_argument("--out", metavar="PATTERN", required=True, help="files to write, such as key/matte.####.exr")
    parser.add_argument(
        "--rough-out",
        metavar="PATTERN",
        help=f"shapes of --rough {AUTO} to write, default: rough_NAME beside the result",
    )
    footage = parser.add_argument_group("footage")
    for entry in face.inputs:
        if entry.optional:
            dest = f"{render.FOOTAGE}{entry.option}"
            footage.add_argument(f"--{entry.option}", dest=dest, metavar="FILE[:LAYER]", help=entry.hint)
    add_parameters(parser, f"{FIND}, with --rough {AUTO}", KEY)
    render.add_writing(parser)
    both = parser.add_argument_group(f"parameters of both; weights: of {KEY}, --find weights=NAME names {FIND}'s")
    render.add_shorthands(both, map(catalogue.find, (KEY, FIND)))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.rough == AUTO:
        find, key = requests_of(options, files_beside(options.out, options.rough_out, "rough"))
        return render_chained(find, key, "rough", options.json)
    for given, name in ((options.find, "--find"), (options.rough_out, "--rough-out")):
        if given:
            raise ParameterError(f"{name} means something with --rough {AUTO} only: leave it out")
    return render.render_plan(plan(key_request(options, options.rough)), options.json)


def requests_of(options: argparse.Namespace, shapes: str) -> tuple[Request, Request]:
    """What video-matte is asked for, in all frames since others than those rendered show the background, and what
    key-without-plate is asked for, without its shapes, which are not there yet."""
    finding = render.parameters_of(options.find)
    shared = argparse.Namespace(**{**vars(options), f"{render.SETTING}weights": None})
    finding |= render.shorthands_of(shared, catalogue.find(FIND), finding, strict=False)
    writing = {**render.writing_of(options), "passes": ["alpha"], "bit_depth": None}
    find = Request(FIND, {"source": options.source}, shapes, None, finding, **writing)
    return find, key_request(options, "", _grown(find))


def key_request(options: argparse.Namespace, rough: str, defaults: Mapping[str, Any] | None = None) -> Request:
    """What key-without-plate is asked for with these shapes; `defaults` are parameters unless the user says others."""
    settings: dict[str, Any] = render.parameters_of(options.set)
    settings |= render.shorthands_of(options, catalogue.find(KEY), settings, strict=False)
    named = {"source": options.source, "rough": rough}
    footage = {**render.footage_of(options), **{option: text for option, text in named.items() if text}}
    settings = {**(defaults or {}), **settings}
    return Request(KEY, footage, options.out, options.frames, settings, **render.writing_of(options))


def _grown(find: Request) -> dict[str, float]:
    """By how much the shapes of a shot grow, where a frame says how large it is."""
    for shot in plan(find).shots:
        for frame in shot.frames:
            with contextlib.suppress(FootageError):
                form = shot.footage["Source"].header(frame).display_window
                return {"grow": float(max(1, round(GROWN * max(form.width, form.height))))}
    return {}
