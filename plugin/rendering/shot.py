"""What is rendered: the shot with all that decides what its files hold."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodes.faces.face import Face, Parameter, Pass
from nodes.footage import writer
from nodes.footage.exr import compression
from nodes.footage.files.sequence import Sequence as FileSequence
from nodes.footage.reader import Footage
from plugin.rendering.safety import Guard


@dataclass(frozen=True)
class Shot:
    """All that decides what a render's files hold. `weights` are those that will be used, by their hashes.

    `reads` are files that are read besides the footage. Files at `out` that Cleanplate did not make are replaced only
    if `overwrite` says so.
    `bit_depth` is None where the passes say it: half, or the source's.
    """

    face: Face
    footage: Mapping[str, Footage]
    params: Mapping[str, Any]
    frames: Sequence[int]
    out: FileSequence
    weights: str
    passes: tuple[Pass, ...]
    bit_depth: writer.DataType | None = None
    compression: str = "zip"
    reads: tuple[str, ...] = ()
    overwrite: bool = False

    def key(self, frame: int) -> str:
        """Digest of what decides a frame's pixels besides the contents of its inputs' files, which `Records` know.

        It holds no place of a file: the shot, the weights and the passes may be moved.
        """
        return hashlib.sha256(self._decided + str(frame).encode()).hexdigest()

    @functools.cached_property
    def _decided(self) -> bytes:
        settings = {p.name: _placeless(p, self.params[p.name]) for p in self.face.parameters if _decides(p)}
        ways = {name: footage.way().hex() for name, footage in self.footage.items()}
        depths = {one.name: self.bit_depth or ("source" if one.as_source else "half") for one in self.passes}
        kept = {"half", "float"} if "source" in depths.values() else set(depths.values())
        lossy = [] if all(compression.keeps_pixels(self.compression, one) for one in kept) else [self.compression]
        decided = [self.face.id, self.face.version, settings, self.weights, depths, ways, *lossy]
        return json.dumps(decided, sort_keys=True).encode()

    @functools.cached_property
    def guard(self) -> Guard:
        """Keeps the render from writing over what is not its own."""
        footage = {f"--{self.face.input(name).option}": footage for name, footage in self.footage.items()}
        return Guard("--out", footage, self.reads, self.overwrite)

    def settings(self) -> dict[str, Any]:
        """The parameters that decide pixels."""
        return {p.name: self.params[p.name] for p in self.face.parameters if p.changes_pixels}

    def paths(self, frame: int) -> dict[str, tuple[Pass, ...]]:
        """The files of a frame and the passes in each: one file with layers, or one per pass."""
        if not self.out.has_pass:
            return {self.out.path(frame): self.passes}
        return {self.out.path(frame, pass_name=result.name): (result,) for result in self.passes}


def _decides(parameter: Parameter) -> bool:
    """Footage and weights have digests of their own."""
    return parameter.changes_pixels and not parameter.replaces and parameter.name != "weights"


def file_named(parameter: Parameter, value: Any) -> str:
    """The file that a parameter's value names, such as a list of classes; empty where it names none."""
    return str(value) if parameter.type in ("string", "file") and value and os.path.isfile(value) else ""


def _placeless(parameter: Parameter, value: Any) -> Any:
    """A parameter's value; of one that names a file, what the file holds."""
    path = file_named(parameter, value)
    if not path:
        return value
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
