"""Training of Segment's own weights: HRNet with OCR (arXiv:1908.07919, arXiv:1909.11065) on pictures with rigs.

The published losses (auxiliary 0.4, main 1) with class weights, and the overlap that masks are judged by. A wire is
thinner than the network's cells of four pixels: CARAFE brings the features to full size, where a few channels made of
the picture itself join them before the classifier. First small windows, then larger ones for things that need more of
their surroundings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

import models
from models.hrnet_ocr import HRNetOCR, normalize, resize_logits
from models.hrnet_ocr.losses import ocr_loss, overlap_loss
from models.training.pictures import Row
from models.training.pool import View
from models.training.rigs import CLASSES, RigExamples, Rigged

OPTIONS: dict[str, int | str] = {
    "width": 32,
    "classes": len(CLASSES),
    "body": "tiny",
    "stem_channels": 24,
    "ocr_channels": 32,
    "key_channels": 24,
    "magnify": 4,
    "detail_channels": 8,
}
# How the classes are painted in the log's pictures: black, red, green, blue.
COLOURS = ((0.0, 0.0, 0.0), (1.0, 0.2, 0.2), (0.2, 0.9, 0.2), (0.3, 0.4, 1.0))
FRAME, FRAME_SPREAD = 1080.0, 220.0


@dataclass(frozen=True)
class Batch:
    """src [B,3,H,W] display-encoded 0..1, labels [B,H,W] int64."""

    src: Tensor
    labels: Tensor


class SmallStage:
    """The whole network from scratch on small windows: Adam at 2e-3 after a warm-up, cosine to 1 %.

    Starts with rigs alone: among look-alikes a smaller network did not find wires and markers in 700 steps (IoU below
    0.05), on plain pictures it found half of the stands and a quarter of the wires after 300.
    """

    name = "small"
    steps = 5000
    warmup = 100
    peak = 2e-3
    side, count = 192, 4
    # Rigs cover some hundredths of a picture; at first what is missed counts more than what is found too much.
    class_weights: tuple[float, ...] = (1.0, 2.0, 2.0, 1.5)
    # Of the overlap beside the published losses.
    overlap = 0.3
    # Share of windows without rigs.
    bare = 0.12

    def prepare(self, model: HRNetOCR) -> None:
        """Starts where every pixel is most likely none of the rigs, as is true."""
        for layer in (model.cls_head, model.aux_head[-1]):
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            with torch.no_grad():
                layer.bias[1:] = -2.0

    def set_mode(self, model: HRNetOCR) -> None:
        model.train()

    def groups(self, model: HRNetOCR) -> list[dict[str, object]]:
        return [{"params": list(model.parameters()), "peak": self.peak}]

    def batch(self, examples: RigExamples, rng: np.random.Generator, progress: float) -> Batch:
        frames = rng.normal(FRAME, FRAME_SPREAD, self.count).clip(700, 1700)
        views = [View(self.side, self.side, float(frame)) for frame in frames]
        return stack([examples.example(rng, view, self.ease(progress), self.bare) for view in views])

    def ease(self, progress: float) -> float:
        """Share of easy examples: all at first, one in seven from a fifth of the way on."""
        return max(0.15, 1 - 4.25 * progress)

    def loss(self, model: HRNetOCR, batch: Batch) -> dict[str, Tensor]:
        picture = normalize(batch.src).contiguous(memory_format=torch.channels_last)
        said = model(picture)
        losses = ocr_loss(said, batch.labels, batch.src.new_tensor(self.class_weights))
        overlap = overlap_loss(said.out, batch.labels)
        return losses | {"overlap": overlap, "total": losses["total"] + self.overlap * overlap}

    def preview(self, model: HRNetOCR, batch: Batch) -> list[Row]:
        logits = resize_logits(model(normalize(batch.src)).out, batch.src.shape[2:])
        return [("input", batch.src), ("truth", painted(batch.labels)), ("answer", painted(logits.argmax(1)))]


class LargeStage(SmallStage):
    """Larger windows, for what can only be told from its surroundings: a stand from a door frame.

    With nearly even class weights and many windows without rigs, as frames mostly are: after the stage before, wires
    come out twice as wide as they are, and lamps as markers.
    """

    name = "large"
    steps = 4000
    warmup = 30
    peak = 1e-3
    side, count = 320, 2
    class_weights = (1.0, 1.2, 1.2, 1.0)
    overlap = 0.6
    bare = 0.55

    def prepare(self, model: HRNetOCR) -> None:
        pass

    def ease(self, progress: float) -> float:
        """One in ten is easy."""
        return 0.1


STAGES = (SmallStage, LargeStage)


def new_model() -> HRNetOCR:
    """An untrained network, channels-last."""
    model = models.create("hrnet_ocr", **OPTIONS)
    assert isinstance(model, HRNetOCR)
    return model.to(memory_format=torch.channels_last)


def painted(labels: Tensor) -> Tensor:
    """Labels [B,H,W] as pictures [B,3,H,W]."""
    return labels.new_tensor(COLOURS, dtype=torch.float32)[labels].permute(0, 3, 1, 2)


def stack(examples: Sequence[Rigged]) -> Batch:
    """Examples of one size as a batch."""
    src = torch.from_numpy(np.stack([example.src for example in examples])).permute(0, 3, 1, 2)
    return Batch(src, torch.from_numpy(np.stack([example.labels for example in examples]).astype(np.int64)))
