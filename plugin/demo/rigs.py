"""The second demo shot: a figure hangs on wires before a wall with tracking markers; with its truth, the shot without.

Made by the software itself in scene-linear light, like the first one, with noise and overscan; the figure and its wires
move, the camera does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from models.training.data.rigs_paint import FIGURE, MARKER, WIRE, PaintedLayer, Sheet, rigs_of
from models.training.procedural import background, sprite
from models.training.procedural.raster import Tube
from nodes.footage.frame import Pixels
from plugin.demo.shot import FIRST, OVERSCAN, as_light, noisy

COUNT = 8
FIGURE_SEED, SCENE_SEED = 3007, 4001
FIGURE_HEIGHT = 340.0
# Half the size of a cross and the half width of its arms, pixels; and where the crosses are: columns, rows of the wall.
CROSS, ARM = 9.0, 2.2
COLUMNS, ROWS = (0.06, 0.30, 0.52, 0.72, 0.9), (0.14, 0.45, 0.7)
WIRE_RADIUS = 1.1


@dataclass(frozen=True)
class RigFrame:
    """One frame over `OVERSCAN`: `source` and `clean`, the same without rigs, `[H,W,3]` in light; `rig` `[H,W,1]`."""

    number: int
    source: Pixels
    clean: Pixels
    rig: Pixels


def frames(count: int = COUNT) -> Iterator[RigFrame]:
    """The frames of the shot, one after the other."""
    height, width = OVERSCAN.height, OVERSCAN.width
    wall = background(np.random.default_rng(SCENE_SEED), height, width, "room")
    picture = sprite(np.random.default_rng(FIGURE_SEED), 640, "person", "full").picture
    for index in range(count):
        rigged, clean = (Sheet(wall.copy(), np.zeros((height, width), np.uint8), 0.5, 0.5) for _ in range(2))
        _markers(rigged)
        rgb, alpha, hooks = _hung(picture, index / COUNT)
        _wires(rigged, hooks)
        for sheet in (rigged, clean):
            sheet.cover(PaintedLayer(rgb, alpha, FIGURE))
        noise = [np.random.default_rng([SCENE_SEED, index]) for _ in range(2)]
        yield RigFrame(
            FIRST + index,
            noisy(as_light(np.clip(rigged.picture, 0, 1)), noise[0]),
            noisy(as_light(np.clip(clean.picture, 0, 1)), noise[1]),
            (rigs_of(rigged.labels) > 0).astype(np.float32)[..., None],
        )


def _markers(sheet: Sheet) -> None:
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    for y in ROWS:
        for x in COLUMNS:
            at = np.array([x * OVERSCAN.width, y * OVERSCAN.height], np.float32)
            arms = [square * [CROSS, ARM] + at, square * [ARM, CROSS] + at]
            sheet.lay([arm.astype(np.float32) for arm in arms], np.array([0.93, 0.45, 0.08], np.float32), MARKER)


def _wires(sheet: Sheet, hooks: np.ndarray) -> None:
    for hook in hooks:
        above = np.array([hook[0] * 0.7 + 0.15 * OVERSCAN.width, -20.0])
        course = np.stack([above, hook]).astype(np.float32)
        sheet.lay([Tube(course, np.full(2, WIRE_RADIUS, np.float32))], np.full(3, 0.78, np.float32), WIRE)


def _hung(picture: Pixels, moment: float) -> tuple[Pixels, Pixels, np.ndarray]:
    """The figure at a moment (0 to 1 over the shot): straight rgb and alpha over `OVERSCAN`, where its wires end."""
    alpha = picture[..., 3]
    ys, xs = np.nonzero(alpha > 0.5)
    scale = FIGURE_HEIGHT / np.ptp(ys)
    turn = cv2.getRotationMatrix2D((float(xs.mean()), float(ys.min())), 5 * np.sin(2 * np.pi * moment), scale)
    target = np.array([(0.42 + 0.16 * moment) * OVERSCAN.width, 0.24 * OVERSCAN.height])
    turn[:, 2] += target - [xs.mean(), ys.min()]
    premultiplied = np.dstack([picture[..., :3] * alpha[..., None], alpha])
    placed = cv2.warpAffine(premultiplied, turn, (OVERSCAN.width, OVERSCAN.height), flags=cv2.INTER_AREA)
    shoulders = ys.min() + 0.2 * np.ptp(ys)
    row = xs[np.abs(ys - shoulders) < 2]
    points = np.array([[row.min() + 4, shoulders, 1], [row.max() - 4, shoulders, 1]]) @ turn.T
    rgb = placed[..., :3] / np.maximum(placed[..., 3:], 1e-4)
    return np.asarray(rgb, np.float32), np.asarray(placed[..., 3], np.float32), np.asarray(points)
