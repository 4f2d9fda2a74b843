"""What the taught network says of a frame, alone and steadied by the frames beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from models.learning.lesson import Floats, Predicted
from models.learning.steadying import Beside, steadied
from models.wording import footage
from nodes.engine import Device, Inputs, Params
from nodes.errors import FootageError, ParameterError
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from nodes.frame_runs import closeness, frames_there, neighbours
from nodes.learning import taught
from nodes.learning.region import EightBit, as_bytes, seen_small
from nodes.network import choose_weights
from nodes.picture import Proxy, colour_pixels, laid_on, make_proxy, place, to_pixels

PLATE_NEEDED = "the weights were taught with a clean plate"


@dataclass(frozen=True)
class LookedAt:
    """A frame: as it is, as networks see it, its clean plate, and what of it the taught network sees: the `window`."""

    frame: int
    source: Frame
    proxy: Proxy
    plate: Proxy | None
    window: Window
    small: EightBit
    small_plate: EightBit | None


class _Said(NamedTuple):
    """What the network sees of a frame, and what it says of it."""

    small: EightBit
    predicted: Predicted


class Asked:
    """The weights that `params` name, asked about frames of `inputs`. Raises WeightsError where nothing was taught."""

    def __init__(self, params: Params, inputs: Inputs, device: Device) -> None:
        self.params, self.inputs, self.device = params, inputs, device
        asked, self.weights = choose_weights(params, device, "learned")
        self.pupil, self.memory, self.kind = taught.load(asked, self.weights, device)
        self.exposure = params["exposure"] + self.memory.exposure

    def see(self, frame: int) -> LookedAt:
        """Raises FootageError where there is no picture, ParameterError where the plate is missing that was taught."""
        source = self.inputs.frame("Source", frame)
        proxy = make_proxy(source, self.exposure, self.device.torch_device)
        plate = self._plate(source, frame)
        if self.memory.with_plate and plate is None:
            raise ParameterError(f"{PLATE_NEEDED}: {footage('C', 'plate', 'plateFile')}")
        window = self.memory.region.window_in(source)
        small_plate = None if plate is None or not self.memory.with_plate else self._small(plate, source, window)
        return LookedAt(frame, source, proxy, plate, window, self._small(proxy, source, window), small_plate)

    def say(self, seen: LookedAt) -> Predicted:
        """What the network says of the frame alone."""
        return self._said_of(seen.frame, lambda: seen).predicted

    def steady(self, seen: LookedAt, said: Predicted, notes: list[str]) -> Predicted:
        """The same, steadied by what it says of the frames beside it."""
        reach, others = self.params["steadyFrames"], list[Beside]()
        for n, distance in neighbours(seen.frame, reach, frames_there(self.inputs, "Source")).items():
            self.inputs.check_cancelled()
            try:
                other = self._said_of(n, partial(self._see_aside, n))
            except FootageError as error:
                notes.append(f"steadied without frame {n}: {error}")
                continue
            if other.small.shape != seen.small.shape:
                notes.append(f"steadied without frame {n}: its picture is of another size")
                continue
            others.append(
                Beside(other.small, other.predicted.value - self._base(other.small), closeness(distance, reach))
            )
        if not others:
            return said
        base = self._base(seen.small)
        return replace(said, value=steadied(seen.small, said.value - base, others) + base)

    def _said_of(self, frame: int, see: Callable[[], LookedAt]) -> _Said:
        """What the network says of a frame that `see` looks at; kept, as each is asked for by those beside it too."""

        def build() -> _Said:
            seen = see()
            with taught.whole_memory(self.weights):
                return _Said(seen.small, self.pupil(seen.small, frame, seen.small_plate))

        footage_now = [
            self.inputs.identity_of(name, [frame]).hex() for name in ("Source", "C") if self.inputs.connected(name)
        ]
        return self.device.kept(
            " ".join(["learned", self.weights.sha256, str(self.exposure), str(frame), *footage_now]), build
        )

    def _see_aside(self, frame: int) -> LookedAt:
        """A frame that is needed no more once it was seen."""
        seen = self.see(frame)
        self.inputs.forget("Source", frame)
        return seen

    def _base(self, small: EightBit) -> Floats:
        """What a taught picture is a change of; nothing of a matte."""
        if self.kind == "matte":
            return np.zeros((*small.shape[:2], 1), np.float32)
        return small.astype(np.float32) / np.float32(255)

    def _small(self, proxy: Proxy, source: Frame, window: Window) -> EightBit:
        return as_bytes(seen_small(to_pixels(proxy.light), proxy.gain, source.data_window, window))

    def _plate(self, source: Frame, frame: int) -> Proxy | None:
        """The clean plate on the source's pixels."""
        if not self.inputs.connected("C"):
            return None
        plate = laid_on("clean plate", self.inputs.frame("C", frame), source)
        window = source.data_window
        pixels = place(colour_pixels(plate), plate.data_window, window, edge=True)
        moved = Frame(pixels, ("R", "G", "B"), window, source.display_window, colour=plate.colour)
        return make_proxy(moved, self.exposure, self.device.torch_device)
