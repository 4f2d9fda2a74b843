"""Training losses (arXiv:2108.11515, section 4.2).  Clips are [B,T,C,H,W]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 5
SMALLEST_SIDE = 2 ** (LEVELS + 1)


def matting_loss(pred_fgr: Tensor, pred_pha: Tensor, true_fgr: Tensor, true_pha: Tensor) -> dict[str, Tensor]:
    """Losses of a clip, scalars by name; "total" is the plain sum of the others.

    fgr [B,T,3,H,W] and pha [B,T,1,H,W] in 0..1, H and W at least 64.  "pha_l1", "pha_laplacian" (see `laplacian_loss`),
    "pha_coherence" (5 x mean squared error of the frame differences; 0 for a single frame), and "fgr_l1" and
    "fgr_coherence" of the foregrounds where true_pha is above 0.

    Raises ValueError if a shape does not fit or a side is below 64.
    """
    for name, pred, true, channels in (("fgr", pred_fgr, true_fgr, 3), ("pha", pred_pha, true_pha, 1)):
        if pred.ndim != 5 or pred.shape[2] != channels or pred.shape != true.shape:
            shapes = f"{list(pred.shape)} and {list(true.shape)}"
            raise ValueError(
                f"pred_{name} and true_{name} must both have the shape [B,T,{channels},H,W], not {shapes}."
            )
    visible = true_pha > 0
    pred_fgr, true_fgr = pred_fgr * visible, true_fgr * visible
    losses = {
        "pha_l1": F.l1_loss(pred_pha, true_pha),
        "pha_laplacian": laplacian_loss(pred_pha.flatten(0, 1), true_pha.flatten(0, 1)),
        "pha_coherence": _coherence(pred_pha, true_pha),
        "fgr_l1": F.l1_loss(pred_fgr, true_fgr),
        "fgr_coherence": _coherence(pred_fgr, true_fgr),
    }
    return losses | {"total": torch.stack(list(losses.values())).sum()}


def segmentation_loss(pred_seg: Tensor, true_seg: Tensor) -> Tensor:
    """Binary cross entropy of logits `pred_seg` with `true_seg` (0..1, of the same shape), a scalar."""
    return F.binary_cross_entropy_with_logits(pred_seg, true_seg)


def laplacian_loss(pred: Tensor, true: Tensor) -> Tensor:
    """L1 distance of the Laplacian pyramids of [N,C,H,W]: the mean of 2^level * L1 over 5 levels, a scalar.

    Raises ValueError if a side is below 64, because the coarsest level could not be blurred.

    >>> picture = torch.rand(1, 1, 64, 64)
    >>> laplacian_loss(picture, picture).item()
    0.0
    """
    height, width = pred.shape[-2:]
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(f"The Laplacian loss needs pictures of at least 64 x 64, not {width} x {height}.")
    # The pyramid is linear, so that of the difference is the difference of the pyramids.
    difference = pred - true
    levels = _laplacian_pyramid(difference.to(torch.promote_types(difference.dtype, torch.float32)))
    return torch.stack([2**i * level.abs().mean() for i, level in enumerate(levels)]).sum() / LEVELS


def _laplacian_pyramid(x: Tensor) -> list[Tensor]:
    levels = []
    for _ in range(LEVELS):
        x = x[..., : x.shape[-2] // 2 * 2, : x.shape[-1] // 2 * 2]
        smaller = _blur(x)[..., ::2, ::2]
        larger = torch.zeros_like(x)
        larger[..., ::2, ::2] = 4 * smaller
        levels.append(x - _blur(larger))
        x = smaller
    return levels


def _blur(x: Tensor) -> Tensor:
    """5x5 binomial filter, borders reflected; plain arithmetic, which autocast leaves in the precision of x."""
    height, width = x.shape[-2:]
    x = F.pad(x, (2, 2, 2, 2), mode="reflect")
    taps = list(enumerate((1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)))
    x = torch.stack([weight * x[..., i : i + height, :] for i, weight in taps]).sum(0)
    return torch.stack([weight * x[..., i : i + width] for i, weight in taps]).sum(0)


def _coherence(pred: Tensor, true: Tensor) -> Tensor:
    if pred.shape[1] < 2:
        return pred.new_zeros(())
    return 5 * F.mse_loss(pred.diff(dim=1), true.diff(dim=1))
