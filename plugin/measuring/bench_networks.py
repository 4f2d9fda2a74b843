"""Part of `make bench`: the inpainting networks' two costly operations against a literal reading of their formulas.

Processor time of one thread at a 256x256 picture; of the literal formula a part is timed and scaled to the whole.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from models.pennet.attention import transfer
from models.structureflow import resample2d

# How many times cheaper than its formula an operation has to be.
WANTED = 20
PATCHES_TIMED = 128
ROUNDS = 3


@dataclass(frozen=True)
class OperationRow:
    """Seconds of an operation as the house has it and as its formula reads."""

    name: str
    fast: float
    literal: float

    @property
    def ratio(self) -> float:
        return self.literal / self.fast


def main() -> int:
    torch.set_num_threads(1)
    print(f"{'operation at 256x256':<52}{'seconds':>9}{'literal':>10}{'ratio':>8}{'wanted':>8}")
    with torch.inference_mode():
        for row in (attention_row(), resample_row(3, 256, 4, 2.0), resample_row(128, 64, 16, 4.0)):
            verdict = "met" if row.ratio > WANTED else "MISSED"
            print(
                f"{row.name:<52}{row.fast:>9.4f}{row.literal:>10.2f}{row.ratio:>8.0f}{WANTED:>8}  {verdict}", flush=True
            )
    return 0


def attention_row() -> OperationRow:
    """PEN-Net's attention transfer at its finest level."""
    generator = torch.Generator().manual_seed(1)
    low, high = (torch.rand(shape, generator=generator) for shape in ((32, 128, 128), (64, 64, 64)))
    known = torch.ones(64, 64)
    fast = _seconds(lambda: transfer(low, 0.1 * high, known, 3))
    share = known.numel() / PATCHES_TIMED
    literal = share * _seconds(lambda: literal_attention(low, 0.1 * high, known, PATCHES_TIMED), 1)
    return OperationRow("PEN-Net attention transfer, 64x64 patches", fast, literal)


def resample_row(channels: int, side: int, kernel_size: int, sigma: float) -> OperationRow:
    """StructureFlow's resampling, of a picture or of the features that the network resamples for one."""
    generator = torch.Generator().manual_seed(2)
    image = torch.rand(1, channels, side, side, generator=generator)
    flow = (torch.rand(1, 2, side, side, generator=generator) - 0.5) * 20
    fast = _seconds(lambda: resample2d(image, flow, kernel_size, sigma))
    literal = side * _seconds(lambda: literal_resample(image[0], flow[0], kernel_size, sigma, rows=1), 1)
    name = f"StructureFlow resampling {kernel_size}x{kernel_size}, {channels} x {side} x {side}"
    return OperationRow(name, fast, literal)


def literal_attention(low: Tensor, high: Tensor, known: Tensor, patches: int) -> Tensor:
    """The first `patches` of attention transfer with 3x3 keys, patch by patch; shapes as in `transfer`."""
    height, width = known.shape
    padded, padded_low = F.pad(high, (1,) * 4), F.pad(low, (1,) * 4)
    places = [(y, x) for y in range(height) for x in range(width)][:patches]
    scores = []
    for y, x in places:
        key = padded[:, y : y + 3, x : x + 3]
        scores.append(F.conv2d(high[None], (key / key.norm().clamp_min(1e-4))[None], padding=1)[0, 0] * known[y, x])
    result = torch.zeros_like(low)
    for (y, x), weight in zip(places, (10 * torch.stack(scores)).softmax(0), strict=True):
        raw = padded_low[:, 2 * y : 2 * y + 4, 2 * x : 2 * x + 4]
        shown = (weight * known[y, x]).clamp_min(1e-8)
        result += F.conv_transpose2d(shown[None, None], raw[None], stride=2, padding=1)[0]
    return result / 4


def literal_resample(image: Tensor, flow: Tensor, kernel_size: int, sigma: float, rows: int) -> Tensor:
    """The first `rows` of `resample2d`, pixel by pixel and tap by tap: image [C,h,w], flow [2,H,W] -> [C,rows,W]."""
    height, width = image.shape[1:]
    pixels = image.movedim(0, -1)
    result = []
    for y, x in product(range(rows), range(flow.shape[2])):
        across, down = x + flow[0, y, x].item(), y + flow[1, y, x].item()
        left, top = math.floor(across), math.floor(down)
        total, weights = torch.zeros_like(pixels[0, 0]), 0.0
        for row, column in product(*(range(n - kernel_size // 2 + 1, n + kernel_size // 2 + 1) for n in (top, left))):
            weight = math.exp(-((row - down) ** 2 + (column - across) ** 2) / (2 * sigma**2))
            total = total + weight * pixels[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
            weights += weight
        result.append(total / weights)
    return torch.stack(result).view(rows, flow.shape[2], -1).movedim(-1, 0)


def _seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
