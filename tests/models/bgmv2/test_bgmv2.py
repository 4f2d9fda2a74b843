"""Background Matting V2: the published numbers, and what must hold whatever the weights are."""

import json
from functools import cache
from pathlib import Path

import pytest
import reference
import torch
from torch import Tensor

import models
from models.bgmv2 import CoarseMatte, MattingBase, MattingRefine, load_deeplab, refiner

MODES = ("sampling", "thresholding", "full")
SETTINGS = ("backbone_scale", "refine_mode", "refine_sample_pixels", "refine_threshold")


@cache
def built(network: str, structure: str, fill: str) -> torch.nn.Module:
    return reference.fill(models.create(network, **json.loads(structure)), rules=json.loads(fill)).requires_grad_(False)


def model_of(case: reference.Case) -> torch.nn.Module:
    """The filled network of a case; networks are shared between cases, their settings are plain attributes."""
    options = {"refine_mode": "sampling", "refine_sample_pixels": 80_000, "refine_threshold": 0.1}
    options |= case.meta["model_kwargs"]
    structure = {
        k: v for k, v in options.items() if k not in (*SETTINGS, *(["refine_kernel_size"] if is_base(case) else []))
    }
    model = built("bgmv2_base" if is_base(case) else "bgmv2", json.dumps(structure), json.dumps(case.meta["rules"]))
    stored = case.meta["fill_checks"][0]["crc32_of_float32_le_bytes_sorted_keys"]
    assert reference.fill_checksum(model)[2] == stored
    for name in () if is_base(case) else SETTINGS:
        setattr(model, name, options[name])
    return model


def is_base(case: reference.Case) -> bool:
    return bool(case.meta["net"] == "bgmv2.MattingBase")


def bundled(name: str) -> reference.Case:
    return reference.Case(reference.BUNDLED / f"{name}.npz")


@pytest.fixture(params=[3, 1], ids=["kernel3", "kernel1"])
def model(request: pytest.FixtureRequest) -> MattingRefine:
    name = {3: "bgmv2_mnv2_sampling_k3_s025_100x148", 1: "bgmv2_mnv2_thresholding_k1_s025_100x148"}[request.param]
    model = model_of(bundled(name))
    assert isinstance(model, MattingRefine)
    assert model.refiner.kernel_size == request.param
    model.strip_rows = None
    model.refine_sample_pixels, model.refine_threshold, model.backbone_scale = 2000, 0.3, 0.25
    return model


def pair(batch: int = 1, height: int = 52, width: int = 76) -> tuple[Tensor, Tensor]:
    """Pictures with some structure, different for each batch item."""
    case = bundled("bgmv2_mnv2_sampling_k3_s025_100x148")
    src, bgr = case.image("in_src_u8"), case.image("in_bgr_u8")
    cut = [(slice(None), slice(None), slice(9 * i, 9 * i + height), slice(7 * i, 7 * i + width)) for i in range(batch)]
    return torch.cat([src[c] for c in cut]), torch.cat([bgr[c] for c in cut])


@pytest.mark.parametrize("backbone", ["mobilenetv2", "resnet50", "resnet101"])
def test_state_dict_has_the_published_keys(backbone: str) -> None:
    base = models.create("bgmv2_base", backbone=backbone)
    assert reference.keys_of(base) == reference.key_list(f"bgmv2_mattingbase_{backbone}")
    del base
    assert reference.keys_of(models.create("bgmv2", backbone=backbone)) == reference.key_list(f"bgmv2_{backbone}")


def test_state_dict_has_the_published_keys_with_kernel_1() -> None:
    model = models.create("bgmv2", refine_kernel_size=1)
    assert reference.keys_of(model) == reference.key_list("bgmv2_mobilenetv2_kernel1")


@pytest.mark.parametrize("path", reference.cases("bgmv2_[bmr]*"))
def test_reference_case(path: Path) -> None:
    case = reference.Case(path)
    output = model_of(case)(case.image("in_src_u8"), case.image("in_bgr_u8"))
    assert list(output._fields) == case.meta["outputs"]
    reference.assert_close(case, output._asdict())


def test_reference_case_in_float64() -> None:
    case = bundled("bgmv2_mnv2_sampling_k3_s025_100x148")
    model = model_of(case).double()
    try:
        output = model(case.image("in_src_u8").double(), case.image("in_bgr_u8").double())
    finally:
        model.float()
    stored = {name.removeprefix("out64_"): case[name] for name in case.arrays if name.startswith("out64_")}
    assert stored
    for name, value in stored.items():
        torch.testing.assert_close(getattr(output, name), value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_batch_equals_single_pictures(model: MattingRefine, mode: str) -> None:
    model.refine_mode = mode
    src, bgr = pair(3)
    together = model(src, bgr)
    for i in range(3):
        alone = model(src[i : i + 1], bgr[i : i + 1])
        for name, value in alone._asdict().items():
            torch.testing.assert_close(getattr(together, name)[i : i + 1], value, rtol=0, atol=3e-6, msg=name)
    if mode != "full":
        assert 0.05 < together.ref_sm.mean() < 0.95


def test_refining_every_cell_is_the_full_mode(model: MattingRefine, monkeypatch: pytest.MonkeyPatch) -> None:
    src, bgr = pair(2)
    model.refine_mode, model.refine_threshold = "thresholding", -1
    monkeypatch.setattr(refiner, "_CELLS_AT_ONCE", 100)
    patches = model(src, bgr)
    model.refine_mode = "full"
    for a, b in zip(patches, model(src, bgr), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=3e-6)


@pytest.mark.parametrize("rows", [4, 20, 400])
def test_strips_are_the_full_mode(model: MattingRefine, rows: int) -> None:
    src, bgr = pair(2)
    model.refine_mode = "full"
    whole = model(src, bgr)
    model.strip_rows = rows
    for a, b in zip(model(src, bgr), whole, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=3e-6)


def test_strips_must_be_whole_cells(model: MattingRefine) -> None:
    model.refine_mode, model.strip_rows = "full", 10
    with pytest.raises(ValueError, match="strip_rows is a positive multiple of 4, not 10"):
        model(*pair())


def test_sampling_more_pixels_than_there_are(model: MattingRefine) -> None:
    src, bgr = pair()
    model.refine_mode, model.refine_sample_pixels = "sampling", 80_000
    everything = model(src, bgr)
    model.refine_mode, model.refine_threshold = "thresholding", 0
    for a, b in zip(everything, model(src, bgr), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_sampling_takes_the_largest_errors_of_each_picture(model: MattingRefine) -> None:
    model.refine_mode = "sampling"
    output = model(*pair(2))
    for err, ref in zip(output.err_sm, output.ref_sm, strict=True):
        assert ref.sum() == 2000 // 16
        assert err[ref == 1].min() >= err[ref == 0].max()


def test_cells_without_error_are_never_sampled() -> None:
    err = torch.zeros(1, 1, 4, 5)
    err[..., 2, 3] = 0.2
    assert refiner.Refiner.select(err, "sampling", 320, 0.1).nonzero().tolist() == [[0, 0, 2, 3]]


@pytest.mark.parametrize("mode", ["thresholding", "sampling"])
def test_nothing_selected_is_the_coarse_matte_enlarged(model: MattingRefine, mode: str) -> None:
    model.refine_mode, model.refine_threshold, model.refine_sample_pixels = mode, 1, 0
    src, bgr = pair()
    output = model(src, bgr)
    assert not output.ref_sm.any()
    enlarged = torch.nn.functional.interpolate(output.pha_sm, src.shape[-2:], mode="bilinear", align_corners=False)
    torch.testing.assert_close(output.pha, enlarged)


def test_stages_make_up_forward(model: MattingRefine) -> None:
    model.refine_mode = "sampling"
    src, bgr = pair(2)
    coarse = model.coarse(model.shrink(src), model.shrink(bgr))
    assert isinstance(coarse, CoarseMatte)
    pha, fgr, ref = model.refine(src, bgr, coarse)
    output = model(src, bgr)
    torch.testing.assert_close(output.pha, pha.clamp(0, 1), rtol=0, atol=0)
    torch.testing.assert_close(output.fgr, (fgr + src).clamp(0, 1), rtol=0, atol=0)
    torch.testing.assert_close(output.ref_sm, ref, rtol=0, atol=0)
    torch.testing.assert_close(output.err_sm, coarse.err, rtol=0, atol=0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [0.35, 0.5, 0.13])
def test_any_scale(model: MattingRefine, mode: str, scale: float) -> None:
    model.backbone_scale, model.refine_mode = scale, mode
    src, bgr = pair(height=44, width=68)
    output = model(src, bgr)
    assert output.pha.shape == (1, 1, 44, 68)
    assert output.fgr.shape == src.shape
    assert output.pha_sm.shape == (1, 1, int(44 * scale), int(68 * scale))
    assert output.ref_sm.shape == (1, 1, 11, 17)
    assert all(x.isfinite().all() and x.min() >= 0 and x.max() <= 1 for x in output)


def test_base_takes_any_size() -> None:
    src, bgr = pair(height=33, width=47)
    output = models.create("bgmv2_base")(src, bgr)
    assert [tuple(x.shape) for x in output] == [(1, 1, 33, 47), (1, 3, 33, 47), (1, 1, 33, 47), (1, 32, 33, 47)]
    assert output._fields == ("pha", "fgr", "err", "hid")


@pytest.mark.parametrize("mode", MODES)
def test_autocast_and_memory_format(model: MattingRefine, mode: str) -> None:
    model.refine_mode, model.refine_threshold = mode, 0.0
    src, bgr = pair(2)
    exact = model(src, bgr)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(src.to(memory_format=torch.channels_last), bgr.to(memory_format=torch.channels_last))
    assert (output.pha - exact.pha).abs().mean() < 0.02
    assert all(x.isfinite().all() for x in output)


@pytest.mark.parametrize("mode", MODES)
def test_gradient_reaches_every_parameter(mode: str) -> None:
    model = models.create("bgmv2", refine_mode=mode, refine_sample_pixels=800, refine_threshold=-1).train()
    output = model(*pair(2))
    sum(x.square().mean() for x in output[:5]).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("src", "bgr", "message"),
    [
        ((1, 3, 50, 64), (1, 3, 50, 64), "Width and height must be divisible by 4, not 64 x 50"),
        ((1, 3, 48, 64), (1, 3, 48, 68), r"src and bgr must have one shape, not \[1, 3, 48, 64\] and \[1, 3, 48, 68\]"),
        ((1, 4, 48, 64), (1, 4, 48, 64), r"src must have the shape \[B,3,H,W\], not \[1, 4, 48, 64\]"),
        ((1, 3, 48, 64), (3, 48, 64), r"bgr must have the shape \[B,3,H,W\], not \[3, 48, 64\]"),
    ],
)
def test_wrong_pictures(model: MattingRefine, src: tuple[int, ...], bgr: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(src), torch.zeros(bgr))


def test_wrong_settings_are_noticed_at_the_call(model: MattingRefine) -> None:
    model.backbone_scale = 0.6
    with pytest.raises(ValueError, match=r"backbone_scale is above 0 and at most 0\.5, not 0\.6"):
        model(*pair())
    model.backbone_scale = 0.01
    with pytest.raises(ValueError, match=r"A picture of 76 x 52 vanishes at backbone_scale 0\.01"):
        model(*pair())


def test_deeplab_weights_load_where_shapes_match() -> None:
    model = models.create("bgmv2_base", backbone="resnet50")
    assert isinstance(model, MattingBase)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    weights = {
        "backbone.conv1.weight": torch.ones(64, 3, 7, 7),
        "backbone.bn1.weight": torch.full((64,), 7.0),
        "classifier.classifier.0.convs.0.0.weight": torch.ones(256, 2048, 1, 1),
        "classifier.classifier.1.weight": torch.ones(256, 256, 3, 3),
    }
    assert load_deeplab(model, weights) == ["backbone.bn1.weight", "aspp.convs.0.0.weight"]
    after = model.state_dict()
    assert (after["backbone.bn1.weight"] == 7).all()
    changed = [k for k in before if not torch.equal(before[k], after[k])]
    assert changed == ["backbone.bn1.weight", "aspp.convs.0.0.weight"]
