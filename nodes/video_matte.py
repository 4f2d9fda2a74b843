"""VideoMatte: the matte of people without a clean plate (Robust Video Matting, arXiv:2108.11515).

The network is recurrent: its state after a frame depends on all frames since the start frame. A frame's state is
always the one that rendering from the start frame in order gives; it comes from checkpoints, or is replayed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from models.rvm import Coarse, MattingNetwork
from nodes.checkpoints import Checkpoints
from nodes.engine import Device, Inputs, Params, Passes, WeightsInfo
from nodes.errors import FootageError
from nodes.footage.frame import Frame
from nodes.ladder import descend
from nodes.matting import matte
from nodes.network import choose_weights, run_guarded
from nodes.picture import Proxy, make_proxy, premultiply, rebuild_foreground, to_pixels

# The longer side the network sees when the ratio is automatic, as its authors chose it.
AUTOMATIC_SIDE = 512
SMALLEST_SIDE = 16
OWN_WEIGHTS = (
    "the weights that come with Cleanplate have only ever seen drawn people; on filmed ones the published weights are "
    "better: cleanplate weights fetch rvm_mobilenetv3"
)
State = tuple[Tensor, Tensor, Tensor, Tensor]


class Matted(NamedTuple):
    """Full-size results in float32, and the new state."""

    pha: Tensor
    fgr: Tensor
    coarse: Tensor
    person: Tensor
    state: State


class VideoMatte:
    """Engine of the node; see `video_matte.yaml` for inputs, parameters and passes."""

    def needs(self, frame: int, params: Params, inputs: Inputs) -> Sequence[tuple[str, int]]:
        return [("Source", frame), *matte.garbage_inputs(inputs, frame)]

    def render(self, frame: int, params: Params, inputs: Inputs, device: Device) -> Passes:
        source = inputs.frame("Source", frame)
        proxy = make_proxy(source, params["exposure"], device.torch_device)
        asked, weights = choose_weights(params, device, "rvm", "variant")
        options = {**weights.options, "refiner": params["refiner"].replace(" ", "_")}
        weights = replace(weights, name=asked, options=options)
        height, width = proxy.shown.shape[-2:]
        ratio = params["downsampleRatio"] or min(AUTOMATIC_SIDE / max(height, width), 1.0)

        chain = _Chain(frame, ratio, weights, params, inputs, device, source)
        (matted, guard_notes), ladder_notes = descend(
            [("the whole picture", ratio)], lambda _: chain.matte(proxy), device
        )
        alpha = matte.set_levels(matted.pha, params["alphaBlack"], params["alphaWhite"])
        notes = [*ladder_notes, *chain.notes, *guard_notes]
        alpha = matte.apply_masks(alpha, inputs, frame, source, notes)
        foreground = rebuild_foreground(proxy, matted.fgr, alpha)
        if weights.state == "bundled":
            notes.append(OWN_WEIGHTS)
        if proxy.broken:
            notes.append(f"{proxy.broken} pixels of the source are NaN or infinite; the network saw them as black")
        return Passes(
            images={
                "premultiplied": to_pixels(premultiply(foreground, alpha, source.colour)),
                "alpha": to_pixels(alpha),
                "foreground": to_pixels(foreground),
                "refinement": to_pixels((matted.pha - matted.coarse).abs()),
                "person": to_pixels(matted.person),
            },
            window=source.data_window,
            info={"downsampleRatio": round(ratio, 4), "startFrame": chain.start},
            notes=notes,
        )


class _Chain:
    """The network's memory up to one frame of one shot."""

    def __init__(
        self,
        frame: int,
        ratio: float,
        weights: WeightsInfo,
        params: Params,
        inputs: Inputs,
        device: Device,
        source: Frame,
    ) -> None:
        self.frame, self.ratio, self.weights = frame, ratio, weights
        self.params, self.inputs, self.device = params, inputs, device
        self.notes: list[str] = []
        first, _ = inputs.range("Source")
        # A frame before the start frame has no memory at all.
        self.start = min(params["startFrame"] or first, frame)
        self.size = source.data_window
        self.checkpoints = device.kept(self._key(), Checkpoints[State])

    def matte(self, proxy: Proxy) -> tuple[Matted, list[str]]:
        """The matte of the chain's frame, from the state that all frames before it left."""
        state = self._state_before()
        matted, notes = self._guarded(proxy.shown, state, self._full)
        self._keep(self.frame, matted.state)
        return matted, notes

    def _state_before(self) -> State | None:
        if self.frame == self.start:
            return None
        found = self.checkpoints.latest_before(self.frame, self._digest)
        at, state = found if found else (self.start - 1, None)
        for earlier in range(at + 1, self.frame):
            self.inputs.check_cancelled()
            state = self._advance(earlier, state)
        return state

    def _advance(self, earlier: int, state: State | None) -> State | None:
        try:
            source = self.inputs.frame("Source", earlier)
        except FootageError as error:
            # A hole has no pixels to remember; its state is that of the frame before, in any order of rendering.
            self.notes.append(f"the matte's memory skips frame {earlier}: {error}")
            return state
        if (source.data_window.width, source.data_window.height) != (self.size.width, self.size.height):
            self.notes.append(f"the picture changes its size at frame {earlier}; the matte's memory begins again there")
            return None
        shown = make_proxy(source, self.params["exposure"], self.device.torch_device).shown
        self.inputs.forget("Source", earlier)
        advanced, _ = self._guarded(shown, state, self._state_only)
        self._keep(earlier, advanced)
        return advanced

    def _guarded(self, shown: Tensor, state: State | None, step: Any) -> tuple[Any, list[str]]:
        def run(dtype: torch.dtype) -> Any:
            model = cast(MattingNetwork, self.device.model(self.weights.name, "rvm", self.weights.options, dtype))
            source = _padded(shown).to(dtype)
            before = tuple(x.to(dtype) for x in state) if state else (None,) * 4
            with torch.inference_mode():
                return step(model, source, before, shown.shape[-2:])

        return run_guarded(run, lambda r: [*r.state, r.pha, r.fgr] if isinstance(r, Matted) else r, self.device.dtype)

    def _state_only(self, model: MattingNetwork, source: Tensor, before: Any, size: Any) -> State:
        small = model.shrink(source, self.ratio)
        if self.params["execution"] == "compiled":
            # The same compiled code as for the frame itself, so that a replay gives the same bits.
            return tuple(model.coarse(small, *before).states)  # type: ignore[return-value]
        return tuple(model.advance(small, *before))  # type: ignore[return-value]

    def _full(self, model: MattingNetwork, source: Tensor, before: Any, size: torch.Size) -> Matted:
        small = model.shrink(source, self.ratio)
        coarse: Coarse = model.coarse(small, *before)
        fgr, pha = (coarse.fgr, coarse.pha) if self.ratio == 1 else model.refine(source, small, coarse)
        person = model.project_seg(coarse.hid).sigmoid()

        def full(image: Tensor) -> Tensor:
            if image.shape[-2:] != source.shape[-2:]:
                image = F.interpolate(image, source.shape[-2:], mode="bilinear", align_corners=False)
            return image[..., : size[0], : size[1]].float()

        state = cast(State, tuple(coarse.states))
        return Matted(
            full(pha.clamp(0, 1)), full((fgr + source).clamp(0, 1)), full(coarse.pha.clamp(0, 1)), full(person), state
        )

    def _keep(self, frame: int, state: State) -> None:
        self.checkpoints.put(frame, self._digest(frame), state)

    def _digest(self, until: int) -> bytes:
        return self.inputs.identity("Source", self.start, until)

    def _key(self) -> str:
        settings = (
            self.weights.sha256,
            sorted(self.weights.options.items()),
            self.ratio,
            self.params["exposure"],
            self.start,
            (self.size.width, self.size.height),
            str(self.device.dtype),
            self.inputs.identity("Source", self.start, self.start),
        )
        return "video-matte " + hashlib.sha256(repr(settings).encode()).hexdigest()


def _padded(image: Tensor) -> Tensor:
    """The picture continued by its border where it is too small for the network; any other size is left alone."""
    height, width = image.shape[-2:]
    padding = (0, max(0, SMALLEST_SIDE - width), 0, max(0, SMALLEST_SIDE - height))
    return F.pad(image, padding, mode="replicate") if any(padding) else image


def engine() -> Any:
    """The node's engine, for the catalogue."""
    return VideoMatte()
