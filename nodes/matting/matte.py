"""What is done to a matte after the network: black and white point, islands, core and garbage mattes."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from models.wording import parameter
from nodes.engine import Inputs
from nodes.errors import ParameterError
from nodes.footage.frame import Frame
from nodes.picture import laid_on, mask_pixels, settle

# Alpha above which pixels hang together when islands are looked for.
ISLAND_LEVEL = 0.1
# Alpha that stands for nothing where the plate was painted. Of eleven frames of two cut-out subjects before plates that
# were painted in part it made all better, by a tenth in that part; 0.7 and more made some worse. From the second
# confidence on a plate is as good as filmed.
FAINT = 0.5
TRUSTED = 0.6


def set_levels(alpha: Tensor, black: float, white: float) -> Tensor:
    """Alpha with everything up to `black` at 0 and from `white` on at 1. Raises ParameterError if they cross."""
    if black >= white:
        raise ParameterError(
            f"{parameter('alphaBlack')} is {black:g} and {parameter('alphaWhite')} {white:g}: "
            "the black point must lie below the white point"
        )
    if (black, white) == (0.0, 1.0):
        return alpha
    return ((alpha - black) / (white - black)).clamp(0, 1)


def without_faint(alpha: Tensor, certain: Tensor) -> Tensor:
    """Alpha against a plate that is `certain` `[1,1,H,W]`, 0..1, only in part: what was painted is never quite what was
    there, so it differs a little from the picture everywhere, and only alpha above `FAINT` is subject where it is 0.

    >>> without_faint(torch.tensor([0.5, 0.5, 0.75, 1.0]), torch.tensor([1.0, 0.0, 0.0, 0.0])).tolist()
    [0.5, 0.0, 0.5, 1.0]
    """
    nothing = FAINT * (1 - certain / TRUSTED).clamp_min(0)
    return ((alpha - nothing) / (1 - nothing)).clamp(0, 1)


def remove_islands(alpha: Tensor, percent: float) -> Tensor:
    """Alpha `[1,1,H,W]` without separate pieces smaller than `percent` of the picture; the largest piece stays."""
    if percent <= 0:
        return alpha
    solid = (alpha[0, 0] > ISLAND_LEVEL).to(torch.uint8).cpu().numpy()
    count, labels, sizes, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    if count <= 2:
        return alpha
    areas = sizes[:, cv2.CC_STAT_AREA]
    small = areas < percent / 100 * solid.size
    small[0] = False
    small[1 + int(np.argmax(areas[1:]))] = False
    if not small.any():
        return alpha
    # The soft rim of an island lies below the level: take it along.
    islands = cv2.dilate(small[labels].astype(np.uint8), np.ones((9, 9), np.uint8))
    keep = cv2.dilate((~small & (np.arange(count) > 0))[labels].astype(np.uint8), np.ones((9, 9), np.uint8))
    gone = torch.from_numpy((islands > 0) & (keep == 0)).to(alpha.device)
    return torch.where(gone[None, None], torch.zeros_like(alpha), alpha)


def garbage_inputs(inputs: Inputs, frame: int) -> list[tuple[str, int]]:
    """The mask inputs that are connected, for `Engine.needs`."""
    return [(name, frame) for name in ("InM", "OutM") if inputs.connected(name)]


def apply_masks(alpha: Tensor, inputs: Inputs, frame: int, source: Frame, notes: list[str]) -> Tensor:
    """Solid where the core matte is, empty where the garbage matte is; the garbage matte has the last word.

    What comes out is the matte that is written: see `settle`. What is to be said about the masks goes to `notes`.
    """
    for name, label in (("InM", "core matte"), ("OutM", "garbage matte")):
        if not inputs.connected(name):
            continue
        mask_frame = laid_on(label, inputs.frame(name, frame), source)
        pixels = mask_pixels(mask_frame, source.data_window)[..., 0]
        if not pixels.any():
            notes.append(empty_mask(label, frame))
        mask = torch.tensor(pixels, device=alpha.device)[None, None]
        alpha = torch.maximum(alpha, mask) if name == "InM" else alpha * (1 - mask)
    return settle(alpha)


def empty_mask(label: str, frame: int) -> str:
    """The note that a mask has no effect on a frame."""
    return f"frame {frame}: the {label} is empty"
