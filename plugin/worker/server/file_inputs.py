"""A job's inputs as its parameters ask for them: read from files by the worker, or a channel of what is delivered."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from models import wording
from nodes.errors import FootageError, ParameterError
from nodes.faces.face import Face
from nodes.footage.frame import Frame
from nodes.footage.linearise import linearised
from nodes.footage.mask_channel import only_channel
from nodes.footage.reader import Footage
from nodes.opening import Reading, reading, split_layer
from plugin.worker.server.inputs import InputFrame, JobInputs

# Footage that is remembered: what it costs to ask again whether files changed depends on it.
REMEMBERED = 16
# Frames of one job that stay decoded.
KEPT = 8
# The layer and the space of an input for which nothing is asked.
AS_DELIVERED = (("", "auto"), ("", ""))


def with_files(inputs: JobInputs, face: Face, params: Mapping[str, Any]) -> JobInputs | FileInputs:
    """The inputs of a job, with files in the place of those that are not connected. Raises FootageError."""
    files = [
        parameter
        for parameter in face.parameters
        if parameter.replaces and params[parameter.name] and not inputs.connected(parameter.replaces)
    ]
    connected = [entry.name for entry in face.inputs if inputs.connected(entry.name)]
    connected += [parameter.replaces for parameter in files]
    footage = {}
    for parameter in files:
        entry = face.input(parameter.replaces)
        try:
            footage[entry.name] = _open(params[parameter.name], reading(face, entry, params, connected))
            footage[entry.name].range()
        except FootageError as error:
            raise FootageError(f"{wording.parameter(parameter.name)}: {error}") from None
    delivered = {entry.name: reading(face, entry, params) for entry in face.inputs if entry.name not in footage}
    asked = {name: how for name, how in delivered.items() if (how.layer, how.input_space) not in AS_DELIVERED}
    return FileInputs(inputs, face, footage, asked) if footage or asked else inputs


class FileInputs:
    """`nodes.engine.Inputs` of which some are files; `asked` says how others, which are delivered, are to be seen."""

    def __init__(
        self, inputs: JobInputs, face: Face, footage: Mapping[str, Footage], asked: Mapping[str, Reading]
    ) -> None:
        self._inputs, self._face, self._footage, self._asked = inputs, face, footage, asked
        self._frames: dict[InputFrame, Frame] = {}
        self._notes: dict[int, dict[str, None]] = {}

    def connected(self, name: str) -> bool:
        return name in self._footage or self._inputs.connected(name)

    def range(self, name: str) -> tuple[int, int]:
        return self._footage[name].range() if name in self._footage else self._inputs.range(name)

    def frames(self, name: str) -> Sequence[int] | None:
        return self._footage[name].frames() or None if name in self._footage else self._inputs.frames(name)

    def frame(self, name: str, frame: int) -> Frame:
        if name not in self._footage:
            return self._delivered(name, frame)
        key = (name, frame)
        if key not in self._frames:
            footage = self._footage[name]
            decoded = footage.frame(frame)
            self._frames[key] = read = decoded if footage.kind != "plate" else linearised(decoded)
            if read.metadata.notes:
                self._notes.setdefault(frame, {}).update(dict.fromkeys(read.metadata.notes))
            while len(self._frames) > KEPT:
                del self._frames[next(iter(self._frames))]
        return self._frames[key]

    def notes(self, frame: int) -> list[str]:
        """What was said about the files that were read for a frame."""
        return list(self._notes.get(frame, ()))

    def forget(self, name: str, frame: int) -> None:
        self._frames.pop((name, frame), None)
        self._inputs.forget(name, frame)

    def identity(self, name: str, first: int, last: int) -> bytes:
        if name in self._footage:
            return self._footage[name].identity(first, last)
        return self._inputs.identity(name, first, last) + self._view_of(name)

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        if name in self._footage:
            return self._footage[name].identity_of(frames)
        return self._inputs.identity_of(name, frames) + self._view_of(name)

    def check_cancelled(self) -> None:
        self._inputs.check_cancelled()

    def prefetch(self, plan: Sequence[InputFrame]) -> None:
        """Decodes the planned files while others compute, and fetches the rest from the client."""
        for name, frame in plan:
            if name in self._footage:
                self.check_cancelled()
                # One that cannot be had is not an error until it is used.
                with contextlib.suppress(FootageError):
                    self.frame(name, frame)
        self._inputs.prefetch(plan)

    def _delivered(self, name: str, frame: int) -> Frame:
        delivered = self._inputs.frame(name, frame)
        how = self._asked.get(name)
        if how is None or how.kind != "mask" or not how.layer:
            return delivered
        try:
            return only_channel(delivered, how.layer)
        except ParameterError as error:
            channel = wording.parameter(self._face.input(name).setting("Channel"))
            raise ParameterError(f"{channel}: {error}") from None

    def _view_of(self, name: str) -> bytes:
        """What makes other pixels of the same picture of an input that is delivered."""
        how = self._asked.get(name)
        return repr((how.layer, how.input_space)).encode() if how else b""


@functools.lru_cache(REMEMBERED)
def _open(text: str, how: Reading) -> Footage:
    return how.open(*split_layer(text))
