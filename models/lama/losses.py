"""Training losses of LaMa (arXiv:2109.07161, section 2.2-2.3).

Pictures are [B,3,H,W], RGB 0..1; masks are [B,1,H,W], 1 in the hole.  A loss comes as a dictionary of scalars, weighted
as published, whose "total" is the plain sum of the others.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .discriminator import Judgement


def generator_loss(
    pred: Tensor, target: Tensor, mask: Tensor, fake: Judgement, real: Judgement, perceptual: nn.Module | None = None
) -> dict[str, Tensor]:
    """Loss of the generator: "known" (L1 outside the hole), "adversarial", "features", "perceptual" and "total".

    `fake` and `real` are what the discriminator says of `pred` and `target`; `perceptual` is a
    `HighReceptiveFieldLoss`, without which that term is left out.
    """
    losses = {
        "known": 10 * ((pred - target).abs() * (1 - mask)).mean(),
        "adversarial": 10 * F.softplus(-fake.scores).mean(),
        "features": 100 * feature_matching(fake.features, real.features),
    }
    if perceptual is not None:
        losses["perceptual"] = 30 * perceptual(pred, target)
    losses["total"] = torch.stack(list(losses.values())).sum()
    return losses


def discriminator_loss(fake: Tensor, real: Tensor, mask: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Loss of the discriminator: "fake", "real", "gradient" (R1, Mescheder et al., ICML 2018) and "total".

    `fake` and `real` are the scores of the generator's picture (detached) and of `target`, which must require gradient.
    Only patches in the hole count as fake; the rest of the generator's picture counts as real.
    """
    hole = F.interpolate(mask, fake.shape[-2:], mode="nearest")
    losses = {
        "fake": (hole * F.softplus(fake) + (1 - hole) * F.softplus(-fake)).mean(),
        "real": F.softplus(-real).mean(),
        "gradient": 0.001 * gradient_penalty(real, target),
    }
    losses["total"] = torch.stack(list(losses.values())).sum()
    return losses


def feature_matching(fake: list[Tensor], real: list[Tensor]) -> Tensor:
    """Mean over layers of the mean squared difference of the discriminator's features; `real` is a fixed target."""
    return torch.stack([F.mse_loss(a, b.detach()) for a, b in zip(fake, real, strict=True)]).mean()


def gradient_penalty(scores: Tensor, pictures: Tensor) -> Tensor:
    """Squared norm of the gradient of the summed scores by the pictures [B,C,H,W], averaged over the batch."""
    (gradient,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()
