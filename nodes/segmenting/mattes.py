"""From probabilities to passes: what chosen classes cover, which class is where, edges that follow the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from models.pieces import too_short
from models.rvm.guided_filter import FastGuidedFilterRefiner

# Whole numbers up to here survive half float.
MOST_CLASSES = 2048


@dataclass
class Maps:
    """A frame's answer: `chosen` [C,H,W] probabilities of the chosen classes, `things` [1,H,W] that of all but the
    background, `ids` and `confidence` [1,H,W].
    """

    chosen: Tensor
    things: Tensor
    ids: Tensor
    confidence: Tensor

    @staticmethod
    def empty(size: tuple[int, int], count: int, device: torch.device) -> Maps:
        height, width = size
        return Maps(*(torch.empty(n, height, width, device=device) for n in (count, 1, 1, 1)))

    def take(self, top: int, rows: Tensor, classes: Sequence[int], background: Sequence[int]) -> None:
        """Fills in rows [K,h,W] of probabilities from `top` on."""
        here = slice(top, top + rows.shape[1])
        self.chosen[:, here] = rows[list(classes)]
        self.confidence[0, here], best = rows.max(0)
        self.ids[0, here] = best.float()
        self.things[0, here] = 1 - rows[list(background)].sum(0)

    def drop_short(self, classes: Sequence[int], shortest: Sequence[float], background: int, threshold: float) -> None:
        """Takes away pieces shorter than their class can be; `shortest`: pixels, by class id.

        Pieces are those of all things together, so that a wire is not cut where a stand crosses it: for `chosen` at
        the matte's `threshold`, for `ids`, which become `background`, where things are likelier than that.
        """
        likeliest = torch.as_tensor(classes, device=self.ids.device)[self.chosen.argmax(0)]
        self.chosen *= ~self._short(likeliest, shortest, threshold)
        self.ids[0].masked_fill_(self._short(self.ids[0].int(), shortest, 0.5), background)

    def _short(self, kinds: Tensor, shortest: Sequence[float], threshold: float) -> Tensor:
        found = (self.things[0] >= threshold).cpu().numpy()
        return torch.from_numpy(too_short(found, kinds.cpu().numpy(), shortest)).to(self.ids.device)


def snapped(matte: Tensor, picture: Tensor, reach: int) -> Tensor:
    """A matte [1,1,H,W] whose edges follow those of the picture [1,3,H,W], by the fast guided filter.

    `reach` pixels make one of the small picture in whose 3x3 windows the matte is expressed by the picture's grey.
    """
    height, width = matte.shape[-2:]
    right, below = -width % reach + reach, -height % reach + reach
    pad = (reach, right, reach, below)  # the filter takes what is outside for black
    matte, picture = (F.pad(image, pad, mode="replicate") for image in (matte, picture))
    small, small_matte = F.avg_pool2d(picture, reach), F.avg_pool2d(matte, reach)
    _, result = FastGuidedFilterRefiner()(picture, small, torch.zeros_like(small), small_matte)
    return torch.as_tensor(result)[..., reach : reach + height, reach : reach + width].clamp(0, 1)


def levels(probability: Tensor, threshold: float, softness: float) -> Tensor:
    """Alpha: a half at `threshold`, 0 half of `softness` below it and 1 half of it above; 0.5 and 1 change nothing.

    Both ramps end within 0..1, so what is surely absent stays 0 and what is surely there 1 at any threshold.
    """
    if (threshold, softness) == (0.5, 1.0):
        return probability
    if softness < 1e-6:
        return (probability >= threshold).to(probability.dtype)
    below, above = min(softness / 2, threshold), min(softness / 2, 1 - threshold)
    offset = probability - threshold
    return (0.5 + torch.where(offset < 0, _share(offset, below), _share(offset, above))).clamp(0, 1)


def _share(offset: Tensor, reach: float) -> Tensor:
    """Half the offset's share of the ramp; without a ramp a half in its direction."""
    return offset / (2 * reach) if reach > 0 else 0.5 * (offset >= 0).to(offset.dtype)
