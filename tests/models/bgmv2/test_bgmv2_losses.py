"""Losses of Background Matting V2."""

from collections.abc import Callable
from pathlib import Path

import pytest
import reference
import torch
from torch import Tensor

from models.bgmv2.losses import base_loss, refine_loss, sobel


def inputs(dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    full, coarse = (40, 56), (10, 14)
    tensors = {
        "pred_pha": reference.hashed("bl_pp", 2, 1, *full),
        "pred_fgr": reference.hashed("bl_pf", 2, 3, *full),
        "pred_err": reference.hashed("bl_pe", 2, 1, *full),
        "true_pha": (reference.hashed("bl_tp", 2, 1, *full) * 1.6 - 0.3).clamp(0, 1),
        "true_fgr": reference.hashed("bl_tf", 2, 3, *full),
        "pred_pha_sm": reference.hashed("bl_pps", 2, 1, *coarse),
        "pred_fgr_sm": reference.hashed("bl_pfs", 2, 3, *coarse),
        "pred_err_sm": reference.hashed("bl_pes", 2, 1, *coarse),
    }
    return {name: tensor.to(dtype).requires_grad_(name.startswith("pred")) for name, tensor in tensors.items()}


def base(x: dict[str, Tensor]) -> dict[str, Tensor]:
    return base_loss(*(x[k] for k in ("pred_pha", "pred_fgr", "pred_err", "true_pha", "true_fgr")))


def refine(x: dict[str, Tensor]) -> dict[str, Tensor]:
    names = ("pred_pha", "pred_fgr", "pred_pha_sm", "pred_fgr_sm", "pred_err_sm", "true_pha", "true_fgr")
    return refine_loss(*(x[k] for k in names))


@pytest.mark.parametrize("path", reference.cases("bgmv2_losses"))
def test_reference_case(path: Path) -> None:
    case = reference.Case(path)
    single, double = inputs(), inputs(torch.float64)
    torch.testing.assert_close(single["true_pha"], case["true_pha"], rtol=0, atol=0)
    torch.testing.assert_close(sobel(single["true_pha"]), case["sobel_true_pha"], rtol=0, atol=1e-6)
    for name, loss in (("base", base), ("refine", refine)):
        assert loss(single)["total"].item() == pytest.approx(float(case.arrays[f"{name}_loss32"]), rel=4e-6)
        assert loss(double)["total"].item() == pytest.approx(float(case.arrays[f"{name}_loss64"]), rel=1e-12)


@pytest.mark.parametrize("loss", [base, refine])
def test_total_is_the_sum(loss: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    losses = loss(inputs())
    torch.testing.assert_close(losses.pop("total"), torch.stack(list(losses.values())).sum())


def test_the_error_target_carries_gradient_only_when_refining() -> None:
    x = inputs()
    base(x)["err"].backward()
    assert x["pred_pha"].grad is None
    refine(x)["err_sm"].backward()
    assert x["pred_pha_sm"].grad is not None
    assert x["pred_pha_sm"].grad.any()


def test_foreground_counts_only_where_there_is_some() -> None:
    x = inputs()
    x["true_pha"] = torch.zeros_like(x["true_pha"])
    assert base(x)["fgr"] == 0


def test_perfect_prediction_costs_nothing() -> None:
    x = inputs()
    pha, fgr = x["true_pha"], x["true_fgr"]
    assert base_loss(pha, fgr, torch.zeros_like(pha), pha, fgr)["total"] == 0
