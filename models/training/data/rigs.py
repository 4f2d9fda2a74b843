"""Pictures with rigs in them and the class of every pixel, to train and judge Segment on; all from a seed.

Scenes and figures come from the pool that matting trains on; rigs and what looks like them are drawn afresh for every
example. Sizes are those of HD; a view of another frame height scales them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.data.pool import ByteImage, FrameCut, Pool, _tint, _warp_level
from models.training.data.rigs_draw import markers, stand, wires
from models.training.data.rigs_lookalikes import lookalike
from models.training.data.rigs_paint import CLASSES, FIGURE, KINDS, PLANT, Labels, PaintedLayer, Sheet, rigs_of
from models.training.procedural.composites import _jpeg, _noise
from models.training.procedural.fields import Array

__all__ = ["CLASSES", "KINDS", "RigExamples", "RigPool", "Rigged", "Strewn", "strew"]

HD = 1080
# How often scenes of a family are shown beside others: in a mosaic of discs and bars no one can tell which are rigs.
SHARES = {"leaves": 0.2}
# Kinds of sprites that may stand about, and how often each is taken where things are crowded: stems and whiskers are
# what wires are confused with. Not furniture: it has bare bars and wheels, which would be stands and wires.
CROWD = {"person": 0.3, "animal": 0.25, "plant": 0.45}
FIGURES = tuple(CROWD)


@dataclass(frozen=True)
class Rigged:
    """`src` (h, w, 3) display-encoded 0..1 and `kinds` (h, w), an index into KINDS for each pixel."""

    src: Array
    kinds: Labels

    @cached_property
    def labels(self) -> Labels:
        """(h, w), an index into CLASSES for each pixel."""
        return rigs_of(self.kinds)


@dataclass(frozen=True)
class Likely:
    """How likely (0..1) rigs lie alone on a plain or soft picture, how likely there are none, and how likely they are
    crowded: several of every kind, look-alikes and figures.
    """

    ease: float = 0.0
    bare: float = 0.12
    crowd: float = 0.0


MOSTLY = Likely()


class RigExamples(Protocol):
    """Where training examples come from."""

    def example(self, rng: np.random.Generator, view: FrameCut, likely: Likely) -> Rigged:
        """One example seen through `view`; the same generator state gives the same example."""
        ...


@dataclass(frozen=True)
class Strewn:
    """How many of each kind lie in a view, and how far apart things of one kind may lie, as a share of its height."""

    lookalikes: int
    markers: int
    wires: int
    stands: int


def strew(rng: np.random.Generator, sheet: Sheet, counts: Strewn, layers: Sequence[PaintedLayer]) -> Rigged:
    """Rigs and look-alikes over the sheet's picture, among figures.

    Look-alikes and markers lie behind the figures or on them, wires and stands behind or before.
    """
    height, width = sheet.size
    reach = 0.8 * min(height, 700 * sheet.unit)

    def somewhere(margin: float = 0.1) -> Array:
        return np.asarray(rng.uniform(-margin, 1 + margin, 2) * [width, height], np.float32)

    for _ in range(counts.lookalikes):
        lookalike(rng, sheet, somewhere(), reach)
    sheet.softness = float(np.exp(rng.uniform(np.log(0.2), np.log(1.1)))) if rng.random() < 0.6 else 0.0
    on_figure = bool(layers) and rng.random() < 0.3
    for _ in range(0 if on_figure else counts.markers):
        markers(rng, sheet, somewhere(0.0), reach * rng.uniform(0.5, 1.4))
    behind, before = _split(rng, layers)
    for figure in behind:
        sheet.cover(figure)
        if on_figure and counts.markers and figure.alpha.max() > 0.5:
            ys, xs = np.nonzero(figure.alpha > 0.5)
            k = int(rng.integers(len(xs)))
            within = (figure.alpha > 0.9).astype(np.float32)
            markers(rng, sheet, np.array([xs[k], ys[k]], np.float32), 0.4 * reach, within)
    things = ["wire"] * counts.wires + ["stand"] * counts.stands
    for k in rng.permutation(len(things)):
        if things[k] == "wire":
            wires(rng, sheet, somewhere(0.0), reach)
        else:
            stand(rng, sheet, somewhere(0.0))
    for figure in before:
        sheet.cover(figure)
    return Rigged(_delivered(rng, sheet.picture, sheet.unit), sheet.labels)


def _split(rng: np.random.Generator, layers: Sequence[PaintedLayer]) -> tuple[list[PaintedLayer], list[PaintedLayer]]:
    first = rng.random(len(layers)) < 0.65
    return (
        [layer for layer, early in zip(layers, first, strict=True) if early],
        [layer for layer, early in zip(layers, first, strict=True) if not early],
    )


def _delivered(rng: np.random.Generator, picture: Array, unit: float) -> Array:
    """The picture with the camera's noise and now and then compression."""
    picture = np.clip(picture, 0, 1).astype(np.float32)
    if rng.random() < 0.7:
        picture = _noise(rng, picture, rng.uniform(0, 0.025) * min(1.0, 0.4 + 0.6 * unit))
    if rng.random() < 0.12:
        picture = _jpeg(picture, int(rng.integers(60, 96)))
    return np.clip(picture, 0, 1).astype(np.float32)


class RigPool:
    """Training examples from a pool of scenes and figures made by `pool.build`; `part` is "train" or "held"."""

    def __init__(self, folder: Path, part: str = "train") -> None:
        self.pool = Pool(folder, part)
        shares = np.array([SHARES.get(self.pool.families[i], 1.0) for i in self.pool.some_scenes])
        self.shares = shares / shares.sum()
        self.figures = [i for i in self.pool.some_sprites if self.pool.notes[i]["kind"] in FIGURES]
        kinds = [self.pool.notes[i]["kind"] for i in self.figures]
        crowd = np.array([CROWD[kind] / kinds.count(kind) for kind in kinds])
        self.crowd = crowd / crowd.sum()

    def example(self, rng: np.random.Generator, view: FrameCut, likely: Likely = MOSTLY) -> Rigged:
        """One example seen through `view`."""
        unit = view.frame / HD
        if rng.random() < likely.ease:
            return self._easy(rng, view, unit)
        sheet = Sheet(self._scene(rng, view), np.zeros((view.height, view.width), np.uint8), unit)
        busy = max(1, round(view.height * view.width / (256 * unit) ** 2 / 6))
        if rng.random() < likely.crowd:
            figures = int(rng.choice([0, 1, 2], p=[0.25, 0.5, 0.25]))
            layers = [self._figure(rng, view, self.crowd) for _ in range(figures)]
            counts = Strewn(
                int(rng.integers(1, 4)) * busy,
                int(rng.choice([0, 1, 2], p=[0.2, 0.6, 0.2])) * busy,
                int(rng.integers(0, 4)) * busy,
                int(rng.random() < 0.5) * busy,
            )
            return strew(rng, sheet, counts, layers)
        layers = [self._figure(rng, view) for _ in range(int(rng.choice([0, 1, 2], p=[0.55, 0.35, 0.1])))]
        counts = Strewn(
            lookalikes=int(rng.choice([0, 1, 2], p=[0.35, 0.4, 0.25])) * busy,
            markers=int(rng.random() < 0.55) * busy,
            wires=int(rng.choice([0, 1, 2], p=[0.45, 0.4, 0.15])) * busy,
            stands=int(rng.random() < 0.4) * busy,
        )
        if rng.random() < likely.bare:
            counts = Strewn(counts.lookalikes, 0, 0, 0)
        return strew(rng, sheet, counts, layers)

    def _easy(self, rng: np.random.Generator, view: FrameCut, unit: float) -> Rigged:
        """Rigs without figures and look-alikes, half of the time over a scene out of focus."""
        scene = self._scene(rng, view)
        if rng.random() < 0.5:
            scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), rng.uniform(4, 24) * unit), np.float32)
        counts = Strewn(0, int(rng.random() < 0.5), int(rng.random() < 0.6), int(rng.random() < 0.35))
        return strew(rng, Sheet(scene, np.zeros((view.height, view.width), np.uint8), unit), counts, [])

    def _scene(self, rng: np.random.Generator, view: FrameCut) -> Array:
        """A piece of a scene near its own resolution, so that its texture is as crisp as a frame's."""
        index = int(rng.choice(self.pool.some_scenes, p=self.shares))
        h, w = self.pool.scenes[0].shape[1:3]
        zoom = max(float(np.exp(rng.uniform(np.log(0.55), np.log(1.8)))), view.height / h, view.width / w)
        way = np.eye(3)
        turn = rng.normal(0, 0.05)
        c, s = zoom * np.cos(turn), zoom * np.sin(turn)
        way[:2, :2] = [[c * rng.choice([-1.0, 1.0]), -s], [s, c]]
        point = np.array([rng.uniform(0.1, 0.9) * w, rng.uniform(0.1, 0.9) * h])
        way[:2, 2] = np.array([view.width, view.height]) / 2 - way[:2, :2] @ point
        picture = _warp_level([level[index] for level in self.pool.scenes], way, view, cv2.BORDER_REFLECT_101)
        return _tint(rng, picture, 0.15)

    def _figure(
        self, rng: np.random.Generator, view: FrameCut, shares: NDArray[np.float64] | None = None
    ) -> PaintedLayer:
        which = int(rng.choice(self.figures, p=shares))
        x0, y0, x1, y1 = self.pool.notes[which]["box"]
        size = view.frame * float(np.exp(rng.uniform(np.log(0.35), np.log(1.2)))) / (y1 - y0)
        way = np.eye(3)
        way[:2, :2] = [[size * rng.choice([-1.0, 1.0]), 0], [0, size]]
        point = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1)])
        target = rng.uniform(0.0, 1.0, 2) * [view.width, view.height]
        way[:2, 2] = target - way[:2, :2] @ point
        return layer(rng, [level[which] for level in self.pool.sprites], way, view, self.pool.notes[which]["kind"])


def layer(
    rng: np.random.Generator, levels: list[ByteImage], way: NDArray[np.float64], view: FrameCut, kind: str
) -> PaintedLayer:
    """A sprite (its levels, uint8 RGBA; one of FIGURES) moved by `way` (3, 3) into the view."""
    picture = _warp_level(levels, way, view, cv2.BORDER_CONSTANT)
    alpha = np.asarray(picture[..., 3] / np.float32(255), np.float32)
    return PaintedLayer(_tint(rng, picture[..., :3], 0.2), alpha, PLANT if kind == "plant" else FIGURE)
