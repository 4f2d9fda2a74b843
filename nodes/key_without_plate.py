"""KeyWithoutPlate: the matte of what is inside a loose shape, against a plate that other frames of the shot give."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from models.wording import footage
from nodes import catalogue
from nodes.background_matte import BackgroundMatte
from nodes.engine import Device, Inputs, Params, Passes
from nodes.errors import FrameError, ParameterError
from nodes.filling.filled import ELSEWHERE, HERE
from nodes.footage.frame import Frame, Pixels
from nodes.inpaint import Inpaint
from nodes.matting import matte
from nodes.picture import laid_on, mask_pixels


class KeyWithoutPlate:
    """Engine of the node; see `key_without_plate.yaml` for inputs, parameters and passes."""

    def __init__(self) -> None:
        self._fill, self._key = Inpaint(), BackgroundMatte()

    def needs(self, frame: int, params: Params, inputs: Inputs) -> Sequence[tuple[str, int]]:
        # Neighbours are mostly kept from earlier frames, so they are asked for when they are needed.
        return [("Source", frame), ("Rough", frame), *matte.garbage_inputs(inputs, frame)]

    def render(self, frame: int, params: Params, inputs: Inputs, device: Device) -> Passes:
        if not inputs.connected("Rough"):
            raise ParameterError(f"there is no rough shape: {footage('Rough', 'rough')}")
        own, fill, key = (catalogue.find(name) for name in ("KeyWithoutPlate", "Inpaint", "BackgroundMatte"))
        # Grain that is made up is a difference to the source that nobody filmed.
        filling = own.of_helper(fill, params, mode="motion", grain=0.0)
        with _in_own_words():
            plate = self._fill.render(frame, filling, _RoughIsMask(inputs), device.as_node(fill.id))
        inputs.check_cancelled()
        found = _Plate(inputs, frame, plate)
        # It lies on the source already: it is made of it.
        keying = own.of_helper(key, params, weights=params["weights"], alignPlate=False)
        passes = self._key.render(frame, keying, found, device.as_node(key.id))
        notes = list(dict.fromkeys([*map(_own_words, plate.notes), *passes.notes]))
        if not plate.info["holes"]:
            notes = [f"{matte.empty_mask('rough shape', frame)}, and so is the matte"]
        images = {**passes.images, "plate": found.plate.pixels, "plate confidence": found.confidence}
        info = {**passes.info, **{name: plate.info[name] for name in ("model",) if name in plate.info}}
        return Passes(images, passes.window, info, notes)


@contextlib.contextmanager
def _in_own_words() -> Iterator[None]:
    try:
        yield
    except FrameError as error:
        raise type(error)(_own_words(str(error))) from error


def _own_words(sentence: str) -> str:
    """A sentence of Inpaint, whose mask is the rough shape here."""
    return sentence.replace("the mask", "the rough shape")


class _Asked:
    """Inputs of a node as the engine of another one asks for them."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs

    def name(self, name: str) -> str:
        return name

    def connected(self, name: str) -> bool:
        return self.inputs.connected(self.name(name))

    def frame(self, name: str, frame: int) -> Frame:
        return self.inputs.frame(self.name(name), frame)

    def forget(self, name: str, frame: int) -> None:
        self.inputs.forget(self.name(name), frame)

    def range(self, name: str) -> tuple[int, int]:
        return self.inputs.range(self.name(name))

    def frames(self, name: str) -> Sequence[int] | None:
        return self.inputs.frames(self.name(name))

    def identity(self, name: str, first: int, last: int) -> bytes:
        return self.inputs.identity(self.name(name), first, last)

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        return self.inputs.identity_of(self.name(name), frames)

    def check_cancelled(self) -> None:
        self.inputs.check_cancelled()


class _RoughIsMask(_Asked):
    def name(self, name: str) -> str:
        return "Rough" if name == "Mask" else name


class _Plate(_Asked):
    """The inputs of BackgroundMatte for one frame: what Inpaint made is the clean plate, what it left alone garbage."""

    def __init__(self, inputs: Inputs, frame: int, made: Passes) -> None:
        super().__init__(inputs)
        self._source = inputs.frame("Source", frame)
        self.plate = self._like_source(np.ascontiguousarray(made.images["clean"][..., :3]), "RGB")
        origin = made.images["origin"]
        painted = origin[..., HERE] + origin[..., ELSEWHERE]
        self.confidence: Pixels = np.clip(1 - painted, 0, 1)[..., None]
        self._outside = 1 - made.images["filled"]
        self._frame = frame

    def connected(self, name: str) -> bool:
        return name in ("C", "PlateM", "OutM") or super().connected(name)

    def frame(self, name: str, frame: int) -> Frame:
        if name == "C":
            return self.plate
        if name == "PlateM":
            return self._like_source(self.confidence, "A")
        return self._garbage(frame) if name == "OutM" else super().frame(name, frame)

    def _garbage(self, frame: int) -> Frame:
        outside = self._outside
        if self.inputs.connected("OutM"):
            garbage = laid_on("garbage matte", self.inputs.frame("OutM", frame), self._source)
            outside = np.maximum(outside, mask_pixels(garbage, self._source.data_window))
        return self._like_source(outside, "A")

    def _like_source(self, pixels: Pixels, channels: str) -> Frame:
        return dataclasses.replace(self._source, pixels=pixels, channels=tuple(channels))


def engine() -> Any:
    """The node's engine, for the catalogue."""
    return KeyWithoutPlate()
