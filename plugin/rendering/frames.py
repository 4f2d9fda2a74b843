"""Which frames of a shot are rendered."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from itertools import pairwise

from models.wording import setting
from nodes.errors import ParameterError
from nodes.footage.files.frame_list import format_frames, parse_frames
from nodes.footage.reader import Footage

# Of more frames than this, and ten times as many as there are files, nobody can have thought.
MANY = 10_000


def frames_to_render(text: str | None, source: Footage, named: str = "", still: bool = False) -> list[int]:
    """The frames of a list such as `1001-1100x2`, or all of the source. Raises ParameterError for those it lacks.

    All of the source is every frame from the first to the last in the step of the files: where one lacks there, it is
    a hole. `named` is the source as it was named, `still` says that one picture is meant for every frame.
    """
    if source.sequence.is_still:
        frames = parse_frames(text) if text is not None else [1]
        if len(frames) > 1 and not still:
            raise ParameterError(
                f"the source {source.sequence.pattern} is one picture for {len(frames)} frames: name a sequence such "
                f"as shot.####.exr, or {setting('stillSource', 'on')} to use it at every frame"
            )
        return frames
    first, last = source.range()
    if text is None:
        return _all(source.frames())
    frames = parse_frames(text, (first, last))
    if source.missing == "error":
        outside = [frame for frame in frames if not first <= frame <= last]
        if outside:
            raise ParameterError(_outside(outside, (first, last), named))
    return frames


def step(frames: Sequence[int]) -> int:
    """The greatest step in which all of the frames lie; 1 for a single one."""
    return math.gcd(*(later - earlier for earlier, later in pairwise(frames))) or 1


def _all(frames: list[int]) -> list[int]:
    stepped = range(frames[0], frames[-1] + 1, step(frames))
    if len(stepped) > MANY and len(stepped) > 10 * len(frames):
        raise ParameterError(
            f"the source has {len(frames)} of the {len(stepped):,} frames {frames[0]}-{frames[-1]}: "
            f"say with --frames which to render (there are {format_frames(frames)[:120]})"
        )
    return list(stepped)


def _outside(outside: list[int], whole: tuple[int, int], named: str) -> str:
    first, last = whole
    has = f"{first}-{last}" if last > first else f"{first} alone"
    ways = f"change --frames, or {setting('missingFrames', 'hold')}"
    if os.path.isfile(named):
        ways = f"change --frames, or {setting('stillSource', 'on')} to use it at every frame"
    elif len(outside) == 1 and first <= -outside[0] <= last:
        ways += f"; all frames up to {-outside[0]} are {first}-{-outside[0]}"
    return f"frames {format_frames(outside)} are outside the source, which has {has}: {ways}"
