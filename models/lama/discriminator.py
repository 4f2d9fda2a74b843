"""The patch discriminator of LaMa's training."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class Judgement(NamedTuple):
    """scores [B,1,h,w], a logit per patch (above 0: real), and the features of the layers before, finest first."""

    scores: Tensor
    features: list[Tensor]


class LaMaDiscriminator(nn.Module):
    """Six 4x4 convolutions, the first four of stride 2 (the patch discriminator of pix2pixHD, arXiv:1711.11585).

    `width` is the channel count of the first layer.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.model0 = nn.Sequential(nn.Conv2d(3, width, 4, 2, 2), nn.LeakyReLU(0.2))
        self.model1 = self._layer(width, 2 * width, 2)
        self.model2 = self._layer(2 * width, 4 * width, 2)
        self.model3 = self._layer(4 * width, 8 * width, 2)
        self.model4 = self._layer(8 * width, 8 * width, 1)
        self.model5 = nn.Sequential(nn.Conv2d(8 * width, 1, 4, 1, 2))

    def forward(self, x: Tensor) -> Judgement:
        """x: [B,3,H,W], RGB 0..1, of any size."""
        features = []
        for layer in (self.model0, self.model1, self.model2, self.model3, self.model4):
            x = layer(x)
            features.append(x)
        return Judgement(self.model5(x), features)

    @staticmethod
    def _layer(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 4, stride, 2), nn.BatchNorm2d(out_channels), nn.LeakyReLU(0.2)
        )
