"""Clips to train video matting on: what a clip is, where clips come from, and how layers become a shot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.training.data.pool import FrameCut
from models.training.procedural.fields import Array


@dataclass(frozen=True)
class Clip:
    """Float32 0..1, display-encoded: `src` (T, h, w, 3), `pha` (T, h, w), `fgr` (T, h, w, 3) straight."""

    src: Array
    pha: Array
    fgr: Array


@dataclass(frozen=True)
class Labelled:
    """Float32 0..1: `src` (T, h, w, 3) display-encoded, `seg` (T, h, w), 1 where people are."""

    src: Array
    seg: Array


class ClipExamples(Protocol):
    """Where clips come from. The same generator state gives the same clip."""

    def clip(self, rng: np.random.Generator, view: FrameCut, frames: int, energy: float) -> Clip:
        """`frames` frames seen through `view`; what is added to their movement grows with `energy` (1 is usual)."""
        ...

    def labelled(self, rng: np.random.Generator, view: FrameCut, frames: int) -> Labelled:
        """`frames` frames of a shot, or a still where it is one, with where people are."""
        ...
