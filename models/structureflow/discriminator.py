"""The two-scale patch discriminator of both training stages."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import ConvBlock

_conv = partial(ConvBlock, spectral=True)


class StructureFlowDiscriminator(nn.Module):
    """The same discriminator at full and at half size.  `width` is the channel count of the first layer."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.model_1 = PatchDiscriminator(width)
        self.model_2 = PatchDiscriminator(width)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: [B,3,H,W], RGB -1..1, sides of 16 or more.  Scores [B,1,h,w] per patch and scale (1: real, 0: fake)."""
        half = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return [self.model_1(x), self.model_2(half)]


class PatchDiscriminator(nn.Module):
    """Spectrally normalised convolutions to scores at 1/8 size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            _conv(3, width, 4, 2, activation=nn.LeakyReLU(0.2)),
            DownBlock(width, 2 * width),
            DownBlock(2 * width, 4 * width),
            _conv(4 * width, 1, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class DownBlock(nn.Module):
    """Residual block to half the size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        conv = partial(_conv, activation=nn.LeakyReLU(0.2))
        self.conv_1 = nn.Sequential(
            conv(in_channels, in_channels, 3), conv(in_channels, out_channels, 3), nn.AvgPool2d(2)
        )
        self.conv_2 = nn.Sequential(nn.AvgPool2d(2), conv(in_channels, out_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_1(x) + self.conv_2(x)
