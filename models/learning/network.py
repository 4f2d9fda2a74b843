"""The network that learns one shot: it sees a frame and what the nearest key says, and answers alpha or a picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 16
SLOPE = 0.1


class LearnedNetwork(nn.Module):
    """`picture` `[N,3,H,W]` and `hint` `[N,C,H,W]`, 0..1, to `[N,C,H,W]`; `kind` is `matte` (C 1) or `picture` (C 3).

    The answer is not clamped, so that none of it can go dead while it learns.
    """

    def __init__(self, kind: str = "matte") -> None:
        super().__init__()
        if kind not in ("matte", "picture"):
            raise ValueError(f"The network learned has no kind {kind!r}; it has matte and picture.")
        self.kind = kind
        channels = 1 if kind == "matte" else 3
        self.fine = _pair(3 + channels, WIDTH)
        self.middle = _pair(WIDTH, 2 * WIDTH)
        self.coarse = _pair(2 * WIDTH, 4 * WIDTH)
        self.up_middle = _pair(6 * WIDTH, 2 * WIDTH)
        self.up_fine = _pair(3 * WIDTH, WIDTH)
        self.answer = nn.Conv2d(WIDTH, channels, 3, padding=1)
        nn.init.zeros_(self.answer.weight)

    def forward(self, picture: Tensor, hint: Tensor) -> Tensor:
        fine = self.fine(torch.cat([picture - 0.5, hint], dim=1))
        middle = self.middle(F.avg_pool2d(fine, 2, ceil_mode=True))
        coarse = self.coarse(F.avg_pool2d(middle, 2, ceil_mode=True))
        middle = self.up_middle(torch.cat([_as_large(coarse, middle), middle], dim=1))
        fine = self.up_fine(torch.cat([_as_large(middle, fine), fine], dim=1))
        answer: Tensor = self.answer(fine)
        return answer + (hint if self.kind == "matte" else picture)


def leaky(value: Tensor) -> Tensor:
    """0..1, with a slope outside along which a wrong answer finds back."""
    return value.clamp(0, 1) + SLOPE * (value - value.clamp(0, 1))


def _pair(incoming: int, outgoing: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(incoming, outgoing, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(outgoing, outgoing, 3, padding=1),
        nn.LeakyReLU(SLOPE),
    )


def _as_large(image: Tensor, other: Tensor) -> Tensor:
    return F.interpolate(image, other.shape[-2:], mode="bilinear", align_corners=False)
