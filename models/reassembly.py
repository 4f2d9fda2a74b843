"""How `models.carafe` computes: the reassembly of CARAFE and its gradients, strip of rows by strip of rows.

There are two ways.  *By pixels*: the features of a pixel lie together in memory and an output pixel is a weighted sum
of pixels; best for many channels.  *By taps*: one pass over the picture for each of the k x k places of the kernel;
best for few, and for gradients.  Either way the k x k neighbourhoods of a whole picture never exist at once.  Sums are
float32 at least and run in a fixed order: the output does not depend on how the strips are cut.

features [N,C,h,w], masks [N,k*k*G,h*s,w*s], output and its gradient [N,C,h*s,w*s]: see `models.carafe.carafe`.
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise, product
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_FEW_CHANNELS = 20  # in a group
_BLOCK = 64  # channels taken at a time by pixels on a CPU: a strip of them stays in cache
_PIXELS_PER_CORE = 1 << 12
_VALUES_PER_CORE = 1 << 20
_CORES_OF_A_GPU = 1 << 8
_SHARE, _LEAST_BYTES = 0.47, 1 << 17  # what a strip may take: a share of all tensors, an eighth of a megabyte at least


class Reassembly(NamedTuple):
    """k (odd), G (divides the channels) and s (at least 1)."""

    kernel: int
    groups: int
    scale: int

    @property
    def radius(self) -> int:
        return self.kernel // 2

    def split(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """[N,G*i,...] -> [N,G,i,...]"""
        return tuple(tensor.unflatten(1, (self.groups, -1)) for tensor in tensors)


class _Strip(NamedTuple):
    """Source rows first..last - 1 of a picture, of whose neighbourhoods the rows top..bottom - 1 exist."""

    first: int
    last: int
    top: int
    bottom: int
    how: Reassembly

    @property
    def output(self) -> slice:
        """The rows of the masks and the output."""
        return slice(self.first * self.how.scale, self.last * self.how.scale)

    def padded(self, picture: Tensor) -> Tensor:
        """picture [...,h,w] -> the strip with its neighbourhoods, zero where there is no picture."""
        r = self.how.radius
        above, below = r - self.first + self.top, r + self.last - self.bottom
        return F.pad(picture[..., self.top : self.bottom, :], (r, r, above, below))

    def magnified(self, picture: Tensor) -> Tensor:
        """As `padded`, but every pixel s x s times and in the type to sum in."""
        r, s, width = self.how.radius, self.how.scale, picture.shape[-1]
        above, rows = r - self.first + self.top, self.bottom - self.top
        result = torch.zeros(
            (*picture.shape[:-2], self.last - self.first + 2 * r, s, width + 2 * r, s),
            dtype=_wide(picture),
            device=picture.device,
        )
        for column in range(s):
            result[..., above : above + rows, 0, r : r + width, column] = picture[..., self.top : self.bottom, :]
        result[..., 1:, :, :] = result[..., :1, :, :]
        return result.flatten(-2).flatten(-3, -2)

    def add(self, picture: Tensor, padded: Tensor) -> None:
        """Add to picture [...,h,w] a strip with its neighbourhoods, except where there is no picture."""
        r = self.how.radius
        above, width = r - self.first + self.top, picture.shape[-1]
        rows = slice(self.top, self.bottom)
        picture[..., rows, :] += padded[..., above : above + self.bottom - self.top, r : r + width]


def reassemble(features: Tensor, masks: Tensor, how: Reassembly) -> Tensor:
    """The output, in the dtype and memory format of the features."""
    n, channels, h, w = features.shape
    plain = features.is_contiguous() or not features.is_contiguous(memory_format=torch.channels_last)
    output = torch.empty(
        (n, channels, h * how.scale, w * how.scale),
        dtype=features.dtype,
        device=features.device,
        memory_format=torch.contiguous_format if plain else torch.channels_last,
    )
    few = channels // how.groups <= _FEW_CHANNELS
    (_reassemble_by_taps if few else _reassemble_by_pixels)(features, masks, output, how)
    return output


def _reassemble_by_pixels(features: Tensor, masks: Tensor, output: Tensor, how: Reassembly) -> None:
    k, _, s = how
    maps, kernels, results = how.split(features, masks, output)
    block = min(maps.shape[2], _BLOCK) if maps.device.type == "cpu" else maps.shape[2]
    width, pitch = output.shape[-1], maps.shape[-1] + k - 1
    at_once = _PIXELS_PER_CORE * _cores(maps) // (width * s)
    per_row = s * width * (2 * k * k + 4 + block * (s > 1))
    strips = _strips((features, masks, output), maps, how, at_once, per_row, block * pitch * (1 + (s == 1)))
    tallest = max(strip.last - strip.first for strip in strips) * s
    y, x, tap = (torch.arange(i, dtype=torch.int32, device=maps.device) for i in (tallest, width, k))
    bags = _Bags((y // s * pitch)[:, None] + x // s, tap[:, None] * pitch + tap)
    for i, strip, g in product(range(len(maps)), strips, range(how.groups)):
        _fill_by_pixels(strip, maps[i, g], kernels[i, g], results[i, g], bags, block)


def _fill_by_pixels(strip: _Strip, maps: Tensor, kernels: Tensor, result: Tensor, bags: _Bags, block: int) -> None:
    """Fill a strip of the result [C,h*s,w*s] from one group's maps [C,h,w] and kernels [k*k,h*s,w*s]."""
    weights = kernels[:, strip.output].permute(1, 2, 0).to(maps.dtype).contiguous()
    for start in range(0, len(maps), block):
        some = slice(start, start + block)
        result[some, strip.output] = bags.sums(  # nothing gets a name, so that nothing outlives its use
            strip.padded(maps[some]).permute(1, 2, 0).contiguous(), weights
        ).permute(2, 0, 1)


class _Bags:
    """Weighted sums of pixels: bag [y, x] takes those at first[y, x] + steps."""

    def __init__(self, first: Tensor, steps: Tensor) -> None:
        self.pixels = (first.reshape(-1, 1) + steps.reshape(-1)).reshape(-1)
        self.starts = torch.arange(0, self.pixels.numel(), steps.numel(), dtype=torch.int32, device=first.device)

    def sums(self, table: Tensor, weights: Tensor) -> Tensor:
        """table [H,W,C], weights [y,x,k*k] of the first y rows of bags -> [y,x,C]."""
        y, x, _ = weights.shape
        return F.embedding_bag(
            self.pixels[: weights.numel()],
            table.flatten(0, 1),
            self.starts[: y * x],
            mode="sum",
            per_sample_weights=weights.flatten(),
        ).unflatten(0, (y, x))


def _reassemble_by_taps(features: Tensor, masks: Tensor, output: Tensor, how: Reassembly) -> None:
    maps, kernels, results = how.split(features, masks, output)
    copies = int(_wide(output) != output.dtype)
    for i, strip in product(range(len(maps)), _strips_by_taps((features, masks, output), maps, how, copies)):
        _fill_by_taps(strip, maps[i], kernels[i], results[i, :, :, strip.output])


def _fill_by_taps(strip: _Strip, maps: Tensor, kernels: Tensor, result: Tensor) -> None:
    """Fill a strip of the result from all groups' maps [G,C/G,h,w] and kernels [G,k*k,h*s,w*s]."""
    wide = _wide(result)
    sums = result.zero_() if result.dtype == wide else torch.zeros_like(result, dtype=wide)
    around = strip.magnified(maps)
    for seen, weights in zip(_seen(around, strip.how), kernels[:, None, :, strip.output].unbind(2), strict=True):
        sums.addcmul_(seen, weights.to(wide))
    if sums is not result:
        result.copy_(sums)


def feature_gradient(features: Tensor, masks: Tensor, gradient: Tensor, how: Reassembly) -> Tensor:
    """The gradient of the features, given that of the output."""
    output = torch.zeros_like(features)
    kernels, gradients, results = how.split(masks, gradient, output)
    copies = 1 + int(_wide(output) != output.dtype)
    for i, strip in product(range(len(results)), _strips_by_taps((masks, gradient, output), results, how, copies)):
        _add_feature_gradient(strip, kernels[i], gradients[i], results[i])
    return output


def _add_feature_gradient(strip: _Strip, kernels: Tensor, gradient: Tensor, result: Tensor) -> None:
    above = gradient[..., strip.output, :].to(_wide(result))
    halo = 2 * strip.how.radius * strip.how.scale
    *lead, height, width = above.shape
    around = above.new_zeros(*lead, height + halo, width + halo)
    for seen, weights in zip(_seen(around, strip.how), kernels[:, None, :, strip.output].unbind(2), strict=True):
        seen.addcmul_(above, weights.to(above.dtype))
    strip.add(result, _shrunk(around, strip.how.scale))


def mask_gradient(features: Tensor, masks: Tensor, gradient: Tensor, how: Reassembly) -> Tensor:
    """The gradient of the masks, given that of the output."""
    output = torch.empty_like(masks)
    maps, gradients, results = how.split(features, gradient, output)
    copies = 1 + int(_wide(gradient) != gradient.dtype)
    for i, strip in product(range(len(maps)), _strips_by_taps((features, gradient, output), maps, how, copies)):
        _fill_mask_gradient(strip, maps[i], gradients[i], results[i, :, :, strip.output])
    return output


def _fill_mask_gradient(strip: _Strip, maps: Tensor, gradient: Tensor, result: Tensor) -> None:
    around = strip.magnified(maps)
    above = gradient[..., strip.output, :].to(around.dtype)
    for seen, tap in zip(_seen(around, strip.how), result.unbind(1), strict=True):
        tap.copy_((seen * above).sum(1))


def _seen(around: Tensor, how: Reassembly) -> list[Tensor]:
    """What each of the k x k places of the kernel sees of a magnified strip with its neighbourhoods [G,C/G,H,W]."""
    halo = 2 * how.radius * how.scale
    height, width = around.shape[-2] - halo, around.shape[-1] - halo
    rows = around.unfold(2, height, how.scale).unfold(3, width, how.scale).unbind(2)
    return [seen for row in rows for seen in row.unbind(2)]


def _shrunk(x: Tensor, s: int) -> Tensor:
    """[...,h*s,w*s] -> [...,h,w]: sums of s x s pixels, by addition, as sum() is slow on short dimensions."""
    for dim in (-2, -1):
        x = reduce(torch.add, x.unflatten(dim, (-1, s)).unbind(dim))
    return x


def _wide(x: Tensor) -> torch.dtype:
    """The type to sum in: float32 at least."""
    return torch.promote_types(x.dtype, torch.float32)


def _strips_by_taps(tensors: tuple[Tensor, ...], maps: Tensor, how: Reassembly, copies: int) -> list[_Strip]:
    """Strips of all channels of maps [N,G,C/G,h,w]; `copies` of the output's values are needed at a time."""
    _, groups, channels, _, width = maps.shape
    row = groups * channels * width * how.scale**2
    padded = groups * channels * (width + 2 * how.radius) * how.scale**2
    return _strips(tensors, maps, how, _VALUES_PER_CORE * _cores(maps) // row, copies * row, padded)


def _strips(
    tensors: tuple[Tensor, ...], maps: Tensor, how: Reassembly, at_once: int, per_row: int, per_padded_row: int
) -> list[_Strip]:
    """Strips of `at_once` rows, or more where neighbourhoods are larger, or fewer where memory would suffer.

    The work takes `per_row` values for each row of a strip and `per_padded_row` for each with its neighbourhoods.
    """
    halo, height, size = 2 * how.radius, maps.shape[-2], max(4, maps.element_size())
    allowed = max(_LEAST_BYTES, _SHARE * sum(tensor.numel() * tensor.element_size() for tensor in tensors)) / size
    affordable = int((allowed - halo * per_padded_row) / (per_row + per_padded_row))
    count = -(-height // max(1, min(max(at_once, halo), affordable)))
    cuts = [height * i // count for i in range(count + 1)]
    return [
        _Strip(first, last, max(0, first - how.radius), min(height, last + how.radius), how)
        for first, last in pairwise(cuts)
    ]


def _cores(like: Tensor) -> int:
    return torch.get_num_threads() if like.device.type == "cpu" else _CORES_OF_A_GPU
