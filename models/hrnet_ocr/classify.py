"""One tile of a picture through the network, at any size and mirrored: the probability of every class."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from models.hrnet_ocr.heads import HRNetOCR, normalize, resize_logits

# The body halves the picture five times.
SMALLEST_SIDE = 64


def probabilities(
    model: HRNetOCR, tile: Tensor, scale: float = 1, flipped: bool = False, mirrored: Sequence[int] | None = None
) -> Tensor:
    """A tile [1,3,h,w], display-encoded 0..1 -> float32 [K,h,w] that sum to 1.

    scale: the factor by which the network sees it larger; flipped: it sees the mirror image, in which the classes are
    in the order `mirrored` (ClassList.flipped()) where that is another.
    """
    seen = _continued(shown(tile, scale, flipped))
    dtype = next(model.parameters()).dtype
    logits = model(normalize(seen).to(dtype)).out.float()
    rows, columns = seen.shape[-2:]
    if logits.shape[-2] >= rows and logits.shape[-1] >= columns:  # an answer for every pixel
        logits = logits[..., :rows, :columns]
    else:
        logits = resize_logits(logits, (rows, columns))
    if flipped and mirrored:
        logits = logits[:, list(mirrored)]
    high, wide = (max(1, round(side * scale)) for side in tile.shape[-2:])
    logits = logits[..., :high, :wide]
    if flipped:
        logits = logits.flip(-1)
    if scale != 1:
        logits = F.interpolate(logits, tile.shape[-2:], mode="bilinear", align_corners=False)
    return logits.softmax(1)[0]


def shown(tile: Tensor, scale: float, flipped: bool) -> Tensor:
    """A tile [1,3,h,w] as the network sees it: resized, mirrored."""
    if scale != 1:
        size = [max(1, round(side * scale)) for side in tile.shape[-2:]]
        tile = F.interpolate(tile, size, mode="bilinear", align_corners=False, antialias=True)
    return tile.flip(-1) if flipped else tile


def _continued(picture: Tensor) -> Tensor:
    """The picture continued by its border, to the right and below, where it is too small for the network."""
    height, width = picture.shape[-2:]
    padding = (0, max(0, SMALLEST_SIDE - width), 0, max(0, SMALLEST_SIDE - height))
    return F.pad(picture, padding, mode="replicate") if any(padding) else picture
