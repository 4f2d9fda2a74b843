"""Training losses of PEN-Net (arXiv:1904.07475, section 3.4).

Pictures are [B,3,H,W], RGB -1..1; masks are [B,1,H,W], 1 in the hole.  The generator's loss comes as a dictionary of
scalars, weighted as published, whose "total" is the plain sum of the others.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(
    pyramid: list[Tensor], output: Tensor, target: Tensor, mask: Tensor, fake: Tensor
) -> dict[str, Tensor]:
    """Loss of the generator: "hole" and "known" (L1 inside and outside the hole), "pyramid", "adversarial" and "total".

    `fake` are the discriminator's scores of the picture with its hole filled.
    """
    error = (output - target).abs()
    losses = {
        "hole": 6 * _mean_where(mask, error),
        "known": _mean_where(1 - mask, error),
        "pyramid": 0.5 * torch.stack([F.l1_loss(p, _resize(target, p)) for p in pyramid]).sum(),
        "adversarial": 0.1 * -fake.mean(),
    }
    losses["total"] = torch.stack(list(losses.values())).sum()
    return losses


def discriminator_loss(fake: Tensor, real: Tensor) -> Tensor:
    """Hinge loss of the discriminator's scores of filled (detached) and real pictures."""
    return F.relu(1 + fake).mean() + F.relu(1 - real).mean()


def _mean_where(area: Tensor, error: Tensor) -> Tensor:
    """Mean error within the area; 0 if there is none."""
    return (error * area).mean() / area.mean().clamp_min(1e-8)


def _resize(picture: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(picture, like.shape[-2:], mode="bilinear", align_corners=True)
