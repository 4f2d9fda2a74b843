"""Alpha and foreground of fur, hair and blur from the compositing equation, where the plate behind them is known.

A network that sees the whole picture rounds off soft outlines and leaves the plate's colour in their foreground. Next
to them source = alpha * F + (1 - alpha) * B, with the plate B known and the colour F spread around what the solid
subject nearby shows (Chuang et al., "A Bayesian Approach to Digital Matting", CVPR 2001, with B given instead of
guessed).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nodes.matting.subject_colour import (
    STEP,
    ColourField,
    SubjectColour,
    blur,
    inverse,
    product,
    sample_cells,
    to_cells,
)

# Lengths are pixels of a picture 1920 wide, and grow with it.
HD = 1920
GRAIN = 0.7
INSIDE = 10.0
# Distances at which the subject is looked at, from near to far: each counts where those before have nothing to say.
# First the solid subject alone, then what the first answer explains of the outline as well.
NEARBY = ((1.0, 24.0), (1e-2, 48.0))
NEARER = ((1.0, 12.0), (1e-2, 48.0))
SOFTNESS = 12.0
SOFT_FROM, SOFT_TO = 0.06, 0.2
SOLID = 0.95
# Between these alphas there is a foreground to solve, be the outline soft or sharp.
EMPTY, FULL = 0.004, 0.996
# Standard deviations: of grain and misfit in both pictures; of a subject of one colour; of the network's alpha where
# the outline is sharp, and what is added where it is soft.
PICTURES, PAINT = 0.02, 0.02
SHARP, SOFT = 0.02, 1.0
# Variances of the subject's colours, by which one pixel may differ from its surroundings.
VARIETY = 3.0
# Colours off the line from plate to subject: squared distance, in variances, and distance at which belief is 1 / e.
OFF_VARIANCES, OFF_LINE = 12.0, 0.15
# A subject's rim is darker than its middle, and most rims are solid: an alpha less short of 1 than this many of its
# variances is mostly taken for 1.
SHORT = 1.5
# Of alpha, that grain makes of nothing and takes from everything.
NOISE = 0.025
# The plate in a shadow: the deepest gain of its display-encoded colours (0.35 leaves a tenth of the light), and the
# distance at which a colour is 1 / e of one.
DEEPEST, SHADE = 0.35, 0.025
ROUNDS = 2


@dataclass(frozen=True)
class _Pixels:
    """What is known of `N` pixels: colours `[3,N]`, the network's alpha and its softness 0..1 `[1,N]`."""

    source: Tensor
    smooth: Tensor
    plate: Tensor
    alpha: Tensor
    soft: Tensor


def solve_soft_edges(
    alpha: Tensor, foreground: Tensor, source: Tensor, plate: Tensor, amount: float = 1.0
) -> tuple[Tensor, Tensor]:
    """`alpha` `[1,1,H,W]` and `foreground` `[1,3,H,W]` with outlines solved from `source` and `plate` `[1,3,H,W]`.

    Colours are display-encoded, 0..1. Alpha changes where the outline is soft, and little where the subject's colours
    are close to the plate's or the picture's are no mixture of both; the foreground changes wherever something shines
    through and the subject is near. `amount` 0..1 is how far it goes.
    """
    if amount <= 0:
        return alpha, foreground
    unit = max(alpha.shape[-2:]) / HD
    cells = to_cells(alpha)
    softness = 4 * blur(to_cells(alpha * (1 - alpha)), SOFTNESS * unit / STEP)
    softness = ((softness - SOFT_FROM) / (SOFT_TO - SOFT_FROM)).clamp(0, 1)
    rows, columns = _open_pixels(alpha, softness)
    if not len(rows):
        return alpha, foreground

    pixels = _Pixels(
        source[0, :, rows, columns],
        _smooth(source, rows, columns, unit),
        _smooth(plate, rows, columns, unit),
        alpha[0, :, rows, columns],
        sample_cells(softness, rows, columns),
    )
    reach = max(1, round(INSIDE * unit / STEP))
    solid = -F.max_pool2d(-(cells > SOLID).to(cells.dtype), 2 * reach + 1, 1, reach)
    subject = ColourField(to_cells(source), solid, _scaled(NEARBY, unit)).at(rows, columns)
    solved = _solve_alpha(pixels, subject)

    counts, colours = alpha.clone(), source.clone()
    counts[0, :, rows, columns] = solved * subject.known
    colours[0, :, rows, columns] = _solve_foreground(pixels, subject, solved)
    counts = counts.square().square()
    weight = to_cells(counts)
    colours = to_cells(colours * counts) / weight.clamp_min(1e-4)
    subject = ColourField(colours, weight, _scaled(NEARER, unit)).at(rows, columns)
    solved = _solve_alpha(pixels, subject)

    alpha, foreground = alpha.clone(), foreground.clone()
    alpha[0, :, rows, columns] += (solved - pixels.alpha) * amount
    clean = _solve_foreground(pixels, subject, solved)
    foreground[0, :, rows, columns] += (clean - foreground[0, :, rows, columns]) * subject.known * amount
    return alpha, foreground


def _solve_alpha(pixels: _Pixels, subject: SubjectColour) -> Tensor:
    """The likeliest alpha `[1,N]`: of the colours, weighed against the network's."""
    line, seen = subject.mean - pixels.plate, pixels.smooth - pixels.plate
    length = line.square().sum(0, keepdim=True)
    alpha = ((seen * line).sum(0, keepdim=True) / length.clamp_min(1e-4)).clamp(0, 1)
    off = seen - alpha * line
    variances = (product(_precision(subject, alpha), off) * off).sum(0, keepdim=True)
    belief = torch.exp(-variances / OFF_VARIANCES - off.square().sum(0, keepdim=True) / OFF_LINE**2) * subject.known
    network = (SHARP + SOFT * pixels.soft) ** -2.0
    alpha = pixels.alpha
    for _ in range(ROUNDS):
        towards = product(_precision(subject, alpha), line) * belief
        told, weight = (towards * seen).sum(0, keepdim=True), (towards * line).sum(0, keepdim=True)
        alpha = ((told + network * pixels.alpha) / (weight + network)).clamp(0, 1)
    short = (1 - alpha).square() * (weight + network)
    alpha = 1 - (1 - alpha) * (1 - belief * torch.exp(-short / SHORT))
    alpha = ((alpha - NOISE) / (1 - 2 * NOISE)).clamp(0, 1)
    change = (alpha - pixels.alpha) * (4 * pixels.soft).clamp(0, 1)
    return pixels.alpha + torch.where(change > 0, change * (1 - _shade(pixels)), change)


def _shade(pixels: _Pixels) -> Tensor:
    """How much a pixel `[1,N]` may be the plate in a shadow, 0..1: a dark subject that shines through looks alike."""
    light = pixels.plate.square().sum(0, keepdim=True).clamp_min(1e-3)
    gain = (pixels.smooth * pixels.plate).sum(0, keepdim=True) / light
    beside = pixels.smooth - gain.clamp(DEEPEST, 1.0) * pixels.plate
    return torch.exp(-beside.square().sum(0, keepdim=True) / SHADE**2)


def _solve_foreground(pixels: _Pixels, subject: SubjectColour, alpha: Tensor) -> Tensor:
    """The likeliest colour `[3,N]` of the subject: the nearby one, moved by what it does not explain."""
    left = pixels.source - pixels.plate - alpha * (subject.mean - pixels.plate)
    step = product(_covariance(subject), product(_precision(subject, alpha), left))
    return (subject.mean + alpha * step).clamp(0, 1)


def _covariance(subject: SubjectColour) -> Tensor:
    return torch.cat([VARIETY * subject.covariance[:3] + PAINT**2, VARIETY * subject.covariance[3:]])


def _precision(subject: SubjectColour, alpha: Tensor) -> Tensor:
    """Inverse covariance `[6,N]` of what a picture shows at `alpha`."""
    spread = alpha.square() * _covariance(subject)
    grain = ((1 - alpha).square() + 1) * PICTURES**2
    return inverse(torch.cat([spread[:3] + grain, spread[3:]]))


def _open_pixels(alpha: Tensor, softness: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns of the pixels that something may shine through."""
    height, width = alpha.shape[-2:]
    near = F.max_pool2d((softness > 0).to(alpha.dtype), 3, 1, 1)[0, 0] > 0
    near = near.repeat_interleave(STEP, 0).repeat_interleave(STEP, 1)[:height, :width]
    between = (alpha[0, 0] > EMPTY) & (alpha[0, 0] < FULL)
    rows, columns = (near | between).nonzero(as_tuple=True)
    return rows, columns


def _smooth(image: Tensor, rows: Tensor, columns: Tensor, unit: float) -> Tensor:
    """Colours `[3,N]` of pixels without the finest grain."""
    margin = max(1, round(4 * GRAIN * unit)) + 1
    top, left = max(0, int(rows.min()) - margin), max(0, int(columns.min()) - margin)
    part = image[..., top : int(rows.max()) + margin + 1, left : int(columns.max()) + margin + 1]
    return blur(part, GRAIN * unit)[0, :, rows - top, columns - left]


def _scaled(distances: tuple[tuple[float, float], ...], unit: float) -> tuple[tuple[float, float], ...]:
    return tuple((weight, distance * unit) for weight, distance in distances)
