"""Two nodes one after the other, where one makes an input of the other: its files lie beside the result."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import PurePath

from nodes.errors import ParameterError
from nodes.footage.files.sequence import Sequence as FileSequence
from nodes.footage.reader import Footage
from plugin.cli import render
from plugin.rendering.course import one_course
from plugin.rendering.plan import Plan, Request, plan
from plugin.rendering.safety import Guard


def add_parameters(parser: argparse.ArgumentParser, of_first: str, of_then: str) -> None:
    """Adds --find, the parameters of the first node, and --set, those of the other; the texts say of which."""
    for name, of in (("--find", of_first), ("--set", of_then)):
        parser.add_argument(
            name, metavar="NAME=VALUE", nargs="+", action="extend", default=[], help=f"parameters of {of}"
        )


def render_chained(first: Request, then: Request, option: str, as_json: bool) -> int:
    """Renders `first` and, with it as the input `option`, what `then` asks for; the exit status."""
    planned = plan(first)
    _refuse_outputs(plan(then, awaited=[option]), f"--{option}-out", first.out)
    with one_course(2):
        status = render.render_plan(planned, as_json)
        # Where a frame of the first could not be made its frame fails here as well, and alone.
        whole = dataclasses.replace(then, footage={**then.footage, option: first.out})
        return render.render_plan(plan(whole), as_json) or status


def files_beside(out: str, asked: str | None, option: str) -> str:
    """The files of an input that is made: those `asked` for with --OPTION-out, else beside the result.

    Raises ParameterError where they are the result's.
    """
    files = asked or named_beside(out, option)
    if os.path.abspath(files) == os.path.abspath(out):
        raise ParameterError(f"--{option}-out {files} is also --out: choose another name for the {option}s")
    return files


def named_beside(out: str, what: str) -> str:
    """Where what belongs to a result goes: clean/shot.####.exr has clean/mask_shot.####.exr.

    Raises FootageError where `out` is no pattern.
    """
    pattern = PurePath(FileSequence.parse(out).pattern.replace("%P", what))
    return str(pattern.with_name(f"{what}_{pattern.name}"))


def _refuse_outputs(then: Plan, option: str, made: str) -> None:
    """Checks the result's files before anything is written. Raises ParameterError."""
    for shot in then.shots:
        paths = [path for frame in shot.frames for path in shot.paths(frame)]
        Guard("--out", {option: Footage(made)}).refuse(paths)
        shot.guard.refuse_foreign(*paths)
