"""CARAFE: the published numbers, the definition, gradients, and what it may cost."""

import time
from collections.abc import Callable
from itertools import accumulate, product
from pathlib import Path

import pytest
import reference
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

import models
from models import reassembly
from models.carafe import CarafePack, carafe

Operator = Callable[[Tensor, Tensor, int, int, int], Tensor]


def literal(x: Tensor, masks: Tensor, k: int, groups: int, s: int) -> Tensor:
    """The definition, output pixel by output pixel."""
    n, channels, height, width = x.shape
    r = k // 2
    padded = F.pad(x, (r, r, r, r)).unflatten(1, (groups, -1))
    kernels = masks.unflatten(1, (groups, 1, k, k))
    result = x.new_empty(n, groups, channels // groups, height * s, width * s)
    for y, x_ in product(range(height * s), range(width * s)):
        around = padded[..., y // s : y // s + k, x_ // s : x_ // s + k]
        result[..., y, x_] = (around * kernels[..., y, x_]).sum((-1, -2))
    return result.flatten(1, 2)


def unfolded(x: Tensor, masks: Tensor, k: int, groups: int, s: int) -> Tensor:
    """Stock operators: all neighbourhoods, then one sum of products."""
    n, channels, h, w = x.shape
    around = F.unfold(x, k, padding=k // 2).view(n, groups, channels // groups, k * k, h, w)
    kernels = masks.view(n, groups, k * k, h, s, w, s)
    return torch.einsum("ngcthw,ngthiwj->ngchiwj", around, kernels).reshape(n, channels, h * s, w * s)


def multiplied(x: Tensor, masks: Tensor, k: int, groups: int, s: int) -> Tensor:
    """Stock operators: pixel-major neighbourhoods, then a small matrix product for each source pixel."""
    n, channels, h, w = x.shape
    pixels = F.pad(x, [k // 2] * 4).permute(0, 2, 3, 1).contiguous().unflatten(3, (groups, -1))
    around = pixels.unfold(1, k, 1).unfold(2, k, 1).permute(0, 1, 2, 3, 5, 6, 4).reshape(-1, k * k, channels // groups)
    kernels = masks.view(n, groups, k * k, h, s, w, s).permute(0, 3, 5, 1, 4, 6, 2).reshape(-1, s * s, k * k)
    result = (kernels @ around).view(n, h, w, groups, s, s, channels // groups)
    return result.permute(0, 3, 6, 1, 4, 2, 5).reshape(n, channels, h * s, w * s)


def tapped(x: Tensor, masks: Tensor, k: int, groups: int, s: int) -> Tensor:
    """Stock operators: k x k shifted products of the magnified picture."""
    n, channels, h, w = x.shape
    around = F.pad(F.interpolate(x, scale_factor=s, mode="nearest"), [k // 2 * s] * 4).unflatten(1, (groups, -1))
    kernels = masks.unflatten(1, (groups, 1, k * k))
    result = x.new_zeros(n, groups, channels // groups, h * s, w * s)
    for tap, (dy, dx) in enumerate(product(range(k), repeat=2)):
        result.addcmul_(around[..., dy * s : (dy + h) * s, dx * s : (dx + w) * s], kernels[:, :, :, tap])
    return result.flatten(1, 2)


def shuffled(x: Tensor, masks: Tensor, k: int, groups: int, s: int) -> Tensor:
    """Stock operators: k x k shifted products for each of the s x s phases, then a pixel shuffle."""
    n, channels, h, w = x.shape
    around = F.pad(x, [k // 2] * 4).unflatten(1, (groups, channels // groups, 1))
    kernels = F.pixel_unshuffle(masks, s).unflatten(1, (groups, k * k, 1, s * s))
    result = x.new_zeros(n, groups, channels // groups, s * s, h, w)
    for tap, (dy, dx) in enumerate(product(range(k), repeat=2)):
        result.addcmul_(around[..., dy : dy + h, dx : dx + w], kernels[:, :, tap])
    return F.pixel_shuffle(result.flatten(1, 3), s)


def inputs(n: int, channels: int, h: int, w: int, k: int, groups: int, s: int) -> tuple[Tensor, Tensor]:
    x = reference.hashed("features", n, channels, h, w) - 0.5
    masks = reference.hashed("masks", n, groups, k * k, h * s, w * s).softmax(2)
    return x, masks.flatten(1, 2)


@pytest.fixture(params=["by pixels", "by taps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of computing, whatever the number of channels."""
    monkeypatch.setattr(reassembly, "_FEW_CHANNELS", 0 if request.param == "by pixels" else 1_000_000)
    return request.param


@pytest.mark.parametrize("path", reference.cases("carafe_op"))
@pytest.mark.parametrize("which", ["k5_s2_g1", "k5_s2_g4", "k3_s2_g1", "k5_s3_g1", "k3_s2_g2"])
def test_reference_case(path: Path, which: str, way: str) -> None:
    case = reference.Case(path)
    k, s, groups = (int(part[1:]) for part in which.split("_"))
    x, masks = case[f"x_{which}"], case[f"mask_{which}"]
    torch.testing.assert_close(carafe(x, masks, k, groups, s), case[f"out_{which}"], rtol=0, atol=5e-7)
    if f"out64_{which}" in case:
        exact = carafe(x.double(), masks.double(), k, groups, s)
        torch.testing.assert_close(exact, case[f"out64_{which}"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("path", reference.cases("carafe_pack_*"))
def test_reference_pack(path: Path) -> None:
    case = reference.Case(path)
    pack = case.fill(models.create("carafe_pack", **case.meta["model_kwargs"])).requires_grad_(False)
    assert isinstance(pack, CarafePack)
    x = case["in_x"]
    for name, result in (("out", pack(x)), ("mask", pack.kernels(x))):
        if name in case:
            tolerance = 10 * case.meta["diff"][name]["max_abs_f32_minus_f64"]
            torch.testing.assert_close(result, case[name], rtol=0, atol=tolerance)
    if "out64" in case:
        torch.testing.assert_close(pack.double()(x.double()), case["out64"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("carafe_pack", {"channels": 256, "scale_factor": 2}),
        ("carafe_pack_c256_s2_default", {"channels": 256, "scale_factor": 2}),
        ("carafe_pack_c16_s2", {"channels": 16, "scale_factor": 2}),
        ("carafe_pack_c16_s2_k5_g4", {"channels": 16, "scale_factor": 2, "up_kernel": 5, "up_group": 4}),
        ("carafe_pack_c16_s2_g4_k5", {"channels": 16, "scale_factor": 2, "up_group": 4, "compressed_channels": 24}),
        (
            "carafe_pack_c12_s3_k3_e5",
            {"channels": 12, "scale_factor": 3, "up_kernel": 3, "encoder_kernel": 5, "compressed_channels": 16},
        ),
    ],
)
def test_state_dict_has_the_published_keys(name: str, options: dict[str, int]) -> None:
    assert reference.keys_of(models.create("carafe_pack", **options)) == reference.key_list(name)


SIZES = [
    (2, 24, 7, 9, 5, 1, 2),
    (1, 12, 1, 1, 5, 2, 2),
    (1, 130, 3, 20, 3, 1, 3),
    (2, 36, 6, 5, 1, 2, 2),
    (1, 20, 9, 4, 7, 1, 1),
    (1, 8, 12, 9, 9, 8, 4),
]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equals_the_definition(size: tuple[int, ...], way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any odd kernel, groups, scale; pictures smaller than the kernel; strips of one row and of all rows."""
    x, masks = inputs(*size)
    expected = literal(x.double(), masks.double(), *size[4:])
    whole = carafe(x, masks, *size[4:])
    torch.testing.assert_close(whole.double(), expected, rtol=0, atol=5e-7)
    monkeypatch.setattr(reassembly, "_LEAST_BYTES", 0)
    monkeypatch.setattr(reassembly, "_SHARE", 0)
    assert carafe(x, masks, *size[4:]).equal(whole)


@pytest.mark.parametrize("size", [(1, 4, 3, 2, 3, 2, 2), (2, 3, 2, 3, 5, 1, 1), (1, 2, 1, 2, 1, 1, 3)], ids=str)
def test_gradients(size: tuple[int, ...], way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reassembly, "_LEAST_BYTES", 0)  # several strips
    x, masks = (t.double().requires_grad_() for t in inputs(*size))
    assert torch.autograd.gradcheck(lambda *t: carafe(*t, *size[4:]), (x, masks))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gradients_equal_those_of_stock_operators(size: tuple[int, ...]) -> None:
    x, masks = (t.double().requires_grad_() for t in inputs(*size))
    output = carafe(x, masks, *size[4:])
    direction = torch.linspace(-1, 1, output.numel(), dtype=torch.float64).sin().view_as(output)
    found = torch.autograd.grad(output, (x, masks), direction)
    expected = torch.autograd.grad(unfolded(x, masks, *size[4:]), (x, masks), direction)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-13)


def test_only_the_gradient_asked_for() -> None:
    x, masks = inputs(1, 20, 4, 4, 3, 1, 2)
    carafe(x, masks.requires_grad_(), 3, 1, 2).sum().backward()
    assert x.grad is None
    assert masks.grad is not None


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 2e-3), (torch.bfloat16, 1.5e-2)])
def test_half_precision(dtype: torch.dtype, tolerance: float, way: str) -> None:
    """Features in half, masks as softmax leaves them under autocast."""
    x, masks = inputs(1, 24, 8, 9, 5, 1, 2)
    found = carafe(x.to(dtype), masks, 5, 1, 2)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), literal(x, masks, 5, 1, 2), rtol=0, atol=tolerance * x.abs().max().item())


def test_memory_format_follows_the_features(way: str) -> None:
    x, masks = inputs(2, 24, 5, 6, 3, 1, 2)
    plain = carafe(x, masks, 3, 1, 2)
    last = carafe(x.contiguous(memory_format=torch.channels_last), masks, 3, 1, 2)
    assert plain.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert last.equal(plain)


def test_kernels_are_used_as_they_are() -> None:
    """Not normalised, and not made up for at the border."""
    ones = carafe(torch.ones(1, 1, 3, 3), torch.ones(1, 9, 6, 6), 3, 1, 2)
    assert ones[0, 0, ::2, ::2].tolist() == [[4, 6, 4], [6, 9, 6], [4, 6, 4]]


def test_batch_items_do_not_mix() -> None:
    x, masks = inputs(3, 20, 6, 5, 5, 2, 2)
    whole = carafe(x, masks, 5, 2, 2)
    for i in range(3):
        assert carafe(x[i : i + 1], masks[i : i + 1], 5, 2, 2).equal(whole[i : i + 1])


def test_a_new_pack_averages() -> None:
    torch.manual_seed(0)
    pack = CarafePack(8, 2, up_kernel=3)
    x = torch.ones(1, 8, 6, 6)
    torch.testing.assert_close(pack.kernels(x).sum(1), torch.ones(1, 12, 12))
    assert (pack.kernels(x) - 1 / 9).abs().max() < 0.02


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_size": 4}, "The kernel size is odd, not 4."),
        ({"scale_factor": 0}, "The scale factor is at least 1, not 0."),
        ({"group_size": 3}, "8 channels do not make 3 groups."),
        ({"kernel_size": 3}, r"need masks \[1, 9, 4, 4\], not \[1, 25, 4, 4\]."),
        ({"features": torch.zeros(8, 2, 2)}, r"features \[N,C,h,w\], none of them 0, not \[8, 2, 2\]."),
        ({"features": torch.zeros(1, 8, 0, 2)}, r"none of them 0, not \[1, 8, 0, 2\]."),
    ],
)
def test_what_does_not_fit_is_named(changes: dict, message: str) -> None:
    arguments = {
        "features": torch.zeros(1, 8, 2, 2),
        "masks": torch.zeros(1, 25, 4, 4),
        "kernel_size": 5,
        "group_size": 1,
        "scale_factor": 2,
    }
    with pytest.raises(ValueError, match=message):
        carafe(**(arguments | changes))


def test_encoder_kernel_is_odd() -> None:
    with pytest.raises(ValueError, match=r"encoder_kernel is odd, not 2\."):
        CarafePack(8, 2, encoder_kernel=2)


BENCH = [(1, 256, 32, 32, 5, 1, 2), (1, 64, 64, 64, 5, 1, 2), (1, 64, 64, 64, 3, 4, 2), (1, 18, 64, 64, 5, 1, 2)]


def peak(function: Callable[[], object]) -> int:
    """Bytes allocated at most during a call, what it returns included."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        kept = function()
    events = record.profiler.kineto_results.events()
    steps = [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns()) if e.name() == "[memory]"]
    assert kept is not None
    assert steps
    return max(accumulate(steps))


@pytest.mark.parametrize("size", [*BENCH, (1, 64, 64, 64, 5, 1, 1), (2, 32, 32, 32, 7, 1, 2)], ids=str)
def test_memory_is_bounded(size: tuple[int, ...]) -> None:
    """All memory within 1.5 times input + masks + output, and backward likewise with the gradients."""
    x, masks = inputs(*size)
    held = 4 * (x.numel() + masks.numel())
    with torch.no_grad():
        output = carafe(x, masks, *size[4:])
        everything = held + 4 * output.numel()
        assert held + peak(lambda: carafe(x, masks, *size[4:])) <= 1.5 * everything
    output = carafe(x.requires_grad_(), masks.requires_grad_(), *size[4:])
    backward = peak(lambda: torch.autograd.grad(output, (x, masks), output.detach()))
    assert everything + backward <= 1.5 * (everything + held)


def seconds(operator: Operator, size: tuple[int, ...], repeats: int) -> float:
    x, masks = inputs(*size)
    best = float("inf")
    for _ in range(repeats):
        start = time.thread_time()
        operator(x, masks, *size[4:])
        best = min(best, time.thread_time() - start)
    return best


@pytest.mark.parametrize("size", BENCH, ids=str)
def test_no_slower_than_stock_operators(size: tuple[int, ...]) -> None:
    """Processor time of one thread, the best of several; a quarter is allowed for noise."""
    stock = min(seconds(operator, size, 4) for operator in (unfolded, multiplied, tapped, shuffled))
    assert seconds(carafe, size, 8) <= 1.25 * stock


def test_much_faster_than_the_definition() -> None:
    size = (1, 64, 32, 32, 5, 1, 2)
    assert seconds(literal, size, 1) >= 20 * seconds(carafe, size, 5)
