"""LaMa's perceptual loss with a high receptive field (arXiv:2109.07161, section 2.2)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from ..imagenet import normalise
from ..weights import load_state_dict


class DilatedResNet50(ResNet):
    """The stages of ResNet-50, the last two dilated instead of strided, so that the output stride is 8.

    With `deep_stem` three 3x3 convolutions take the place of the 7x7 one, as in networks trained for ADE20K.
    """

    def __init__(self, deep_stem: bool = False) -> None:
        super().__init__(Bottleneck, [3, 4, 6, 3], replace_stride_with_dilation=[False, True, True])
        del self.avgpool, self.fc
        self.deep_stem = deep_stem
        if deep_stem:
            self.conv1, self.bn1 = _conv3x3(3, 64, stride=2), nn.BatchNorm2d(64)
            self.conv2, self.bn2 = _conv3x3(64, 64), nn.BatchNorm2d(64)
            self.conv3, self.bn3 = _conv3x3(64, 128), nn.BatchNorm2d(128)
            first = self.layer1[0]
            first.conv1 = nn.Conv2d(128, 64, 1, bias=False)
            first.downsample[0] = nn.Conv2d(128, 256, 1, bias=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: [B,3,H,W], RGB normalised by the mean and deviation of ImageNet.

        Returns the four stages: 256 channels at 1/4 size, and 512, 1024 and 2048 at 1/8.
        """
        x = F.relu(self.bn1(self.conv1(x)))
        if self.deep_stem:
            x = F.relu(self.bn3(self.conv3(F.relu(self.bn2(self.conv2(x))))))
        x = self.maxpool(x)
        stages = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            stages.append(x)
        return stages


class HighReceptiveFieldLoss(nn.Module):
    """Sum over the stages of a segmentation network of the mean squared difference of its features.

    The network is fixed: it takes no gradient and stays in eval mode.  Published LaMa models were trained with a
    ResNet-50 for ADE20K, whose encoder file fits; so does a ResNet-50 of torchvision.

    Example:
        >>> loss = HighReceptiveFieldLoss(DilatedResNet50().state_dict())
        >>> loss(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)).shape
        torch.Size([])
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        """`state`: weights of the network by name; a classifier among them is ignored.

        Raises RuntimeError, which names them, if weights are missing or have another shape.
        """
        super().__init__()
        self.network = DilatedResNet50(deep_stem="conv3.weight" in state)
        self.network.load_state_dict({k: v for k, v in state.items() if not k.startswith("fc.")})
        self.requires_grad_(False).eval()

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """With weights from a file of any format that `models.weights` reads."""
        return cls(load_state_dict(path))

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """pred and target: [B,3,H,W], RGB 0..1, of one size.  A scalar; no gradient flows into target."""
        with torch.no_grad():
            wanted = self.network(normalise(target))
        found = self.network(normalise(pred))
        return torch.stack([F.mse_loss(a, b) for a, b in zip(found, wanted, strict=True)]).sum()

    def train(self, mode: bool = True) -> Self:
        return super().train(False)


def _conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
