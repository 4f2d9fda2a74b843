"""The stages of Background Matting V2 (arXiv:2012.07810, section 4.4), fitted to small machines.

First the coarse network alone on crops, then the whole network on large crops with the coarse network's batch norms
frozen, then whole frames in turn with such crops, then whole frames for the coarse network alone, last the refiner
alone. The cards of the bundled weights say what a run gave.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import models
from models.bgmv2 import MattingRefine
from models.bgmv2.losses import base_loss, refine_loss, sobel
from models.training.data.pool import Examples, FrameCut
from models.training.loop.pictures import PictureRow

# Sides of (height, width) and batch size; the first for most of the base stage, the others towards its end.
SMALL = (128, 128, 8)
LARGE = ((160, 176, 6), (192, 256, 4), (240, 320, 3), (288, 512, 2))
SMALL_UNTIL = 0.55
REFINE = ((448, 512, 3), (512, 640, 2), (640, 768, 2))
# Whole frames of the context stage and how often each is shown; its other steps show crops as in the refine stage.
FRAMES = ((288, 512, 3), (360, 640, 2), (432, 768, 1), (540, 960, 1))
FRAME_SHARES = (0.35, 0.25, 0.2, 0.2)
CROP_SHARE = 0.35
EDGES = (320, 384, 4)
# Half width in pixels of what counts as an outline when the refiner is taught alone.
OUTLINE = 12
# Heights of a whole 16:9 frame as the coarse network sees it: HD at a backbone_scale of 0.2 to 0.7.
LOWEST, HIGHEST = 216, 760
# Beyond 0..1 the clamp keeps this slope, so that a channel that went astray can come back.
LEAK = 0.02


@dataclass(frozen=True)
class MattingBatch:
    """src, bgr and fgr [B,3,H,W], pha [B,1,H,W], display-encoded 0..1."""

    src: Tensor
    bgr: Tensor
    pha: Tensor
    fgr: Tensor


def leaky_clamp(x: Tensor) -> Tensor:
    """x clamped to 0..1, with a small slope outside."""
    clamped = x.clamp(0, 1)
    return clamped + LEAK * (x - clamped)


class BaseStage:
    """The coarse network, from scratch: Adam at 1.5e-3 after a warm-up, cosine to 1 %."""

    name = "base"
    steps = 7000
    warmup = 150

    def prepare(self, model: MattingRefine) -> None:
        """Starts alpha and error inside their range, where the clamp lets gradients through."""
        with torch.no_grad():
            bias = model.decoder.conv4.bias
            assert bias is not None
            bias[0], bias[4] = 0.3, 0.15

    def set_mode(self, model: MattingRefine) -> None:
        model.train()
        for module in model.aspp.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.1

    def groups(self, model: MattingRefine) -> list[dict[str, object]]:
        coarse = [p for name, p in model.named_parameters() if not name.startswith("refiner.")]
        return [{"params": coarse, "peak": 1.5e-3}]

    def batch(self, examples: Examples, rng: np.random.Generator, progress: float) -> MattingBatch:
        height, width, count = SMALL if progress < SMALL_UNTIL else LARGE[rng.integers(len(LARGE))]
        return _stack([examples.example(rng, _coarse_view(rng, height, width)) for _ in range(count)])

    def loss(self, model: MattingRefine, batch: MattingBatch) -> dict[str, Tensor]:
        return coarse_loss(model, batch)

    def preview(self, model: MattingRefine, batch: MattingBatch) -> list[PictureRow]:
        return _rows(batch, raw_coarse(model, batch.src, batch.bgr)[:, :1])


class RefineStage:
    """The whole network on large crops, refined everywhere; the coarse part learns slowly with frozen batch norms."""

    name = "refine"
    steps = 600
    warmup = 30

    def prepare(self, model: MattingRefine) -> None:
        pass

    def set_mode(self, model: MattingRefine) -> None:
        """With batch norms of the coarse network in training mode its result gets worse by 40 % (measured)."""
        model.eval()
        model.refiner.train()

    def groups(self, model: MattingRefine) -> list[dict[str, object]]:
        coarse = [p for name, p in model.named_parameters() if not name.startswith("refiner.")]
        return [{"params": coarse, "peak": 5e-5}, {"params": list(model.refiner.parameters()), "peak": 1.2e-3}]

    def batch(self, examples: Examples, rng: np.random.Generator, progress: float) -> MattingBatch:
        height, width, count = REFINE[rng.integers(len(REFINE))]
        views = [FrameCut(height, width, float(np.clip(rng.normal(1080, 150), height, 1400))) for _ in range(count)]
        return _stack([examples.example(rng, view) for view in views])

    def loss(self, model: MattingRefine, batch: MattingBatch) -> dict[str, Tensor]:
        src, bgr = batch.src, batch.bgr
        model.backbone_scale = float(0.5 - 0.25 * torch.rand(()).item() ** 2)
        model.refine_mode = "full"
        src_sm = model.shrink(src)
        raw = raw_coarse(model, src_sm, model.shrink(bgr))
        coarse = (raw[:, :1].clamp(0, 1), raw[:, 1:4], raw[:, 4:5].clamp(0, 1), raw[:, 5:].relu())
        refined = model.refiner(src, bgr, *coarse, mode="full")
        return refine_loss(
            leaky_clamp(refined.pha.float()),
            leaky_clamp(refined.fgr.float() + src),
            leaky_clamp(raw[:, :1]),
            leaky_clamp(raw[:, 1:4] + src_sm),
            leaky_clamp(raw[:, 4:5]),
            batch.pha,
            batch.fgr,
        )

    def preview(self, model: MattingRefine, batch: MattingBatch) -> list[PictureRow]:
        model.backbone_scale, model.refine_mode = 0.5, "full"
        return _rows(batch, model(batch.src, batch.bgr).pha)


class ContextStage(RefineStage):
    """Whole frames at the sizes the coarse network sees in use, in turn with the crops that keep the refiner in step.

    Crops alone leave large frames unpractised: a shadow beside a large subject is then taken for a part of it.
    """

    name = "context"
    steps = 900
    warmup = 20

    def groups(self, model: MattingRefine) -> list[dict[str, object]]:
        coarse, refiner = super().groups(model)
        return [coarse | {"peak": 3e-4}, refiner | {"peak": 4e-4}]

    def batch(self, examples: Examples, rng: np.random.Generator, progress: float) -> MattingBatch:
        if rng.random() < CROP_SHARE:
            return super().batch(examples, rng, progress)
        return _whole_frames(examples, rng)

    def loss(self, model: MattingRefine, batch: MattingBatch) -> dict[str, Tensor]:
        if batch.src.shape[2:] in {shape[:2] for shape in FRAMES}:
            return coarse_loss(model, batch)
        return super().loss(model, batch)


class ScenesStage(ContextStage):
    """Long practice of the coarse network alone on whole frames: what is a shadow, and who stands in the plate too.

    Faster than the stage before, because the refiner waits; the next one teaches it what the coarse network says now.
    """

    name = "scenes"
    steps = 3400
    warmup = 50

    def groups(self, model: MattingRefine) -> list[dict[str, object]]:
        coarse, _ = super().groups(model)
        return [coarse | {"peak": 7e-4}]

    def batch(self, examples: Examples, rng: np.random.Generator, progress: float) -> MattingBatch:
        return _whole_frames(examples, rng)


class EdgeStage(RefineStage):
    """The refiner alone, judged where there is something for it to do: near outlines that the coarse network found.

    In the stages before, its gradients come mostly from wide areas that the coarse network got wrong, which it cannot
    mend from 13 pixels; it then copies the coarse alpha and draws no edge or hair.
    """

    name = "edges"
    steps = 800
    warmup = 30

    def groups(self, model: MattingRefine) -> list[dict[str, object]]:
        return [{"params": list(model.refiner.parameters()), "peak": 2e-3}]

    def batch(self, examples: Examples, rng: np.random.Generator, progress: float) -> MattingBatch:
        height, width, count = EDGES
        frames = rng.normal(1080, 150, count).clip(700, 1400)
        return _stack([examples.example(rng, FrameCut(height, width, float(frame))) for frame in frames])

    def loss(self, model: MattingRefine, batch: MattingBatch) -> dict[str, Tensor]:
        src, bgr = batch.src, batch.bgr
        model.backbone_scale = float(0.5 - 0.25 * torch.rand(()).item() ** 3)
        with torch.no_grad():
            raw = raw_coarse(model, model.shrink(src), model.shrink(bgr))
            coarse = (raw[:, :1].clamp(0, 1), raw[:, 1:4], raw[:, 4:5].clamp(0, 1), raw[:, 5:].relu())
            weight = outline_weight(F.interpolate(coarse[0], src.shape[-2:], mode="bilinear"), batch.pha)
        refined = model.refiner(src, bgr, *coarse, mode="full")
        pha, fgr = leaky_clamp(refined.pha.float()), leaky_clamp(refined.fgr.float() + src)
        shown = weight * (batch.pha > 0)
        losses = {
            "pha": _weighted(weight, (pha - batch.pha).abs()),
            "pha_sobel": 2 * _weighted(weight, (sobel(pha) - sobel(batch.pha)).abs()),
            "fgr": 0.5 * _weighted(shown, (fgr - batch.fgr).abs().mean(1, keepdim=True)),
        }
        return losses | {"total": torch.stack(list(losses.values())).sum()}


def outline_weight(coarse: Tensor, truth: Tensor) -> Tensor:
    """Per pixel [B,1,H,W]: 1 near the true outline, 0.1 elsewhere, 0 where the coarse alpha is far off."""
    reach = OUTLINE // 4
    size = 2 * reach + 1
    highest = F.max_pool2d(F.max_pool2d(truth, 4), size, 1, reach)
    lowest = -F.max_pool2d(F.max_pool2d(-truth, 4), size, 1, reach)
    near = (highest - lowest > 0.1).float()
    sane = (F.avg_pool2d(F.avg_pool2d((coarse - truth).abs(), 4), size, 1, reach) < 0.3).float()
    return F.interpolate((0.1 + 0.9 * near) * sane, scale_factor=4.0)


def _weighted(weight: Tensor, error: Tensor) -> Tensor:
    return (weight * error).sum() / weight.sum().clamp_min(1.0)


STAGES: tuple[type[BaseStage] | type[RefineStage], ...] = (BaseStage, RefineStage, ContextStage, ScenesStage, EdgeStage)


def new_model(backbone: str) -> MattingRefine:
    """An untrained network, channels-last."""
    model = models.create("bgmv2", backbone=backbone)
    assert isinstance(model, MattingRefine)
    return model.to(memory_format=torch.channels_last)


def raw_coarse(model: MattingRefine, src: Tensor, bgr: Tensor) -> Tensor:
    """The decoder's 37 channels before any clamp, in float32: alpha, residual, error, hidden."""
    both = torch.cat([src, bgr], dim=1).contiguous(memory_format=torch.channels_last)
    f1, f2, f3, f4 = model.backbone(both)
    return model.decoder(model.aspp(f4), f3, f2, f1, both).float()


def coarse_loss(model: MattingRefine, batch: MattingBatch) -> dict[str, Tensor]:
    """The loss of the coarse network alone, at the batch's own size."""
    raw = raw_coarse(model, batch.src, batch.bgr)
    pha, err, fgr = leaky_clamp(raw[:, :1]), leaky_clamp(raw[:, 4:5]), leaky_clamp(raw[:, 1:4] + batch.src)
    return base_loss(pha, fgr, err, batch.pha, batch.fgr)


def _coarse_view(rng: np.random.Generator, height: int, width: int) -> FrameCut:
    frame = math.exp(rng.uniform(math.log(LOWEST), math.log(HIGHEST)))
    return FrameCut(height, width, max(frame, height, width * 9 / 16))


def _whole_frames(examples: Examples, rng: np.random.Generator) -> MattingBatch:
    height, width, count = FRAMES[rng.choice(len(FRAMES), p=FRAME_SHARES)]
    return _stack([examples.example(rng, FrameCut(height, width, height)) for _ in range(count)])


def _rows(batch: MattingBatch, pha: Tensor) -> list[PictureRow]:
    return [("input", batch.src), ("truth", batch.pha), ("answer", pha)]


def _stack(examples: list[object]) -> MattingBatch:
    def of(name: str) -> Iterator[np.ndarray]:
        return (np.asarray(getattr(example, name), np.float32) for example in examples)

    src, bgr, fgr = (torch.from_numpy(np.stack(list(of(name)))).permute(0, 3, 1, 2) for name in ("src", "bgr", "fgr"))
    return MattingBatch(src, bgr, torch.from_numpy(np.stack(list(of("pha"))))[:, None], fgr)
