"""The inpainting generators: LaMa with Fourier convolutions, the regular one it is compared with, and a small one of
ours that goes on from a smooth fill."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .ffc import FFCBlock, FFCResidualBlock, Split, concatenate


class LaMa(nn.Module):
    """Large-mask inpainting (Suvorov et al., WACV 2022, arXiv:2109.07161, section 2.1).

    `n_blocks` residual blocks at 1/8 size: 18 for Big-LaMa, 9 for LaMa-Fourier.  `lfu` and `gated` switch on the local
    Fourier unit and the gates, which no published weights use; `width` is the channel count of the first layer.
    """

    def __init__(self, n_blocks: int = 18, lfu: bool = False, gated: bool = False, width: int = 64) -> None:
        super().__init__()
        check_blocks(n_blocks)
        ratio = 0.75
        deep = 8 * width
        self.model = nn.Sequential(
            nn.ReflectionPad2d(3),
            FFCBlock(4, width, 7, 0, 0),
            FFCBlock(width, 2 * width, 3, 0, 0, stride=2, padding=1),
            FFCBlock(2 * width, 4 * width, 3, 0, 0, stride=2, padding=1),
            FFCBlock(4 * width, deep, 3, 0, ratio, stride=2, padding=1),
            *(FFCResidualBlock(deep, ratio, lfu, gated) for _ in range(n_blocks)),
            Concatenate(),
            *upsampling(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x: [B,4,H,W], display-encoded RGB 0..1 with the hole set to 0, and the mask, 1 in the hole.  H and W are
        multiples of 8, at least 16; the published tools mirror the picture at the right and bottom to get there.

        Returns the picture, [B,3,H,W], RGB 0..1, of which only the hole is meant to be used.
        Raises ValueError for another number of channels or another size.
        """
        check_input(x)
        return self.model(x)


class LaMaRegular(nn.Module):
    """The generator with ordinary convolutions that LaMa is compared with (the one of pix2pixHD, Wang et al.,
    CVPR 2018, arXiv:1711.11585, with batch norm).  `width` is the channel count of the first layer."""

    def __init__(self, n_blocks: int = 9, width: int = 64) -> None:
        super().__init__()
        check_blocks(n_blocks)
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), *_normalised(nn.Conv2d(4, width, 7))]
        for channels in (width, 2 * width, 4 * width):
            layers += _normalised(nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1))
        layers += [ResidualBlock(8 * width) for _ in range(n_blocks)]
        self.model = nn.Sequential(*layers, *upsampling(width))

    def forward(self, x: Tensor) -> Tensor:
        """As `LaMa.forward`."""
        check_input(x)
        return self.model(x)


class LaMaDetail(nn.Module):
    """LaMa's Fourier blocks between a small encoder and decoder that add to a smooth fill what it lacks; ours.

    `n_blocks` and `width` as for `LaMa`.  The decoder also sees the encoder's features, so that an edge goes on where
    it was cut off.
    """

    # The network's answer in units of the picture: with 1 an optimiser's first steps are so much larger than what a
    # smooth fill lacks that nothing but zero can be learned.
    UNIT = 0.1

    def __init__(self, n_blocks: int = 4, width: int = 24) -> None:
        super().__init__()
        check_blocks(n_blocks)
        ratio = 0.75
        sizes = [width, 2 * width, 4 * width]
        self.encoder = nn.ModuleList(
            nn.Sequential(*_convolved(before, size, stride), *_convolved(size, size))
            for (before, size), stride in zip(pairwise([4, *sizes]), (1, 2, 2), strict=True)
        )
        self.fourier = nn.Sequential(
            FFCBlock(4 * width, 8 * width, 3, 0, ratio, stride=2, padding=1),
            *(FFCResidualBlock(8 * width, ratio) for _ in range(n_blocks)),
            Concatenate(),
        )
        self.decoder = nn.ModuleList(nn.Sequential(*_convolved(3 * size, size)) for size in reversed(sizes))
        self.detail = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """x: as `LaMa.forward`, but with a smooth fill (`models.membrane`) in the hole.

        Returns the picture, [B,3,H,W], RGB about 0..1 (not clamped), outside the hole as it came.
        Raises ValueError as `LaMa.forward`.
        """
        check_input(x)
        features, seen = x, []
        for level in self.encoder:
            features = level(features)
            seen.append(features)
        features = self.fourier(features)
        for level in self.decoder:
            larger = F.interpolate(features, scale_factor=2.0, mode="bilinear")
            features = level(torch.cat([larger, seen.pop()], dim=1))
        return x[:, :3] + self.UNIT * x[:, 3:] * self.detail(features)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with reflected borders and batch norm, ReLU between them, added to [B,channels,H,W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            *_normalised(nn.Conv2d(channels, channels, 3)),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class Concatenate(nn.Module):
    """Local and global part as one tensor again."""

    def forward(self, x: Split) -> Tensor:
        return concatenate(x)


def upsampling(width: int) -> list[nn.Module]:
    """From [B,8*width,H/8,W/8] to RGB [B,3,H,W] in 0..1."""
    layers: list[nn.Module] = []
    for channels in (8 * width, 4 * width, 2 * width):
        layers += _normalised(nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1))
    return [*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Sigmoid()]


def check_blocks(n_blocks: int) -> None:
    if n_blocks < 1:
        raise ValueError(f"n_blocks is at least 1, not {n_blocks}.")


def check_input(x: Tensor) -> None:
    if x.dim() != 4 or x.shape[1] != 4:
        raise ValueError(f"LaMa takes [B,4,H,W], RGB with an empty hole and the mask; it got {list(x.shape)}.")
    height, width = x.shape[-2:]
    if height % 8 or width % 8 or min(height, width) < 16:
        raise ValueError(f"LaMa needs sides that are multiples of 8, 16 or more; it got {width}x{height}.")


def _convolved(before: int, after: int, stride: int = 1) -> list[nn.Module]:
    """A 3x3 convolution of [B,before,H,W], normalised."""
    return _normalised(nn.Conv2d(before, after, 3, stride, padding=1))


def _normalised(conv: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    return [conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU()]
