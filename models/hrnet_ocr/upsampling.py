"""How a coarse branch reaches the size of a finer one: bilinearly, as published, or with CARAFE."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ..carafe import CarafePack

UPSAMPLERS = ("bilinear", "carafe")


class Bilinear(nn.Module):
    """Bilinear resizing to any size, corner pixels on corner pixels."""

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """x [N,C,h,w] -> [N,C,*size]."""
        return F.interpolate(x, size, mode="bilinear", align_corners=True)


class Carafe(nn.Sequential):
    """`doublings` times CARAFE by 2 (arXiv:1905.02188), cut to size."""

    def __init__(self, channels: int, doublings: int) -> None:
        super().__init__(*(CarafePack(channels, 2, compressed_channels=min(channels, 64)) for _ in range(doublings)))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:  # type: ignore[override]
        """x [N,C,h,w] -> [N,C,*size]; each side of size is at most that of x doubled so often, and over half of it."""
        return super().forward(x)[..., : size[0], : size[1]]


def upsampler(kind: str, channels: int, doublings: int) -> Bilinear | Carafe:
    """A module (x [N,channels,h,w], size) -> [N,channels,*size] for a branch that was halved `doublings` times."""
    return Bilinear() if kind == "bilinear" else Carafe(channels, doublings)
