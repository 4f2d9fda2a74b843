"""A picture seen in overlapping tiles, and the tiles' answers blended, row by row of tiles.

Only one row of tiles exists at a time: the memory is that of so many rows of the picture, whatever its height.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

# Tiles begin on multiples of this, so that a network's halvings fall on the same pixels in all of them.
GRID = 32
# The usual overlap, as a share of a tile's side.
OVERLAP = 0.125
# Near its border a tile knows least: this share of the overlap counts for next to nothing.
BLIND = 0.25
LEAST_WEIGHT = 1e-3


class Tile(NamedTuple):
    """The pixels top..bottom - 1, left..right - 1 of the picture."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, picture: Tensor) -> Tensor:
        """That part of a picture [...,H,W]."""
        return picture[..., self.top : self.bottom, self.left : self.right]


def spans(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """Spans of `tile` pixels that cover 0..length - 1 and overlap by at least `overlap`; one where the length fits.

    >>> spans(96, 64, 16)
    [(0, 64), (32, 96)]
    """
    if length <= tile:
        return [(0, length)]
    step = max(GRID, (tile - overlap) // GRID * GRID)
    starts = [*range(0, length - tile, step), length - tile]
    return [(start, start + tile) for start in starts]


def side_at(tile: int, scale: float) -> int:
    """Side of tiles that a network sees at a scale below 1 so that it sees as much as of `tile` pixels at scale 1."""
    return max(GRID, round(tile / min(1.0, scale) / GRID) * GRID)


def ramp(span: tuple[int, int], length: int, overlap: int, like: Tensor) -> Tensor:
    """Weights of a span's pixels: 1, and less over the overlap towards ends that are not the picture's own."""
    start, stop = span
    at = torch.arange(start, stop, device=like.device, dtype=torch.float32) + 0.5
    blind = BLIND * overlap
    weight = torch.ones_like(at)
    if start > 0:
        weight = weight.minimum((at - start - blind) / (overlap - 2 * blind))
    if stop < length:
        weight = weight.minimum((stop - at - blind) / (overlap - 2 * blind))
    return weight.clamp(LEAST_WEIGHT, 1.0)


def blended(
    size: tuple[int, int], tile: int, overlap: int, answer: Callable[[Tile], Tensor]
) -> Iterator[tuple[int, Tensor]]:
    """Finished rows (top, [K,h,W]) of a picture of `size`, from above to below, from the tiles' answers [K,h,w]."""
    height, width = size
    rows, columns = spans(height, tile, overlap), spans(width, tile, overlap)
    ends = [following[0] for _, following in pairwise(rows)] + [height]
    left_over: Tensor | None = None
    for row, end in zip(rows, ends, strict=True):
        band = _band(row, columns, (height, width), overlap, answer)
        if left_over is not None:
            band[:, : left_over.shape[1]] += left_over
        done = end - row[0]
        left_over = band[:, done:].clone()
        yield row[0], band[:-1, :done].div_(band[-1:, :done])
        del band


def summed(pictures: Sequence[Iterator[tuple[int, Tensor]]]) -> Iterator[tuple[int, Tensor]]:
    """The sum of several pictures of one size, each in rows (top, [K,h,W]) of its own from above to below."""
    top = 0
    ready: list[Tensor | None] = [None] * len(pictures)
    while True:
        for i, picture in enumerate(pictures):
            if ready[i] is None:
                ready[i] = next(picture, (top, None))[1]
        here = [rows for rows in ready if rows is not None]
        if len(here) < len(pictures):
            return
        count = min(rows.shape[1] for rows in here)
        total = here[0][:, :count].clone()
        for rows in here[1:]:
            total += rows[:, :count]
        yield top, total
        top += count
        ready = [rows[:, count:] if rows.shape[1] > count else None for rows in here]


def _band(
    row: tuple[int, int],
    columns: list[tuple[int, int]],
    size: tuple[int, int],
    overlap: int,
    answer: Callable[[Tile], Tensor],
) -> Tensor:
    """Weighted sums of one row of tiles [K+1,h,W]; the last channel is the sum of the weights."""
    band: Tensor | None = None
    for column in columns:
        said = answer(Tile(*row, *column))
        if band is None:
            band = said.new_zeros(said.shape[0] + 1, row[1] - row[0], size[1], dtype=torch.float32)
        weight = ramp(row, size[0], overlap, band)[:, None] * ramp(column, size[1], overlap, band)
        part = band[:, :, column[0] : column[1]]
        part[:-1].addcmul_(said, weight)
        part[-1] += weight
    assert band is not None
    return band
