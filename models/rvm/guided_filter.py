"""Refiners: bring a small matte to the size of the source, guided by the source.

Both express the matte per channel as A * source + b in small windows; the upsampled A and b apply to the full source.
Inputs, all [N,C,H,W]: the full and the small source (RGB 0..1), and at the small size the foreground residual (3
channels), alpha (1) and the decoder's hidden features (16).  Outputs: residual (3), alpha (1) at full size, unclamped.
Window statistics are differences of nearly equal numbers, so they are computed in float32 at least.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DeepGuidedFilterRefiner(nn.Module):
    """Deep guided filter (Wu et al., arXiv:1803.05619): a small network finds A, and the box filter is learnt too."""

    def __init__(self, hid_channels: int = 16) -> None:
        super().__init__()
        self.box_filter = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        nn.init.constant_(self.box_filter.weight, 1 / 9)
        self.conv = nn.Sequential(
            nn.Conv2d(4 + 4 + hid_channels, hid_channels, 1, bias=False),
            nn.BatchNorm2d(hid_channels),
            nn.ReLU(),
            nn.Conv2d(hid_channels, hid_channels, 1, bias=False),
            nn.BatchNorm2d(hid_channels),
            nn.ReLU(),
            nn.Conv2d(hid_channels, 4, 1),
        )

    def forward(self, src: Tensor, src_sm: Tensor, fgr: Tensor, pha: Tensor, hid: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(src.device.type, enabled=False):
            mean_x, mean_y, cov, var = _statistics(src_sm, fgr, pha, self._box)
        a = self.conv(torch.cat([cov, var, hid], dim=1).to(hid.dtype)).to(cov.dtype)
        return _apply(src, a, mean_y - a * mean_x)

    def _box(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.box_filter.weight.to(x.dtype), padding=1, groups=4)


class FastGuidedFilterRefiner(nn.Module):
    """Fast guided filter (He and Sun, arXiv:1505.00996) of radius 1; it has no parameters and ignores hid."""

    eps = 1e-5

    def forward(
        self, src: Tensor, src_sm: Tensor, fgr: Tensor, pha: Tensor, hid: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        mean_x, mean_y, cov, var = _statistics(src_sm, fgr, pha, _box)
        a = cov / (var + self.eps)
        return _apply(src, a, mean_y - a * mean_x)


def _statistics(
    src: Tensor, fgr: Tensor, pha: Tensor, box: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean of the source with its grey and of the matte, their covariance, the variance of the source."""
    dtype = torch.promote_types(src.dtype, torch.float32)
    x, y = _with_grey(src.to(dtype)), torch.cat([fgr, pha], dim=1).to(dtype)
    mean_x, mean_y = box(x), box(y)
    return mean_x, mean_y, box(x * y) - mean_x * mean_y, box(x * x) - mean_x * mean_x


def _with_grey(image: Tensor) -> Tensor:
    return torch.cat([image, image.mean(dim=1, keepdim=True)], dim=1)


def _box(x: Tensor) -> Tensor:
    """Mean over 3x3, zeros outside."""
    return F.avg_pool2d(x, 3, stride=1, padding=1)


def _apply(src: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    size = src.shape[-2:]
    a = F.interpolate(a, size, mode="bilinear", align_corners=False)
    b = F.interpolate(b, size, mode="bilinear", align_corners=False)
    out = (a * _with_grey(src) + b).to(src.dtype)
    return out[:, :3], out[:, 3:]
