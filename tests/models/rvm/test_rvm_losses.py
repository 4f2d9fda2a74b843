"""Losses of Robust Video Matting."""

from pathlib import Path

import pytest
import reference
import torch
from torch import Tensor

from models.rvm.losses import laplacian_loss, matting_loss, segmentation_loss

NAMES = ["pha_l1", "pha_laplacian", "pha_coherence", "fgr_l1", "fgr_coherence", "total"]


def inputs(batch: int, frames: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """pred_fgr, pred_pha, true_fgr, true_pha."""

    def clip(name: str, channels: int) -> Tensor:
        return reference.hashed(name, batch, frames, channels, height, width)

    true_pha = (clip("l_tp", 1) * 1.6 - 0.3).clamp(0, 1)
    tensors = [t.to(dtype) for t in (clip("l_pf", 3), clip("l_pp", 1), clip("l_tf", 3), true_pha)]
    return [t.requires_grad_(i < 2) for i, t in enumerate(tensors)]


@pytest.mark.parametrize("path", reference.cases("rvm_losses*"))
@pytest.mark.parametrize(
    ("dtype", "stored", "rel"), [(torch.float32, "loss32", 4e-6), (torch.float64, "loss64", 1e-12)]
)
def test_reference_case(path: Path, dtype: torch.dtype, stored: str, rel: float) -> None:
    case = reference.Case(path)
    shape = case.meta["shape_BTHW"]
    expected = dict(zip(case.arrays["loss_names"].tolist(), case.arrays[stored].tolist(), strict=True))
    batch, frames, height, width = shape
    pred_fgr, pred_pha, true_fgr, true_pha = inputs(*shape, dtype=dtype)
    losses = matting_loss(pred_fgr, pred_pha, true_fgr, true_pha)
    assert list(losses) == NAMES
    assert {k: v.item() for k, v in losses.items()} == pytest.approx({k: expected[k] for k in NAMES}, rel=rel)
    pred_seg = (reference.hashed("l_ps", batch, frames, 1, height, width) - 0.5) * 6
    true_seg = reference.hashed("l_ts", batch, frames, 1, height, width) > 0.5
    assert segmentation_loss(pred_seg.to(dtype), true_seg.to(dtype)).item() == pytest.approx(
        expected["segmentation"], rel=rel
    )

    losses["total"].backward()
    assert pred_fgr.grad is not None
    assert pred_pha.grad is not None
    torch.testing.assert_close(pred_fgr.grad[0, 0].float(), case["grad_pred_fgr_00"], rtol=1e-4, atol=1e-8)
    if "grad_pred_pha" in case:
        torch.testing.assert_close(pred_pha.grad.float(), case["grad_pred_pha"], rtol=1e-4, atol=1e-8)


def test_total_is_the_sum() -> None:
    losses = matting_loss(*inputs(1, 2, 64, 64))
    torch.testing.assert_close(losses.pop("total"), torch.stack(list(losses.values())).sum())


def test_a_single_frame_has_no_coherence() -> None:
    losses = matting_loss(*inputs(1, 1, 64, 70))
    assert losses["pha_coherence"] == 0
    assert losses["fgr_coherence"] == 0
    assert losses["total"].isfinite()


def test_foreground_counts_only_where_there_is_some() -> None:
    pred_fgr, pred_pha, true_fgr, true_pha = inputs(1, 2, 64, 64)
    losses = matting_loss(pred_fgr, pred_pha, true_fgr, torch.zeros_like(true_pha))
    assert losses["fgr_l1"] == 0
    assert losses["fgr_coherence"] == 0


def test_half_precision_predictions_are_compared_in_float32() -> None:
    x = inputs(1, 2, 64, 64)
    exact = matting_loss(*x)
    with torch.autocast("cpu", torch.bfloat16):
        losses = matting_loss(x[0].half(), x[1].half(), x[2], x[3])
    assert losses["total"].dtype == torch.float32
    assert {k: v.item() for k, v in losses.items()} == pytest.approx({k: v.item() for k, v in exact.items()}, rel=1e-3)


@pytest.mark.parametrize("size", [(63, 80), (80, 63)])
def test_too_small_for_five_levels(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"needs pictures of at least 64 x 64, not {size[1]} x {size[0]}"):
        matting_loss(*inputs(1, 1, *size))
    with pytest.raises(ValueError, match="at least 64 x 64"):
        laplacian_loss(torch.zeros(1, 1, *size), torch.zeros(1, 1, *size))


def test_wrong_shapes() -> None:
    pred_fgr, pred_pha, true_fgr, true_pha = inputs(1, 2, 64, 64)
    with pytest.raises(
        ValueError, match=r"pred_fgr and true_fgr must both have the shape \[B,T,3,H,W\], not \[1, 2, 1, 64"
    ):
        matting_loss(pred_pha, pred_fgr, true_fgr, true_pha)
    with pytest.raises(ValueError, match=r"pred_pha and true_pha must both have the shape \[B,T,1,H,W\]"):
        matting_loss(pred_fgr, pred_pha[:, :1], true_fgr, true_pha)
