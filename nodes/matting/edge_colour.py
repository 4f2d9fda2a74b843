"""The subject's own colour at soft edges where no plate says what shines through: blur fusion.

Near an edge the subject's and the background's colours are means of what is surely either, corrected by what the
compositing equation leaves unexplained (Forte, "Approximate Fast Foreground Colour Estimation", ICIP 2021).
"""

from __future__ import annotations

import torch
from torch import Tensor

from nodes.matting.subject_colour import blur

# Pixels of a picture 1920 wide, and grow with it: first from afar, then from beside.
HD = 1920
DISTANCES = (30.0, 3.0)
LEAST = 1e-4


def edge_colour(alpha: Tensor, source: Tensor) -> Tensor:
    """The foreground `[1,3,H,W]` of `source` `[1,3,H,W]` under `alpha` `[1,1,H,W]`; display-encoded, 0..1.

    Where nothing is soft it is the source.
    """
    if not bool(((alpha > 0) & (alpha < 1)).any()):
        return source
    subject = background = source
    for distance in DISTANCES:
        sigma = distance * max(source.shape[-2:]) / HD
        subject, background = (
            _mean(colour, weight, sigma) for colour, weight in ((subject, alpha), (background, 1 - alpha))
        )
        unexplained = source - alpha * subject - (1 - alpha) * background
        subject = (subject + alpha * unexplained).clamp(0, 1)
        background = (background + (1 - alpha) * unexplained).clamp(0, 1)
    return torch.where(alpha > 0, subject, source)


def _mean(colour: Tensor, weight: Tensor, sigma: float) -> Tensor:
    """The mean of a colour around each pixel, as far as it has weight there; itself where it has none at all."""
    total = blur(weight, sigma)
    return torch.where(total > LEAST, blur(colour * weight, sigma) / total.clamp_min(LEAST), colour)
