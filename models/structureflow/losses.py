"""Training losses of StructureFlow (arXiv:1908.03852, sections 3.1-3.2).

Pictures are [B,3,H,W], RGB -1..1; masks are [B,1,H,W], 1 in the hole; `fake` and `real` are the scores of the
discriminator's two scales.  A generator's loss comes as a dictionary of scalars, weighted as published, whose "total"
is the plain sum of the others.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from .generators import Textured
from .resample import resample2d
from .vgg import VGG19Features


def structure_loss(pred: Tensor, target: Tensor, fake: list[Tensor]) -> dict[str, Tensor]:
    """Loss of the structure stage: "l1", "adversarial" and "total"; `target` is the smoothed picture."""
    return _with_total({"l1": 4 * F.l1_loss(pred, target), "adversarial": adversarial(fake)})


def texture_loss(
    pred: Textured, target: Tensor, mask: Tensor, fake: list[Tensor], vgg: VGG19Features | None, joint: bool = False
) -> dict[str, Tensor]:
    """Loss of the texture stage: "l1", "adversarial", "correctness" and "total".

    With `joint`, for training on the structure stage's own results, also "style", of the holes, and "content". Without
    `vgg` only "l1", "adversarial" and "total".
    """
    losses = {"l1": 5 * F.l1_loss(pred.image, target), "adversarial": adversarial(fake)}
    if vgg is None:
        return _with_total(losses)
    losses["correctness"] = 0.25 * sampling_correctness(pred.flow, target, mask, vgg)
    if joint:
        losses["style"] = 250 * _style(vgg, pred.image * mask, target * mask)
        with torch.no_grad():
            wanted = vgg(target)
        losses["content"] = 0.1 * _sum(map(F.l1_loss, vgg(pred.image), wanted))
    return _with_total(losses)


def discriminator_loss(fake: list[Tensor], real: list[Tensor]) -> Tensor:
    """Least-squares loss (Mao et al., ICCV 2017) of the scores of filled (detached) and real pictures."""
    return _sum(0.5 * ((1 - r).square().mean() + f.square().mean()) for f, r in zip(fake, real, strict=True)) / len(
        fake
    )


def adversarial(fake: list[Tensor]) -> Tensor:
    """Least-squares loss of the generator, averaged over the scales."""
    return _sum((1 - scores).square().mean() for scores in fake) / len(fake)


def sampling_correctness(flow: Tensor, target: Tensor, mask: Tensor, vgg: VGG19Features) -> Tensor:
    """How much better than where the flow points the known part could explain the hole: exp(-similarity / best
    similarity), averaged over the hole; from exp(-1), the best, to 1 (section 3.2).

    flow: [B,2,H/4,W/4].  Features (relu3_1, at the same 1/4 size) of the picture with an empty hole are moved along the
    flow and compared, by their cosine, with those of the whole picture.
    """
    with torch.no_grad():
        known, whole = (vgg(x, 3)[2] for x in (target * (1 - mask), target))
        pairs = zip(F.normalize(known, dim=1).flatten(2), F.normalize(whole, dim=1).flatten(2), strict=True)
        best = torch.stack([(a.T @ b).amax(0) for a, b in pairs]).view_as(whole[:, 0]).clamp_min(1e-8)
        hole = F.interpolate(mask, flow.shape[-2:], mode="nearest")[:, 0]
    similarity = F.cosine_similarity(resample2d(known, flow, 4, 2.0), whole, dim=1)
    return (torch.exp(-similarity / best) * hole).sum() / hole.sum().clamp_min(1)


def _style(vgg: VGG19Features, pred: Tensor, target: Tensor) -> Tensor:
    with torch.no_grad():
        wanted = [_gram(x) for x in vgg(target)]
    return _sum(F.l1_loss(_gram(x), y) for x, y in zip(vgg(pred), wanted, strict=True))


def _gram(features: Tensor) -> Tensor:
    """Correlations of the channels (Gatys et al., CVPR 2016), per value: [B,C,H,W] -> [B,C,C]."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat[0].numel()


def _sum(losses: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(losses)).sum()


def _with_total(losses: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**losses, "total": _sum(losses.values())}
