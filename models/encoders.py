"""Image encoders shared by the matting networks: torchvision's blocks, cut to four feature levels.

Every encoder maps [B, C, H, W] to (f1, f2, f3, f4) at 1/2, 1/4, 1/8 and 1/16 of the input (rounded up); the last stage is
dilated instead of strided, so that the output stride is 16 (DeepLabV3, arXiv:1706.05587, section 3).  `channels` are the
channel counts of the four levels.  Weights are never downloaded.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual, MobileNetV2
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
            self.features[0][0] = _like(self.features[0][0], in_channels)
        for index, dilation in ((14, 1), (15, 2), (16, 2), (17, 2)):
            _dilate(self.features[index], dilation)

    def forward(self, x: Tensor) -> Features:
        f1 = self.features[:2](x)
        f2 = self.features[2:4](f1)
        f3 = self.features[4:7](f2)
        return Features(f1, f2, f3, self.features[7:](f3))


class ResNetEncoder(ResNet):
    """ResNet-50 or -101 (arXiv:1512.03385; stride on the 3x3 convolution) without pooling and classifier."""

    channels = (64, 256, 512, 2048)
    _blocks = {50: [3, 4, 6, 3], 101: [3, 4, 23, 3]}  # noqa: RUF012

    def __init__(self, depth: int, in_channels: int = 3) -> None:
        super().__init__(Bottleneck, self._blocks[depth], replace_stride_with_dilation=[False, False, True])
        if in_channels != 3:
            self.conv1 = _like(self.conv1, in_channels)
        del self.avgpool, self.fc

    def forward(self, x: Tensor) -> Features:
        f1 = self.relu(self.bn1(self.conv1(x)))
        f2 = self.layer1(self.maxpool(f1))
        f3 = self.layer2(f2)
        return Features(f1, f2, f3, self.layer4(self.layer3(f3)))


def _like(conv: nn.Conv2d, in_channels: int) -> nn.Conv2d:
    """A fresh bias-free convolution like `conv` for another number of input channels."""
    stem = nn.Conv2d(
        in_channels,
        conv.out_channels,
        conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding,
        bias=False,  # type: ignore[arg-type]
    )
    nn.init.kaiming_normal_(stem.weight, mode="fan_out")
    return stem


def _dilate(block: InvertedResidual, dilation: int) -> None:
    """Run the depthwise convolution of a MobileNetV2 block at stride 1 with the given dilation."""
    depthwise = block.conv[1][0]
    depthwise.stride, depthwise.dilation, depthwise.padding = (1, 1), (dilation, dilation), (dilation, dilation)
