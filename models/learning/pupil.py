"""What a file taught, as it renders: the network, and what the file remembers of the shots."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from torch import Tensor

from models.learning.hints import Hint, seen, whole_frame
from models.learning.lesson import EightBit, Floats, Predicted
from models.learning.memory import Hints, recall, unpacked
from models.learning.network import LearnedNetwork

# A piece of matte above ISLAND is the subject's if KNOWN of it is: a carried alpha above VOUCHED once doubt is counted.
ISLAND, VOUCHED, KNOWN, VOUCHING = 0.05, 0.2, 0.1, 0.4


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
    confidence = (1 - error[0, 0].float().sigmoid()).cpu().numpy()
    return Predicted(vouched_for(shown, hints) if network.kind == "matte" else shown, confidence)


def vouched_for(alpha: Floats, hints: Hints) -> Floats:
    """`alpha` [h, w, 1] without islands that no carried key vouches for: what looks like the subject and is none.

    The largest piece stays; where no key was carried to, all do.
    """
    if hints == (None, None):
        return alpha
    vouching = np.max([_trusted(hint) for hint in hints if hint is not None], axis=0)
    count, pieces, numbers, _ = cv2.connectedComponentsWithStats((alpha[..., 0] > ISLAND).astype(np.uint8))
    at = cv2.resize(vouching, alpha.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    largest = 1 + int(numbers[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else 0
    known = np.bincount(pieces.ravel(), (at > VOUCHED).ravel(), count) >= KNOWN * numbers[:, cv2.CC_STAT_AREA]
    known[[0, largest]] = True
    return np.asarray(alpha * known[pieces][..., None], np.float32)


def _trusted(hint: Hint) -> Floats:
    doubt = cv2.resize(hint.doubt, hint.key.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(hint.key[..., 0] / np.float32(255) * np.exp(doubt / np.float32(-255 * VOUCHING)), np.float32)


def as_tensor(images: Floats, device: torch.device) -> Tensor:
    """float32 [B, h, w, c] as [B, c, h, w], channels last in memory."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(device, memory_format=torch.channels_last)
