"""Footage is never written to: what a render writes is held against what it reads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from nodes.errors import ParameterError
from nodes.footage.reader import Footage
from nodes.footage.sequence import Sequence as FileSequence


def refuse_overwriting(out: FileSequence, footage: Mapping[str, Footage], frames: Sequence[int]) -> None:
    """Raises ParameterError where a file that will be written is one of those that are read."""
    for source in footage.values():
        written = out.path(frames[0], pass_name="alpha" if out.has_pass else None)
        if os.path.abspath(written) == os.path.abspath(source.sequence.path(frames[0])):
            raise ParameterError(f"--out {out.pattern} would overwrite the footage: choose other file names")
