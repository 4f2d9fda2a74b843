"""Training losses.

Logits [N,K,h,w] are resized to the labels [N,H,W], int64 class indices or `ignore`, before they are compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .heads import OCROutput, resize_logits

AUX_WEIGHT = 0.4


def ocr_loss(
    output: OCROutput,
    labels: Tensor,
    class_weights: Tensor | None = None,
    ignore: int = 255,
    hard_below: float = 1.0,
    hard_least: int = 100_000,
) -> dict[str, Tensor]:
    """Loss of HRNetOCR (arXiv:1909.11065, section 4): "aux" and "out" from `class_loss`, "total" = 0.4 aux + out."""
    aux, out = (
        class_loss(logits, labels, class_weights, ignore, hard_below, hard_least) for logits in (output.aux, output.out)
    )
    return {"aux": aux, "out": out, "total": AUX_WEIGHT * aux + out}


def class_loss(
    logits: Tensor,
    labels: Tensor,
    class_weights: Tensor | None = None,
    ignore: int = 255,
    hard_below: float = 1.0,
    hard_least: int = 100_000,
) -> Tensor:
    """Cross entropy, averaged over the labelled pixels with their class weights [K]; 0 if there are none.

    With hard_below < 1 only pixels whose own class has a probability below it count, but at least the `hard_least`
    pixels where that probability is lowest (online hard example mining, arXiv:1604.03540).
    """
    logits = resize_logits(logits, labels.shape[-2:]).float()
    losses = F.cross_entropy(logits, labels, class_weights, ignore_index=ignore, reduction="none")
    counted = labels != ignore
    if hard_below < 1:
        counted &= _hard(logits.detach(), labels.where(counted, 0), counted, hard_below, hard_least)
    weights = counted.to(losses.dtype)
    if class_weights is not None:
        weights = weights * class_weights.to(losses)[labels.where(counted, 0)]
    return (losses * counted).sum() / weights.sum().clamp_min(torch.finfo(losses.dtype).tiny)


def overlap_loss(logits: Tensor, labels: Tensor, judged: Sequence[int], ignore: int = 255) -> Tensor:
    """1 - soft intersection over union, the mean of the `judged` classes that occur in the batch; 0 if none does.

    What masks are judged by: unlike cross entropy it cares as much for a class of few pixels (Rahman and Wang,
    "Optimizing Intersection-Over-Union in Deep Neural Networks for Image Segmentation", ISVC 2016).
    """
    logits = resize_logits(logits, labels.shape[-2:]).float()
    counted = (labels != ignore).unsqueeze(1)
    truth = F.one_hot(labels.where(counted[:, 0], 0), logits.shape[1]).permute(0, 3, 1, 2) * counted
    said = logits.softmax(1) * counted
    both, found, there = (part[:, list(judged)].sum((0, 2, 3)) for part in (said * truth, said, truth))
    occurs = there > 0
    missed = (1 - both / (found + there - both).clamp_min(1e-6)) * occurs
    return missed.sum() / occurs.sum().clamp_min(1)


def _hard(logits: Tensor, labels: Tensor, counted: Tensor, below: float, least: int) -> Tensor:
    confidence = logits.softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1)
    known = confidence[counted]
    if not known.numel():
        return counted
    kth = known.kthvalue(min(max(least, 1), known.numel())).values
    return confidence <= kth.clamp_min(below)
