"""VideoMatte: the matte of people without a clean plate (Robust Video Matting, arXiv:2108.11515).

The network is recurrent: its state after a frame depends on all frames since the start frame. A frame's state is
always the one that rendering from the start frame in order gives; it comes from checkpoints, or is replayed.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from models.rvm import CoarseWithState, MattingNetwork
from models.weights import WeightsRef
from nodes.checkpoints import Checkpoints
from nodes.engine import Device, Inputs, Params, Passes
from nodes.errors import FrameError
from nodes.footage.frame import Frame
from nodes.frame_runs import frames_there, gaps
from nodes.ladder import descend
from nodes.matting import matte
from nodes.matting.memory import SMALLEST_SIDE, Memory, SeenFrame, State, part_in, picture_of
from nodes.network import choose_weights, run_guarded
from nodes.picture import make_proxy, premultiply, rebuild_foreground, to_pixels

OWN_WEIGHTS = (
    "the weights that come with Cleanplate have only ever seen drawn people; on filmed ones the published weights are "
    "better: cleanplate weights fetch rvm_mobilenetv3"
)


class Matted(NamedTuple):
    """Full-size results in float32, and the new state."""

    pha: Tensor
    fgr: Tensor
    coarse: Tensor
    person: Tensor
    state: State

    def part(self, rows: slice, columns: slice) -> Matted:
        """The results for a part of the picture."""
        pha, fgr, coarse, person = (image[..., rows, columns] for image in self[:4])
        return Matted(pha, fgr, coarse, person, self.state)


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

        chain = _Chain(frame, weights, params, inputs, device)
        picture = chain.picture(source, proxy.shown)
        (matted, guard_notes), ladder_notes = descend(
            [("the whole picture", picture.grid.ratio)], lambda _: chain.matte(picture), device
        )
        matted = matted.part(*part_in(source, picture.grid))
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
            info={"downsampleRatio": round(picture.grid.ratio, 4), "startFrame": chain.start},
            notes=notes,
        )


class _Chain:
    """The network's memory up to one frame of one shot.

    It goes over the frames that are there: a hole has no pixels to remember, and a frame that is held in one's place is
    seen with the memory of the frame it is. So a still has no memory at all, whatever the frame number.
    """

    def __init__(self, frame: int, weights: WeightsRef, params: Params, inputs: Inputs, device: Device) -> None:
        self.frame, self.weights, self.params, self.inputs, self.device = frame, weights, params, inputs, device
        self.notes: list[str] = []
        self.frames = frames_there(inputs, "Source")
        self.place = max(bisect_right(self.frames, frame) - 1, 0)
        # A frame before the start frame has no memory at all.
        self.first = min(bisect_left(self.frames, params["startFrame"]) if params["startFrame"] else 0, self.place)
        self.start = self.frames[self.first]
        self.checkpoints = device.kept(self._key(), Checkpoints[Memory])

    def matte(self, picture: SeenFrame) -> tuple[Matted, list[str]]:
        """The matte of the chain's frame, from the state that all frames before it left."""
        before, began, why = self._fitting(self._before(), self.frame, picture)
        matted, notes = self._guarded(picture, before, self._full)
        memory = Memory(matted.state, picture.grid, picture.format, picture.view, began, why)
        if self.frames[self.place] == self.frame:
            self._keep(self.frame, memory)
        if missing := gaps(self.frames, self.frame):
            notes = [f"the source lacks frames, which the matte's memory skips: {missing}", *notes]
        if why:
            notes = [f"the matte's memory begins at frame {began}: {why}", *notes]
        return matted, notes

    def picture(self, source: Frame, shown: Tensor) -> SeenFrame:
        """What the network sees of a frame."""
        return picture_of(source, shown, self.params["downsampleRatio"], self.params["cuts"] == "restart")

    def _before(self) -> Memory | None:
        if self.place == self.first:
            return None
        found = self.checkpoints.latest_before(self.frames[self.place], self._digest)
        at, memory = (bisect_right(self.frames, found[0]), found[1]) if found else (self.first, None)
        for earlier in self.frames[at : self.place]:
            self.inputs.check_cancelled()
            memory = self._advance(earlier, memory)
        return memory

    def _advance(self, earlier: int, memory: Memory | None) -> Memory | None:
        try:
            source = self.inputs.frame("Source", earlier)
            picture = self.picture(source, make_proxy(source, self.params["exposure"], self.device.torch_device).shown)
        except FrameError as error:
            # What cannot be read or holds no picture is as a hole, in any order of rendering.
            self.notes.append(f"the matte's memory skips frame {earlier}: {error}")
            return memory
        self.inputs.forget("Source", earlier)
        before, began, why = self._fitting(memory, earlier, picture)
        states, _ = self._guarded(picture, before, self._state_only)
        advanced = Memory(states, picture.grid, picture.format, picture.view, began, why)
        self._keep(earlier, advanced)
        return advanced

    def _fitting(self, memory: Memory | None, frame: int, picture: SeenFrame) -> tuple[State | None, int, str]:
        """The states a frame is seen with, and where they began and why."""
        if memory is None:
            return None, frame, ""
        why = memory.break_before(picture)
        return (None, frame, why) if why else (memory.states_on(picture.grid), memory.began, memory.why)

    def _guarded(self, picture: SeenFrame, state: State | None, step: Any) -> tuple[Any, list[str]]:
        def run(dtype: torch.dtype) -> Any:
            model = cast(MattingNetwork, self.device.model(self.weights.name, "rvm", self.weights.options, dtype))
            source = _padded(picture.shown).to(dtype)
            before = tuple(x.to(dtype) for x in state) if state else (None,) * 4
            with torch.inference_mode():
                return step(model, source, before, picture)

        return run_guarded(run, lambda r: [*r.state, r.pha, r.fgr] if isinstance(r, Matted) else r, self.device.dtype)

    def _state_only(self, model: MattingNetwork, source: Tensor, before: Any, picture: SeenFrame) -> State:
        small = model.shrink(source, picture.grid.ratio)
        if self.params["execution"] == "compiled":
            # The same compiled code as for the frame itself, so that a replay gives the same bits.
            return tuple(model.coarse(small, *before).states)  # type: ignore[return-value]
        return tuple(model.advance(small, *before))  # type: ignore[return-value]

    def _full(self, model: MattingNetwork, source: Tensor, before: Any, picture: SeenFrame) -> Matted:
        ratio, size = picture.grid.ratio, picture.shown.shape[-2:]
        small = model.shrink(source, ratio)
        coarse: CoarseWithState = model.coarse(small, *before)
        fgr, pha = (coarse.fgr, coarse.pha) if ratio == 1 else model.refine(source, small, coarse)
        person = model.project_seg(coarse.hid).sigmoid()

        def full(image: Tensor) -> Tensor:
            if image.shape[-2:] != source.shape[-2:]:
                image = F.interpolate(image, source.shape[-2:], mode="bilinear", align_corners=False)
            return image[..., : size[0], : size[1]].float()

        state = cast(State, tuple(coarse.states))
        return Matted(
            full(pha.clamp(0, 1)), full((fgr + source).clamp(0, 1)), full(coarse.pha.clamp(0, 1)), full(person), state
        )

    def _keep(self, frame: int, memory: Memory) -> None:
        self.checkpoints.put(frame, self._digest(frame), memory)

    def _digest(self, until: int) -> bytes:
        return self.inputs.identity("Source", self.start, until)

    def _key(self) -> str:
        settings = (
            self.weights.sha256,
            sorted(self.weights.options.items()),
            [self.params[name] for name in ("downsampleRatio", "exposure", "cuts", "execution")],
            self.start,
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
