"""What colour a subject has around a pixel: mean and covariance, gathered from where it is solid.

A symmetric 3x3 matrix is six rows: rr, gg, bb, rg, rb, gb.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Statistics are kept for cells of STEP x STEP pixels.
STEP = 4
ROWS, COLUMNS = [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]
# A blur wider than this many cells is done on a smaller picture.
WIDEST = 3.0


@dataclass(frozen=True)
class SubjectColour:
    """At `N` pixels: `mean` `[3,N]`, `covariance` `[6,N]`, and `known` `[1,N]`, 0 where no solid subject is near."""

    mean: Tensor
    covariance: Tensor
    known: Tensor


class ColourField:
    """The subject's colour over a picture; `weights` are (weight, distance in pixels) from near to far."""

    def __init__(self, colour: Tensor, solid: Tensor, distances: tuple[tuple[float, float], ...]) -> None:
        """`colour` `[1,3,h,w]` and `solid` `[1,1,h,w]` 0..1: how much the colour counts, both of cells."""
        moments = torch.cat([colour, colour[:, ROWS] * colour[:, COLUMNS], torch.ones_like(solid)], dim=1) * solid
        total = torch.zeros_like(moments)
        for weight, distance in distances:
            total += weight * blur(moments, distance / STEP)
        self.moments = total

    def at(self, rows: Tensor, columns: Tensor) -> SubjectColour:
        """The colours at the pixels of these rows and columns, `[N]` each."""
        moments = sample_cells(self.moments, rows, columns)
        amount = moments[9:]
        moments = moments[:9] / amount.clamp_min(1e-8)
        mean = moments[:3]
        return SubjectColour(mean, moments[3:] - mean[ROWS] * mean[COLUMNS], amount / (amount + 1e-6))


def to_cells(image: Tensor, step: int = STEP) -> Tensor:
    """Means of cells of `step` x `step` pixels; what a cell has beyond the picture repeats the border."""
    height, width = image.shape[-2:]
    if height % step or width % step:
        image = F.pad(image, (0, -width % step, 0, -height % step), mode="replicate")
    return F.avg_pool2d(image, step)


def sample_cells(cells: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Values `[C,N]` of cells `[1,C,h,w]` at pixels, linear in between."""
    height, width = (STEP * side for side in cells.shape[-2:])
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1).to(cells.dtype)
    return F.grid_sample(cells, grid[None, None], mode="bilinear", padding_mode="border", align_corners=False)[0, :, 0]


def blur(image: Tensor, sigma: float) -> Tensor:
    """A Gaussian of `sigma` pixels over `[1,C,H,W]`; borders replicated."""
    shrink = 2 ** max(0, math.ceil(math.log2(max(sigma / WIDEST, 1.0))))
    if shrink > 1:
        height, width = image.shape[-2:]
        small = F.pad(image, (0, -width % shrink, 0, -height % shrink), mode="replicate")
        small = blur(F.avg_pool2d(small, shrink), sigma / shrink)
        whole = small.shape[-2] * shrink, small.shape[-1] * shrink
        return F.interpolate(small, whole, mode="bilinear", align_corners=False)[..., :height, :width]
    reach = max(1, math.ceil(3 * sigma))
    kernel = [math.exp(-(at**2) / (2 * max(sigma, 1e-3) ** 2)) for at in range(-reach, reach + 1)]
    kernel = [value / sum(kernel) for value in kernel]
    wide = F.pad(image, (reach, reach, reach, reach), mode="replicate")
    return _taps(_taps(wide, kernel, -1), kernel, -2)


def _taps(image: Tensor, kernel: list[float], dim: int) -> Tensor:
    """A correlation by shifted sums: on a processor many times as fast as a grouped convolution."""
    size = image.shape[dim] - len(kernel) + 1
    total = image.narrow(dim, 0, size) * kernel[0]
    for at, weight in enumerate(kernel[1:], 1):
        total.add_(image.narrow(dim, at, size), alpha=weight)
    return total


def product(matrix: Tensor, vector: Tensor) -> Tensor:
    """Symmetric matrices `[6,N]` times vectors `[3,N]`."""
    r, g, b = vector
    return torch.stack(
        [
            matrix[0] * r + matrix[3] * g + matrix[4] * b,
            matrix[3] * r + matrix[1] * g + matrix[5] * b,
            matrix[4] * r + matrix[5] * g + matrix[2] * b,
        ]
    )


def inverse(matrix: Tensor) -> Tensor:
    """Inverses of symmetric positive matrices `[6,N]`, by cofactors."""
    rr, gg, bb, rg, rb, gb = matrix
    first, second, third = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    determinant = rr * first + rg * second + rb * third
    rest = [rr * bb - rb * rb, rr * gg - rg * rg, second, third, rg * rb - rr * gb]
    return torch.stack([first, *rest]) / determinant.clamp_min(1e-12)
