"""From what the network says of the small picture it sees to the source's own pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.learning.lesson import Predicted
from nodes.filling.mask import weight_around
from nodes.footage.frame import Pixels
from nodes.footage.window import Window
from nodes.learning.region import EightBit, reduced
from nodes.picture import Proxy, place, to_pixels

# Variance, in display-encoded values, of what is no edge.
NOISE = 1e-5


@dataclass(frozen=True)
class FullSize:
    """What the network `predicted` of `small`, which shows `window`, of a picture that covers `data`."""

    predicted: Predicted
    small: EightBit
    proxy: Proxy
    data: Window
    window: Window

    def alpha(self) -> Tensor:
        """`[1,1,H,W]` over the data."""
        value = _tensor(self.predicted.value)
        pictures = self._guides()
        if pictures is not None:
            value = guided(pictures[0].mean(1, True), pictures[1].mean(1, True), value)
        return self._on_data(value.clamp(0, 1))

    def change(self) -> Tensor:
        """`[1,3,H,W]` over the data: what the display-encoded picture is to be changed by."""
        change = _tensor(self.predicted.value - self.small.astype(np.float32) / np.float32(255))
        pictures = self._guides()
        return self._on_data(change if pictures is None else guided(pictures[0], pictures[1], change))

    def confidence(self) -> Pixels:
        """`[H,W,1]` over the data."""
        confidence = _tensor(self.predicted.confidence[..., None])
        size = self.window.height, self.window.width
        return to_pixels(self._on_data(F.interpolate(confidence, size, mode="bilinear", align_corners=False)))

    def _guides(self) -> tuple[Tensor, Tensor] | None:
        """What the window shows, whole and as small as the network saw it; None where that is the same."""
        if self.small.shape[:2] == (self.window.height, self.window.width):
            return None
        shown = to_pixels(self.proxy.shown)
        whole = place(shown, self.data, self.window, edge=True)
        return _tensor(whole), _tensor(reduced(shown, self.data, self.window, edge=True))

    def _on_data(self, image: Tensor) -> Tensor:
        """Beyond the window the border goes on."""
        if self.window == self.data:
            return image.to(self.proxy.shown.device)
        return _tensor(place(to_pixels(image), self.window, self.data, edge=True)).to(self.proxy.shown.device)


def guided(full: Tensor, small: Tensor, value: Tensor) -> Tensor:
    """`value` at the size of `full`, with its edges (fast guided filter, He and Sun, arXiv:1505.00996, radius 1).

    `small` is `full` at the size of `value`, with as many channels; each channel is guided by its own.
    """
    mean_small, mean_value = _box(small), _box(value)
    slope = (_box(small * value) - mean_small * mean_value) / (_box(small * small) - mean_small.square() + NOISE)
    offset = mean_value - slope * mean_small
    size = full.shape[-2:]
    slope, offset = (F.interpolate(one, size, mode="bilinear", align_corners=False) for one in (slope, offset))
    return slope * full + offset


def _box(image: Tensor) -> Tensor:
    """Mean over 3x3, of what there is."""
    return F.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)


def changed_weight(change: Tensor, threshold: float, feather: float) -> Tensor:
    """`[1,1,H,W]`: 1 where a change `[1,3,H,W]` is above the threshold in any channel, 0 further than the feather."""
    core = (change.abs().amax(dim=1)[0] > threshold).cpu().numpy()
    return _tensor(weight_around(core, 0.0, feather)[..., None]).to(change.device)


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
