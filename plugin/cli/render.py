"""`cleanplate render NODE ...`: the passes of a shot, from files to files."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from models.weights import WeightsRef
from nodes import catalogue
from nodes.errors import FootageError, ParameterError
from nodes.face import Face, Input
from nodes.footage.frame_list import format_frames, parse_frames
from nodes.footage.reader import Footage
from nodes.footage.sequence import Sequence as FileSequence
from nodes.footage.writer import COMPRESSIONS
from plugin import used_weights
from plugin.cli.progress import progress
from plugin.shot import Shot, ShotRender
from plugin.worker.client import Worker

# Options that are parameters under another name, so that the usual things are short to type.
SHORTHANDS = {"weights": "weights", "input_space": "inputSpace", "device": "device"}


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "render",
        help="render the passes of a shot",
        description="Renders the passes of a shot. See 'cleanplate nodes NODE' for a node's parameters.",
        allow_abbrev=False,
    )
    parser.add_argument("node", metavar="NODE", help="what to render, such as background-matte")
    options = dict.fromkeys(entry.option for face in catalogue.all_faces() for entry in face.inputs)
    for option in options:
        parser.add_argument(f"--{option}", metavar="PATTERN", dest=f"footage_{option}", help=_input_help(option))
    parser.add_argument("--frames", metavar="A-B[xSTEP]", help="frames to render, default: all of the source")
    parser.add_argument("--out", metavar="PATTERN", required=True, help="files to write, such as out/matte.####.exr")
    parser.add_argument("--weights", metavar="FILE|NAME", help="trained weights, default: the node's own")
    parser.add_argument("--input-space", metavar="S", help="colour space of the source, default: as the file says")
    parser.add_argument("--device", metavar="D", help="auto, cpu or cuda:N")
    parser.add_argument(
        "--set", metavar="NAME=VALUE", nargs="+", action="extend", default=[], help="parameters of the node"
    )
    parser.add_argument("--passes", metavar="A,B", help="passes to write, default: all")
    parser.add_argument("--bit-depth", choices=("half", "float"), default="half", help="of the files, default: half")
    parser.add_argument("--compression", choices=COMPRESSIONS, default="zip", help="of the files, default: zip")
    parser.add_argument("--json", action="store_true", help="print one line of JSON per event")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    shot, chosen, device = plan(options)
    report = progress(options.json, len(shot.frames))
    for ref in chosen:
        report.event("weights", **used_weights.facts(ref))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Worker(device, on_note=lambda text: report.event("note", text=text)) as worker:
            summary = ShotRender(shot, worker, report).run()
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
        print(f"cleanplate: frames {failed} are not on disk, for the reasons above", file=sys.stderr)
        return 1
    return 0


def plan(options: argparse.Namespace) -> tuple[Shot, tuple[WeightsRef, ...], str]:
    """What to render, from the command line, with which weights, and the device.

    Raises FootageError, ParameterError, WeightsError.
    """
    face = catalogue.find(options.node)
    settings = _settings(options)
    if settings.get("weights"):
        settings["weights"] = _absolute_if_file(settings["weights"])
    params = face.parse(settings)
    footage = _footage(face, options, params)
    out = FileSequence.parse(options.out)
    frames = _frames(options.frames, footage[face.inputs[0].name])
    if out.is_still and len(frames) > 1:
        raise ParameterError(f"{options.out} is one file for {len(frames)} frames: put #### where the number belongs")
    if not out.pattern.lower().endswith(".exr"):
        raise ParameterError(f"{options.out} does not end in .exr: passes are written as OpenEXR")
    _refuse_overwriting(out, footage, frames)
    passes = face.passes_for(params)
    if options.passes:
        wanted = [name.strip() for name in options.passes.split(",")]
        known = {result.name: result for result in passes}
        if unknown := [name for name in wanted if name not in known]:
            raise ParameterError(f"{face.command} has no pass '{unknown[0]}': it has {', '.join(known)}")
        passes = tuple(result for result in passes if result.name in wanted)
    chosen = used_weights.planned(face, params)
    digest = used_weights.digest(chosen)
    shot = Shot(face, footage, params, frames, out, digest, passes, options.bit_depth, options.compression)
    return shot, chosen, params["device"]


def _settings(options: argparse.Namespace) -> dict[str, str]:
    settings = {}
    for entry in options.set:
        name, equals, value = entry.partition("=")
        if not equals:
            raise ParameterError(f"--set takes NAME=VALUE, not '{entry}'")
        settings[name.strip()] = value
    for option, name in SHORTHANDS.items():
        if getattr(options, option) is not None:
            settings[name] = getattr(options, option)
    return settings


def _footage(face: Face, options: argparse.Namespace, params: dict[str, Any]) -> dict[str, Footage]:
    prefix = "footage_"
    given = {
        name.removeprefix(prefix): value for name, value in vars(options).items() if name.startswith(prefix) and value
    }
    for parameter in face.parameters:
        if parameter.replaces and params[parameter.name]:
            given.setdefault(face.input(parameter.replaces).option, params[parameter.name])
    known = {entry.option: entry for entry in face.inputs}
    for option in given:
        if option not in known:
            raise ParameterError(f"{face.command} has no input --{option}: it has --{', --'.join(known)}")
    for entry in face.inputs:
        if not entry.optional and entry.option not in given:
            raise ParameterError(f"{face.command} needs --{entry.option}: {entry.hint[0].lower()}{entry.hint[1:]}")
    footage = {}
    for option, pattern in given.items():
        entry = known[option]
        footage[entry.name] = _open(entry, pattern, params, is_main=entry is face.inputs[0])
    return footage


def _open(entry: Input, pattern: str, params: dict[str, Any], is_main: bool) -> Footage:
    """The footage of an input; only the main one has a layer, and masks are numbers, not colours."""
    space = params["inputSpace"] if entry.kind == "plate" else "auto"
    footage = Footage(pattern, params["layer"] if is_main else "", params["missingFrames"], space)
    try:
        footage.range()
    except FootageError as error:
        raise FootageError(f"--{entry.option}: {error}") from None
    return footage


def _frames(text: str | None, source: Footage) -> list[int]:
    first, last = source.range()
    if text is None:
        return source.frames() or [first]
    frames = parse_frames(text)
    if not source.sequence.is_still and source.missing == "error":
        outside = [frame for frame in frames if not first <= frame <= last]
        if outside:
            raise ParameterError(
                f"frames {format_frames(outside)} are outside the source, which has {first}-{last}: "
                "change --frames, or set missingFrames=hold"
            )
    return frames


def _refuse_overwriting(out: FileSequence, footage: dict[str, Footage], frames: Sequence[int]) -> None:
    for source in footage.values():
        written = out.path(frames[0], pass_name="alpha" if out.has_pass else None)
        if os.path.abspath(written) == os.path.abspath(source.sequence.path(frames[0])):
            raise ParameterError(f"--out {out.pattern} would overwrite the footage: choose other file names")


def _absolute_if_file(text: str) -> str:
    """The worker has a folder of its own, so a file is handed over with its whole path."""
    path = os.path.expanduser(text)
    return os.path.abspath(path) if os.path.exists(path) or "/" in text else text


def _input_help(option: str) -> str:
    for face in catalogue.all_faces():
        for entry in face.inputs:
            if entry.option == option:
                return entry.hint.replace("%", "%%")
    return ""


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt
