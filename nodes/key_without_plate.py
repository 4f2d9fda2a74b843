"""KeyWithoutPlate: the matte of what is inside a loose shape, against a plate that other frames of the shot give."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.wording import footage
from nodes import catalogue
from nodes.background_matte import BackgroundMatte
from nodes.engine import Device, Inputs, Params, Passes
from nodes.errors import FrameError, ParameterError
from nodes.filling.fill import make_filler
from nodes.footage.frame import Frame, Pixels
from nodes.inpaint import Inpaint
from nodes.matting import matte
from nodes.other_inputs import Footprint, OtherInputs, WatchedInputs
from nodes.picture import laid_on, mask_pixels

# What Inpaint calls the rough shape.
MASK = {"Mask": "Rough"}


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
        own, key = catalogue.find("KeyWithoutPlate"), catalogue.find("BackgroundMatte")
        plate = self._plate_behind(frame, params, inputs, device)
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

    def _plate_behind(self, frame: int, params: Params, inputs: Inputs, device: Device) -> Passes:
        """Inpaint's passes of the frame; they are kept, since who tunes a matte asks for one frame again and again."""
        own, fill = catalogue.find("KeyWithoutPlate"), catalogue.find("Inpaint")
        # Grain that is made up is a difference to the source that nobody filmed.
        filling = own.of_helper(fill, params, mode="motion", grain=0.0)
        filler, asked = device.as_node(fill.id), repr((frame, sorted(filling.items())))
        last: dict[str, _Made] = device.kept("the plate last keyed against", dict)
        made = last.get(asked)
        if made is not None and made.holds(OtherInputs(inputs, MASK), filling, filler):
            return made.passes
        last.clear()
        watched = WatchedInputs(inputs, MASK)
        try:
            passes = self._fill.render(frame, filling, watched, filler)
        except FrameError as error:
            raise type(error)(_own_words(str(error))) from error
        painter = make_filler(filling, inputs, filler).identity if "model" in passes.info else ""
        last[asked] = _Made(passes, watched.footprint(), painter)
        return passes


@dataclass(frozen=True, eq=False)
class _Made:
    """A plate, what it was made of, and who painted in it."""

    passes: Passes
    of: Footprint
    painter: str

    def holds(self, inputs: Inputs, filling: Params, device: Device) -> bool:
        """Whether it would be made the same again."""
        if self.painter and make_filler(filling, inputs, device).identity != self.painter:
            return False
        return self.of.is_still_so(inputs)


def _own_words(sentence: str) -> str:
    """A sentence of Inpaint, whose mask is the rough shape here."""
    return sentence.replace("the mask", "the rough shape")


class _Plate(OtherInputs):
    """The inputs of BackgroundMatte for one frame: what Inpaint made is the clean plate, what it left alone garbage."""

    def __init__(self, inputs: Inputs, frame: int, made: Passes) -> None:
        super().__init__(inputs)
        self._source = inputs.frame("Source", frame)
        self.plate = self._like_source(np.ascontiguousarray(made.images["clean"][..., :3]), "RGB")
        self.confidence: Pixels = made.images["confidence"]
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
