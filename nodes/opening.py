"""How a node's inputs are read from files, the same for a client's files and for those that the worker reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nodes.face import Face, Input
from nodes.footage.reader import Footage, Missing


@dataclass(frozen=True)
class Reading:
    """What decides how an input's files are read; `Footage` says what the values mean."""

    layer: str
    missing: Missing
    input_space: str

    def open(self, pattern: str) -> Footage:
        """Raises FootageError or ParameterError; whether there are files is not looked at."""
        return Footage(pattern, self.layer, self.missing, self.input_space)


def reading(face: Face, entry: Input, params: Mapping[str, Any]) -> Reading:
    """How an input of the node is read; only the main one has a layer, and masks are numbers, not colours."""
    return Reading(
        layer=params["layer"] if entry is face.inputs[0] else "",
        missing=params["missingFrames"],
        input_space=params["inputSpace"] if entry.kind == "plate" else "auto",
    )
