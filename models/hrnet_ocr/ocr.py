"""Object-contextual representations: every pixel is described by the classes that it is likely to belong to.

arXiv:1909.11065, section 3.2.  K classes; features of C channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpatialGather(nn.Module):
    """Mean feature of each class, weighted by how clearly a pixel belongs to it."""

    def forward(self, features: Tensor, logits: Tensor) -> Tensor:
        """features [N,C,h,w], logits [N,K,h,w] -> [N,C,K,1]."""
        weights = logits.flatten(2).softmax(2)
        return (features.flatten(2) @ weights.transpose(1, 2)).unsqueeze(3)


class ObjectAttention(nn.Module):
    """For each pixel the mix of class features that resembles it.

    channels: C; key_channels: of the space in which pixels and classes are compared; scale: pixels are compared after
    max-pooling by this factor.
    """

    def __init__(self, channels: int, key_channels: int, scale: int = 1) -> None:
        super().__init__()
        self.scale = scale
        self.f_pixel = nn.Sequential(*_project(channels, key_channels), *_project(key_channels, key_channels))
        self.f_object = nn.Sequential(*_project(channels, key_channels), *_project(key_channels, key_channels))
        self.f_down = nn.Sequential(*_project(channels, key_channels))
        self.f_up = nn.Sequential(*_project(key_channels, channels))

    def forward(self, features: Tensor, objects: Tensor) -> Tensor:
        """features [N,C,h,w], objects [N,C,K,1] -> [N,C,h,w], >= 0."""
        pooled = F.max_pool2d(features, self.scale) if self.scale > 1 else features
        query = self.f_pixel(pooled).flatten(2).transpose(1, 2)
        key = self.f_object(objects).flatten(2)
        value = self.f_down(objects).flatten(2).transpose(1, 2)
        similarity = (query @ key / key.shape[1] ** 0.5).softmax(2)
        context: Tensor = self.f_up((similarity @ value).transpose(1, 2).unflatten(2, pooled.shape[2:]))
        if self.scale == 1:
            return context
        return F.interpolate(context, features.shape[2:], mode="bilinear", align_corners=True)


class SpatialOCR(nn.Module):
    """The features joined with their object context.

    channels: C of the input; key_channels: see ObjectAttention; out_channels: of the output.
    """

    def __init__(self, channels: int, key_channels: int, out_channels: int, dropout: float = 0.05) -> None:
        super().__init__()
        self.object_context_block = ObjectAttention(channels, key_channels)
        self.conv_bn_dropout = nn.Sequential(*_project(2 * channels, out_channels), nn.Dropout2d(dropout))

    def forward(self, features: Tensor, objects: Tensor) -> Tensor:
        """features [N,C,h,w], objects [N,C,K,1] -> [N,out_channels,h,w], >= 0."""
        context = self.object_context_block(features, objects)
        joined: Tensor = self.conv_bn_dropout(torch.cat([context, features], dim=1))
        return joined


def _project(source: int, target: int) -> list[nn.Module]:
    return [nn.Conv2d(source, target, 1, bias=False), nn.Sequential(nn.BatchNorm2d(target), nn.ReLU())]
