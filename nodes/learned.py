"""Learned: what `cleanplate learn` made of an artist's key frames, a matte or a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nodes.engine import Device, Inputs, Params, Passes
from nodes.footage.colour.spaces import is_named
from nodes.footage.files.frame_list import parse_frames
from nodes.footage.frame import Frame, Pixels
from nodes.frame_runs import frames_there, neighbours
from nodes.ladder import descend
from nodes.learning import full_size, keys
from nodes.learning.asking import Asked
from nodes.matting import matte
from nodes.matting.edge_colour import edge_colour
from nodes.matting.soft_edges import solve_soft_edges
from nodes.picture import (
    Proxy,
    laid_on,
    mask_pixels,
    premultiply,
    rebuild_changed,
    rebuild_foreground,
    to_pixels,
)


class Learned:
    """Engine of the node; see `learned.yaml` for inputs, parameters and passes."""

    def needs(self, frame: int, params: Params, inputs: Inputs) -> Sequence[tuple[str, int]]:
        # In order only the last of the frames beside it is new: what was said of the others is kept.
        beside = max(neighbours(frame, params["steadyFrames"], frames_there(inputs, "Source")), default=frame)
        names = [name for name in ("Source", "C") if inputs.connected(name)]
        pictures = [(name, n) for n in dict.fromkeys((frame, max(frame, beside))) for name in names]
        key = [("Keys", frame)] if _is_key(frame, params, inputs, frozenset()) else []
        return [*pictures, *matte.garbage_inputs(inputs, frame), *key]

    def render(self, frame: int, params: Params, inputs: Inputs, device: Device) -> Passes:
        pupil = Asked(params, inputs, device)
        seen = pupil.see(frame)
        key = None
        if _is_key(frame, params, inputs, pupil.memory.key_frames):
            key = laid_on("key frame", inputs.frame("Keys", frame), seen.source)
        inputs.check_cancelled()
        said, notes = descend([("the whole picture", 0)], lambda _: pupil.say(seen), device)
        if key is None:
            said = pupil.steady(seen, said, notes)
        answer = full_size.FullSize(said, seen.small, seen.proxy, seen.source.data_window, seen.window)
        if seen.proxy.broken:
            notes.append(f"{seen.proxy.broken} pixels of the source are NaN or infinite; the network saw them as black")
        result = _Result(frame, params, inputs, seen.source, seen.proxy, key, notes)
        images = result.matte(answer, seen.plate) if pupil.kind == "matte" else result.picture(answer)
        window = seen.source.data_window
        return Passes(images, window, {"taught": pupil.kind, "keyFrame": int(key is not None)}, notes)


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
