"""PEN-Net: the published numbers, attention at any size, and the literal formula it must agree with."""

from collections.abc import Callable
from pathlib import Path

import pytest
import reference
import torch
import torch.nn.functional as F
from torch import Tensor

import models
from models.pennet import AttentionTransfer, attention

ATTENTIONS: dict[str, Callable[[], AttentionTransfer]] = {
    "ks3_fuse": lambda: AttentionTransfer(16),
    "ks1_nofuse": lambda: AttentionTransfer(16, kernel_size=1, fuse=False),
    "ks3_nomask": lambda: AttentionTransfer(8, fuse=False),
    "ks3_allhole": lambda: AttentionTransfer(8, fuse=False),
}


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    case = reference.Case(reference.BUNDLED / "pennet_B2_64x64.npz")
    return case.fill(models.create("pennet")).requires_grad_(False)


@pytest.mark.parametrize("path", reference.cases("pennet_B*"))
def test_reference_case(path: Path, model: torch.nn.Module) -> None:
    case = reference.Case(path)
    seen = {}
    names = ("dw_conv06", "at_conv05", "at_conv04", "at_conv03", "at_conv02", "at_conv01", "up_conv05")
    hooks = [
        getattr(model, n).register_forward_hook(lambda module, args, result, n=n: seen.update({n: result}))
        for n in names
    ]
    image, mask = case.image("in_img_u8") * 2 - 1, case["in_mask"].float()
    pyramid, output = model(white_hole(image, mask), mask)
    for hook in hooks:
        hook.remove()
    results = {f"pyr{level}": picture for level, picture in enumerate(pyramid, 1)}
    reference.assert_close(case, {**results, "output": output, "composite": (1 - mask) * image + mask * output})
    for name, feature in seen.items():
        if f"mid_{name}_mean" in case:
            torch.testing.assert_close(feature.mean((2, 3)), case[f"mid_{name}_mean"], rtol=1e-4, atol=1e-5)
        if f"mid_{name}" in case:
            torch.testing.assert_close(feature, case[f"mid_{name}"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("path", reference.cases("pennet_atnconv"))
def test_reference_attention(path: Path) -> None:
    case = reference.Case(path)
    for which, (name, make) in enumerate(ATTENTIONS.items()):
        module = case.fill(make(), which)
        low, high = case[f"x1_{name}"], case[f"x2_{name}"]
        mask = None if name == "ks3_nomask" else case[f"mask_{name}"]
        reference.assert_close(case, {name: module(low, high, mask)}, least=1e-13)
        if f"out64_{name}" in case:
            result = module.double()(low.double(), high.double(), mask)
            torch.testing.assert_close(result, case[f"out64_{name}"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("path", reference.cases("pennet_discriminator*"))
def test_reference_discriminator(path: Path) -> None:
    case = reference.Case(path)
    judge = case.fill(models.create("pennet_discriminator"))
    error = case.meta["diff"]["o"]["max_abs_f32_minus_f64"]
    torch.testing.assert_close(judge(case.image("in_img_u8") * 2 - 1), case["out"], rtol=0, atol=10 * error)


@pytest.mark.parametrize("name", ["pennet", "pennet_discriminator"])
def test_published_keys(name: str) -> None:
    published = {"pennet": "pennet_generator"}.get(name, name)
    with torch.device("meta"):
        assert reference.keys_of(models.create(name)) == reference.key_list(published)
        assert reference.keys_of(AttentionTransfer(16)) == reference.key_list("pennet_atnconv_ks3_fuse")


def literal(low: Tensor, high: Tensor, known: Tensor, kernel_size: int) -> Tensor:
    """The fact sheet's formula for one picture, patch by patch: low [C,2h,2w], high [D,h,w], known [h,w]."""
    height, width = known.shape
    radius = kernel_size // 2
    padded, padded_low = F.pad(high, (radius,) * 4), F.pad(low, (1, 1, 1, 1))
    places = [(y, x) for y in range(height) for x in range(width)]
    scores = []
    for y, x in places:
        key = padded[:, y : y + kernel_size, x : x + kernel_size]
        key = key / key.norm().clamp_min(1e-4)
        scores.append(F.conv2d(high[None], key[None], padding=radius)[0, 0] * known[y, x])
    weights = (10 * torch.stack(scores)).softmax(0)
    result = torch.zeros_like(low)
    for (y, x), weight in zip(places, weights, strict=True):
        raw = padded_low[:, 2 * y : 2 * y + 4, 2 * x : 2 * x + 4]
        weight = (weight * known[y, x]).clamp_min(1e-8)
        result += F.conv_transpose2d(weight[None, None], raw[None], stride=2, padding=1)[0]
    return result / 4


def features(batch: int, height: int, width: int, channels: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    low = reference.hashed("low", batch, channels, 2 * height, 2 * width).double()
    high = (reference.hashed("high", batch, 2 * channels, height, width).double() - 0.5) * 0.6
    mask = torch.zeros(batch, 1, 4 * height, 4 * width)
    for item in range(batch):
        mask[item, :, height + 4 * item : 2 * height + 4 * item, width : 2 * width + 2 * item] = 1
    return low, high, mask


@pytest.mark.parametrize("limit", [1, 150, 2000, 1 << 20])
@pytest.mark.parametrize(("height", "width", "kernel_size"), [(5, 7, 3), (8, 6, 3), (6, 5, 1), (1, 3, 3)])
def test_attention_agrees_with_the_literal_formula(
    height: int, width: int, kernel_size: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the tiles; and the pictures of a batch, with holes of their own, do not meet."""
    monkeypatch.setitem(attention.TILE_WEIGHTS, "cpu", limit)
    monkeypatch.setattr(attention, "SMALLEST_TILE", 2)
    low, high, mask = features(3, height, width)
    known = attention.known_patches(mask, high, kernel_size)
    expected = torch.stack([literal(*item, kernel_size) for item in zip(low, high, known, strict=True)])
    with torch.no_grad():
        result = AttentionTransfer(4, kernel_size, fuse=False)(low, high, mask)
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-14)


def test_known_patches_touch_no_hole() -> None:
    mask = torch.zeros(1, 1, 7, 9)
    mask[..., 3, 4] = 1
    expected = torch.ones(1, 7, 9)
    expected[:, 2:5, 3:6] = 0
    assert torch.equal(attention.known_patches(mask, torch.zeros(1, 2, 7, 9), 3), expected)
    assert torch.equal(attention.known_patches(mask, torch.zeros(1, 2, 7, 9), 1), 1 - mask[:, 0])


def test_without_a_mask_everything_is_known() -> None:
    low, high, mask = features(2, 4, 5)
    module = AttentionTransfer(4, fuse=False)
    assert torch.equal(module(low, high), module(low, high, torch.zeros_like(mask)))


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_gradient_of_attention(kernel_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(attention.TILE_WEIGHTS, "cpu", 100)
    low, high, mask = features(2, 4, 5, channels=1)
    module = AttentionTransfer(1, kernel_size, fuse=False)
    inputs = (low.requires_grad_(), high.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: module(a, b, mask), inputs, fast_mode=True)


def test_attention_stays_in_full_precision() -> None:
    low, high, mask = (x.float() for x in features(1, 6, 6))
    module = AttentionTransfer(4, fuse=False)
    full = module(low, high, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(module(low, high, mask), full)
    assert torch.equal(
        module(low.half(), high.half(), mask.half()), module(low.half(), high.half().float(), mask).half()
    )


def test_attention_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No array of a tile holds more than a fixed multiple of the limit, at a size where all weights would be 34 GB."""
    sizes = []
    attend = attention.attend

    def measured(queries: Tensor, pixels: Tensor, scale: Tensor, known: Tensor, blocks: Tensor) -> Tensor:
        sizes.append(queries[0].numel() * pixels[0].numel())
        if len(sizes) < 3:
            return attend(queries, pixels, scale, known, blocks)
        return blocks.new_zeros(queries.shape[1] - 1, queries.shape[2] - 1, blocks.shape[1])

    monkeypatch.setattr(attention, "attend", measured)
    low, high = torch.rand(1, 2, 512, 720), torch.rand(1, 2, 256, 360)
    with torch.no_grad():
        AttentionTransfer(2, fuse=False)(low, high)
    assert len(sizes) == 64 * 90
    assert max(sizes) < 4 * attention.TILE_WEIGHTS["cpu"]


def test_pictures_of_a_batch_do_not_meet() -> None:
    model = reference.fill(models.create("pennet", width=8)).requires_grad_(False)
    image = reference.hashed("image", 3, 3, 64, 128) * 2 - 1
    mask = torch.zeros(3, 1, 64, 128)
    for item in range(3):
        mask[item, :, 10 * item : 10 * item + 20, 30:60] = 1
    x = white_hole(image, mask)
    together = model(x, mask)
    for item in range(3):
        alone = model(x[item : item + 1], mask[item : item + 1])
        torch.testing.assert_close(together.output[item : item + 1], alone.output, rtol=0, atol=1e-5)
        torch.testing.assert_close(together.pyramid[0][item : item + 1], alone.pyramid[0], rtol=0, atol=1e-5)


def test_half_precision_network_is_close() -> None:
    model = reference.fill(models.create("pennet", width=8)).requires_grad_(False)
    image, mask = reference.hashed("image", 1, 3, 64, 64) * 2 - 1, torch.zeros(1, 1, 64, 64)
    mask[..., 20:40, 10:50] = 1
    x = white_hole(image, mask)
    full = model(x, mask).output
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(model(x, mask).output.float(), full, rtol=0, atol=0.05)
    torch.testing.assert_close(model.half()(x.half(), mask.half()).output.float(), full, rtol=0, atol=0.01)


@pytest.mark.parametrize(
    ("shape", "mask", "message"),
    [
        ((1, 3, 64, 64), (1, 1, 64, 64), r"PEN-Net takes \[B,4,H,W\], .* and \[1, 1, 64, 64\]\."),
        ((1, 4, 64, 64), (1, 1, 32, 64), r"it got \[1, 4, 64, 64\] and \[1, 1, 32, 64\]\."),
        ((1, 4, 96, 64), (1, 1, 96, 64), "multiples of 64; it got 64x96."),
    ],
)
def test_wrong_input_is_refused(shape: tuple[int, ...], mask: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.create("pennet", width=8)(torch.zeros(shape), torch.zeros(mask))
    with pytest.raises(ValueError, match=r"twice the size of \[1, 2, 4, 4\]; it got \[1, 2, 9, 8\]"):
        AttentionTransfer(2, fuse=False)(torch.zeros(1, 2, 9, 8), torch.zeros(1, 2, 4, 4))


def white_hole(image: Tensor, mask: Tensor) -> Tensor:
    return torch.cat([image * (1 - mask) + mask, mask], dim=1)
