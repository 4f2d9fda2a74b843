"""What is not a rig but could be taken for one.

The decision behind them: every cable is a wire and every bare round tube a stand, as somebody has to remove it. Not
rigs are window bars and boards (flat, joined to a frame), branches and cracks (they taper, fork and wander), lettering,
dense patterns of dots, checks or stripes (markers stand alone, several times their size apart), out-of-focus lights,
and shadows, those of rigs included.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from models.training.data.rigs_paint import (
    BRANCH,
    CRACK,
    FRAME,
    LETTERING,
    PATTERN,
    PaintedLayer,
    Points,
    Sheet,
    visible,
)
from models.training.procedural.fields import Array, colour
from models.training.procedural.raster import Shape, Tube, ellipse

LETTERS = "ABCDEFGHKLMNOPRSTUVWXYZabcdefghiklmnoprstuvwxyz0123456789+-"


def window_bars(rng: np.random.Generator, sheet: Sheet, at: Points, reach: float) -> None:
    """A frame with bars across, in perspective."""
    wide, high = reach * rng.uniform(0.3, 1.2, 2)
    columns, rows = rng.integers(1, 5, 2)
    thick = rng.uniform(3, 26) * sheet.unit
    ink = visible(rng, sheet.at(at[None]))
    skew = np.array([[1, rng.normal(0, 0.08)], [rng.normal(0, 0.15), 1]])

    def box(x0: float, y0: float, x1: float, y1: float) -> Array:
        return np.asarray(
            (np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) - [wide / 2, high / 2]) @ skew.T + at, np.float32
        )

    bars: list[Shape] = [box(x - thick / 2, 0, x + thick / 2, high) for x in np.linspace(0, wide, columns + 1)]
    bars += [box(0, y - thick / 2, wide, y + thick / 2) for y in np.linspace(0, high, rows + 1)]
    if rng.random() < 0.5:
        sheet.lay([box(0, 0, wide, high)], colour(rng), FRAME, rng.uniform(0.2, 1.0))
    sheet.lay(bars, ink, FRAME)
    if rng.random() < 0.5:
        edge: list[Shape] = [box(x + 0.2 * thick, 0, x + thick / 2, high) for x in np.linspace(0, wide, columns + 1)]
        sheet.lay(edge, np.asarray(ink * 0.6, np.float32), FRAME)


def branches(rng: np.random.Generator, sheet: Sheet, at: Points, reach: float) -> None:
    """A limb that forks and thins out."""
    ink = np.asarray(np.array([0.3, 0.22, 0.16], np.float32) * rng.uniform(0.2, 2.0), np.float32)
    if rng.random() < 0.3:
        ink = colour(rng)
    limbs: list[Shape] = []

    def grow(p: Points, turn: float, length: float, r: float, depth: int) -> None:
        steps = 7
        headings = turn + np.cumsum(rng.normal(0, 0.22, steps))
        moves = length / steps * np.stack([np.cos(headings), np.sin(headings)], 1)
        line = np.concatenate([p[None], p + np.cumsum(moves, 0)])
        radii = np.maximum(np.linspace(r, 0.5 * r, steps + 1), 0.4)
        limbs.append(Tube(line.astype(np.float32), radii.astype(np.float32)))
        for _ in range(int(rng.integers(1, 4)) if depth else 0):
            k = int(rng.integers(2, steps + 1))
            grow(
                line[k],
                headings[k - 1] + rng.normal(0, 0.7),
                length * rng.uniform(0.4, 0.8),
                0.75 * radii[k],
                depth - 1,
            )

    turn = rng.uniform(0, 2 * np.pi)
    way = np.array([np.cos(turn), np.sin(turn)])
    grow(at - way * reach * 0.5, turn, reach * rng.uniform(0.6, 1.4), rng.uniform(2, 22) * sheet.unit, 3)
    sheet.lay(limbs, ink, BRANCH)


def lettering(rng: np.random.Generator, sheet: Sheet, at: Points, reach: float) -> None:
    """Words on a wall or a sign."""
    ink = visible(rng, sheet.at(at[None]))
    mask = np.zeros(sheet.size, np.uint8)
    scale = float(np.exp(rng.uniform(np.log(0.35), np.log(3.0)))) * sheet.unit
    font = int(
        rng.choice(
            [cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX]
        )
    )
    for line in range(int(rng.integers(1, 4))):
        words = "".join(rng.choice(list(LETTERS), int(rng.integers(3, 12))).tolist())
        place = at + np.array([-0.4 * reach, line * 34 * scale])
        cv2.putText(
            mask,
            words,
            tuple(int(v) for v in place),
            font,
            scale,
            255,
            max(1, round(scale * rng.uniform(1, 4))),
            cv2.LINE_AA,
        )
    alpha = mask.astype(np.float32) / 255
    sheet.cover(PaintedLayer(np.broadcast_to(ink, sheet.picture.shape), np.asarray(alpha, np.float32), LETTERING))


def pattern(rng: np.random.Generator, sheet: Sheet, at: Points, reach: float) -> None:
    """A patch of cloth, tiles or blinds: dots, checks or stripes close together."""
    size = rng.uniform(2, 14) * sheet.unit
    kind = rng.choice(["dots", "checks", "stripes"])
    count = int(np.clip(reach * rng.uniform(0.4, 1.0) / size, 6, 20))
    turn = rng.normal(0, 0.3)
    way = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], np.float32)

    def put(points: object) -> Array:
        return np.asarray(np.asarray(points) @ way.T + at, np.float32)

    half = count / 2
    if rng.random() < 0.6:
        sheet.lay([put(square * count)], colour(rng), PATTERN)
    ink = visible(rng, sheet.at(at[None]))
    shapes: list[Shape]
    if kind == "stripes":
        thick = rng.uniform(0.25, 0.6)
        shapes = [put(square * [thick, count] + [x - half, 0]) for x in range(count)]
    else:
        places = [(x - half, y - half) for x in range(count) for y in range(count)]
        if kind == "dots":
            r = rng.uniform(0.18, 0.42)
            dot = ellipse(0, 0, r, r, n=12)
            shapes = [put(np.add(dot, [x + 0.5 * (y % 2), y])) for x, y in places]
        else:
            shapes = [put(np.add(square, [x, y])) for x, y in places if int(x + y + 2 * half) % 2 == 0]
    sheet.lay(shapes, ink, PATTERN)


def lights(rng: np.random.Generator, sheet: Sheet, at: Points, reach: float) -> None:
    """Out-of-focus lights: discs without an edge."""
    glow = np.zeros(sheet.size, np.float32)
    r = rng.uniform(3, 40) * sheet.unit
    for place in at + rng.normal(0, 0.35, (int(rng.integers(1, 14)), 2)) * reach:
        cv2.circle(glow, tuple(int(v) for v in place), max(2, int(r)), float(rng.uniform(0.3, 1)), -1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(glow, (0, 0), max(1.0, 0.3 * r))
    sheet.picture += soft[..., None] * colour(rng) * np.float32(0.8)


def cracks(rng: np.random.Generator, sheet: Sheet, at: Points, reach: float) -> None:
    """A jagged thin line that wanders."""
    steps = int(rng.integers(8, 24))
    headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.6, steps))
    line = at + np.cumsum(reach / steps * np.stack([np.cos(headings), np.sin(headings)], 1), 0)
    radii = np.maximum(rng.uniform(0.3, 1.6) * sheet.unit * rng.uniform(0.3, 1.2, steps), 0.3)
    dark = np.full(3, rng.uniform(0, 0.3), np.float32)
    sheet.lay([Tube(line.astype(np.float32), radii.astype(np.float32))], dark, CRACK, rng.uniform(0.4, 1.0))


def shadow(rng: np.random.Generator, sheet: Sheet, at: Points, reach: float) -> None:
    """The shadow that a pole or a cable throws on what is behind it."""
    turn = rng.uniform(0, np.pi)
    way = reach * np.array([np.cos(turn), np.sin(turn)])
    line = np.stack([at - way, at + rng.normal(0, 0.06 * reach, 2), at + way]).astype(np.float32)
    mask = np.zeros(sheet.size, np.float32)
    wide = max(1, round(rng.uniform(2, 30) * sheet.unit))
    cv2.polylines(mask, [np.round(line * 16).astype(np.int32)], False, 1.0, wide, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.8, rng.uniform(0.8, 6) * sheet.unit))
    sheet.picture *= 1 - soft[..., None] * np.float32(rng.uniform(0.2, 0.6))


LOOKALIKES: dict[Callable[[np.random.Generator, Sheet, Points, float], None], float] = {
    window_bars: 0.22, branches: 0.2, lettering: 0.15, pattern: 0.15, lights: 0.08, cracks: 0.08, shadow: 0.12,
}  # fmt: skip


def lookalike(rng: np.random.Generator, sheet: Sheet, at: Points, reach: float) -> None:
    """One of them, around `at` and about `reach` pixels wide."""
    draw = list(LOOKALIKES)[int(rng.choice(len(LOOKALIKES), p=list(LOOKALIKES.values())))]
    draw(rng, sheet, at, reach)
