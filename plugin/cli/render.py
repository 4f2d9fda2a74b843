"""`cleanplate render NODE ...`: the passes of a shot, from files to files."""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
from collections.abc import Iterable, Mapping
from typing import Any

from nodes import catalogue
from nodes.errors import FaceError, ParameterError
from nodes.faces.face import Face, Parameter
from nodes.footage.exr.compression import KNOWN, SOURCE
from nodes.footage.files.frame_list import format_frames
from plugin.cli.words import say_error
from plugin.rendering.events import progress
from plugin.rendering.plan import Plan, Request, plan
from plugin.rendering.render import render_shots
from plugin.worker.client.worker import Worker

FOOTAGE, SETTING = "footage_", "setting_"


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "render",
        help="render the passes of a shot",
        description="Renders the passes of a shot. See 'cleanplate nodes NODE' for a node's parameters.",
        allow_abbrev=False,
    )
    parser.add_argument("node", metavar="NODE", help="what to render, such as background-matte")
    footage, shorthands = parser.add_argument_group("footage"), parser.add_argument_group("parameters of nodes")
    parser.add_argument("--frames", metavar="A-B[xSTEP]", help="frames to render, default: all of the source")
    parser.add_argument("--out", metavar="PATTERN", required=True, help="files to write, such as out/matte.####.exr")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", nargs="+", action="extend", default=[], help="parameters of the node"
    )
    add_writing(parser)
    for face in catalogue.all_faces():
        for entry in face.inputs:
            _offer(footage, entry.option, FOOTAGE, "FILE[:LAYER]", entry.hint.replace("%", "%%"))
        add_shorthands(shorthands, [face])
    parser.set_defaults(run=run)


def add_writing(parser: argparse.ArgumentParser) -> None:
    """The options that say how files are written and how the render talks."""
    parser.add_argument("--passes", metavar="A,B", help="passes to write, default: all")
    parser.add_argument(
        "--bit-depth",
        choices=("half", "float"),
        help="of the files, default: half; a clean plate as its source",
    )
    parser.add_argument("--compression", metavar="C[:LEVEL]", default="zip", help=_compression_help())
    parser.add_argument("--overwrite", action="store_true", help="replace files that Cleanplate did not make")
    parser.add_argument("--json", action="store_true", help="print one line of JSON per event")


def add_shorthands(group: Any, faces: Iterable[Face]) -> None:
    """The options that are parameters of these nodes under another name."""
    meanings = _shorthands()
    for option in (option for face in faces for parameter in face.parameters for option in parameter.options):
        metavar = "N" if meanings[option].type == "int" else "NAME"
        _offer(group, option, SETTING, metavar, _first_sentence(meanings[option]))


def _offer(group: Any, option: str, kind: str, metavar: str, text: str) -> None:
    """Adds what a face asks for, the first wins; what the command has already is refused when the node is used."""
    with contextlib.suppress(argparse.ArgumentError):
        group.add_argument(f"--{option}", metavar=metavar, dest=f"{kind}{option}", help=text)


def run(options: argparse.Namespace) -> int:
    return render_plan(plan(request_of(options)), options.json)


def render_plan(planned: Plan, as_json: bool) -> int:
    """Renders what is planned and says how it goes; the exit status."""
    report = progress(as_json, sum(len(shot.frames) for shot in planned.shots))
    for facts in planned.weights:
        report.event("weights", **vars(facts))
    for note in planned.notes:
        report.event("note", text=note)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Worker(planned.device, on_note=lambda text: report.event("note", text=text)) as worker:
            summary = render_shots(planned.shots, worker, report)
        report.event(
            "finished",
            rendered=summary.rendered,
            skipped=summary.skipped,
            failed=len(summary.failed),
            seconds=round(summary.seconds, 3),
            fps=round(summary.rendered / max(summary.seconds, 1e-9), 3),
        )
    finally:
        report.close()
    if summary.failed:
        failed = format_frames(summary.failed)
        say_error(f"frames {failed} are not on disk, for the reasons above", as_json)
        return 1
    return 0


def request_of(options: argparse.Namespace) -> Request:
    """What the command line asks for. Raises ParameterError."""
    _refuse_taken_options(catalogue.find(options.node), vars(options))
    settings = parameters_of(options.set)
    settings |= shorthands_of(options, catalogue.find(options.node), settings)
    return Request(options.node, footage_of(options), options.out, options.frames, settings, **writing_of(options))


def footage_of(options: argparse.Namespace) -> dict[str, str]:
    """The inputs that are named, by their options."""
    return {
        name.removeprefix(FOOTAGE): value for name, value in vars(options).items() if name.startswith(FOOTAGE) and value
    }


def writing_of(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_writing` asked, as fields of a Request."""
    return {
        "passes": [name.strip() for name in options.passes.split(",")] if options.passes else None,
        "bit_depth": options.bit_depth,
        "compression": options.compression,
        "overwrite": options.overwrite,
    }


def _refuse_taken_options(face: Face, offered: Mapping[str, Any]) -> None:
    wanted = [(FOOTAGE, entry.option, f"input '{entry.name}'") for entry in face.inputs]
    wanted += [(SETTING, option, f"parameter '{p.name}'") for p in face.parameters for option in p.options]
    for kind, option, what in wanted:
        if f"{kind}{option}" not in offered:
            raise FaceError(
                f"{face.file}: the {what} cannot have the option --{option}, which means something else here"
            )


def parameters_of(entries: Iterable[str]) -> dict[str, str]:
    """Parameters as `--set NAME=VALUE` gives them. Raises ParameterError."""
    settings = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals:
            raise ParameterError(f"--set takes NAME=VALUE, not '{entry}'")
        settings[name.strip()] = value
    return settings


def shorthands_of(
    options: argparse.Namespace, face: Face, given: Mapping[str, str], strict: bool = True
) -> dict[str, str]:
    """The parameters that options stand for; what is `given` of one input goes before what is said of all of its kind.

    Raises ParameterError for an option that the node has not, unless it is not `strict`.
    """
    named = {
        name.removeprefix(SETTING): value
        for name, value in vars(options).items()
        if name.startswith(SETTING) and value is not None
    }
    for option in named:
        if strict and not face.has_option(option):
            raise ParameterError(f"{face.command} has no --{option}: it has no input that this could be about")
    return face.settings_of(named, given)


def _shorthands() -> dict[str, Parameter]:
    """Options that are parameters under another name, so that the usual things are short to type."""
    parameters = [parameter for face in catalogue.all_faces() for parameter in face.parameters]
    # Where an option stands for several, the one that has it alone says what it means.
    parameters.sort(key=lambda parameter: -len(parameter.options))
    return {option: parameter for parameter in parameters for option in parameter.options}


def _first_sentence(parameter: Parameter) -> str:
    sentence = re.split(r"(?<=[.:;]) ", parameter.hint)[0].rstrip(".:;")
    return sentence.replace("%", "%%")


def _compression_help() -> str:
    names = ", ".join(one.name for one in KNOWN)
    return f"of the files: {names}, or {SOURCE} for that of the source; zip:9 names a level; default: zip"


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt
