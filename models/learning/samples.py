"""What the network sees in training: pieces of key frames, turned, scaled, relit, with hints that may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from models.learning.hints import Hint, View, half, seen, through
from models.learning.lesson import EightBit, Floats, TaughtKind

PIECE = 256
LOST, ALL_LOST = 0.2, 0.05  # how often one hint is missing, or both


class Sample(NamedTuple):
    """A key frame with hints for it; `share` is how often it is seen."""

    picture: EightBit
    truth: Floats
    before: Hint | None
    after: Hint | None
    plate: EightBit | None
    share: float


class Samples:
    """Random pieces of `samples`, most of them where the hints are wrong, unsure, or half transparent."""

    def __init__(self, kind: TaughtKind, samples: Sequence[Sample]) -> None:
        self.kind, self.samples = kind, samples
        longest = max(max(sample.picture.shape[:2]) for sample in samples)
        self.piece = min(PIECE, -(-longest // 16) * 16)
        shares = np.array([sample.share for sample in samples])
        self.shares = shares / shares.sum()
        self.places = [np.cumsum(_interest(kind, sample)) for sample in samples]

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """What the network sees of a piece, and the truth: float32 [piece, piece, channels]."""
        which = int(rng.choice(len(self.samples), p=self.shares))
        sample, places = self.samples[which], self.places[which]
        view = _view(rng, sample, self.piece, int(np.searchsorted(places, rng.random() * places[-1])))
        before, after = _lose(rng, sample.before, sample.after)
        light = _Light(rng)
        frame = light.on(through(sample.picture, view))
        plate = None if sample.plate is None else light.on(through(sample.plate, view))
        noisy = np.clip(frame + rng.normal(0, 0.008, frame.shape), 0, 1).astype(np.float32)
        truth = through(sample.truth, view)
        return (
            seen(self.kind, noisy, before, after, plate, view),
            truth if self.kind == "matte" else light.on(truth),
        )


def _interest(kind: TaughtKind, sample: Sample) -> Floats:
    """How much each pixel at half size is worth looking at, flat."""
    truth = half(sample.truth)
    if kind == "picture":
        changed = np.abs(truth - half(sample.picture.astype(np.float32) / np.float32(255))).mean(-1) > 0.02
        worth = changed.astype(np.float32)
    else:
        worth = np.asarray((truth > 0.02) & (truth < 0.98), np.float32).max(-1)
        for hint in (sample.before, sample.after):
            if hint is not None:
                worth += np.abs(hint.key.astype(np.float32) / 255 - truth).max(-1)
    spread = cv2.dilate(np.clip(worth, 0, 1), np.ones((9, 9), np.uint8))
    return np.asarray(spread, np.float32).ravel() + np.float32(0.03)


def _view(rng: np.random.Generator, sample: Sample, piece: int, place: int) -> View:
    height, width = sample.picture.shape[:2]
    rows, columns = half(sample.truth).shape[:2]
    y, x = divmod(place, columns)
    middle = np.array([x / columns * width, y / rows * height]) + rng.uniform(-piece / 3, piece / 3, 2)
    turn, scale, mirror = rng.normal(0, 0.15), np.exp(rng.normal(0, 0.15)), rng.choice([-1, 1])
    c, s = np.cos(turn) / scale, np.sin(turn) / scale
    turned = np.array([[c * mirror, -s], [s * mirror, c]])
    offset = middle - turned @ np.array([piece / 2, piece / 2])
    return View(np.column_stack([turned, offset]).astype(np.float32), (piece, piece), (height, width))


def _lose(rng: np.random.Generator, before: Hint | None, after: Hint | None) -> tuple[Hint | None, Hint | None]:
    chance = rng.random()
    if chance < ALL_LOST:
        return None, None
    if chance < ALL_LOST + LOST and before and after:
        return (before, None) if rng.random() < 0.5 else (None, after)
    return (before, after) if rng.random() < 0.5 else (after, before)


class _Light:
    """Another exposure, white balance and gamma."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.gain = np.exp(rng.normal(0, 0.06, 3) + rng.normal(0, 0.1)).astype(np.float32)
        self.gamma = np.float32(np.exp(rng.normal(0, 0.08)))

    def on(self, picture: Floats) -> Floats:
        return np.asarray(np.clip(picture * self.gain, 0, 1) ** self.gamma, np.float32)
