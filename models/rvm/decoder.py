"""LR-ASPP and the recurrent decoder (arXiv:2108.11515, section 3.2).

Time is folded into the batch everywhere, [B*T,C,h,w] with the frames of a clip in a row; only the GRUs unfold it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..encoders import Features


class States(NamedTuple):
    """Recurrent state after the last frame, [B,C,h,w] each, at 1/2, 1/4, 1/8, 1/16 of the small source, rounded up."""

    r1: Tensor
    r2: Tensor
    r3: Tensor
    r4: Tensor


class LRASPP(nn.Module):
    """Lite reduced ASPP (MobileNetV3, arXiv:1905.02244, section 6.4): a 1x1 convolution gated by the global mean."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.aspp1 = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
        )
        self.aspp2 = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.aspp1(x) * self.aspp2(x)


class ConvGRU(nn.Module):
    """Convolutional gated recurrent unit (arXiv:1511.06432) with 3x3 kernels, `channels` in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ih = nn.Sequential(nn.Conv2d(2 * channels, 2 * channels, 3, padding=1), nn.Sigmoid())
        self.hh = nn.Sequential(nn.Conv2d(2 * channels, channels, 3, padding=1), nn.Tanh())

    def forward(self, x: Tensor, state: Tensor | None, frames: int) -> tuple[Tensor, Tensor]:
        """x [B*frames,C,h,w], state [B,C,h,w] or None for zeros -> the hidden states like x, and the last of them."""
        clip = x.unflatten(0, (-1, frames)).unbind(1)
        if state is None:
            state = torch.zeros_like(clip[0])
        elif state.shape != clip[0].shape:
            raise ValueError(
                f"A recurrent state of shape {list(state.shape)} does not belong to this source, which needs "
                f"{list(clip[0].shape)}: start again from None after a change of size, batch or downsample_ratio."
            )
        hidden = []
        for frame in clip:
            reset, update = self.ih(torch.cat([frame, state], dim=1)).chunk(2, dim=1)
            candidate = self.hh(torch.cat([frame, reset * state], dim=1))
            state = (1 - update) * state + update * candidate
            hidden.append(state)
        return torch.stack(hidden, dim=1).flatten(0, 1), state


class BottleneckBlock(nn.Module):
    """Coarsest decoder level: the GRU sees one half of the channels, the other half passes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gru = ConvGRU(channels // 2)

    def forward(self, x: Tensor, state: Tensor | None, frames: int) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        b, state = self.gru(b, state, frames)
        return torch.cat([a, b], dim=1), state


class UpsamplingBlock(BottleneckBlock):
    """Twice the size, joined with an encoder feature and the pooled source; then as the bottleneck."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        nn.Module.__init__(self)
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels + skip_channels + 3, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )
        self.gru = ConvGRU(out_channels // 2)

    def join(self, x: Tensor, feature: Tensor, source: Tensor) -> Tensor:
        return self.conv(torch.cat([_double(x, source), feature, source], dim=1))


class OutputBlock(nn.Module):
    """Finest level, without recurrence: twice the size, joined with the small source."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels + 3, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
        )

    def forward(self, x: Tensor, source: Tensor) -> Tensor:
        return self.conv(torch.cat([_double(x, source), source], dim=1))


class RecurrentDecoder(nn.Module):
    """features: channels of f1, f2, f3 and of the LR-ASPP; outputs: channels of the levels 1/8, 1/4, 1/2 and 1."""

    def __init__(self, features: tuple[int, int, int, int], outputs: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.decode4 = BottleneckBlock(features[3])
        self.decode3 = UpsamplingBlock(features[3], features[2], outputs[0])
        self.decode2 = UpsamplingBlock(outputs[0], features[1], outputs[1])
        self.decode1 = UpsamplingBlock(outputs[1], features[0], outputs[2])
        self.decode0 = OutputBlock(outputs[2], outputs[3])

    def recur(
        self, source: Tensor, features: Features, states: tuple[Tensor | None, ...], frames: int
    ) -> tuple[Tensor, States]:
        """All levels that carry state: the features at 1/2, and the new state.  f4 comes out of the LR-ASPP."""
        s1 = _halve(source)
        s2 = _halve(s1)
        s3 = _halve(s2)
        x, r4 = self.decode4(features.f4, states[3], frames)
        x, r3 = self.decode3(self.decode3.join(x, features.f3, s3), states[2], frames)
        x, r2 = self.decode2(self.decode2.join(x, features.f2, s2), states[1], frames)
        x, r1 = self.decode1(self.decode1.join(x, features.f1, s1), states[0], frames)
        return x, States(r1, r2, r3, r4)


class Projection(nn.Module):
    """1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def _double(x: Tensor, like: Tensor) -> Tensor:
    """Twice the size, bilinear, cut to the size of `like`."""
    height, width = like.shape[-2:]
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)[:, :, :height, :width]


def _halve(x: Tensor) -> Tensor:
    """Half the size, rounded up, by averaging."""
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
