"""What is rendered: the shot with all that decides what its files hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodes.face import Face, Pass
from nodes.footage import compression, writer
from nodes.footage.reader import Footage
from nodes.footage.sequence import Sequence as FileSequence


@dataclass(frozen=True)
class Shot:
    """All that decides what a render's files hold. `weights` are those that will be used, by their hashes."""

    face: Face
    footage: Mapping[str, Footage]
    params: Mapping[str, Any]
    frames: Sequence[int]
    out: FileSequence
    weights: str
    passes: tuple[Pass, ...]
    bit_depth: writer.DataType = "half"
    compression: str = "zip"

    def key(self, frame: int) -> str:
        """Digest of everything that decides a frame's pixels: equal keys mean that the file need not be rendered."""
        digest = hashlib.sha256()
        settings = self.settings()
        names = [result.name for result in self.passes]
        digest.update(
            json.dumps(
                [self.face.id, self.face.version, settings, self.weights, names, self.bit_depth, *self._lossy()],
                sort_keys=True,
            ).encode()
        )
        for name, footage in sorted(self.footage.items()):
            first = min(footage.range()[0], frame) if self.face.temporal else frame
            last = max(footage.range()[1], frame) if self.face.looks_ahead else frame
            digest.update(name.encode())
            digest.update(footage.identity(first, last))
        return digest.hexdigest()

    def _lossy(self) -> list[str]:
        """The compression where it decides pixels."""
        return [] if compression.keeps_pixels(self.compression, self.bit_depth) else [self.compression]

    def settings(self) -> dict[str, Any]:
        """The parameters that decide pixels."""
        return {p.name: self.params[p.name] for p in self.face.parameters if p.changes_pixels}

    def paths(self, frame: int) -> dict[str, tuple[Pass, ...]]:
        """The files of a frame and the passes in each: one file with layers, or one per pass."""
        if not self.out.has_pass:
            return {self.out.path(frame): self.passes}
        return {self.out.path(frame, pass_name=result.name): (result,) for result in self.passes}
