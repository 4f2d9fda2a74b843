"""What a weights file remembers of the shots it was taught on: the keys carried to each frame, as tensors.

A frame is known again by its picture, not by its number alone: a small picture of each is kept, so that another shot,
or another version of this one, is never matted with hints that belong elsewhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.learning.hints import Hint
from models.learning.lesson import EightBit

SMALL = (32, 18)
SAME = 6.0  # mean difference of the small pictures, of 255, up to which a frame is the one that was seen
LARGEST = 1 << 24  # bytes of a hint
PARTS = ("frames", "small", "hints", "bytes")
Hints = tuple[Hint | None, Hint | None]


class ShotMemory(NamedTuple):
    """`frames` of one shot in order, `small` pictures of them uint8 [n, 18, 32, 3], and what keys say of each."""

    frames: Sequence[int]
    small: EightBit
    hints: Mapping[int, Hints]

    def recall(self, picture: EightBit, frame: int) -> tuple[float, Hints]:
        """How far the nearest picture is from what was seen, and the hints for it; the same number first."""
        off = np.abs(self.small.astype(np.float32) - small_picture(picture)).mean((1, 2, 3))
        if frame in self.frames and off[at := self.frames.index(frame)] <= SAME:
            return float(off[at]), self.hints.get(frame, (None, None))
        at = int(off.argmin())
        return float(off[at]), self.hints.get(self.frames[at], (None, None)) if off[at] <= SAME / 3 else (None, None)


def small_picture(picture: EightBit) -> EightBit:
    return np.asarray(cv2.resize(picture, SMALL, interpolation=cv2.INTER_AREA), np.uint8)


def recall(memories: Sequence[ShotMemory], picture: EightBit, frame: int) -> Hints:
    """What is remembered of a frame: of the shot whose picture is nearest."""
    found = [memory.recall(picture, frame) for memory in memories]
    return min(found, key=lambda one: one[0])[1] if found else (None, None)


def packed(memories: Sequence[ShotMemory]) -> dict[str, Tensor]:
    """As tensors called `shot.N.*`: frames, small pictures, and for each hint a row of numbers and its bytes."""
    tensors: dict[str, Tensor] = {}
    for i, memory in enumerate(memories):
        rows, parts, at = [], [], 0
        for frame, sides in sorted(memory.hints.items()):
            for side, hint in enumerate(sides):
                if hint is None:
                    continue
                data = zlib.compress(hint.key.tobytes() + hint.doubt.tobytes(), 6)
                rows.append([frame, side, hint.distance, *hint.key.shape, *hint.doubt.shape, at, len(data)])
                parts.append(np.frombuffer(data, np.uint8))
                at += len(data)
        tensors |= {
            f"shot.{i}.frames": torch.tensor(list(memory.frames), dtype=torch.int64),
            f"shot.{i}.small": torch.from_numpy(memory.small),
            f"shot.{i}.hints": torch.tensor(rows, dtype=torch.int64).reshape(-1, 10),
            f"shot.{i}.bytes": torch.from_numpy(np.concatenate(parts) if parts else np.zeros(0, np.uint8)),
        }
    return tensors


def unpacked(tensors: Mapping[str, Tensor]) -> list[ShotMemory]:
    """The memories in such tensors. Raises ValueError where they do not hang together."""
    memories: list[ShotMemory] = []
    while (name := f"shot.{len(memories)}") + ".frames" in tensors:
        try:
            frames, small, rows, data = (tensors[f"{name}.{part}"].numpy() for part in PARTS)
        except KeyError as error:
            raise ValueError(f"what the weights remember of a shot is incomplete: {error} is missing") from None
        if small.shape != (len(frames), SMALL[1], SMALL[0], 3) or rows.ndim != 2 or rows.shape[1:] != (10,):
            raise ValueError("what the weights remember of a shot does not hang together")
        memories.append(ShotMemory(frames.tolist(), small, _Lazy(rows, data)))
    return memories


class _Lazy(Mapping[int, Hints]):
    """Hints that are unpacked when they are asked for."""

    def __init__(self, rows: NDArray[np.int64], data: EightBit) -> None:
        self.data = data
        self.rows: dict[int, dict[int, list[int]]] = {}
        for frame, side, *row in rows.tolist():
            self.rows.setdefault(frame, {})[side] = row

    def __getitem__(self, frame: int) -> Hints:
        sides = {side: self._hint(*row) for side, row in self.rows[frame].items()}
        return sides.get(0), sides.get(1)

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def _hint(self, distance: int, h: int, w: int, c: int, dh: int, dw: int, at: int, length: int) -> Hint:
        size = h * w * c + dh * dw
        try:
            if min(h, w, c, dh, dw, at, length) < 0 or size > LARGEST:
                raise ValueError("no hint is of this size")
            raw = zlib.decompressobj().decompress(self.data[at : at + length].tobytes(), size)
            if len(raw) != size:
                raise ValueError("bytes are missing")
        except (zlib.error, ValueError) as error:
            raise ValueError(f"what the weights remember of a shot does not hang together: {error}") from None
        flat = np.frombuffer(raw, np.uint8)
        return Hint(flat[: h * w * c].reshape(h, w, c), flat[h * w * c :].reshape(dh, dw), distance)
