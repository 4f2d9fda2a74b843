"""Training losses (arXiv:2012.07810, section 4.3).

Pictures are [B,C,H,W] in 0..1.  A loss comes as a dictionary of scalars whose "total" is the plain sum of the others.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def base_loss(
    pred_pha: Tensor, pred_fgr: Tensor, pred_err: Tensor, true_pha: Tensor, true_fgr: Tensor
) -> dict[str, Tensor]:
    """Loss of the coarse network: "pha", "pha_sobel", "fgr", "err" and "total".

    pha and err have 1 channel, fgr 3, all of one size.  The foreground counts where true_pha is not 0; the error is
    compared with |pred_pha - true_pha|, through which no gradient flows into pred_pha.
    """
    losses = _matte_loss(pred_pha, pred_fgr, true_pha, true_fgr)
    losses["err"] = F.mse_loss(pred_err, (pred_pha.detach() - true_pha).abs())
    return _with_total(losses)


def refine_loss(
    pred_pha: Tensor,
    pred_fgr: Tensor,
    pred_pha_sm: Tensor,
    pred_fgr_sm: Tensor,
    pred_err_sm: Tensor,
    true_pha: Tensor,
    true_fgr: Tensor,
) -> dict[str, Tensor]:
    """Loss of the whole network: "pha", "pha_sobel", "fgr" at full and (with "_sm") coarse size, "err_sm" and "total".

    The first five are the outputs of `MattingRefine` in its order; the targets have full size.  The error is compared
    at full size with |pha_sm - true_pha|, through which gradient does flow, as in the published training.
    """
    size, size_sm = true_pha.shape[-2:], pred_pha_sm.shape[-2:]
    losses = _matte_loss(pred_pha, pred_fgr, true_pha, true_fgr)
    coarse = _matte_loss(pred_pha_sm, pred_fgr_sm, _resize(true_pha, size_sm), _resize(true_fgr, size_sm))
    losses |= {f"{name}_sm": value for name, value in coarse.items()}
    losses["err_sm"] = F.mse_loss(_resize(pred_err_sm, size), (_resize(pred_pha_sm, size) - true_pha).abs())
    return _with_total(losses)


def sobel(x: Tensor) -> Tensor:
    """Gradient magnitude sqrt(gx^2 + gy^2 + 1e-6) of each channel: 3x3 Sobel kernels / 8, borders replicated.

    >>> ramp = torch.arange(5.0).expand(1, 1, 3, 5)
    >>> sobel(ramp)[0, 0, 1].tolist()
    [0.5..., 1.0..., 1.0..., 1.0..., 0.5...]
    """
    x = F.pad(x.to(torch.promote_types(x.dtype, torch.float32)), (1, 1, 1, 1), mode="replicate")
    across, down = x[..., 2:] - x[..., :-2], x[..., 2:, :] - x[..., :-2, :]
    gx = (across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]) / 8
    gy = (down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]) / 8
    return (gx.square() + gy.square() + 1e-6).sqrt()


def _matte_loss(pred_pha: Tensor, pred_fgr: Tensor, true_pha: Tensor, true_fgr: Tensor) -> dict[str, Tensor]:
    visible = true_pha != 0
    return {
        "pha": F.l1_loss(pred_pha, true_pha),
        "pha_sobel": F.l1_loss(sobel(pred_pha), sobel(true_pha)),
        "fgr": F.l1_loss(pred_fgr * visible, true_fgr * visible),
    }


def _with_total(losses: dict[str, Tensor]) -> dict[str, Tensor]:
    return losses | {"total": torch.stack(list(losses.values())).sum()}


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=False)
