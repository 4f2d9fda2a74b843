"""`resample2d`: the published numbers, the literal formula, and its gradient."""

import itertools
import math
from pathlib import Path

import pytest
import reference
import torch
from torch import Tensor

from models.structureflow import resample, resample2d


@pytest.mark.parametrize("path", reference.cases("structureflow_resample2d"))
def test_reference_case(path: Path) -> None:
    case = reference.Case(path)
    names = [key.removeprefix("kds_") for key in case.arrays if key.startswith("kds_")]
    assert len(names) == 6
    for name in names:
        size, dilation, sigma = case[f"kds_{name}"].tolist()
        image, flow, wanted = case[f"x_{name}"], case[f"flow_{name}"], case[f"out64_{name}"]
        result = resample2d(image, flow, int(size), sigma, int(dilation))
        torch.testing.assert_close(result, case[f"out_{name}"], rtol=0, atol=4e-6)
        result = resample2d(image.double(), flow.double(), int(size), sigma, int(dilation))
        # The published sigma is a float32 plane, which shows where it is not a round number.
        torch.testing.assert_close(result, wanted, rtol=0, atol=1e-8 if name == "k4_smallsigma" else 1e-12)


def literal(image: Tensor, flow: Tensor, kernel_size: int, sigma: float, dilation: int = 1) -> Tensor:
    """The fact sheet's formula, pixel by pixel and tap by tap: image [C,h,w], flow [2,H,W]."""
    height, width = image.shape[1:]
    pixels = image.movedim(0, -1)
    gauss = lambda t: math.exp(-t * t / (2 * sigma * sigma or 1e-8))  # noqa: E731
    result = []
    for y in range(flow.shape[1]):
        for x in range(flow.shape[2]):
            xf, yf = x + flow[0, y, x].item(), y + flow[1, y, x].item()
            left, top = math.floor(xf), math.floor(yf)
            a, b = xf - left, yf - top
            total, weights = torch.zeros_like(pixels[0, 0]), 0.0
            for fy, fx in itertools.product(range(0, kernel_size // 2 * dilation, dilation), repeat=2):
                rows_near = ((top - fy, fy + b), (top + fy + dilation, fy + dilation - b))
                columns_near = ((left - fx, fx + a), (left + fx + dilation, fx + dilation - a))
                for (row, v), (column, u) in itertools.product(rows_near, columns_near):
                    weight = gauss(v) * gauss(u)
                    pixel = pixels[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
                    total, weights = total + weight * pixel, weights + weight
            result.append(total / (weights or 1e-8))
    return torch.stack(result).view(flow.shape[1], flow.shape[2], -1).movedim(-1, 0)


def example(batch: int = 2, channels: int = 3) -> tuple[Tensor, Tensor]:
    image = reference.hashed("image", batch, channels, 6, 8).double()
    return image, (reference.hashed("flow", batch, 2, 5, 7).double() - 0.5) * 20


@pytest.mark.parametrize("limit", [1, 200, 1 << 19])
@pytest.mark.parametrize(
    ("kernel_size", "sigma", "dilation"),
    [(2, 5.0, 1), (4, 2.0, 1), (5, 1.0, 1), (6, 0.7, 2), (4, 0.0, 1), (16, 4.0, 1)],
)
def test_agrees_with_the_literal_formula(
    kernel_size: int, sigma: float, dilation: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every chunking, for flows far out of the picture too; pictures of a batch do not meet."""
    monkeypatch.setitem(resample.CHUNK_VALUES, "cpu", limit)
    image, flow = example()
    flow[0, :, 0, 0] = torch.tensor([1e4, -1e4])
    flow[1, :, 1, 1] = 0
    expected = torch.stack([literal(i, f, kernel_size, sigma, dilation) for i, f in zip(image, flow, strict=True)])
    torch.testing.assert_close(resample2d(image, flow, kernel_size, sigma, dilation), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("kernel_size", "sigma", "dilation"), [(4, 2.0, 1), (2, 5.0, 1), (6, 0.7, 2), (16, 4.0, 1)])
@pytest.mark.parametrize("wanted", [(True, True), (True, False), (False, True)])
def test_gradient_is_that_of_the_formula(
    kernel_size: int, sigma: float, dilation: int, wanted: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also left of and above the picture, where published code differs, having rounded towards 0."""
    monkeypatch.setitem(resample.CHUNK_VALUES, "cpu", 2000)
    image, flow = example(channels=2)
    flow = flow.floor() + 0.1 + 0.8 * reference.hashed("part", *flow.shape)  # away from the steps
    places = flow[:, 0] + torch.arange(7)
    assert (places < 0).any()
    assert (places > 8).any()
    image.requires_grad_(wanted[0])
    flow.requires_grad_(wanted[1])
    call = lambda i, f: resample2d(i, f, kernel_size, sigma, dilation)  # noqa: E731
    assert torch.autograd.gradcheck(call, (image, flow), fast_mode=kernel_size == 16)


def test_whole_pixels_and_narrow_windows_copy() -> None:
    image = reference.hashed("image", 1, 2, 6, 8)
    flow = torch.zeros(1, 2, 6, 8)
    assert torch.equal(resample2d(image, flow, 4, 0.01), image)
    flow[:, 0], flow[:, 1] = 2, -1
    shifted = image[:, :, [0, 0, 1, 2, 3, 4]][..., [2, 3, 4, 5, 6, 7, 7, 7]]
    assert torch.equal(resample2d(image, flow, 4, 0.01), shifted)


def test_unusable_flow_stays_where_it_is() -> None:
    image, flow = (x.float() for x in example())
    flow[0, 0, 2, 3], flow[0, 1, 4, 4], flow[1, 1, 0, 0] = float("nan"), float("inf"), -float("inf")
    result = resample2d(image, flow, 4, 2.0)
    spoilt = torch.zeros(2, 5, 7, dtype=torch.bool)
    spoilt[0, 2, 3] = spoilt[0, 4, 4] = spoilt[1, 0, 0] = True
    assert torch.equal(result.isnan().all(1), spoilt)
    assert torch.equal(result.isnan().any(1), spoilt)


def test_stays_in_full_precision() -> None:
    image, flow = (x.float() for x in example())
    full = resample2d(image, flow, 4, 2.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(resample2d(image, flow, 4, 2.0), full)
    half = resample2d(image.half(), flow, 4, 2.0)
    assert half.dtype == torch.float16
    assert torch.equal(half, resample2d(image.half().float(), flow, 4, 2.0).half())


def test_wrong_input_is_refused() -> None:
    image, flow = example()
    with pytest.raises(ValueError, match=r"at least 2x2 pixels; it got kernel_size 1\."):
        resample2d(image, flow, 1, 2.0)
    with pytest.raises(ValueError, match=r"flow of \[2, 3, 6, 8\] must be \[2,2,H,W\]; it is \[1, 2, 5, 7\]\."):
        resample2d(image, flow[:1], 4, 2.0)
