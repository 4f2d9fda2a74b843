"""Pictures in memory through a node: arrays and frames are its inputs, arrays come back."""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nodes.errors import FootageError, ParameterError
from nodes.faces.face import Face
from nodes.footage.colour.space import ColourSpace
from nodes.footage.colour.spaces import identify_space
from nodes.footage.frame import Frame, Pixels
from nodes.footage.linearise import linearised
from nodes.footage.window import Window
from nodes.opening import reading
from plugin.worker.client.worker import Job, Worker

FIRST = 1
# Renders in the worker's hands at a time.
UNDER_WAY = 4
_CHANNELS = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}


class ArrayFootage:
    """`plugin.worker.client.job.Sources` of pictures in memory; one that is alone is the same at every frame."""

    def __init__(self, inputs: Mapping[str, Sequence[Frame]]) -> None:
        self._inputs = {name: list(frames) for name, frames in inputs.items()}
        self._digests: dict[tuple[str, int], bytes] = {}

    def numbers(self, name: str) -> Sequence[int]:
        """The frames of an input; a single picture has one."""
        return [FIRST + place for place, _ in enumerate(self._inputs[name])]

    def connected(self) -> list[str]:
        return list(self._inputs)

    def range(self, name: str) -> tuple[int, int]:
        return FIRST, FIRST + len(self._inputs[name]) - 1

    def frames(self, name: str) -> Sequence[int] | None:
        return None if len(self._inputs[name]) == 1 else self.numbers(name)

    def frame(self, name: str, frame: int) -> Frame:
        frames = self._inputs[name]
        if len(frames) == 1:
            return frames[0]
        if not FIRST <= frame < FIRST + len(frames):
            raise FootageError(f"{name} has no frame {frame}: it has {FIRST}-{FIRST + len(frames) - 1}.")
        return frames[frame - FIRST]

    def identity(self, name: str, first: int, last: int) -> bytes:
        return self.identity_of(name, [frame for frame in self.numbers(name) if first <= frame <= last])

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        there = self.frames(name)
        if there is None:
            return self._digest(name, FIRST)
        return hashlib.sha256(b"".join(self._digest(name, frame) for frame in frames if frame in there)).digest()

    def _digest(self, name: str, frame: int) -> bytes:
        key = name, frame
        if key not in self._digests:
            shown = self.frame(name, frame)
            settings = repr((shown.channels, shown.data_window, shown.display_window, shown.pixel_aspect, shown.colour))
            digest = hashlib.sha256(settings.encode())
            digest.update(np.ascontiguousarray(shown.pixels).data)
            self._digests[key] = digest.digest()
        return self._digests[key]


def array_footage(face: Face, given: Mapping[str, Any], params: Mapping[str, Any]) -> ArrayFootage:
    """The inputs of a node from pictures in memory, by the inputs' names in the face.

    Each is a Frame, an array `[height, width]`, `[height, width, channels]` or `[frames, height, width, channels]`, or
    a sequence of these. One channel is Y, two are Y and A, three R, G and B, four R, G, B and A. Raises ParameterError
    for an input that is missing, is no picture or has another number of frames than the first.
    """
    inputs = {}
    for entry in face.inputs:
        if given.get(entry.name) is not None:
            how = reading(face, entry, params)
            colour = identify_space({}, "", how.input_space, how.unsaid_space)
            frames = _frames(entry.name, given[entry.name], colour)
            inputs[entry.name] = frames if entry.kind != "plate" else [linearised(frame) for frame in frames]
        elif not entry.optional:
            raise ParameterError(f"{face.command} needs {entry.name}: {entry.hint[0].lower()}{entry.hint[1:]}")
    main = face.inputs[0].name
    for name, frames in inputs.items():
        if len(frames) not in (1, len(inputs[main])):
            raise ParameterError(
                f"{name} has {len(frames)} frames and {main} {len(inputs[main])}: give as many, or one"
            )
    return ArrayFootage(inputs)


def is_clip(value: Any) -> bool:
    """Whether a picture in memory is several, in the order of their frames."""
    return isinstance(value, (list, tuple)) or (not isinstance(value, Frame) and np.ndim(value) == 4)


def _frames(name: str, value: Any, colour: ColourSpace) -> list[Frame]:
    if isinstance(value, Frame):
        return [value]
    if is_clip(value):
        frames = [frame for picture in value for frame in _frames(name, picture, colour)]
        if not frames:
            raise ParameterError(f"{name} is a clip without frames")
        return frames
    array = np.asarray(value)
    array = array[..., None] if array.ndim == 2 else array
    channels = _CHANNELS.get(array.shape[2]) if array.ndim == 3 else None
    if channels is None or 0 in array.shape or array.dtype.kind not in "fb":
        raise ParameterError(
            f"{name} cannot be an array of the shape {array.shape} and the type {array.dtype}: give scene-linear "
            "floats as [height, width, channels] or [frames, height, width, channels], with 1 to 4 channels"
        )
    window = Window(0, 0, array.shape[1], array.shape[0])
    return [Frame(np.ascontiguousarray(array, np.float32), channels, window, window, colour=colour)]


def run_pictures(
    worker: Worker, face: Face, given: Mapping[str, Any], params: Mapping[str, Any], passes: Sequence[str] = ()
) -> dict[str, Pixels]:
    """The named passes (all when none is) of pictures that `array_footage` takes, as float32 arrays by their names.

    `[height, width, channels]`, with the frames in front where the main input is a clip. Raises CleanplateError.
    """
    footage = array_footage(face, given, params)
    main = face.inputs[0].name

    def submit(frame: int) -> Job:
        return worker.submit(face.id, frame, params, footage, "batch", list(passes))

    images: dict[str, list[Pixels]] = {}
    waiting = iter(footage.numbers(main))
    jobs = deque(map(submit, itertools.islice(waiting, UNDER_WAY)))
    while jobs:
        for name, image in jobs.popleft().result().images.items():
            images.setdefault(name, []).append(np.array(image))
        jobs.extend(map(submit, itertools.islice(waiting, 1)))
    clip = is_clip(given[main])
    return {name: np.stack(frames) if clip else frames[0] for name, frames in images.items()}
