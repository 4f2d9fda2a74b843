"""The two stages: structure, then texture along an appearance flow (arXiv:1908.03852, section 3)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .blocks import ConvBlock, LayerNorm, Norm, ResBlocks, ToRGB, TransposedConvBlock, up_block
from .resample import resample2d


class Textured(NamedTuple):
    """image: [B,3,H,W], RGB -1..1; flow: [B,2,H/4,W/4], in pixels of that grid, channel 0 to the right, 1 down."""

    image: Tensor
    flow: Tensor


class StructureGenerator(nn.Module):
    """Fills the hole of an edge-preserving smoothed picture.  `width` is the channel count of the first layer."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        norm = nn.InstanceNorm2d
        conv = partial(ConvBlock, norm=norm, activation=nn.ReLU(), spectral=True)
        self.down_sample = nn.ModuleList(
            [
                nn.Sequential(conv(width, 2 * width, 4, 2), conv(2 * width, 2 * width, 5)),
                nn.Sequential(conv(2 * width, 4 * width, 4, 2), conv(4 * width, 4 * width, 5)),
                nn.Sequential(conv(4 * width, 8 * width, 4, 2)),
            ]
        )
        counts = (8 * width, 4 * width, 2 * width, width)
        self.up_sample = nn.ModuleList(
            nn.Sequential(*up_block(4, counts[i], counts[i + 1], norm, spectral=True)) for i in range(3)
        )
        self.content_param = nn.ModuleList(
            ConvBlock(count, count, 5, norm=norm, activation=nn.ReLU()) for count in counts[1:]
        )
        self.input_layer = conv(7, width, 7)
        self.image_net = ToRGB(width)

    def forward(self, x: Tensor) -> Tensor:
        """x: [B,7,H,W]: picture and smoothed picture, both RGB -1..1 with the hole set to 0, and the mask, 1 in the
        hole.  H and W are multiples of 8, at least 16.

        Returns the smoothed picture with its hole filled, [B,3,H,W], RGB -1..1.  Raises ValueError for other shapes.
        """
        check_input(x, "structure stage", "a smoothed picture with the same hole", 8, 16)
        levels = [self.input_layer(x)]
        for down in self.down_sample:
            levels.append(down(levels[-1]))
        y = levels.pop()
        for up, content in zip(self.up_sample, self.content_param, strict=True):
            y = up(y) + content(levels.pop())
        return self.image_net(y)


class FlowGenerator(nn.Module):
    """Fills the hole with texture, carried there from the known part along a flow found from the structure.

    `width` is twice the channel count of the first layers.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.flow_column = FlowColumn(width)
        self.conv_column = TextureColumn(width)

    def forward(self, x: Tensor) -> Textured:
        """x: [B,7,H,W]: picture, RGB -1..1 with the hole set to 0; whole structure, RGB -1..1; mask, 1 in the hole.
        H and W are multiples of 16, at least 48.

        Only the hole of the image is meant to be used.  Raises ValueError for other shapes.
        """
        check_input(x, "texture stage", "the structure", 16, 48)
        flow = self.flow_column(x)
        return Textured(self.conv_column(x, flow), flow)


class FlowColumn(nn.Module):
    """Finds where the content of each pixel is: [B,7,H,W] to a flow [B,2,H/4,W/4]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        conv = partial(ConvBlock, norm=nn.InstanceNorm2d, activation=nn.ReLU())
        first = width // 2
        self.down_sample_flow = nn.ModuleList(
            [nn.Sequential(conv(7, first, 7), conv(first, width, 4, 2), conv(width, width, 5))]
            + [
                nn.Sequential(conv(count, 2 * count, 4, 2), conv(2 * count, 2 * count, 5))
                for count in (width, 2 * width, 4 * width)
            ]
        )
        self.up_sample_flow = nn.ModuleList(
            [
                nn.Sequential(ResBlocks(2, 8 * width, nn.InstanceNorm2d), TransposedConvBlock(8 * width, 4 * width)),
                nn.Sequential(
                    conv(8 * width, 4 * width, 5),
                    ResBlocks(2, 4 * width, nn.InstanceNorm2d),
                    TransposedConvBlock(4 * width, 2 * width),
                ),
            ]
        )
        self.location = nn.Sequential(conv(4 * width, width, 5), ConvBlock(width, 2, 3, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        levels = []
        for down in self.down_sample_flow:
            x = down(x)
            levels.append(x)
        _, quarter, eighth, x = levels
        x = torch.cat([self.up_sample_flow[0](x), eighth], dim=1)
        x = torch.cat([self.up_sample_flow[1](x), quarter], dim=1)
        return self.location(x)


class TextureColumn(nn.Module):
    """Encodes [B,7,H,W], moves the features at 1/4 size along the flow and decodes to RGB [B,3,H,W] in -1..1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        norm: Norm = LayerNorm
        conv = partial(ConvBlock, norm=norm, activation=nn.ReLU())
        first = width // 2
        self.down_sample = nn.ModuleList(
            [
                nn.Sequential(
                    conv(7, first, 7),
                    conv(first, width, 4, 2),
                    conv(width, width, 5),
                    conv(width, 2 * width, 4, 2),
                    conv(2 * width, 2 * width, 5),
                ),
                nn.Sequential(conv(2 * width, 4 * width, 5), conv(4 * width, 8 * width, 4, 2)),
            ]
        )
        self.up_sample = nn.ModuleList(
            [
                nn.Sequential(*up_block(2, 8 * width, 4 * width, norm)),
                nn.Sequential(
                    conv(8 * width, 4 * width, 5),
                    *up_block(2, 4 * width, 2 * width, norm),
                    *up_block(2, 2 * width, width, norm),
                    ToRGB(width),
                ),
            ]
        )

    def forward(self, x: Tensor, flow: Tensor) -> Tensor:
        quarter = self.down_sample[0](x)
        eighth = self.down_sample[1](quarter)
        moved = [resample2d(quarter, flow, 16, 4.0), resample2d(quarter, flow, 4, 2.0)]
        return self.up_sample[1](torch.cat([self.up_sample[0](eighth), *moved], dim=1))


def check_input(x: Tensor, stage: str, second: str, multiple: int, least: int) -> None:
    if x.dim() != 4 or x.shape[1] != 7:
        raise ValueError(
            f"The {stage} of StructureFlow takes [B,7,H,W], a picture with an empty hole, {second} and the mask; "
            f"it got {list(x.shape)}."
        )
    height, width = x.shape[-2:]
    if height % multiple or width % multiple or min(height, width) < least:
        raise ValueError(
            f"The {stage} of StructureFlow needs sides that are multiples of {multiple}, {least} or more; "
            f"it got {width}x{height}."
        )
