"""Learned: what `cleanplate learn` made of an artist's key frames, a matte or a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.wording import footage
from nodes.engine import Device, Inputs, Params, Passes
from nodes.errors import ParameterError
from nodes.footage.colour.spaces import is_named
from nodes.footage.files.frame_list import parse_frames
from nodes.footage.frame import Frame, Pixels
from nodes.ladder import descend
from nodes.learning import full_size, keys, taught
from nodes.learning.region import as_bytes, seen_small
from nodes.matting import matte
from nodes.matting.edge_colour import edge_colour
from nodes.matting.soft_edges import solve_soft_edges
from nodes.network import choose_weights
from nodes.picture import (
    Proxy,
    colour_pixels,
    laid_on,
    make_proxy,
    mask_pixels,
    place,
    premultiply,
    rebuild_changed,
    rebuild_foreground,
    to_pixels,
)


class Learned:
    """Engine of the node; see `learned.yaml` for inputs, parameters and passes."""

    def needs(self, frame: int, params: Params, inputs: Inputs) -> Sequence[tuple[str, int]]:
        plate = [("C", frame)] if inputs.connected("C") else []
        key = [("Keys", frame)] if _is_key(frame, params, inputs, frozenset()) else []
        return [("Source", frame), *plate, *matte.garbage_inputs(inputs, frame), *key]

    def render(self, frame: int, params: Params, inputs: Inputs, device: Device) -> Passes:
        asked, weights = choose_weights(params, device, "learned")
        pupil, memory, kind = taught.load(asked, weights, device)
        source = inputs.frame("Source", frame)
        exposure = params["exposure"] + memory.exposure
        proxy = make_proxy(source, exposure, device.torch_device)
        plate = self._plate(source, frame, exposure, inputs, device)
        if memory.with_plate and plate is None:
            raise ParameterError(f"{taught.PLATE_NEEDED}: {footage('C', 'plate', 'plateFile')}")
        key = None
        if _is_key(frame, params, inputs, memory.key_frames):
            key = laid_on("key frame", inputs.frame("Keys", frame), source)

        window = memory.region.window_in(source)
        small = as_bytes(seen_small(to_pixels(proxy.light), proxy.gain, source.data_window, window))
        small_plate = None
        if memory.with_plate and plate is not None:
            small_plate = as_bytes(seen_small(to_pixels(plate.light), plate.gain, source.data_window, window))
        inputs.check_cancelled()
        with taught.whole_memory(weights):
            predicted, notes = descend([("the whole picture", 0)], lambda _: pupil(small, frame, small_plate), device)
        answer = full_size.FullSize(predicted, small, proxy, source.data_window, window)
        if proxy.broken:
            notes.append(f"{proxy.broken} pixels of the source are NaN or infinite; the network saw them as black")
        result = _Result(frame, params, inputs, source, proxy, key, notes)
        images = result.matte(answer, plate) if kind == "matte" else result.picture(answer)
        return Passes(images, source.data_window, {"taught": kind, "keyFrame": int(key is not None)}, notes)

    def _plate(self, source: Frame, frame: int, exposure: float, inputs: Inputs, device: Device) -> Proxy | None:
        """The clean plate on the source's pixels."""
        if not inputs.connected("C"):
            return None
        plate = laid_on("clean plate", inputs.frame("C", frame), source)
        window = source.data_window
        pixels = place(colour_pixels(plate), plate.data_window, window, edge=True)
        moved = Frame(pixels, ("R", "G", "B"), window, source.display_window, colour=plate.colour)
        return make_proxy(moved, exposure, device.torch_device)


class _Result:
    """The passes of a frame, from what the weights say of it and what an artist painted for it."""

    def __init__(
        self,
        frame: int,
        params: Params,
        inputs: Inputs,
        source: Frame,
        proxy: Proxy,
        key: Frame | None,
        notes: list[str],
    ) -> None:
        self.frame, self.params, self.inputs, self.source, self.proxy = frame, params, inputs, source, proxy
        self.key, self.notes = key, notes

    def matte(self, answer: full_size.FullSize, plate: Proxy | None) -> dict[str, Pixels]:
        """The passes of a taught matte."""
        params, alpha, colour = self.params, answer.alpha(), self.proxy.shown
        if plate is not None:
            alpha, colour = solve_soft_edges(alpha, colour, self.proxy.shown, plate.shown, params["softEdges"])
        alpha = matte.set_levels(alpha, params["alphaBlack"], params["alphaWhite"])
        alpha = matte.remove_islands(alpha, params["removeIslands"])
        if self.key is not None:
            shown = keys.as_matte(self.key, is_named(params["keysSpace"]))
            alpha = self._tensor(mask_pixels(shown, self.source.data_window))
        alpha = matte.apply_masks(alpha, self.inputs, self.frame, self.source, self.notes)
        if plate is None:
            colour = edge_colour(alpha, self.proxy.shown)
        foreground = rebuild_foreground(self.proxy, colour, alpha, plate)
        straight = to_pixels(foreground)
        return {
            "premultiplied": to_pixels(premultiply(foreground, alpha, self.source.colour)),
            "alpha": to_pixels(alpha),
            "foreground": straight,
            "confidence": self._confidence(answer),
            "picture": np.zeros_like(straight),
        }

    def picture(self, answer: full_size.FullSize) -> dict[str, Pixels]:
        """The passes of a taught picture: the source, but for what changed."""
        params, change = self.params, answer.change()
        weight = full_size.changed_weight(change, params["changeThreshold"], params["changeFeather"])
        wanted = (self.proxy.shown + change).clamp(0, 1)
        painted = None
        if self.key is not None:
            painted = keys.pixels_like(self.key, self.source)
            different = (painted != to_pixels(self.proxy.stored)).any(axis=-1, keepdims=True)
            weight = self._tensor(different.astype(np.float32))
        weight = matte.apply_masks(weight, self.inputs, self.frame, self.source, self.notes)
        picture = to_pixels(rebuild_changed(self.proxy, wanted, weight))
        if painted is not None:
            kept = to_pixels(weight)
            stored = to_pixels(self.proxy.stored)
            picture = np.where(kept >= 1, painted, np.where(kept > 0, stored + (painted - stored) * kept, stored))
        alpha = np.ones((*picture.shape[:2], 1), np.float32)
        if "A" in self.source.channels:
            alpha = self.source.pixels[..., self.source.channels.index("A")][..., None]
        return {
            "premultiplied": np.concatenate([picture, alpha], axis=2),
            "alpha": to_pixels(weight),
            "foreground": picture,
            "confidence": self._confidence(answer),
            "picture": picture,
        }

    def _confidence(self, answer: full_size.FullSize) -> Pixels:
        confidence = answer.confidence()
        return confidence if self.key is None else np.ones_like(confidence)

    def _tensor(self, pixels: Pixels) -> Tensor:
        return torch.tensor(pixels, device=self.proxy.shown.device).permute(2, 0, 1)[None]


def _is_key(frame: int, params: Params, inputs: Inputs, taught_at: frozenset[int]) -> bool:
    """Whether a painted frame is shown: by the parameters, else by the files, else by what the weights know."""
    if not params["showKeys"] or not inputs.connected("Keys"):
        return False
    if params["keyFrames"].strip():
        return frame in parse_frames(params["keyFrames"])
    there = inputs.frames("Keys")
    return frame in (taught_at if there is None else there)


def engine() -> Any:
    """The node's engine, for the catalogue."""
    return Learned()
