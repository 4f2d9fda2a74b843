"""What a file taught, as it renders: the network and what the file remembers of the shot."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from models.learning.lesson import EightBit, Predicted
from models.learning.network import LearnedNetwork

KEYS, FRAMES = "shot.0.keys", "shot.0.frames"


class Pupil:
    """`shot` are the tensors called `shot.*` of the file."""

    def __init__(self, network: LearnedNetwork, shot: Mapping[str, Tensor]) -> None:
        self.network = network
        self.keys, self.frames = shot[KEYS], shot[FRAMES].tolist()

    @torch.no_grad()
    def __call__(self, picture: EightBit, frame: int, plate: EightBit | None = None) -> Predicted:
        """What it makes of a frame; depends on nothing but the arguments and the file."""
        device = next(self.network.parameters()).device
        hint = hint_for(frame, self.frames, self.keys).to(device)
        if hint.shape[-2:] != picture.shape[:2]:
            hint = torch.nn.functional.interpolate(hint, picture.shape[:2], mode="bilinear", align_corners=False)
        answer = self.network(as_tensor(picture).to(device), hint).clamp(0, 1)
        value = answer[0].permute(1, 2, 0).contiguous().cpu().numpy()
        distance = min(abs(frame - key) for key in self.frames)
        sure = np.abs(2 * value.mean(-1) - 1) if value.shape[-1] == 1 else np.ones(value.shape[:2], np.float32)
        return Predicted(value, (sure / (1 + distance / 10)).astype(np.float32))


def hint_for(frame: int, frames: list[int], keys: Tensor) -> Tensor:
    """The nearest key `[1,C,h,w]` in 0..1; `keys` is uint8 `[K,C,h,w]`."""
    nearest = min(range(len(frames)), key=lambda at: (abs(frames[at] - frame), frames[at]))
    return keys[nearest : nearest + 1].float() / 255


def as_tensor(picture: EightBit) -> Tensor:
    """uint8 `[h,w,3]` as `[1,3,h,w]` in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float() / 255
