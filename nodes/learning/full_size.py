"""From what the network says of the small picture it sees to the source's own pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.learning.lesson import Predicted
from models.rvm.guided_filter import FastGuidedFilterRefiner
from nodes.filling.mask import weight_around
from nodes.footage.frame import Pixels
from nodes.footage.window import Window
from nodes.learning.region import EightBit
from nodes.picture import Proxy, place, to_pixels


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
        nothing = torch.zeros_like(value).expand(-1, 3, -1, -1)
        return self._on_data(self._guided(nothing, value)[1].clamp(0, 1))

    def change(self) -> Tensor:
        """`[1,3,H,W]` over the data: what the display-encoded picture is to be changed by."""
        change = _tensor(self.predicted.value - self.small.astype(np.float32) / np.float32(255))
        return self._on_data(self._guided(change, change[:, :1])[0])

    def confidence(self) -> Pixels:
        """`[H,W,1]` over the data."""
        confidence = _tensor(self.predicted.confidence[..., None])
        size = self.window.height, self.window.width
        return to_pixels(self._on_data(F.interpolate(confidence, size, mode="bilinear", align_corners=False)))

    def _guided(self, colour: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Both of the window's size: their edges follow those of the picture that the network saw a smaller one of."""
        if value.shape[-2:] == (self.window.height, self.window.width):
            return colour, value
        shown = place(to_pixels(self.proxy.shown), self.data, self.window, edge=True)
        small = _tensor(self.small.astype(np.float32) / np.float32(255))
        refined: tuple[Tensor, Tensor] = FastGuidedFilterRefiner()(_tensor(shown), small, colour, value)
        return refined

    def _on_data(self, image: Tensor) -> Tensor:
        """Beyond the window the border goes on."""
        if self.window == self.data:
            return image.to(self.proxy.shown.device)
        return _tensor(place(to_pixels(image), self.window, self.data, edge=True)).to(self.proxy.shown.device)


def changed_weight(change: Tensor, threshold: float, feather: float) -> Tensor:
    """`[1,1,H,W]`: 1 where a change `[1,3,H,W]` is above the threshold in any channel, 0 further than the feather."""
    core = (change.abs().amax(dim=1)[0] > threshold).cpu().numpy()
    return _tensor(weight_around(core, 0.0, feather)[..., None]).to(change.device)


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
