"""Attention transfer: a finer feature map rebuilt from its own known patches, as a coarser map says they belong
(Zeng, Fu, Chao, Guo, CVPR 2019, arXiv:1904.07475, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

SHARPNESS = 10.0  # factor of the scores before the softmax
LEAST_NORM = 1e-4  # of a key patch
LEAST_WEIGHT = 1e-8  # of any patch, those in the hole included

# Weights held at once, 4 bytes each, about six times over: fits the cache of a CPU, keeps a GPU busy.
TILE_WEIGHTS = {"cpu": 1 << 20, "cuda": 1 << 25}
SMALLEST_TILE = 4


class AttentionTransfer(nn.Module):
    """Attention transfer with (`fuse`) four dilated 3x3 convolutions after it.  `kernel_size`: 3 or 1, of the compared
    patches.  Published code compares unnormalised patches with normalised ones, so the scores are not cosines.

    Memory grows with the size of the maps; the weights, of which there are (h*w)^2, only ever exist in tiles: about
    30 MB of them on a CPU for the finest level of pictures up to 1024x1024, 130 MB at 2048x2048, 1 GB on a GPU.  With
    gradients they are computed twice instead of being kept.
    """

    def __init__(self, channels: int, kernel_size: int = 3, fuse: bool = True) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.fuse = fuse
        if fuse:
            for index in range(4):
                rate = 2**index
                conv = nn.Conv2d(channels, channels // 4, 3, padding=rate, dilation=rate)
                setattr(self, f"conv{index:02}", nn.Sequential(conv, nn.ReLU()))

    def forward(self, low: Tensor, high: Tensor, mask: Tensor | None = None) -> Tensor:
        """low: [B,C,2h,2w], finer features; high: [B,D,h,w], coarser features; mask: [B,1,H,W] of any size, 0 where the
        picture is known.  Gives [B,C,2h,2w].

        Raises ValueError if low is not twice as large as high.
        """
        if low.shape[-2:] != (2 * high.shape[-2], 2 * high.shape[-1]):
            raise ValueError(
                f"Attention transfer needs features of twice the size of {list(high.shape)}; it got {list(low.shape)}."
            )
        known = known_patches(mask, high, self.kernel_size)
        with torch.autocast(low.device.type, enabled=False):
            full = torch.promote_types(low.dtype, torch.float32)
            items = zip(low.to(full), high.to(full), known.to(full), strict=True)
            result = torch.stack([transfer(*item, self.kernel_size) for item in items]).to(low.dtype)
        if not self.fuse:
            return result
        return torch.cat([getattr(self, f"conv{index:02}")(result) for index in range(4)], dim=1)


def known_patches(mask: Tensor | None, high: Tensor, kernel_size: int) -> Tensor:
    """[B,h,w] for high [B,D,h,w]: 1 where the patch around a pixel touches no hole, else 0."""
    batch, _, height, width = high.shape
    if mask is None:
        return high.new_ones(batch, height, width)
    small = F.interpolate(mask.float(), (height, width), mode="bilinear", align_corners=True)
    return (F.max_pool2d(small, kernel_size, stride=1, padding=kernel_size // 2)[:, 0] == 0).to(high.dtype)


def transfer(low: Tensor, high: Tensor, known: Tensor, kernel_size: int) -> Tensor:
    """Attention transfer of one picture: low [C,2h,2w], high [D,h,w], known [h,w] -> [C,2h,2w].

    Every patch of `high` is compared with every known patch; the overlapping 4x4 patches of `low` at these places are
    averaged by softmax weights.  The score of two patches is the sum of the scores of their pixels, and a 4x4 patch is
    four 2x2 blocks that it shares with its neighbours; so only pixels are multiplied with pixels and weights with
    blocks, and patches come about by shifting and adding these products.
    """
    height, width = known.shape
    radius = kernel_size // 2
    pixels = F.pad(high, (radius,) * 4)
    squares = F.avg_pool2d(pixels.square().sum(0, keepdim=True), kernel_size, stride=1)[0] * kernel_size**2
    scale = SHARPNESS * known / squares.clamp_min(LEAST_NORM**2).sqrt()
    blocks = F.pixel_unshuffle(F.pad(low, (1, 1, 1, 1)), 2).flatten(1).T.contiguous()
    result = low.new_zeros(height + 1, width + 1, blocks.shape[1])
    for rows, columns in tiles(height, width, TILE_WEIGHTS.get(low.device.type, TILE_WEIGHTS["cuda"])):
        queries = pixels[:, rows.start : rows.stop + 2 * radius, columns.start : columns.stop + 2 * radius]
        compute = _recomputed if torch.is_grad_enabled() else attend
        result[rows.start : rows.stop + 1, columns.start : columns.stop + 1] += compute(
            queries, pixels, scale, known, blocks
        )
    return F.pixel_shuffle(result.movedim(-1, 0), 2)[:, 1:-1, 1:-1] / 4


def attend(queries: Tensor, pixels: Tensor, scale: Tensor, known: Tensor, blocks: Tensor) -> Tensor:
    """What a tile of m x n queries puts into its (m+1) x (n+1) blocks: [m+1,n+1,4C].

    queries: [D,m+2r,n+2r] and pixels: [D,h+2r,w+2r] with the border patches need; scale and known: [h,w]; blocks:
    [(h+1)(w+1),4C].
    """
    height, width = known.shape
    scores = queries.flatten(1).T @ pixels.flatten(1)
    scores = scores.view(*queries.shape[1:], *pixels.shape[1:])
    if pixels.shape[1] > height:
        across = (scores[:, :-2, :, :-2] + scores[:, 1:-1, :, 1:-1]).add_(scores[:, 2:, :, 2:])
        scores = (across[:-2, :, :-2] + across[1:-1, :, 1:-1]).add_(across[2:, :, 2:])
    rows, columns = scores.shape[:2]
    weights = scores.mul_(scale).view(rows, columns, -1).softmax(-1).view_as(scores)
    weights = (weights * known).clamp_min_(LEAST_WEIGHT)
    shared = weights.new_zeros(rows + 1, columns + 1, height + 1, width + 1)
    shared[:-1, :-1, :-1, :-1] = weights
    shared[:-1, 1:, :-1, 1:] += weights
    shared[1:, :-1, 1:, :-1] += weights
    shared[1:, 1:, 1:, 1:] += weights
    return (shared.flatten(2).flatten(0, 1) @ blocks).view(rows + 1, columns + 1, -1)


def _recomputed(*arguments: Tensor) -> Tensor:
    """`attend`, whose weights are computed again for the gradient instead of kept."""
    part: Tensor = checkpoint(attend, *arguments, use_reentrant=False, preserve_rng_state=False)
    return part


def tiles(height: int, width: int, limit: int) -> Iterator[tuple[slice, slice]]:
    """Tiles of queries: whole rows if their weights are within the limit, else squares."""
    queries = limit // (height * width)
    side = max(SMALLEST_TILE, int(queries**0.5))
    rows, columns = (queries // width, width) if queries >= width else (side, side)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield slice(top, min(top + rows, height)), slice(left, min(left + columns, width))
