"""What the networks of StructureFlow are made of."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

Norm = Callable[[int], nn.Module]


class LayerNorm(nn.Module):
    """Normalises each picture over channels, height and width; scale and offset per channel [C,1,1]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, 1, self.weight.flatten(), self.bias.flatten())


class ConvBlock(nn.Module):
    """Convolution with reflected borders, normalisation, activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        norm: Norm | None = None,
        activation: nn.Module | None = None,
        bias: bool = True,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.norm = norm(out_channels) if norm else nn.Identity()
        self.activation = activation or nn.Identity()
        padding = (kernel_size - 1) // 2
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, bias=bias, padding_mode="reflect"
        )
        initialise(self.conv)
        if spectral:
            spectral_norm(self.conv)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))


class ResBlocks(nn.Module):
    """`count` residual blocks on [B,channels,H,W]."""

    def __init__(self, count: int, channels: int, norm: Norm) -> None:
        super().__init__()
        self.model = nn.Sequential(*(ResBlock(channels, norm) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class ResBlock(nn.Module):
    """Two 3x3 convolutions with normalisation, ReLU between them, added to what came in."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.model = nn.Sequential(
            ConvBlock(channels, channels, 3, norm=norm, activation=nn.ReLU()),
            ConvBlock(channels, channels, 3, norm=norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.model(x)


class TransposedConvBlock(nn.Module):
    """Transposed convolution to twice the size, instance norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.transConv = nn.ConvTranspose2d(in_channels, out_channels, 6, stride=2, padding=2)
        initialise(self.transConv)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(F.instance_norm(self.transConv(x)))


class ToRGB(nn.Module):
    """[B,channels,H,W] to a picture [B,3,H,W] in -1..1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = ConvBlock(channels, 3, 3, activation=nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def up_block(count: int, in_channels: int, out_channels: int, norm: Norm, spectral: bool = False) -> list[nn.Module]:
    """Residual blocks, enlargement by two without interpolation, 5x5 convolution."""
    return [
        ResBlocks(count, in_channels, norm),
        nn.Upsample(scale_factor=2),
        ConvBlock(in_channels, out_channels, 5, norm=norm, activation=nn.ReLU(), spectral=spectral),
    ]


def initialise(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Published initialisation: Glorot's (AISTATS 2010), biases 0."""
    nn.init.xavier_normal_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
