"""Decoder of the coarse network (arXiv:2012.07810, section 4.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Decoder(nn.Module):
    """Four times: bilinear resize to the next finer skip, concatenate, 3x3 convolution.

    `channels` are those of the input and of the four convolutions, `skips` those of the skips, coarsest first.
    """

    def __init__(self, channels: tuple[int, int, int, int, int], skips: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels[0] + skips[0], channels[1], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[1])
        self.conv2 = nn.Conv2d(channels[1] + skips[1], channels[2], 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels[2])
        self.conv3 = nn.Conv2d(channels[2] + skips[2], channels[3], 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels[3])
        self.conv4 = nn.Conv2d(channels[3] + skips[3], channels[4], 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor, s3: Tensor, s2: Tensor, s1: Tensor, s0: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(_join(x, s3))))
        x = self.relu(self.bn2(self.conv2(_join(x, s2))))
        x = self.relu(self.bn3(self.conv3(_join(x, s1))))
        return self.conv4(_join(x, s0))


def _join(x: Tensor, skip: Tensor) -> Tensor:
    return torch.cat([F.interpolate(x, skip.shape[-2:], mode="bilinear", align_corners=False), skip], dim=1)
