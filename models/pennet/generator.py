"""The pyramid-context encoder and its decoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import AttentionTransfer


class Inpainted(NamedTuple):
    """RGB -1..1: pyramid, five pictures [B,3,H/2,W/2] to [B,3,H/32,W/32]; output, [B,3,H,W]."""

    pyramid: list[Tensor]
    output: Tensor


class PENNet(nn.Module):
    """Pyramid-context encoder network (arXiv:1904.07475, section 3): holes are filled at the coarsest level first, then
    level by level by attention transfer.  `width` is the channel count of the first level."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        counts = [4, width, 2 * width, 4 * width, 8 * width, 16 * width, 16 * width]
        for level in range(1, 7):
            activation = nn.LeakyReLU(0.2) if level < 6 else nn.ReLU()
            conv = nn.Conv2d(counts[level - 1], counts[level], 3, stride=2, padding=1)
            setattr(self, f"dw_conv{level:02}", nn.Sequential(conv, activation))
        for level in range(5, 0, -1):
            attention = AttentionTransfer(counts[level], 3 if level < 5 else 1, fuse=level < 5)
            setattr(self, f"at_conv{level:02}", attention)
        for level in range(5, 0, -1):
            conv = nn.Conv2d(counts[level + 1] * (2 if level < 5 else 1), counts[level], 3, padding=1)
            setattr(self, f"up_conv{level:02}", nn.Sequential(conv, nn.ReLU()))
        for level in range(5, 0, -1):
            setattr(self, f"torgb{level}", nn.Sequential(nn.Conv2d(2 * counts[level], 3, 1), nn.Tanh()))
        self.decoder = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1), nn.Tanh()
        )
        self.apply(initialise)

    def forward(self, x: Tensor, mask: Tensor) -> Inpainted:
        """x: [B,4,H,W], display-encoded RGB -1..1 with the hole set to +1 (white), and the mask; mask: [B,1,H,W], 1 in
        the hole.  H and W are multiples of 64.

        Only the hole of the output is meant to be used.  Raises ValueError for other shapes.
        """
        if x.dim() != 4 or x.shape[1] != 4 or mask.shape != (x.shape[0], 1, *x.shape[2:]):
            raise ValueError(
                "PEN-Net takes [B,4,H,W], RGB with a white hole and the mask, and the mask [B,1,H,W] again; "
                f"it got {list(x.shape)} and {list(mask.shape)}."
            )
        if x.shape[2] % 64 or x.shape[3] % 64 or not x.shape[2] or not x.shape[3]:
            raise ValueError(f"PEN-Net needs sides that are multiples of 64; it got {x.shape[3]}x{x.shape[2]}.")
        features = [x]
        for level in range(1, 7):
            features.append(self._stage("dw_conv", level)(features[-1]))
        filled = features[6]
        decoded = features[6]
        pyramid: list[Tensor] = []
        for level in range(5, 0, -1):
            filled = self._stage("at_conv", level)(features[level], filled, mask)
            decoded = torch.cat([self._stage("up_conv", level)(_double(decoded)), filled], dim=1)
            pyramid.insert(0, getattr(self, f"torgb{level}")(decoded))
        return Inpainted(pyramid, self.decoder(_double(decoded)))

    def _stage(self, kind: str, level: int) -> nn.Module:
        stage: nn.Module = getattr(self, f"{kind}{level:02}")
        return stage


def initialise(module: nn.Module) -> None:
    """Published initialisation: weights from a normal distribution of deviation 0.02, biases 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
