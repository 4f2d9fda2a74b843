"""Training of Segment's own weights: HRNet with OCR (arXiv:1908.07919, arXiv:1909.11065) on pictures with rigs.

The published losses (auxiliary 0.4, main 1) with class weights, and the overlap that masks are judged by. A wire is
thinner than the network's cells of four pixels: CARAFE brings the features to full size, where a few channels made of
the picture itself join them before the classifier. What is taken for rigs has classes of its own. First small windows,
then larger and crowded ones, last pieces of frames as they mostly are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

import models
from models.hrnet_ocr import HRNetOCR, OCROutput, normalize, resize_logits
from models.hrnet_ocr.losses import ocr_loss, overlap_loss
from models.training.data.pool import FrameCut
from models.training.data.rigs import CLASSES, KINDS, Likely, RigExamples, Rigged
from models.training.loop.pictures import PictureRow

OPTIONS: dict[str, int | str | list[float]] = {
    "width": 32,
    "classes": len(KINDS),
    "body": "small_v2",
    "stem_channels": 24,
    "ocr_channels": 32,
    "key_channels": 24,
    "magnify": 4,
    "detail_channels": 8,
    "detail_blocks": 2,
    "window": 512,
    "scales": [0.8, 1.0, 1.25],
}
# How the rigs are painted in the log's pictures: red, green, blue; what is taken for them is grey.
GREYS = [(0.3, 0.3, 0.3)] * (len(KINDS) - len(CLASSES))
COLOURS = ((0.0, 0.0, 0.0), (1.0, 0.2, 0.2), (0.2, 0.9, 0.2), (0.3, 0.4, 1.0), *GREYS)
RIGS = range(1, len(CLASSES))
FRAME, FRAME_SPREAD = 1080.0, 220.0


@dataclass(frozen=True)
class LabelledBatch:
    """src [B,3,H,W] display-encoded 0..1, labels [B,H,W] int64, indices into KINDS."""

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
    # Sides of windows and how many of them make a batch.
    windows: tuple[tuple[int, int], ...] = ((192, 4),)
    # Rigs cover some hundredths of a picture; at first what is missed counts more than what is found too much.
    class_weights: tuple[float, ...] = (1.0, 2.0, 2.0, 1.5)
    # Of the overlap beside the published losses.
    overlap = 0.3

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

    def batch(self, examples: RigExamples, rng: np.random.Generator, progress: float) -> LabelledBatch:
        side, count = self.windows[rng.integers(len(self.windows))]
        frames = rng.normal(FRAME, FRAME_SPREAD, count).clip(700, 1700)
        return stack(
            [examples.example(rng, FrameCut(side, side, float(frame)), self.likely(progress)) for frame in frames]
        )

    def likely(self, progress: float) -> Likely:
        """All examples are easy at first, one in seven from a fifth of the way on."""
        return Likely(ease=max(0.15, 1 - 4.25 * progress))

    def loss(self, model: HRNetOCR, batch: LabelledBatch) -> dict[str, Tensor]:
        said: OCROutput = model(normalize(batch.src).contiguous(memory_format=torch.channels_last))
        weights = batch.src.new_ones(len(KINDS))
        weights[: len(CLASSES)] = weights.new_tensor(self.class_weights)
        rigs = OCROutput(*(rigs_alone(logits) for logits in said))
        losses = self.named(said, rigs, batch.labels, weights)
        overlap = overlap_loss(rigs.out, rig_labels(batch.labels), RIGS)
        return losses | {"overlap": overlap, "total": losses["total"] + self.overlap * overlap}

    def named(self, said: OCROutput, rigs: OCROutput, labels: Tensor, weights: Tensor) -> dict[str, Tensor]:
        """The published losses of all KINDS, whose weights (K,) are given; `rigs` is what `said` says of CLASSES."""
        return ocr_loss(said, labels, weights)

    def preview(self, model: HRNetOCR, batch: LabelledBatch) -> list[PictureRow]:
        logits = resize_logits(model(normalize(batch.src)).out, batch.src.shape[2:])
        return [("input", batch.src), ("truth", painted(batch.labels)), ("answer", painted(logits.argmax(1)))]


class LargeStage(SmallStage):
    """Larger windows, for what can only be told from its surroundings: a stand from a door frame.

    Most are crowded with rigs, look-alikes and figures, so that every step has much to tell apart: among windows as
    frames mostly are, 4,000 steps left the network unable to tell stems and window bars from wires even in the
    pictures that it was trained on.
    """

    name = "large"
    steps = 6500
    warmup = 100
    peak = 1e-3
    windows: tuple[tuple[int, int], ...] = ((320, 2), (448, 1))
    class_weights = (1.0, 1.2, 1.2, 1.0)
    overlap = 0.6

    def prepare(self, model: HRNetOCR) -> None:
        pass

    def likely(self, progress: float) -> Likely:
        return Likely(ease=0.05, bare=0.5, crowd=0.75)


class FrameStage(LargeStage):
    """Pieces of frames: crowded at first, at the end nearly as frames mostly are, so that rigs are not expected
    everywhere.

    What counts is rig or not. Where every kind counted alike, nine tenths of the loss were names of what is no rig
    (a piece of a figure's coat is no more a figure than a wall), and a white cross on a plain wall went unseen. Batch
    norms are frozen: one window's statistics are not a frame's.
    """

    name = "frame"
    steps = 5900
    warmup = 200
    peak = 8e-4
    windows = ((512, 1),)
    class_weights = (1.0, 1.5, 1.5, 1.2)
    overlap = 0.3
    # Of the losses of all kinds, asked at one pixel in sixteen, beside those of rigs against everything else.
    names = 0.03

    def set_mode(self, model: HRNetOCR) -> None:
        model.eval()

    def likely(self, progress: float) -> Likely:
        return Likely(ease=0.03, bare=0.25 + 0.15 * progress, crowd=0.65 - 0.4 * progress)

    def named(self, said: OCROutput, rigs: OCROutput, labels: Tensor, weights: Tensor) -> dict[str, Tensor]:
        thinned = OCROutput(said.aux, said.out[..., ::4, ::4])
        kinds = ocr_loss(thinned, labels[:, ::4, ::4], weights)["total"]
        losses = ocr_loss(rigs, rig_labels(labels), weights[: len(CLASSES)])
        return losses | {"kinds": kinds, "total": losses["total"] + self.names * kinds}


STAGES = (SmallStage, LargeStage, FrameStage)


def new_model() -> HRNetOCR:
    """An untrained network, channels-last."""
    model = models.create("hrnet_ocr", **OPTIONS)
    assert isinstance(model, HRNetOCR)
    return model.to(memory_format=torch.channels_last)


def rigs_alone(logits: Tensor) -> Tensor:
    """Logits [N,K,h,w] of KINDS -> those of CLASSES: whatever is no rig counts as other."""
    logits = logits.float()
    other = torch.cat([logits[:, :1], logits[:, len(CLASSES) :]], dim=1).logsumexp(1, keepdim=True)
    return torch.cat([other, logits[:, 1 : len(CLASSES)]], dim=1)


def rig_labels(labels: Tensor) -> Tensor:
    """Labels of KINDS -> those of CLASSES, the same with 0 for what is no rig."""
    return labels.where(labels < len(CLASSES), 0)


def painted(labels: Tensor) -> Tensor:
    """Labels [B,H,W] as pictures [B,3,H,W]."""
    return labels.new_tensor(COLOURS, dtype=torch.float32)[labels].permute(0, 3, 1, 2)


def stack(examples: Sequence[Rigged]) -> LabelledBatch:
    """Examples of one size as a batch."""
    src = torch.from_numpy(np.stack([example.src for example in examples])).permute(0, 3, 1, 2)
    return LabelledBatch(src, torch.from_numpy(np.stack([example.kinds for example in examples]).astype(np.int64)))
