"""The edge-preserving smoothing that makes the structure stage's input and target."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def smooth(
    picture: Tensor, strength: float = 0.015, sigma: float = 3.0, sharpness: float = 0.001, iterations: int = 3
) -> Tensor:
    """Removes texture and keeps structure by relative total variation (Xu, Yan, Xia, Jia, ACM TOG 31(6), 2012).

    picture and result: [B,C,H,W] in 0..1.  `sigma` is the size of texture in pixels, `sharpness` the difference of
    neighbours below which there is no edge; the defaults are those StructureFlow was trained with.

    >>> grain = torch.rand(1, 1, 32, 32) * 0.1
    >>> bool(smooth(grain).std() < 0.5 * grain.std())
    True
    """
    target = picture.to(torch.promote_types(picture.dtype, torch.float32))
    result = target
    for _ in range(iterations):
        across, down = (strength * _weights(result.diff(dim=axis), sigma, sharpness) for axis in (-1, -2))
        result = _solve(across, down, target)
    return result.to(picture.dtype)


def _weights(difference: Tensor, sigma: float, sharpness: float) -> Tensor:
    """How little a difference of neighbours is part of a structure: u * w of section 3.2, over the channels' mean."""
    structure = _blur(difference, sigma).abs().mean(1, keepdim=True)
    texture = difference.abs().mean(1, keepdim=True)
    return _blur(1 / (structure + 1e-3), sigma) / (texture + sharpness)


def _blur(x: Tensor, sigma: float) -> Tensor:
    radius = int(2.5 * sigma)
    places = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-places.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    x = F.pad(x, (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(x, kernel, groups=x.shape[1]), kernel.mT, groups=x.shape[1])


def _solve(across: Tensor, down: Tensor, x: Tensor, rounds: int = 3) -> Tensor:
    """The weighted least-squares problem of each iteration, by rows and columns in turn (Min, Choi, Lu, Ham, Sohn, Do,
    "Fast Global Image Smoothing Based on Weighted Least Squares", IEEE TIP 23(12), 2014, section III-B)."""
    for index in range(1, rounds + 1):
        share = 1.5 * 4 ** (rounds - index) / (4**rounds - 1)
        x = _solve_rows(share * across, x)
        x = _solve_rows(share * down.mT, x.mT).mT
    return x


def _solve_rows(weights: Tensor, x: Tensor) -> Tensor:
    """Minimum over y of sum (y - x)^2 + weights * (difference of neighbours in y)^2 in every row, by cyclic reduction.

    weights: [B,1,H,W-1]; x: [B,C,H,W].  The equations couple a pixel with those `reach` to the left and right; every
    step doubles the reach, until nothing is left to couple with.
    """
    left, right = F.pad(weights, (1, 0)), F.pad(weights, (0, 1))
    sums = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)  # the last channel is what couples to nothing
    reach = 1
    while reach < x.shape[-1]:
        diagonal = sums[:, -1:] + left + right
        from_left = left / _shift(diagonal, reach, 1)
        from_right = right / _shift(diagonal, -reach, 1)
        sums = sums + from_left * _shift(sums, reach) + from_right * _shift(sums, -reach)
        left, right = from_left * _shift(left, reach), from_right * _shift(right, -reach)
        reach *= 2
    return sums[:, :-1] / sums[:, -1:]


def _shift(x: Tensor, places: int, fill: float = 0) -> Tensor:
    """Moved to the right (left if negative) along the last axis."""
    return F.pad(x, (places, -places), value=fill)
