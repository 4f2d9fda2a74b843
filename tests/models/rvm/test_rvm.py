"""Robust Video Matting: the published numbers, and what must hold whatever the weights are."""

import json
from functools import cache
from pathlib import Path

import pytest
import reference
import torch
from torch import Tensor

import models
from models.rvm import DeepGuidedFilterRefiner, FastGuidedFilterRefiner, MattingNetwork

VARIANTS = ("mobilenetv3", "resnet50")


@cache
def built(options: str, gain: float, rules: str) -> MattingNetwork:
    model = reference.fill(models.create("rvm", **json.loads(options)), gain, json.loads(rules))
    assert isinstance(model, MattingNetwork)
    return model.requires_grad_(False)


def model_of(case: reference.Case) -> MattingNetwork:
    """The filled network of a case, shared between cases."""
    model = built(json.dumps(case.meta["model_kwargs"]), case.meta["gain"], json.dumps(case.meta["rules"]))
    assert reference.fill_checksum(model)[2] == case.meta["fill_checks"][0]["crc32_of_float32_le_bytes_sorted_keys"]
    return model


def least(case: reference.Case) -> float:
    """The fast guided filter divides by variances near its eps: float32 noise grows to 1e-4 in any implementation."""
    return 1e-3 if case.meta["model_kwargs"]["refiner"] == "fast_guided_filter" else 1e-6


def bundled(name: str) -> reference.Case:
    return reference.Case(reference.BUNDLED / f"{name}.npz")


@pytest.fixture
def model() -> MattingNetwork:
    return model_of(bundled("rvm_mnv3_dgf_r1_T1_64x96"))


@pytest.fixture
def clip() -> Tensor:
    """[2,4,3,49,67]: two clips that differ."""
    x = bundled("rvm_mnv3_segpass_T4_49x67").image("in_src_u8")
    return torch.cat([x, x.flip(1, 3)])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("refiner", "short"), [("deep_guided_filter", "dgf"), ("fast_guided_filter", "fgf")])
def test_state_dict_has_the_published_keys(variant: str, refiner: str, short: str) -> None:
    model = models.create("rvm", variant=variant, refiner=refiner)
    assert reference.keys_of(model) == reference.key_list(f"rvm_{variant}_{short}")


def test_the_default_is_the_published_network() -> None:
    assert reference.keys_of(models.create("rvm")) == reference.key_list("rvm_mobilenetv3")


@pytest.mark.parametrize("path", reference.cases("rvm_*_T[14]_*"))
def test_reference_case(path: Path) -> None:
    """A clip at once, and its frames one by one with the state handed on."""
    case = reference.Case(path)
    model, src = model_of(case), case.image("in_src_u8")
    segmentation = "segpass" in path.stem
    ratio = 0.375 if "r0375" in path.stem else 1
    output = model(src, downsample_ratio=ratio, segmentation_pass=segmentation)
    assert output._fields == (("seg",) if segmentation else ("fgr", "pha")) + ("r1", "r2", "r3", "r4")
    reference.assert_close(case, output._asdict(), "seq_", least(case))
    state: tuple[Tensor | None, ...] = (None,) * 4
    for t in range(src.shape[1]):
        output = model(src[:, t], *state, downsample_ratio=ratio, segmentation_pass=segmentation)
        state = output[-4:]
        if any(f"rec_t{t}_{name}" in case for name in output._fields):
            reference.assert_close(case, output._asdict(), f"rec_t{t}_", least(case))


@pytest.mark.parametrize("path", reference.cases("rvm_*_segpass_*"))
def test_logits_stay_small(path: Path) -> None:
    case = reference.Case(path)
    output = model_of(case)(case.image("in_src2_u8"), downsample_ratio=0.375, segmentation_pass=True)
    torch.testing.assert_close(output.seg, case["r0375_seg"], rtol=0, atol=2e-5)


@pytest.mark.parametrize("path", reference.cases("rvm_*_T1_*"))
def test_reference_case_in_float64(path: Path) -> None:
    case = reference.Case(path)
    model = model_of(case).double()
    try:
        output = model(case.image("in_src_u8").double(), downsample_ratio=0.375 if "r0375" in path.stem else 1)
    finally:
        model.float()
    torch.testing.assert_close(output.pha, case["seq64_pha"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("path", reference.cases("rvm_refiners_alone"))
@pytest.mark.parametrize(("which", "kind"), [(0, DeepGuidedFilterRefiner), (1, FastGuidedFilterRefiner)])
def test_refiner_alone(path: Path, which: int, kind: type[torch.nn.Module]) -> None:
    case = reference.Case(path)
    refiner = case.fill(kind().eval(), which).requires_grad_(False)
    short = ("dgf", "fgf")[which]
    inputs = [case[f"in_{name}"] for name in ("fine_src", "base_src", "base_fgr", "base_pha", "base_hid")]
    for name, value in zip(("fgr", "pha"), refiner(*inputs), strict=True):
        tolerance = 10 * case.meta["diff"][short][name]["max_abs_f32_minus_f64"]
        torch.testing.assert_close(value, case[f"{short}_{name}"], rtol=0, atol=tolerance)
    for name, value in zip(("fgr", "pha"), refiner.double()(*(x.double() for x in inputs)), strict=True):
        torch.testing.assert_close(value, case[f"{short}64_{name}"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("ratio", [1, 0.6])
def test_clip_equals_its_frames(model: MattingNetwork, clip: Tensor, ratio: float) -> None:
    whole = model(clip, downsample_ratio=ratio)
    state: tuple[Tensor | None, ...] = (None,) * 4
    for t in range(clip.shape[1]):
        frame = model(clip[:, t], *state, downsample_ratio=ratio)
        state = frame[-4:]
        torch.testing.assert_close(whole.fgr[:, t], frame.fgr, rtol=0, atol=5e-6)
        torch.testing.assert_close(whole.pha[:, t], frame.pha, rtol=0, atol=5e-6)
    for a, b in zip(whole[-4:], state, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=5e-6)


def test_batch_equals_single_clips(model: MattingNetwork, clip: Tensor) -> None:
    together = model(clip, downsample_ratio=0.5)
    for i in range(2):
        for a, b in zip(together, model(clip[i : i + 1], downsample_ratio=0.5), strict=True):
            torch.testing.assert_close(a[i : i + 1], b, rtol=0, atol=5e-6)


def test_replaying_gives_the_state_of_forward(model: MattingNetwork, clip: Tensor) -> None:
    small = model.shrink(clip, 0.6)
    expected = model(clip, downsample_ratio=0.6)[-4:]
    state = model.advance(small[:, :3])
    assert state._fields == ("r1", "r2", "r3", "r4")
    for a, b in zip(model.advance(small[:, 3], *state), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=5e-6)


def test_stages_make_up_forward(model: MattingNetwork, clip: Tensor) -> None:
    small = model.shrink(clip, 0.6)
    assert small.shape == (2, 4, 3, 29, 40)
    coarse = model.coarse(small)
    assert coarse.pha.shape == (2, 4, 1, 29, 40)
    fgr, pha = model.refine(clip, small, coarse)
    output = model(clip, downsample_ratio=0.6)
    torch.testing.assert_close(output.pha, pha.clamp(0, 1), rtol=0, atol=0)
    torch.testing.assert_close(output.fgr, (fgr + clip).clamp(0, 1), rtol=0, atol=0)
    for a, b in zip(output[-4:], coarse.states, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_at_full_ratio_nothing_is_refined(model: MattingNetwork, clip: Tensor) -> None:
    frame = clip[:1, 0]
    torch.testing.assert_close(model(frame).pha, model.coarse(frame).pha.clamp(0, 1), rtol=0, atol=0)


def test_a_state_matters_and_zeros_are_none(model: MattingNetwork, clip: Tensor) -> None:
    first = model(clip[:, 0])
    zeros = [torch.zeros_like(r) for r in first[-4:]]
    torch.testing.assert_close(model(clip[:, 0], *zeros).pha, first.pha, rtol=0, atol=0)
    assert (model(clip[:, 1], *first[-4:]).pha - model(clip[:, 1]).pha).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("size", "ratio"), [((1, 1), 1), ((31, 5), 1), ((31, 5), 0.37), ((17, 33), 0.37), ((64, 64), 0.5)]
)
def test_any_size(model: MattingNetwork, size: tuple[int, int], ratio: float) -> None:
    output = model(torch.rand(1, 3, *size), downsample_ratio=ratio)
    assert output.pha.shape == (1, 1, *size)
    assert output.fgr.shape == (1, 3, *size)
    small = [int(side * ratio) for side in size]
    assert output.r1.shape == (1, 16, *(-(-side // 2) for side in small))
    assert output.r4.shape == (1, 64, *(-(-side // 16) for side in small))
    assert all(x.isfinite().all() for x in output)


@pytest.mark.parametrize("refiner", ["deep_guided_filter", "fast_guided_filter"])
def test_autocast_and_memory_format(refiner: str, clip: Tensor) -> None:
    rules = json.dumps(bundled("rvm_mnv3_dgf_r1_T1_64x96").meta["rules"])
    model = built(json.dumps({"refiner": refiner}), 1.2, rules)
    exact = model(clip[:, 0], downsample_ratio=0.6)
    frame = clip[:, 0].to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(frame, downsample_ratio=0.6)
        output = model(frame, *output[-4:], downsample_ratio=0.6)
    assert all(x.isfinite().all() for x in output)
    with torch.autocast("cpu", torch.bfloat16):
        assert (model(frame, downsample_ratio=0.6).pha - exact.pha).abs().mean() < 0.02


def test_gradient_reaches_every_parameter(clip: Tensor) -> None:
    model = models.create("rvm").train()
    fgr, pha, *_ = model(clip[:, :2], downsample_ratio=0.7)
    seg = model(clip[:, :2], segmentation_pass=True)[0]
    (fgr.square().mean() + pha.square().mean() + seg.square().mean()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_wrong_arguments(model: MattingNetwork, clip: Tensor) -> None:
    with pytest.raises(ValueError, match=r"src must have the shape \[B,3,H,W\] or \[B,T,3,H,W\], not \[3, 49, 67\]"):
        model(clip[0, 0])
    with pytest.raises(ValueError, match=r"src must have the shape .* not \[2, 4, 49, 67\]"):
        model(torch.zeros(2, 4, 49, 67))
    for ratio in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"downsample_ratio is above 0 and at most 1, not {ratio}"):
            model(clip, downsample_ratio=ratio)
    with pytest.raises(ValueError, match=r"A picture of 67 x 49 vanishes at downsample_ratio 0\.01"):
        model(clip, downsample_ratio=0.01)
    state = model(clip[:, 0])[-4:]
    with pytest.raises(ValueError, match=r"A recurrent state of shape .* does not belong to this source"):
        model(clip[:, 1], *state, downsample_ratio=0.5)
