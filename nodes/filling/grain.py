"""Grain: measured where the plate is even, and given to the fill, which has too little of it.

Measured and applied on display-encoded values, where the grain of film and sensors depends least on brightness; what
dependence remains is followed in steps of brightness. Size and the channels' correlation are matched as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from nodes.aligning.grid import Floats, Mask
from nodes.filling.seen import Seen
from nodes.footage.colour.transfer import decode, encode
from nodes.footage.window import Window

BLOCK = 8
# Blocks that a measurement needs, and the share of the evenest ones that it believes.
FEWEST_BLOCKS = 12
EVEN_SHARE = 0.25
# What the evenest quarter of the blocks of pure noise falls short of their mean, by trial.
CHANCE, COARSE_CHANCE = 1.085, 0.24
STEPS = 4
FLAT_SIGMA = 1.5
FAINTEST = 2e-4
# Pixels around a hole in which the plate's grain is measured.
GRAIN_RING = 96
# Blur in pixels that makes grain of different sizes from noise, and how far it reaches.
SIZES = (0.0, 0.35, 0.5, 0.65, 0.8, 1.0, 1.3, 1.6)
REACH = 8


@dataclass(frozen=True, eq=False)
class Grain:
    """`deviation` `[n,3]` at the codes `brightness` `[n]`; `size`: blur in pixels; `mixing` `[3,3]` makes three
    independent noises as alike as the plate's channels."""

    brightness: NDArray[np.float64]
    deviation: NDArray[np.float64]
    size: float
    mixing: NDArray[np.float64]

    def at(self, codes: Floats) -> Floats:
        """Deviation `[h,w,3]` for a picture `[h,w,3]` of display-encoded values."""
        grey = codes.mean(axis=2)
        return np.stack([np.interp(grey, self.brightness, self.deviation[:, c]) for c in range(3)], -1).astype(
            np.float32
        )

    @property
    def strength(self) -> float:
        return float(self.deviation.mean())


def measure_grain(light: Floats, known: Mask, beside: Seen | None = None) -> Grain | None:
    """The grain of the `known` part of `light` `[h,w,3]`; None where there is too little to see.

    Fine texture counts as grain, unless the same background is known from other frames: `beside` is that, at the same
    place and exposure, and what the two have in common is texture.
    """
    codes = encode(light, "srgb")
    rough: Floats = codes
    if beside is not None:
        known = known & beside.where
        rough = np.asarray((codes - encode(beside.light, "srgb")) / np.sqrt(1 + beside.grain)[..., None], np.float32)
    rough = rough - _smoothed(rough, known)
    rough -= _smoothed(rough, known)  # once more, so that slopes and soft texture go as well
    blocks = _blocks(known)
    if len(blocks) < FEWEST_BLOCKS:
        return None
    squares = np.stack([_block_means(np.square(rough[..., c]))[tuple(blocks.T)] for c in range(3)], -1)
    grey = _block_means(codes.mean(axis=2))[tuple(blocks.T)]
    even, brightness, power = [], [], []
    for chosen in np.array_split(np.argsort(grey, kind="stable"), max(1, min(STEPS, len(grey) // FEWEST_BLOCKS))):
        order = chosen[np.argsort(squares[chosen].sum(axis=1), kind="stable")]
        order = order[: max(4, round(EVEN_SHARE * len(order)))]
        even.append(order)
        brightness.append(float(grey[order].mean()))
        power.append(squares[order].mean(axis=0))
    flat = _patches(rough, blocks[np.concatenate(even)])
    size, retained = _size_of(flat)
    # The evenest blocks are so by chance as well, coarse grain more often.
    deviation = np.sqrt(np.array(power) / retained) * (CHANCE + COARSE_CHANCE * max(0.0, size - 0.6))
    return Grain(np.array(brightness), deviation, size, _mixing(flat))


def grained(light: Floats, plate: Grain, share: Floats, amount: float, window: Window, frame: int) -> Floats:
    """`light` `[h,w,3]`, which covers `window`, with the grain it lacks against the plate's, times `amount`.

    `share` `[h,w]` says which share of the plate's grain, as a variance, it has already.

    The grain of a pixel depends on its place and the frame number alone.
    """
    if plate.strength < FAINTEST:
        return light
    codes = encode(light, "srgb")
    lacking = np.sqrt(np.maximum(amount**2 - share, 0))[..., None] * plate.at(codes)
    around = Window(window.x - REACH, window.y - REACH, window.width + 2 * REACH, window.height + 2 * REACH)
    noise = _noise(around, frame)
    if plate.size > 0:
        blurred: Any = cv2.GaussianBlur(noise, (2 * REACH + 1,) * 2, plate.size)
        noise = blurred / np.float32(np.sqrt(np.square(_kernel(plate.size)).sum()))
    noise = noise[window.slices_in(around)] @ plate.mixing.T.astype(np.float32)
    return decode(np.asarray(codes + lacking * noise, np.float32), "srgb")


def _noise(window: Window, frame: int) -> Floats:
    """Three normal deviates per pixel `[h,w,3]`, from a hash (murmur3's finaliser) of column, row, channel and frame.

    Sums of four 16-bit numbers, so that every machine gives the same bits.
    """
    x = (np.arange(window.x, window.right) & 0xFFFFFFFF).astype(np.uint32)[None, :, None]
    y = (np.arange(window.y, window.bottom) & 0xFFFFFFFF).astype(np.uint32)[:, None, None]
    channel = np.arange(3, dtype=np.uint32)
    seed = _hashed(np.array(frame & 0xFFFFFFFF, np.uint32) + np.uint32(0x9E3779B9))
    place = _hashed(_hashed(x ^ seed) + y * np.uint32(0x85EBCA77))
    first = _hashed(place + channel * np.uint32(0xC2B2AE3D))
    second = _hashed(first ^ np.uint32(0x27D4EB2F))
    parts = [part for h in (first, second) for part in (h & np.uint32(0xFFFF), h >> np.uint32(16))]
    total = np.sum(parts, axis=0, dtype=np.int64) - 4 * 32768 + 2
    return np.asarray(total / (65536 * np.sqrt(4 / 12)), np.float32)


def _hashed(h: NDArray[np.uint32]) -> NDArray[np.uint32]:
    with np.errstate(over="ignore"):
        h = h ^ (h >> np.uint32(16))
        h = h * np.uint32(0x85EBCA6B)
        h = h ^ (h >> np.uint32(13))
        h = h * np.uint32(0xC2B2AE35)
        return h ^ (h >> np.uint32(16))


def _smoothed(codes: Floats, known: Mask) -> Floats:
    weight = known.astype(np.float32)
    sums = cv2.GaussianBlur(codes * weight[..., None], (0, 0), FLAT_SIGMA)
    share = cv2.GaussianBlur(weight, (0, 0), FLAT_SIGMA)
    return np.asarray(sums / np.maximum(share, 1e-3)[..., None], np.float32)


def _blocks(known: Mask) -> NDArray[np.intp]:
    """(row, column) of the blocks that are known with all that the smoothing around them sees."""
    inner = cv2.erode(known.astype(np.uint8), np.ones((5, 5), np.uint8), borderType=cv2.BORDER_REPLICATE)
    rows, columns = known.shape[0] // BLOCK, known.shape[1] // BLOCK
    whole = inner[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).min(axis=(1, 3))
    return np.argwhere(whole > 0)


def _block_means(image: Floats) -> NDArray[np.float64]:
    rows, columns = image.shape[0] // BLOCK, image.shape[1] // BLOCK
    cut = image[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return np.asarray(cut.mean(axis=(1, 3), dtype=np.float64))


def _patches(rough: Floats, blocks: NDArray[np.intp]) -> NDArray[np.float64]:
    """`[n,BLOCK,BLOCK,3]`."""
    return np.stack([rough[y * BLOCK : (y + 1) * BLOCK, x * BLOCK : (x + 1) * BLOCK] for y, x in blocks]).astype(float)


def _kernel(size: float) -> NDArray[np.float64]:
    if size == 0:
        return np.ones((1, 1))
    line = cv2.getGaussianKernel(2 * REACH + 1, size)
    return np.asarray(line @ line.T, np.float64)


def _signature(size: float) -> tuple[float, float]:
    """What measuring grain of this size gives: neighbours' correlation, and the share of the power that is kept."""
    line = cv2.getGaussianKernel(17, FLAT_SIGMA)
    high: Any = -(line @ line.T)
    high[8, 8] += 1
    high = cv2.filter2D(np.pad(high, 8), -1, high, borderType=cv2.BORDER_CONSTANT)
    kernel = _kernel(size)
    pad = REACH if size else 0
    response = cv2.filter2D(np.pad(high, 2 * REACH), -1, kernel, borderType=cv2.BORDER_CONSTANT) if pad else high
    power = np.square(response).sum()
    next_to = (response[:, 1:] * response[:, :-1]).sum()
    return float(next_to / power), float(power / np.square(kernel).sum())


SIGNATURES = [_signature(size) for size in SIZES]


def _size_of(flat: NDArray[np.float64]) -> tuple[float, float]:
    """Size of the grain in even blocks, and the share of its power that these blocks show."""
    power = np.square(flat).mean() or 1.0
    across = (flat[:, :, 1:] * flat[:, :, :-1]).mean()
    down = (flat[:, 1:] * flat[:, :-1]).mean()
    correlation = (across + down) / (2 * power)
    known, kept = np.array(SIGNATURES).T
    return float(np.interp(correlation, known, SIZES)), float(np.interp(correlation, known, kept))


def _mixing(flat: NDArray[np.float64]) -> NDArray[np.float64]:
    """A factor of the channels' correlation matrix."""
    values = flat.reshape(-1, 3)
    deviation = np.sqrt(np.square(values).mean(axis=0)) + 1e-12
    correlation = (values / deviation).T @ (values / deviation) / len(values)
    correlation = 0.999 * correlation + 0.001 * np.eye(3)
    return np.asarray(np.linalg.cholesky(correlation / np.sqrt(np.outer(*(2 * [np.diag(correlation)])))))
