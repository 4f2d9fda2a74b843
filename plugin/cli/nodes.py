"""`cleanplate nodes [NODE]`: what there is, and the manual of each node, straight from the faces."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import textwrap
from typing import Any

from nodes import catalogue
from nodes.faces.face import Face, Parameter


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("nodes", help="list the nodes and their parameters")
    parser.add_argument("node", nargs="?", metavar="NODE", help="show this node's inputs, parameters and passes")
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.node:
        face = catalogue.find(options.node)
        print(json.dumps(dataclasses.asdict(face), indent=2) if options.json else manual(face))
    elif options.json:
        print(json.dumps([dataclasses.asdict(face) for face in catalogue.all_faces()], indent=2))
    else:
        for face in catalogue.all_faces():
            print(f"{face.command:<18}{face.label} ({face.id})")
            print(_wrapped(face.description, 18))
    if not options.node:
        for other in catalogue.broken():
            print(f"cleanplate: {other.sentence}", file=sys.stderr)
    return 0


def manual(face: Face) -> str:
    """A node's manual as text for a terminal."""
    lines = [f"{face.label} ({face.command}, {face.id}, version {face.version})", _wrapped(face.description, 2)]
    lines += ["", "Inputs"]
    for entry in face.inputs:
        optional = ", optional" if entry.optional else ""
        lines += [f"  --{entry.option}  ({entry.name}{optional})", _wrapped(entry.hint, 6)]
    for page in dict.fromkeys(parameter.page for parameter in face.parameters):
        lines += ["", f"Parameters: {page}"]
        for parameter in face.parameters:
            if parameter.page == page:
                lines += [f"  {parameter.name} = {_default(parameter)}{_range(parameter)}", _wrapped(parameter.hint, 6)]
                for choice, hint in zip(parameter.choices, parameter.choice_hints, strict=False):
                    lines.append(_wrapped(f"{choice}: {hint}", 8))
    lines += ["", "Passes"]
    for result in face.passes:
        channels = ", ".join(f"{result.layer}.{c}" if result.layer else c for c in result.channels)
        lines += [f"  {result.name}  ({channels})", _wrapped(result.hint, 6)]
    if face.history:
        lines += ["", "Versions", *(_wrapped(f"{number}: {note}", 2) for number, note in face.history.items())]
    return "\n".join(lines)


def _default(parameter: Parameter) -> str:
    if parameter.type == "bool":
        return "on" if parameter.default else "off"
    return str(parameter.default) if parameter.default != "" else '""'


def _range(parameter: Parameter) -> str:
    if parameter.minimum is None or parameter.maximum is None:
        return ""
    return f"  ({parameter.minimum:g} to {parameter.maximum:g})"


def _wrapped(text: str, indent: int) -> str:
    return textwrap.fill(text, 110, initial_indent=" " * indent, subsequent_indent=" " * indent)
