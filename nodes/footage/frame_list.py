"""Frame lists as compositors type them: `1001-1100x2,1200`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nodes.errors import ParameterError

_ITEM = re.compile(r"\s*(-?\d+)\s*(?:-\s*(-?\d+)\s*(?:x\s*(\d+)\s*)?)?")
_MOST = 10_000_000
# What every host and file can number.
FIRST_FRAME, LAST_FRAME = -(2**31), 2**31 - 1


def parse_frames(text: str) -> list[int]:
    """The frames of `text`, in the order named, none twice.

    Items are separated by commas: `1001`, `1001-1100`, `1001-1100x10` (every tenth); numbers may be negative (`-5--1`)
    and a range may run backwards (`1100-1001`). Raises ParameterError.

    >>> parse_frames("1001-1005x2,1200")
    [1001, 1003, 1005, 1200]
    """
    frames: dict[int, None] = {}
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if not match:
            raise ParameterError(
                f"The frames {text!r} cannot be understood at {item.strip()!r}; write for instance 1001-1100, "
                "1001-1100x2 or 1001,1005,1010-1020."
            )
        first, last = int(match[1]), int(match[2] if match[2] is not None else match[1])
        step = int(match[3]) if match[3] is not None else 1
        if step < 1:
            raise ParameterError(f"The frames {item.strip()!r} have the step 0; the smallest step is 1.")
        if len(frames) + abs(last - first) // step + 1 > _MOST:
            raise ParameterError(f"The frames {item.strip()!r} are more than {_MOST:,}; check the numbers.")
        frames.update(dict.fromkeys(range(first, last + 1, step) if first <= last else range(first, last - 1, -step)))
    return list(frames)


def format_frames(frames: Iterable[int]) -> str:
    """The shortest usual text for some frames, in order: `1001-1003,1007`; the counterpart of parse_frames."""
    runs: list[list[int]] = []
    for frame in sorted(set(frames)):
        if runs and frame == runs[-1][-1] + 1:
            runs[-1][1:] = [frame]
        else:
            runs.append([frame])
    return ",".join("-".join(map(str, run)) for run in runs)
