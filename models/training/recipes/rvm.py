"""The four stages of Robust Video Matting (arXiv:2108.11515, section 4), fitted to small machines.

As published: short clips at low resolution; longer ones; large pictures through the deep guided filter in turn with
long clips; last, composites with more added movement. In every stage matting passes take turns with segmentation
passes, of clips and of stills. Not as published: no pretrained encoder, so the first stage begins with single frames
and a high rate; batch norms are frozen after it; matting passes learn to segment as well; and which pass comes next is
drawn, one segmentation pass in five.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

import models
from models.rvm import MattingNetwork
from models.rvm.losses import matting_loss, segmentation_loss
from models.training.data.clips import ClipExamples
from models.training.data.pool import FrameCut
from models.training.loop.pictures import PictureRow
from models.training.recipes.bgmv2 import leaky_clamp

OPTIONS: dict[str, int | str] = {"variant": "mobilenetv3", "refiner": "deep_guided_filter"}
# Heights of 16:9 frames that parts are cut out of: what the network sees in use (288 at the node's default), and HD.
HEIGHTS, SHARP_HEIGHTS = (128.0, 320.0), (720.0, 1440.0)
SEGMENTATION_SHARE, VIDEO_SHARE = 0.2, 0.5
# Running statistics must follow within the first stage; torchvision's 0.01 is meant for far longer runs.
MOMENTUM = 0.03


@dataclass(frozen=True)
class ClipSize:
    """A batch: `clips` clips of `frames` frames, `height` x `width`; `whole` shows whole frames, not parts of them."""

    height: int
    width: int
    frames: int
    clips: int
    whole: bool = False


@dataclass(frozen=True)
class Matting:
    """src and fgr [B,T,3,H,W], pha [B,T,1,H,W], display-encoded 0..1."""

    src: Tensor
    fgr: Tensor
    pha: Tensor


@dataclass(frozen=True)
class Sharp(Matting):
    """The same in large: the network sees it shrunk, the refiner brings the matte back."""


@dataclass(frozen=True)
class Segmentation:
    """src [B,T,3,H,W] display-encoded 0..1, seg [B,T,1,H,W], 1 where people are."""

    src: Tensor
    seg: Tensor


class ShortStage:
    """The network without its refiner from scratch: single whole frames, then short clips; Adam at 1.5e-3.

    Whole frames, because who is meant shows in the whole: 5,000 steps on windows of 128 pixels did not lower the loss.
    """

    name = "short"
    steps = 5000
    warmup = 150
    rates: tuple[float, float, float, float] = (1.5e-3, 1.5e-3, 1.5e-3, 0.0)
    energy = 1.0
    stills: tuple[ClipSize, ...] = (
        ClipSize(144, 256, 1, 6, True),
        ClipSize(216, 384, 1, 3, True),
        ClipSize(288, 512, 1, 2, True),
    )
    stills_until = 0.7
    clips: tuple[ClipSize, ...] = (
        ClipSize(144, 256, 4, 2, True),
        ClipSize(216, 384, 3, 1, True),
        ClipSize(160, 192, 4, 2),
    )
    sharp: tuple[ClipSize, ...] = ()
    sharp_share = 0.0
    # How much the segmentation of a matting pass counts: alpha's own loss hardly tells a network who is meant.
    who_share = 1.0

    def prepare(self, model: MattingNetwork) -> None:
        """Starts alpha inside its range, where the clamp lets gradients through."""
        with torch.no_grad():
            bias = model.project_mat.conv.bias
            assert bias is not None
            bias.copy_(torch.tensor([0.0, 0.0, 0.0, 0.3]))

    def set_mode(self, model: MattingNetwork) -> None:
        model.train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = MOMENTUM

    def groups(self, model: MattingNetwork) -> list[dict[str, object]]:
        """Encoder, LR-ASPP, decoder with both projections, refiner; those with rate 0 are left as they are."""
        parts: tuple[list[nn.Module], ...] = (
            [model.backbone],
            [model.aspp],
            [model.decoder, model.project_mat, model.project_seg],
            [model.refiner],
        )
        groups: list[dict[str, object]] = []
        for modules, rate in zip(parts, self.rates, strict=True):
            parameters = [parameter for module in modules for parameter in module.parameters()]
            if rate:
                groups.append({"params": parameters, "peak": rate})
        return groups

    def batch(self, examples: ClipExamples, rng: np.random.Generator, progress: float) -> Matting | Segmentation:
        sizes = self.stills if progress < self.stills_until else self.clips
        size = sizes[rng.integers(len(sizes))]
        if rng.random() < SEGMENTATION_SHARE:
            return self._segmentation(examples, rng, size)
        if rng.random() < self.sharp_share:
            size = self.sharp[rng.integers(len(self.sharp))]
            return Sharp(*self._matting(examples, rng, size, SHARP_HEIGHTS))
        return Matting(*self._matting(examples, rng, size, HEIGHTS))

    def loss(self, model: MattingNetwork, batch: Matting | Segmentation) -> dict[str, Tensor]:
        if isinstance(batch, Segmentation):
            logits = model(batch.src, segmentation_pass=True).seg
            loss = segmentation_loss(logits.float(), batch.seg)
            return {"segmentation": loss, "total": loss}
        if not isinstance(batch, Sharp):
            coarse = model.coarse(batch.src)
            losses = _matting_loss(coarse.fgr, coarse.pha, batch)
            logits = model.project_seg(coarse.hid.flatten(0, 1)).float()
            who = segmentation_loss(logits, (batch.pha.flatten(0, 1) > 0.5).float())
            return losses | {"who": who, "total": losses["total"] + self.who_share * who}
        # Mostly what HD needs for the working side, sometimes larger, as for smaller formats.
        small = model.shrink(batch.src, 0.2 + 0.3 * torch.rand(()).item() ** 2)
        coarse = model.coarse(small)
        return _matting_loss(*model.refine(batch.src, small, coarse), batch)

    def preview(self, model: MattingNetwork, batch: Matting | Segmentation) -> list[PictureRow]:
        """The frames of the first clip, or a still of each."""
        truth, small = batch.seg if isinstance(batch, Segmentation) else batch.pha, batch.src
        if isinstance(batch, Segmentation):
            answer = model(batch.src, segmentation_pass=True).seg.float().sigmoid()
        elif isinstance(batch, Sharp):
            small = model.shrink(batch.src, 0.25)
            answer = model.refine(batch.src, small, model.coarse(small))[1]
        else:
            answer = model.coarse(batch.src).pha
        rows = (("source", batch.src), ("truth", truth), (f"answer from {small.shape[-1]} pixels", answer))
        return [(label, clips[:, 0] if clips.shape[1] == 1 else clips[0]) for label, clips in rows]

    def _matting(
        self, examples: ClipExamples, rng: np.random.Generator, size: ClipSize, heights: tuple[float, float]
    ) -> tuple[Tensor, Tensor, Tensor]:
        clips = [examples.clip(rng, _view(rng, size, heights), size.frames, self.energy) for _ in range(size.clips)]
        src, fgr = (_tensor([getattr(clip, name) for clip in clips]) for name in ("src", "fgr"))
        return src, fgr, _tensor([clip.pha[..., None] for clip in clips])

    def _segmentation(self, examples: ClipExamples, rng: np.random.Generator, size: ClipSize) -> Segmentation:
        """A clip, or as many stills."""
        frames, clips = size.frames, size.clips
        if rng.random() >= VIDEO_SHARE:
            frames, clips = 1, size.clips * size.frames
        shown = [examples.labelled(rng, _view(rng, size, HEIGHTS), frames) for _ in range(clips)]
        return Segmentation(_tensor([one.src for one in shown]), _tensor([one.seg[..., None] for one in shown]))


class LongStage(ShortStage):
    """Longer clips and whole frames at the node's working size; batch norms frozen from here on."""

    name = "long"
    steps = 1000
    warmup = 20
    rates = (2.5e-4, 5e-4, 5e-4, 0.0)
    stills_until = 0.0
    clips = (
        ClipSize(144, 256, 8, 1, True),
        ClipSize(192, 192, 6, 1),
        ClipSize(288, 512, 2, 1, True),
        ClipSize(144, 144, 12, 1),
    )

    def prepare(self, model: MattingNetwork) -> None:
        pass

    def set_mode(self, model: MattingNetwork) -> None:
        """Statistics of one clip are those of one scene: they would spoil those of the first stage."""
        model.eval()


class SharpStage(LongStage):
    """Large pictures through the refiner, in turn with long clips; the refiner learns fast, the rest slowly."""

    name = "sharp"
    steps = 700
    warmup = 20
    rates = (1e-4, 1e-4, 1e-4, 1.5e-3)
    sharp = (ClipSize(512, 640, 2, 1), ClipSize(720, 720, 1, 1), ClipSize(512, 512, 3, 1))
    sharp_share = 0.6

    def set_mode(self, model: MattingNetwork) -> None:
        model.eval()
        model.refiner.train()


class CompositesStage(SharpStage):
    """Both, with more movement of figures and cameras; the decoder learns most. The refiner's statistics stay too."""

    name = "composites"
    steps = 1100
    warmup = 20
    rates = (1.5e-4, 1.5e-4, 4e-4, 4e-4)
    energy = 1.8
    clips = (
        ClipSize(144, 256, 8, 1, True),
        ClipSize(216, 384, 3, 1, True),
        ClipSize(288, 512, 2, 1, True),
        ClipSize(176, 176, 8, 1),
    )
    sharp_share = 0.3

    def set_mode(self, model: MattingNetwork) -> None:
        model.eval()


STAGES: tuple[type[ShortStage], ...] = (ShortStage, LongStage, SharpStage, CompositesStage)


def new_model() -> MattingNetwork:
    """An untrained network, channels-last."""
    model = models.create("rvm", **OPTIONS)
    assert isinstance(model, MattingNetwork)
    return model.to(memory_format=torch.channels_last)


def _matting_loss(fgr: Tensor, pha: Tensor, batch: Matting) -> dict[str, Tensor]:
    return matting_loss(leaky_clamp(fgr.float() + batch.src), leaky_clamp(pha.float()), batch.fgr, batch.pha)


def _view(rng: np.random.Generator, size: ClipSize, heights: tuple[float, float]) -> FrameCut:
    """A whole frame, or a part of one between two heights."""
    least = max(size.height, size.width * 9 / 16)
    if size.whole:
        return FrameCut(size.height, size.width, least)
    low = max(heights[0], least)
    return FrameCut(size.height, size.width, math.exp(rng.uniform(math.log(low), math.log(max(heights[1], low)))))


def _tensor(clips: Sequence[np.ndarray]) -> Tensor:
    """Clips (T, h, w, C) as [B,T,C,H,W]."""
    return torch.from_numpy(np.stack(clips).astype(np.float32)).permute(0, 1, 4, 2, 3)
