"""Alpha of fur, hair and blur from the compositing equation, where the plate behind it is known.

A network that sees the whole picture rounds off soft outlines. Next to them, source = alpha * F + (1 - alpha) * B with
the plate B and the colour F of the solid subject nearby has one unknown left (Smith and Blinn, "Blue Screen Matting",
SIGGRAPH 1996, section 3, for any known background).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Lengths are pixels of a picture 1920 wide, and grow with it.
HD = 1920
GRAIN = 1.0
INSIDE = 10.0
# From near to far; each counts where the ones before have nothing to say.
NEARBY = ((1.0, 12.0), (1e-2, 24.0), (1e-4, 48.0))
SOFTNESS = 8.0
SOFT_FROM, SOFT_TO = 0.06, 0.2
# Distance of colours, display-encoded, at which half of the solution is believed, and off the line at which 1 / e is.
CONTRAST, OFF_LINE = 0.25, 0.1
# Of alpha, that grain makes of nothing and takes from everything.
NOISE = 0.02
SOLID = 0.95
STEP = 4


def solve_soft_edges(alpha: Tensor, source: Tensor, plate: Tensor, amount: float = 1.0) -> Tensor:
    """`alpha` `[1,1,H,W]` with its soft outlines solved from `source` and `plate` `[1,3,H,W]`, display-encoded 0..1.

    Sharp outlines, and colours of the subject that are too close to the plate's, stay as they are. `amount` 0..1 is
    how far it goes.
    """
    if amount <= 0:
        return alpha
    unit = max(alpha.shape[-2:]) / HD
    cells = [F.avg_pool2d(_whole_cells(image), STEP) for image in (alpha, source, alpha * (1 - alpha))]
    softness = 4 * _blur(cells[2], SOFTNESS * unit / STEP)
    part = _part_above(softness, SOFT_FROM)
    if part is None:
        return alpha
    subject, known = _subject(cells[0], cells[1], unit)
    pixels = tuple(slice(STEP * side.start, STEP * side.stop) for side in part)
    old, seen, behind = (image[..., pixels[0], pixels[1]] for image in (alpha, source, plate))
    size = old.shape[-2:]
    subject, known, softness = (_enlarged(image[..., part[0], part[1]], size) for image in (subject, known, softness))
    solved, belief = _solution(_blur(seen, GRAIN * unit), _blur(behind, GRAIN * unit), subject)
    belief = belief * (known > 1e-6) * ((softness - SOFT_FROM) / (SOFT_TO - SOFT_FROM)).clamp(0, 1) * amount
    result = alpha.clone()
    result[..., pixels[0], pixels[1]] = old + (solved - old) * belief
    return result


def _solution(source: Tensor, plate: Tensor, subject: Tensor) -> tuple[Tensor, Tensor]:
    """Alpha of the compositing equation, and how far it is to be believed, 0..1."""
    line = subject - plate
    length = line.square().sum(1, keepdim=True)
    solved = ((source - plate) * line).sum(1, keepdim=True) / length.clamp_min(1e-4)
    beside = (source - plate - solved.clamp(0, 1) * line).square().sum(1, keepdim=True)
    belief = length / (length + CONTRAST**2) * torch.exp(-beside / OFF_LINE**2)
    return ((solved - NOISE) / (1 - 2 * NOISE)).clamp(0, 1), belief


def _subject(alpha: Tensor, source: Tensor, unit: float) -> tuple[Tensor, Tensor]:
    """The colour of the solid subject nearby, and how much of it there is, from pictures reduced by STEP."""
    reach = max(1, round(INSIDE * unit / STEP))
    solid = (alpha > SOLID).to(alpha.dtype)
    solid = -F.max_pool2d(-solid, 2 * reach + 1, 1, reach)
    colour, amount = torch.zeros_like(source), torch.zeros_like(alpha)
    for weight, distance in NEARBY:
        spread = _blur(torch.cat([source * solid, solid], dim=1), distance * unit / STEP)
        colour, amount = colour + weight * spread[:, :3], amount + weight * spread[:, 3:]
    return colour / amount.clamp_min(1e-8), amount


def _blur(image: Tensor, sigma: float) -> Tensor:
    """A Gaussian of `sigma` pixels; borders replicated."""
    reach = max(1, math.ceil(3 * sigma))
    at = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-at.square() / (2 * max(sigma, 1e-3) ** 2))
    kernel = (kernel / kernel.sum()).expand(image.shape[1], 1, -1)
    image = F.conv2d(F.pad(image, (reach, reach, 0, 0), mode="replicate"), kernel[:, :, None], groups=image.shape[1])
    return F.conv2d(F.pad(image, (0, 0, reach, reach), mode="replicate"), kernel[..., None], groups=image.shape[1])


def _whole_cells(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    return F.pad(image, (0, -width % STEP, 0, -height % STEP), mode="replicate")


def _enlarged(cells: Tensor, size: torch.Size) -> Tensor:
    whole = cells.shape[-2] * STEP, cells.shape[-1] * STEP
    return F.interpolate(cells, whole, mode="bilinear", align_corners=False)[..., : size[0], : size[1]]


def _part_above(cells: Tensor, limit: float) -> tuple[slice, slice] | None:
    """The rows and columns of cells that hold values above `limit`, with one more around; None if there are none."""
    above = cells[0, 0] > limit
    rows, columns = (above.any(dim=dim).nonzero().flatten().tolist() for dim in (1, 0))
    if not rows:
        return None
    return slice(max(0, rows[0] - 1), rows[-1] + 2), slice(max(0, columns[0] - 1), columns[-1] + 2)
