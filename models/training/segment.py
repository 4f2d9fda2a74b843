"""Training of Segment's own weights: HRNet with OCR (arXiv:1908.07919, arXiv:1909.11065) on pictures with rigs.

The published losses (auxiliary 0.4, main 1) with class weights. The body works at half the picture's size, because a
wire is thinner than the published network's cells of four pixels, and CARAFE brings the features to full size before
the classifier. First small windows, then larger ones for things that need more of their surroundings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

import models
from models.hrnet_ocr import HRNetOCR, normalize
from models.hrnet_ocr.losses import ocr_loss
from models.training.pool import View
from models.training.rigs import CLASSES, RigExamples, Rigged

OPTIONS: dict[str, int | str] = {
    "width": 8,
    "classes": len(CLASSES),
    "body": "tiny",
    "stem_channels": 16,
    "stem_stride": 2,
    "ocr_channels": 24,
    "key_channels": 16,
    "magnify": 2,
}
# Rigs cover some hundredths of a picture; what is missed counts more than what is found too much.
CLASS_WEIGHTS = (1.0, 3.0, 3.0, 2.0)
FRAME, FRAME_SPREAD = 1080.0, 220.0


@dataclass(frozen=True)
class Batch:
    """src [B,3,H,W] display-encoded 0..1, labels [B,H,W] int64."""

    src: Tensor
    labels: Tensor


class SmallStage:
    """The whole network from scratch on small windows: Adam at 1e-3 after a warm-up, cosine to 1 %.

    At 2e-3 markers and wires were not found after 500 steps. On 16 fixed windows and 120 steps the running statistics
    of batch norm were far off at 3e-3 (IoU of stands 0.92 in training mode, 0.20 in evaluation mode), and were not at
    1e-3 (0.97 and 0.91). No whole run has been made at this rate.
    """

    name = "small"
    steps = 3000
    warmup = 100
    peak = 1e-3
    side, count = 192, 4

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
        return stack([examples.example(rng, View(self.side, self.side, float(frame))) for frame in frames])

    def loss(self, model: HRNetOCR, batch: Batch) -> dict[str, Tensor]:
        picture = normalize(batch.src).contiguous(memory_format=torch.channels_last)
        return ocr_loss(model(picture), batch.labels, batch.src.new_tensor(CLASS_WEIGHTS))


class LargeStage(SmallStage):
    """Larger windows, for what can only be told from its surroundings: a stand from a door frame."""

    name = "large"
    steps = 900
    warmup = 30
    peak = 5e-4
    side, count = 320, 2

    def prepare(self, model: HRNetOCR) -> None:
        pass


STAGES = (SmallStage, LargeStage)


def new_model() -> HRNetOCR:
    """An untrained network, channels-last."""
    model = models.create("hrnet_ocr", **OPTIONS)
    assert isinstance(model, HRNetOCR)
    return model.to(memory_format=torch.channels_last)


def stack(examples: Sequence[Rigged]) -> Batch:
    """Examples of one size as a batch."""
    src = torch.from_numpy(np.stack([example.src for example in examples])).permute(0, 3, 1, 2)
    return Batch(src, torch.from_numpy(np.stack([example.labels for example in examples]).astype(np.int64)))
