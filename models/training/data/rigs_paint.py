"""A picture and the class of its every pixel, painted together: what all rigs and their look-alikes are made with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.procedural.fields import Array, colour, hsv
from models.training.procedural.raster import Shape, Stencil, Tube, stencil

# What is judged: rigs, and everything else.
CLASSES = ("other", "marker", "wire", "stand")
# What the network tells apart, in the order of its answers: after the rigs what is taken for them. A stem that is named
# a plant's is learned from the whole plant, not from a few pixels that are not a wire.
KINDS = (*CLASSES, "figure", "plant", "branch", "frame", "lettering", "pattern", "crack")
OTHER, MARKER, WIRE, STAND, FIGURE, PLANT, BRANCH, FRAME, LETTERING, PATTERN, CRACK = range(len(KINDS))
Labels = NDArray[np.uint8]
Points = NDArray[np.floating[Any]]
Ink = Array | Callable[[Stencil], Array]
# The least difference of a rig from what is behind it, in any channel: less is not visible, so nobody could learn it.
CONTRAST = 0.14


@dataclass(frozen=True)
class PaintedLayer:
    """`rgb` (h, w, 3) straight, `alpha` (h, w), and what it shows: an index into KINDS."""

    rgb: Array
    alpha: Array
    kind: int


@dataclass
class Sheet:
    """`picture` (h, w, 3) display-encoded 0..1 and `labels` (h, w), an index into KINDS for each pixel.

    `unit` is the size of one HD pixel on this sheet; `softness` the blur (sigma, in pixels) of what is painted.
    """

    picture: Array
    labels: Labels
    unit: float = 1.0
    softness: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        return self.labels.shape[0], self.labels.shape[1]

    def lay(
        self,
        shapes: Sequence[Shape],
        ink: Ink,
        label: int,
        opacity: float = 1.0,
        within: Array | None = None,
        outline: Sequence[Shape] | None = None,
    ) -> None:
        """Paints shapes in `ink`, a colour (3,) or a function of the stencil; `label` where they cover half a pixel.

        `within` (h, w) limits the paint; `outline` are the shapes that get the label, where they differ.
        """
        where = stencil(self.size, shapes)
        if where is None:
            return
        mask = where.mask if within is None else where.mask * within[where.window]
        paint = ink(where) if callable(ink) else ink
        soft = mask
        if self.softness > 0.25:
            blurred = cv2.GaussianBlur(mask, (0, 0), self.softness, borderType=cv2.BORDER_REPLICATE)
            soft = np.asarray(blurred, np.float32)
        here = self.picture[where.window]
        here += (paint - here) * (np.float32(opacity) * soft)[..., None]
        if outline is None:
            self.labels[where.window][mask >= 0.5] = label
        elif outline:
            self.mark(outline, label)

    def mark(self, shapes: Sequence[Shape], label: int) -> None:
        """Sets the class of what the shapes cover to at least a half."""
        where = stencil(self.size, shapes)
        if where is not None:
            self.labels[where.window][where.mask >= 0.5] = label

    def cover(self, layer: PaintedLayer) -> None:
        """Lays a whole layer over everything."""
        self.picture += (layer.rgb - self.picture) * layer.alpha[..., None]
        self.labels[layer.alpha >= 0.5] = layer.kind

    def at(self, points: Points) -> Array:
        """The picture's colours (n, 3) at points (n, 2) inside it; (0, 3) where none are."""
        x, y = np.round(points).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < self.size[1]) & (y < self.size[0])
        return np.asarray(self.picture[y[inside], x[inside]], np.float32)


def rigs_of(labels: Labels) -> Labels:
    """An index into CLASSES for each pixel: what is no rig is OTHER."""
    return np.where(labels <= STAND, labels, OTHER).astype(np.uint8)


def visible(rng: np.random.Generator, behind: Array, pick: Callable[[], Array] | None = None) -> Array:
    """A colour that can be told from the mean of `behind` (n, 3); black or white where ten tries fail."""
    mean = behind.mean(0) if len(behind) else np.full(3, 0.5, np.float32)
    for _ in range(10):
        ink = pick() if pick else colour(rng)
        if np.abs(ink - mean).max() >= CONTRAST:
            return ink
    return np.full(3, 0.95 if mean.mean() < 0.5 else 0.04, np.float32)


def strong(rng: np.random.Generator) -> Array:
    """A colour as markers and tape have them: white, black, or saturated."""
    kind = rng.random()
    if kind < 0.35:
        return np.full(3, rng.uniform(0.8, 1.0), np.float32)
    if kind < 0.5:
        return np.full(3, rng.uniform(0.0, 0.12), np.float32)
    return hsv(rng.random(), rng.uniform(0.5, 1.0), rng.uniform(0.35, 1.0))


@dataclass(frozen=True)
class Metal:
    """How light falls across a tube: `base` colour, where it comes from (-1..1) and how sharp the highlight is."""

    base: Array
    side: float
    gloss: float
    sharp: float
    ambient: float

    def ink(self, p: Points, q: Points, radius: float) -> Ink:
        """The paint of a straight tube from p to q."""
        along = (q - p) / (np.linalg.norm(q - p) + 1e-6)

        def paint(where: Stencil) -> Array:
            h, w = where.mask.shape
            y = (np.arange(h, dtype=np.float32) + where.y - p[1])[:, None]
            x = (np.arange(w, dtype=np.float32) + where.x - p[0])[None]
            across = np.clip((along[0] * y - along[1] * x) / max(radius, 0.5), -1, 1)
            facing = np.sqrt(1 - across**2)
            light = self.ambient + (1 - self.ambient) * np.maximum(across * self.side + 0.8 * facing, 0)
            shine = self.gloss * np.exp(-(((across - 0.6 * self.side) * self.sharp) ** 2))
            return np.asarray(np.clip(self.base * light[..., None] + shine[..., None], 0, 1), np.float32)

        return paint


def metal(rng: np.random.Generator) -> Metal:
    """Chrome, black or painted tube."""
    kind = rng.random()
    if kind < 0.35:
        base, gloss = np.full(3, rng.uniform(0.4, 0.75), np.float32), rng.uniform(0.15, 0.5)
    elif kind < 0.8:
        base, gloss = np.full(3, rng.uniform(0.02, 0.16), np.float32), rng.uniform(0.03, 0.35)
    else:
        base, gloss = strong(rng), rng.uniform(0.05, 0.3)
    cast = np.clip(base * (1 + rng.normal(0, 0.04, 3)), 0, 1).astype(np.float32)
    return Metal(cast, rng.uniform(-0.8, 0.8), gloss, rng.uniform(2, 9), rng.uniform(0.15, 0.6))


def straight_tube(p: Points, q: Points, radius: float) -> Tube:
    """A straight tube with round ends."""
    return Tube(np.stack([p, q]).astype(np.float32), np.array([radius, radius], np.float32))


def bar(p: Points, q: Points, radius: float) -> Array:
    """A straight bar with flat ends, as a polygon (4, 2)."""
    along = (q - p) / (np.linalg.norm(q - p) + 1e-6)
    side = radius * np.array([-along[1], along[0]])
    return np.stack([p + side, q + side, q - side, p - side]).astype(np.float32)
