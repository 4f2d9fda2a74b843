"""The one door to all foregrounds."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.training.procedural.fields import Array
from models.training.procedural.people import person
from models.training.procedural.things import animal, furniture, plant, veil

KINDS = {"person": 0.66, "animal": 0.19, "plant": 0.04, "furniture": 0.09, "veil": 0.02}


@dataclass(frozen=True)
class Sprite:
    """A foreground with true alpha."""

    picture: Array  # (size, size, 4) straight sRGB-encoded RGB and alpha, 0..1
    kind: str
    cut: bool  # it goes on below its lower edge, so that edge belongs on or below the frame's


def sprite(rng: np.random.Generator, size: int, kind: str | None = None, framing: str | None = None) -> Sprite:
    """Draw one foreground of `kind` (one of `KINDS`, or by their shares) into a square of `size` pixels.

    `framing` (full, half, bust, head) is for people only.
    """
    kind = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
    if kind == "person":
        picture, cut = person(rng, size, framing)
    else:
        picture, cut = {"animal": animal, "plant": plant, "furniture": furniture, "veil": veil}[kind](rng, size)
    rgb = picture[..., :3]
    if rng.random() < 0.5:  # the lens and the light it was taken with
        rgb = np.clip(rgb, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.25)))
    rgb = rgb + rng.normal(0, rng.uniform(0, 0.02), rgb.shape[:2])[..., None]
    alpha = picture[..., 3]
    if rng.random() < 0.15:  # slightly out of focus; most stay crisp
        soft = rng.uniform(0.4, 1.2) * size / 1280
        alpha = cv2.GaussianBlur(alpha, (0, 0), max(soft, 0.2))
    whole = np.concatenate([rgb, alpha[..., None]], 2)
    return Sprite(np.clip(whole, 0, 1).astype(np.float32), kind, cut)
