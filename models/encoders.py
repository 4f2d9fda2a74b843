"""Image encoders shared by the matting networks: torchvision's blocks, cut to four feature levels.

Every encoder maps [B,C,H,W] to four levels at 1/2, 1/4, 1/8 and 1/16 of the input (rounded up); the last stage is
dilated instead of strided, so that the output stride is 16 (DeepLabV3, arXiv:1706.05587, section 3).  `channels` are
the channel counts of the four levels.  Weights are never downloaded.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual, MobileNetV2
from torchvision.models.mobilenetv3 import InvertedResidualConfig, MobileNetV3
from torchvision.models.resnet import Bottleneck, ResNet


class Features(NamedTuple):
    """Feature levels, finest first: 1/2, 1/4, 1/8, 1/16."""

    f1: Tensor
    f2: Tensor
    f3: Tensor
    f4: Tensor


class MobileNetV2Encoder(nn.Module):
    """MobileNetV2 (arXiv:1801.04381) of width 1 without its last 1x1 convolution."""

    channels = (16, 24, 32, 320)

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.features = MobileNetV2().features[:-1]
        if in_channels != 3:
            _widen(self.features[0][0], in_channels)
        for index, dilation in ((14, 1), (15, 2), (16, 2), (17, 2)):
            _dilate(self.features[index], dilation)

    def forward(self, x: Tensor) -> Features:
        f1 = self.features[:2](x)
        f2 = self.features[2:4](f1)
        f3 = self.features[4:7](f2)
        return Features(f1, f2, f3, self.features[7:](f3))


class MobileNetV3Encoder(nn.Module):
    """MobileNetV3-Large (arXiv:1905.02244) of width 1 without its classifier.  RGB 0..1 is normalised inside."""

    channels = (16, 24, 40, 960)
    _mean, _std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    # in, kernel, expanded, out, squeeze-and-excitation, activation, stride, dilation
    _blocks = (
        (16, 3, 16, 16, False, "RE", 1, 1),
        (16, 3, 64, 24, False, "RE", 2, 1),
        (24, 3, 72, 24, False, "RE", 1, 1),
        (24, 5, 72, 40, True, "RE", 2, 1),
        (40, 5, 120, 40, True, "RE", 1, 1),
        (40, 5, 120, 40, True, "RE", 1, 1),
        (40, 3, 240, 80, False, "HS", 2, 1),
        (80, 3, 200, 80, False, "HS", 1, 1),
        (80, 3, 184, 80, False, "HS", 1, 1),
        (80, 3, 184, 80, False, "HS", 1, 1),
        (80, 3, 480, 112, True, "HS", 1, 1),
        (112, 3, 672, 112, True, "HS", 1, 1),
        (112, 5, 672, 160, True, "HS", 2, 2),  # dilated, so it runs at stride 1; the stride only rules out the shortcut
        (160, 5, 960, 160, True, "HS", 1, 2),
        (160, 5, 960, 160, True, "HS", 1, 2),
    )

    def __init__(self) -> None:
        super().__init__()
        blocks = [InvertedResidualConfig(*block, width_mult=1.0) for block in self._blocks]
        self.features = MobileNetV3(blocks, last_channel=1280).features

    def forward(self, x: Tensor) -> Features:
        x = torch.stack([(x[:, i] - self._mean[i]) / self._std[i] for i in range(3)], dim=1)
        f1 = self.features[:2](x)
        f2 = self.features[2:4](f1)
        f3 = self.features[4:7](f2)
        return Features(f1, f2, f3, self.features[7:](f3))


class ResNetEncoder(ResNet):
    """ResNet-50 or -101 (arXiv:1512.03385; stride on the 3x3 convolution) without pooling and classifier."""

    channels = (64, 256, 512, 2048)

    def __init__(self, depth: int, in_channels: int = 3) -> None:
        super().__init__(
            Bottleneck, [3, 4, {50: 6, 101: 23}[depth], 3], replace_stride_with_dilation=[False, False, True]
        )
        if in_channels != 3:
            _widen(self.conv1, in_channels)
        del self.avgpool, self.fc

    def forward(self, x: Tensor) -> Features:
        f1 = self.relu(self.bn1(self.conv1(x)))
        f2 = self.layer1(self.maxpool(f1))
        f3 = self.layer2(f2)
        return Features(f1, f2, f3, self.layer4(self.layer3(f3)))


def _widen(conv: nn.Conv2d, in_channels: int) -> None:
    """Give a first convolution another number of input channels, freshly initialised."""
    conv.in_channels = in_channels
    conv.weight = nn.Parameter(torch.empty(conv.out_channels, in_channels, *conv.kernel_size))
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")


def _dilate(block: InvertedResidual, dilation: int) -> None:
    """Run the depthwise convolution of a MobileNetV2 block at stride 1 with the given dilation."""
    depthwise = block.conv[1][0]
    depthwise.stride, depthwise.dilation, depthwise.padding = (1, 1), (dilation, dilation), (dilation, dilation)
