"""What the network sees in training: pieces of key frames, turned, scaled, relit, with hints that may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from models.learning.hints import Excerpt, Hint, half, seen, through
from models.learning.lesson import EightBit, Floats, TaughtKind

PIECE = 256
LOST, ALL_LOST = 0.2, 0.05  # how often one hint is missing, or both


class Exercise(NamedTuple):
    """A key frame with hints for it; `share` is how often it is seen."""

    picture: EightBit
    truth: Floats
    before: Hint | None
    after: Hint | None
    plate: EightBit | None
    share: float


class Exercises:
    """Random pieces of `exercises`, most of them where the hints are wrong, unsure, or half transparent."""

    def __init__(self, kind: TaughtKind, exercises: Sequence[Exercise]) -> None:
        self.kind, self.exercises = kind, exercises
        longest = max(max(exercise.picture.shape[:2]) for exercise in exercises)
        self.piece = min(PIECE, -(-longest // 16) * 16)
        shares = np.array([exercise.share for exercise in exercises])
        self.shares = shares / shares.sum()
        self.places = [np.cumsum(_interest(kind, exercise)) for exercise in exercises]

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """What the network sees of a piece, and the truth: float32 [piece, piece, channels]."""
        which = int(rng.choice(len(self.exercises), p=self.shares))
        exercise, places = self.exercises[which], self.places[which]
        view = _view(rng, exercise, self.piece, int(np.searchsorted(places, rng.random() * places[-1])))
        before, after = _lose(rng, exercise.before, exercise.after)
        light = _Light(rng)
        frame = light.on(through(exercise.picture, view))
        plate = None if exercise.plate is None else light.on(through(exercise.plate, view))
        noisy = np.clip(frame + rng.normal(0, 0.008, frame.shape), 0, 1).astype(np.float32)
        truth = through(exercise.truth, view)
        return (
            seen(self.kind, noisy, before, after, plate, view),
            truth if self.kind == "matte" else light.on(truth),
        )


def _interest(kind: TaughtKind, exercise: Exercise) -> Floats:
    """How much each pixel at half size is worth looking at, flat."""
    truth = half(exercise.truth)
    if kind == "picture":
        changed = np.abs(truth - half(exercise.picture.astype(np.float32) / np.float32(255))).mean(-1) > 0.02
        worth = changed.astype(np.float32)
    else:
        worth = np.asarray((truth > 0.02) & (truth < 0.98), np.float32).max(-1)
        for hint in (exercise.before, exercise.after):
            if hint is not None:
                worth += np.abs(hint.key.astype(np.float32) / 255 - truth).max(-1)
    spread = cv2.dilate(np.clip(worth, 0, 1), np.ones((9, 9), np.uint8))
    return np.asarray(spread, np.float32).ravel() + np.float32(0.03)


def _view(rng: np.random.Generator, exercise: Exercise, piece: int, place: int) -> Excerpt:
    height, width = exercise.picture.shape[:2]
    rows, columns = half(exercise.truth).shape[:2]
    y, x = divmod(place, columns)
    middle = np.array([x / columns * width, y / rows * height]) + rng.uniform(-piece / 3, piece / 3, 2)
    turn, scale, mirror = rng.normal(0, 0.15), np.exp(rng.normal(0, 0.15)), rng.choice([-1, 1])
    c, s = np.cos(turn) / scale, np.sin(turn) / scale
    turned = np.array([[c * mirror, -s], [s * mirror, c]])
    offset = middle - turned @ np.array([piece / 2, piece / 2])
    return Excerpt(np.column_stack([turned, offset]).astype(np.float32), (piece, piece), (height, width))


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
