"""A tiny shot to learn from, and its key frames: a disc of a colour of its own that moves over a noisy wall."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from footage_files import Array, write

FRAMES = range(1001, 1013)
KEYS = (1001, 1006, 1012)
HEIGHT, WIDTH = 48, 64


def disc(frame: int, height: int = HEIGHT, width: int = WIDTH) -> Array:
    """Alpha `[h,w,1]` of the subject, with a soft edge."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across = width * (0.25 + 0.04 * (frame - FRAMES[0]))
    distance = np.hypot(rows - height * 0.5, columns - across)
    return np.clip(height * 0.22 - distance + 0.5, 0, 1)[..., None].astype(np.float32)


def picture(frame: int, height: int = HEIGHT, width: int = WIDTH) -> Array:
    """Scene-linear `[h,w,3]`; the subject shines brighter than 1 in the red."""
    wall = np.random.default_rng(5).uniform(0.1, 0.4, (height, width, 3)).astype(np.float32)
    alpha = disc(frame, height, width)
    noise = np.random.default_rng(frame).normal(0, 0.003, wall.shape).astype(np.float32)
    return (alpha * np.float32([1.5, 0.2, 0.1]) + (1 - alpha) * wall + noise).astype(np.float16).astype(np.float32)


def marked(frame: int) -> tuple[Array, Array]:
    """A shot with a dark marker that is painted out, and the same without it."""
    clean = np.random.default_rng(5).uniform(0.3, 0.4, (HEIGHT, WIDTH, 3)).astype(np.float16).astype(np.float32)
    with_marker = clean.copy()
    left = 20 + (frame - FRAMES[0])
    with_marker[20:28, left : left + 8] = 0.01
    return with_marker, clean


def write_shot(folder: Path, frames: Iterable[int] = FRAMES, size: tuple[int, int] = (HEIGHT, WIDTH)) -> str:
    """The pattern of the shot."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        write(folder / f"shot.{frame}.exr", picture(frame, *size))
    return str(folder / "shot.####.exr")


def write_keys(folder: Path, frames: Iterable[int] = KEYS, size: tuple[int, int] = (HEIGHT, WIDTH)) -> str:
    """The pattern of mattes of one channel."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame in frames:
        write(folder / f"roto.{frame}.exr", disc(frame, *size), ["A"])
    return str(folder / "roto.####.exr")
