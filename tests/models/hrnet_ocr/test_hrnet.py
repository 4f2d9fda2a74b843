"""HRNet and its heads: the published numbers, and what must hold whatever the weights are."""

import json
from functools import cache, lru_cache
from pathlib import Path

import pytest
import reference
import torch
from torch import Tensor, nn

import models
from models.carafe import CarafePack
from models.hrnet_ocr import (
    HighResolutionModule,
    HRNetOCR,
    ObjectAttention,
    SpatialGather,
    SpatialOCR,
    normalize,
)
from models.hrnet_ocr.upsampling import Bilinear, Carafe

KEY_LISTS = {
    "hrnet_w18_ocr": {"width": 18},
    "hrnet_w18_ocr_19": {"width": 18, "classes": 19},
    "hrnet_w18_small_v2_ocr_19": {"width": 18, "body": "small_v2"},
    "hrnet_w48_ocr": {},
    "hrnet_w48_ocr_cityscapes19": {"width": 48, "classes": 19, "upsampler": "bilinear"},
    "hrnet_w48_ocr_lip20": {"width": 48, "classes": 20},
}
HEADS = ("hrnet_ocr", "hrnet_v1", "hrnet_v2", "hrnet_v2p")
SMALL = {"width": 4, "body": "small_v2"}
SMALL_OCR = SMALL | {"classes": 3, "ocr_channels": 16, "key_channels": 8}


def without_weights(name: str, **options: object) -> nn.Module:
    with torch.device("meta"):
        return models.create(name, **options)


@cache
def small(name: str, upsampler: str = "bilinear") -> nn.Module:
    options = SMALL_OCR if name == "hrnet_ocr" else SMALL
    return reference.fill(models.create(name, upsampler=upsampler, **options), 0.7).requires_grad_(False)


@lru_cache(maxsize=1)
def built(options: str, gain: float, rules: str) -> HRNetOCR:
    kwargs = json.loads(options)
    body = "small_v2" if "mods" in kwargs else "full"
    model = models.create("hrnet_ocr", width=kwargs["width"], classes=kwargs["classes"], body=body)
    assert isinstance(reference.fill(model, gain, json.loads(rules)), HRNetOCR)
    return model.requires_grad_(False)


def model_of(case: reference.Case) -> HRNetOCR:
    """The filled network of a case, shared between neighbouring cases."""
    model = built(json.dumps(case.meta["model_kwargs"]), case.meta["gain"], json.dumps(case.meta["rules"]))
    assert reference.fill_checksum(model)[2] == case.meta["fill_checks"][0]["crc32_of_float32_le_bytes_sorted_keys"]
    return model


@pytest.mark.parametrize("name", KEY_LISTS)
def test_state_dict_has_the_published_keys(name: str) -> None:
    assert reference.keys_of(without_weights("hrnet_ocr", **KEY_LISTS[name])) == reference.key_list(name)


@pytest.mark.parametrize("path", reference.cases("hrnet_w*"))
def test_reference_case(path: Path) -> None:
    case = reference.Case(path)
    model, x = model_of(case), normalize(case.image("in_img_u8"))
    means: dict[str, Tensor] = {}
    hooks = [
        model.get_submodule(name).register_forward_hook(
            lambda *call, name=name: means.update({name: call[2].mean((2, 3))})
        )
        for name in ("layer1", "conv3x3_ocr", "ocr_distri_head.object_context_block", "ocr_distri_head")
    ]
    output = model(x)
    for hook in hooks:
        hook.remove()
    assert output._fields == ("aux", "out")
    for name, stored in (("aux", "out_aux"), ("out", "out_final")):
        tolerance = 10 * case.meta["diff"][name]["max_abs_f32_minus_f64"]
        torch.testing.assert_close(getattr(output, name), case[stored], rtol=0, atol=tolerance)
    assert output.out.argmax(1).equal(case["argmax_final"].long())
    for name, mean in means.items():
        if f"mean_{name}" in case:
            torch.testing.assert_close(mean, case[f"mean_{name}"], rtol=1e-5, atol=1e-5)
    if "out64_final" in case:
        exact = model.double()(x.double()).out
        model.float()
        torch.testing.assert_close(exact, case["out64_final"], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("path", reference.cases("hrnet_modules"))
def test_reference_modules(path: Path) -> None:
    case = reference.Case(path)
    diff, features = case.meta["diff"], case["in_feats"]

    def check(result: Tensor, stored: str, *where: str) -> None:
        tolerance = 10 * diff[where[0]][where[1]]["max_abs_f32_minus_f64"]
        torch.testing.assert_close(result, case[stored], rtol=0, atol=tolerance)

    with torch.no_grad():
        check(SpatialGather()(features, case["in_probs"]), "gather_out", "gather", "o")
        exact = SpatialGather()(features.double(), case["in_probs"].double())
        torch.testing.assert_close(exact, case["gather_out64"], rtol=1e-12, atol=1e-12)
        objects = case["gather_out"]
        ocr = case.fill(SpatialOCR(24, 16, 24).eval(), 0)
        check(ocr(features, objects), "ocr_out", "ocr", "o")
        check(ocr.get_submodule("object_context_block")(features, objects), "object_attention_out", "ocr", "c")
        attention = case.fill(ObjectAttention(24, 16, scale=2).eval(), 1)
        check(attention(features, objects), "object_attention_scale2_out", "scale2", "o")
        module = case.fill(HighResolutionModule((8, 16, 32), 2).eval(), 2)
        for i, result in enumerate(module([case[f"hm_in{i}"] for i in range(3)])):
            check(result, f"hm_out{i}", "hrmodule", f"b{i}")
        exact = ocr.double()(features.double(), objects.double())
        torch.testing.assert_close(exact, case["ocr_out64"], rtol=1e-12, atol=1e-12)


def test_module_keys() -> None:
    module = HighResolutionModule((8, 16, 32), 2)
    assert reference.keys_of(module) == reference.key_list("hrnet_module_3branch_8_16_32")
    assert reference.keys_of(SpatialOCR(24, 16, 24)) == reference.key_list("hrnet_spatial_ocr_24_16_24")


@pytest.mark.parametrize(("options", "last"), [({"width": 18}, 2), ({"width": 18, "body": "small_v2"}, 1)])
def test_the_body_keeps_its_keys_under_every_head(options: dict[str, object], last: int) -> None:
    """v2 is known from published weights: its classifier is the auxiliary one of OCR under another name."""
    name = "hrnet_w18_ocr" if last == 2 else "hrnet_w18_small_v2_ocr_19"
    published = reference.key_list(name)
    head = ("conv3x3_ocr", "ocr_distri_head", "cls_head", "aux_head")
    body = [entry for entry in published if not entry[0].startswith(head)]
    classifier = [(k.replace("aux_head", "last_layer"), s, d) for k, s, d in published if k.startswith("aux_head")]
    assert reference.keys_of(without_weights("hrnet_v2", **options)) == body + classifier

    unused = tuple(f"stage4.{last}.fuse_layers.{i}." for i in (1, 2, 3))
    v1 = reference.keys_of(without_weights("hrnet_v1", **options))
    assert [entry for entry in v1 if not entry[0].startswith("last_layer")] == [
        entry for entry in body if not entry[0].startswith(unused)
    ]
    assert [(k, s) for k, s, _ in v1 if k.endswith("weight")][-3:] == [
        ("last_layer.0.weight", (18, 18, 1, 1)),
        ("last_layer.1.weight", (18,)),
        ("last_layer.3.weight", (19, 18, 1, 1)),
    ]

    v2p = reference.keys_of(without_weights("hrnet_v2p", **options))
    assert v2p[: len(body)] == body
    assert v2p[len(body) :] == [
        ("reduction_conv.weight", (256, 270, 1, 1), "float32"),
        ("reduction_conv.bias", (256,), "float32"),
        *(
            entry
            for i in range(4)
            for entry in (
                (f"fpn_convs.{i}.weight", (256, 256, 3, 3), "float32"),
                (f"fpn_convs.{i}.bias", (256,), "float32"),
            )
        ),
    ]


@pytest.mark.parametrize("width", [1, 7, 32])
def test_any_width(width: int) -> None:
    model = without_weights("hrnet_ocr", width=width, body="small_v2")
    assert model.get_parameter("conv3x3_ocr.0.weight").shape[1] == 15 * width


SIZES = [(64, 96), (65, 97), (33, 18), (31, 31), (5, 3), (1, 1)]


@pytest.mark.parametrize("upsampler", ["bilinear", "carafe"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size(size: tuple[int, int], upsampler: str) -> None:
    """Down to a single pixel, far below the coarsest branch's stride of 32."""

    def halved(times: int) -> tuple[int, ...]:
        return tuple(-(-side // 2**times) for side in size)

    x = normalize(reference.hashed("picture", 1, 3, *size))
    ocr = small("hrnet_ocr", upsampler)(x)
    assert ocr.aux.shape == ocr.out.shape == (1, 3, *halved(2))
    assert small("hrnet_v1", upsampler)(x).shape == (1, 19, *halved(2))
    assert small("hrnet_v2", upsampler)(x).shape == (1, 19, *halved(2))
    pyramid = small("hrnet_v2p", upsampler)(x)
    assert pyramid._fields == ("p2", "p3", "p4", "p5")
    assert [level.shape for level in pyramid] == [(1, 256, *halved(times)) for times in (2, 3, 4, 5)]
    assert all(level.isfinite().all() for level in (*ocr, *pyramid))


@pytest.mark.parametrize("upsampler", ["bilinear", "carafe"])
@pytest.mark.parametrize("name", HEADS)
def test_batch_items_do_not_mix(name: str, upsampler: str) -> None:
    model, x = small(name, upsampler), normalize(reference.hashed("picture", 2, 3, 45, 70))
    whole = model(x)
    for i in range(2):
        single = model(x[i : i + 1])
        for one, other in zip(single if isinstance(whole, tuple) else [single], whole, strict=False):
            one, other = (one, other[i : i + 1]) if isinstance(whole, tuple) else (one, whole[i : i + 1])
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_v1_sees_the_finest_branch_alone() -> None:
    model = small("hrnet_v1")
    x = normalize(reference.hashed("picture", 1, 3, 64, 64))
    assert len(model.features(x)) == 1
    assert [branch.shape[1] for branch in small("hrnet_v2").features(x)] == [4, 8, 16, 32]


def test_carafe_stands_wherever_a_branch_is_magnified() -> None:
    model = without_weights("hrnet_ocr", width=18, body="small_v2", upsampler="carafe")
    packs = {name: module for name, module in model.named_modules() if isinstance(module, CarafePack)}
    joins = [name for name in packs if name.startswith("upsamplers.")]
    assert joins == ["upsamplers.0.0", "upsamplers.1.0", "upsamplers.1.1", *(f"upsamplers.2.{i}" for i in range(3))]
    assert len(packs) - len(joins) == 1 + 3 * (1 + 2 + 1) + 2 * (1 + 2 + 3 + 1 + 2 + 1)
    assert not any(isinstance(module, Bilinear) for module in model.modules())
    published = {key for key, _, _ in reference.key_list("hrnet_w18_small_v2_ocr_19")}
    ours = {key for key, _, _ in reference.keys_of(model)}
    assert published < ours
    assert all("channel_compressor" in key or "content_encoder" in key for key in ours - published)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_details_join_at_the_pictures_own_size(size: tuple[int, int]) -> None:
    """At any size, and what is a pixel wide comes through where the body sees cells of four pixels."""
    options = {**SMALL, "classes": 3, "magnify": 4, "detail_channels": 2, "detail_blocks": 1}
    torch.manual_seed(0)
    model = models.create("hrnet_ocr", **options).eval()
    said = model(normalize(reference.hashed("picture", 1, 3, *size)))
    assert said.out.shape == (1, 3, *size)
    assert said.aux.shape == (1, 3, *(-(-side // 4) for side in size))


def test_a_detail_moves_with_its_pixel() -> None:
    torch.manual_seed(0)
    model = models.create("hrnet_ocr", **{**SMALL, "classes": 3, "magnify": 4, "detail_channels": 2}).eval()
    model.magnifier = torch.nn.Upsample(scale_factor=4)
    assert isinstance(model.fine_head[0], torch.nn.Conv2d)
    model.fine_head[0].weight.data[:, :-2] = 0  # the details alone
    flat = model(torch.zeros(1, 3, 33, 34)).out
    for row, column in ((16, 16), (17, 18), (18, 19)):
        x = torch.zeros(1, 3, 33, 34)
        x[..., row, column] = 3
        changed = (model(x).out - flat).abs().sum((0, 1)) > 1e-6
        rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
        assert changed.any()
        assert row - 2 <= rows.min() <= rows.max() <= row + 2
        assert column - 2 <= columns.min() <= columns.max() <= column + 2


def test_blocks_at_the_pictures_own_size_look_further() -> None:
    """Each two pixels further than the details alone, which see two."""
    torch.manual_seed(0)
    options = {**SMALL, "classes": 3, "magnify": 4, "detail_channels": 2}
    for blocks in (1, 2):
        model = models.create("hrnet_ocr", **options, detail_blocks=blocks).eval()
        model.magnifier = torch.nn.Upsample(scale_factor=4)
        assert isinstance(model.fine_head[0], torch.nn.Conv2d)
        model.fine_head[0].weight.data[:, :-2] = 0
        x = torch.zeros(1, 3, 33, 34)
        x[..., 16, 17] = 3
        changed = (model(x).out - model(torch.zeros(1, 3, 33, 34)).out).abs().sum((0, 1)) > 0
        reach = 2 + 2 * blocks
        rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
        assert (rows.min(), rows.max()) == (16 - reach, 16 + reach)
        assert (columns.min(), columns.max()) == (17 - reach, 17 + reach)


def test_upsamplers_keep_what_is_flat() -> None:
    torch.manual_seed(0)
    x = torch.full((1, 5, 7, 9), 0.25)
    for up in (Bilinear(), Carafe(5, 2)):
        result = up(x, (26, 33))
        assert result.shape == (1, 5, 26, 33)
        torch.testing.assert_close(result[..., 12:16, 12:20], torch.full((1, 5, 4, 8), 0.25))


def test_normalize() -> None:
    x = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1).expand(2, 3, 4, 5)
    assert normalize(x).abs().max() < 1e-6
    assert normalize(torch.ones(3, 1, 1, dtype=torch.float64)).flatten().tolist() == pytest.approx(
        [2.2489, 2.4286, 2.64], abs=1e-4
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hrnet_ocr", {"body": "huge"}, "There is no body 'huge'; the bodies are full, small_v2, tiny."),
        ("hrnet_v2", {"upsampler": "cubic"}, "There is no upsampler 'cubic'; the upsamplers are bilinear, carafe."),
        ("hrnet_ocr", {"width": 0}, "width is at least 1, not 0."),
        (
            "hrnet_ocr",
            {"detail_channels": 8, "magnify": 2},
            "With detail_channels magnify equals stem_stride, 4, not 2.",
        ),
        ("hrnet_ocr", {"detail_blocks": 2}, "detail_blocks need detail_channels; without them it is 0, not 2."),
        ("hrnet_ocr", {"window": -512}, "window is 0 or more, not -512."),
        ("hrnet_ocr", {"scales": []}, "scales are one to 6 numbers from 0.25 to 2, not "),
        ("hrnet_ocr", {"scales": [1, 9]}, "scales are one to 6 numbers from 0.25 to 2, not "),
        ("hrnet_v1", {"classes": 0, **SMALL}, "classes is at least 1, not 0."),
    ],
)
def test_what_does_not_exist_is_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.create(name, **options)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 4, 8, 8), (1, 3, 0, 8), (0, 3, 8, 8)])
def test_what_is_no_picture_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"pictures \[N,3,H,W\], at least one and not empty, not "):
        small("hrnet_v1")(torch.zeros(shape))
