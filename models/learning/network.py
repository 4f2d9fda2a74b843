"""The network that an artist's key frames teach.

It sees a frame, what the nearest key frames before and after say of it once they are carried there along the motion,
how much each of the two is doubted, and a clean plate where there is one. Its body is that of Robust Video Matting
(arXiv:2108.11515) without recurrence, so that a frame depends on itself alone, and it begins as the bundled VideoMatte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..encoders import MobileNetV3Encoder
from ..rvm.decoder import LRASPP
from .lesson import TaughtKind

KINDS = {"matte": 1, "picture": 3}
PLATE = 4  # difference from the plate in R, G, B; 1 where there is a plate
CONTEXT, LEVELS = 128, (80, 40, 32, 16)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB, as the backbone wants it
EXPECTED = -4.0  # logit of the error that it expects of itself at first


def seen_channels(kind: str) -> int:
    """How many channels the network sees: the frame, the blend of the carried keys, the one before, the one after,
    their doubts, how far the nearest is, the plate."""
    return 3 + 3 * KINDS[kind] + 3 + PLATE


class LearnedNetwork(nn.Module):
    """kind: "matte" or "picture".

    forward takes [B, seen_channels, H, W] as `models.learning.hints.seen` lays it out, of any size, and returns
    [B, 1 or 3, H, W], alpha or picture, not limited to 0..1, and [B, 1, H, W], the logit of the error it expects of
    itself. Fresh, it answers what the carried keys say.
    """

    def __init__(self, kind: str = "matte") -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"The network learned has no kind {kind!r}; it has {' and '.join(KINDS)}.")
        self.kind, self.answers, hints = cast(TaughtKind, kind), KINDS[kind], seen_channels(kind) - 3
        self.backbone = MobileNetV3Encoder()
        widen(self.backbone.features[0][0], hints)
        f1, f2, f3, f4 = self.backbone.channels
        self.aspp = LRASPP(f4, CONTEXT)
        self.level4 = _Gate(CONTEXT)
        self.level3 = _Level(CONTEXT + f3 + 3 + hints, LEVELS[0])
        self.level2 = _Level(LEVELS[0] + f2 + 3 + hints, LEVELS[1])
        self.level1 = _Level(LEVELS[1] + f1 + 3 + hints, LEVELS[2])
        self.fine = nn.Sequential(*_conv(LEVELS[2] + 3 + hints, LEVELS[3]), *_conv(LEVELS[3], LEVELS[3]))
        self.answer = nn.Conv2d(LEVELS[3], self.answers + 1, 1)
        nn.init.zeros_(self.answer.weight)
        with torch.no_grad():
            self.answer.bias[:] = torch.tensor([0.0] * self.answers + [EXPECTED])  # type: ignore[index]
        self.trust = nn.Parameter(torch.ones(1))  # how much of the answer is what the carried keys say

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        height, width = seen.shape[-2:]
        padded = F.pad(seen, (0, -width % 16, 0, -height % 16), mode="replicate")
        frame, hints = padded[:, :3] + 0.5, padded[:, 3:]
        mean, std = (torch.tensor(value, device=seen.device).view(1, 3, 1, 1) for value in (MEAN, STD))
        normal = (frame - mean) / std
        features = self.backbone.features
        f1 = features[:2](torch.cat([normal, hints], 1))
        f2 = features[2:4](f1)
        # What lies deeper is what things are, which a few keys cannot teach better, and the slow half of a step.
        with torch.no_grad():
            f3 = features[4:7](f2)
            f4 = features[7:](f3)
        sizes = [torch.cat([frame, hints], 1)]
        for _ in range(3):
            sizes.append(F.avg_pool2d(sizes[-1], 2))
        x = self.level4(self.aspp(f4))
        x = self.level3(x, f3, sizes[3])
        x = self.level2(x, f2, sizes[2])
        x = self.level1(x, f1, sizes[1])
        out = self.answer(self.fine(torch.cat([_double(x), sizes[0]], 1)))[..., :height, :width]
        known = seen[:, 3 : 3 + self.answers] + 0.5
        return out[:, : self.answers] + self.trust * known, out[:, self.answers :]


class _Gate(nn.Module):
    """What a convolutional GRU without memory makes of half of its channels; the other half passes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.update = nn.Conv2d(channels // 2, channels // 2, 3, padding=1)
        self.candidate = nn.Conv2d(channels // 2, channels // 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        return torch.cat([a, self.update(b).sigmoid() * self.candidate(b).tanh()], 1)


class _Level(nn.Module):
    """Twice the size, joined with the encoder's feature and what is seen at that size."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(*_conv(inside, outside))
        self.gate = _Gate(outside)

    def forward(self, x: Tensor, feature: Tensor, seen: Tensor) -> Tensor:
        return self.gate(self.conv(torch.cat([_double(x), feature, seen], 1)))


def from_video_matte(weights: Mapping[str, Tensor], kind: str) -> dict[str, Tensor]:
    """A start for the network from weights of `rvm` (MobileNetV3): what they know of edges, deaf to hints as yet."""
    start = LearnedNetwork(kind).state_dict()
    for name in start:
        if name.startswith(("backbone.", "aspp.")):
            start[name] = _filled(start[name], weights[name])
    convs = [(f"level{i}.conv", f"decoder.decode{i}.conv") for i in (3, 2, 1)] + [("fine", "decoder.decode0.conv")]
    for ours, theirs in convs:
        for name in [name for name in start if name.startswith(f"{ours}.")]:
            start[name] = _filled(start[name], weights[theirs + name.removeprefix(ours)])
    for i in (4, 3, 2, 1):
        gate, gru = ("level4" if i == 4 else f"level{i}.gate"), f"decoder.decode{i}.gru"
        channels = start[f"{gate}.update.weight"].shape[0]
        start[f"{gate}.update.weight"] = weights[f"{gru}.ih.0.weight"][channels:, :channels].clone()
        start[f"{gate}.update.bias"] = weights[f"{gru}.ih.0.bias"][channels:].clone()
        start[f"{gate}.candidate.weight"] = weights[f"{gru}.hh.0.weight"][:, :channels].clone()
        start[f"{gate}.candidate.bias"] = weights[f"{gru}.hh.0.bias"].clone()
    if kind == "matte":  # half of what it says of people, half of what the carried keys say
        start["answer.weight"][:1] = weights["project_mat.conv.weight"][3:] / 2
        start["answer.bias"][:1] = weights["project_mat.conv.bias"][3:] / 2
        start["trust"].fill_(0.5)
    return start


def _filled(into: Tensor, known: Tensor) -> Tensor:
    """`known`, and zeros for the channels that are only seen here."""
    if into.shape == known.shape:
        return known.clone()
    filled = torch.zeros_like(into)
    filled[:, : known.shape[1]] = known
    return filled


def widen(conv: nn.Conv2d, channels: int) -> None:
    """Lets a first convolution see more channels, of which it makes nothing yet."""
    conv.in_channels += channels
    conv.weight = nn.Parameter(
        _filled(torch.empty(conv.out_channels, conv.in_channels, *conv.kernel_size), conv.weight.data)
    )


def _conv(inside: int, outside: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
