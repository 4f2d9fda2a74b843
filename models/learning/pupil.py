"""What a file taught, as it renders: the network, and what the file remembers of the shots."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from models.learning.hints import seen, whole_frame
from models.learning.lesson import EightBit, Floats, Predicted
from models.learning.memory import Hints, recall, unpacked
from models.learning.network import LearnedNetwork


class Pupil:
    """`shot` are the tensors called `shot.*` of the file. Raises ValueError where they do not hang together."""

    def __init__(self, network: LearnedNetwork, shot: Mapping[str, Tensor]) -> None:
        self.network, self.memories = network, unpacked(shot)

    def __call__(self, picture: EightBit, frame: int, plate: EightBit | None = None) -> Predicted:
        """What it makes of a frame; depends on nothing but the arguments and the file."""
        return answer(self.network, picture, recall(self.memories, picture, frame), plate)


def answer(network: LearnedNetwork, picture: EightBit, hints: Hints, plate: EightBit | None) -> Predicted:
    """What the network makes of a frame with these hints."""
    frame = picture.astype(np.float32) / np.float32(255)
    back = None if plate is None else plate.astype(np.float32) / np.float32(255)
    x = seen(network.kind, frame, *hints, back, whole_frame(*picture.shape[:2]))
    with torch.inference_mode():
        value, error = network(as_tensor(x[None], next(network.parameters()).device))
    shown = value[0].clamp(0, 1).permute(1, 2, 0).float().contiguous().cpu().numpy()
    return Predicted(shown, (1 - error[0, 0].float().sigmoid()).cpu().numpy())


def as_tensor(images: Floats, device: torch.device) -> Tensor:
    """float32 [B, h, w, c] as [B, c, h, w], channels last in memory."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(device, memory_format=torch.channels_last)
