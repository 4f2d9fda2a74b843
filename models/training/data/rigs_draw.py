"""Rigs that are removed every day, drawn by rule: tracking markers, wires and strings, stands and rods.

Sizes are HD pixels times `sheet.unit`; `at` is a point of the sheet (it may lie outside).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from models.training.data.rigs_paint import (
    MARKER,
    STAND,
    WIRE,
    Metal,
    Points,
    Sheet,
    bar,
    metal,
    straight_tube,
    strong,
    visible,
)
from models.training.procedural.fields import Array
from models.training.procedural.raster import Shape, Tube, ellipse, spline

MARKERS = {"cross": 0.34, "dot": 0.14, "ring": 0.12, "bowtie": 0.17, "checker": 0.14, "ball": 0.09}
PLAIN_DOT = 14.0  # a larger plain disc may be anything
WIRE_WIDTH = (1.4, 8.0)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Log-uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _surface(rng: np.random.Generator) -> Array:
    """A linear map (2, 2): how a surface that is seen at an angle squeezes what is on it."""
    turn = rng.normal(0, 0.25)
    c, s = np.cos(turn), np.sin(turn)
    squeeze = np.diag([1.0, rng.uniform(0.65, 1.0)]) if rng.random() < 0.5 else np.diag([rng.uniform(0.65, 1.0), 1.0])
    return np.asarray(np.array([[c, -s], [s, c]]) @ squeeze, np.float32)


def markers(rng: np.random.Generator, sheet: Sheet, at: Points, reach: float, within: Array | None = None) -> None:
    """Markers of one kind around `at`: a grid as on screens and walls, or a few by hand. `reach` pixels wide."""
    kind = str(rng.choice(list(MARKERS), p=list(MARKERS.values())))
    small = within is not None
    size = _between(rng, 3.5, 12) if small else _between(rng, 5, 36)
    if kind in ("bowtie", "checker"):
        size = max(size, 7.0)
    if kind == "dot":
        size = min(size, PLAIN_DOT)
    size *= sheet.unit
    way = _surface(rng)
    if rng.random() < (0.85 if kind == "dot" else 0.55):
        step = size * _between(rng, 4, 14)
        count = int(np.clip(reach / step, 1, 7))
        ij = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 2) - (count - 1) / 2
        places = at + (ij * step) @ way.T
    else:
        places = at + rng.uniform(-0.5, 0.5, (int(rng.integers(1, 7)), 2)) * reach
    ink = visible(rng, sheet.at(np.asarray(places, np.float32)), lambda: strong(rng))
    style, turn = rng.random(3), rng.uniform(0, np.pi)
    for place in places:
        _marker(rng, sheet, kind, place, size, way, ink, style, turn, within)


def _marker(
    rng: np.random.Generator,
    sheet: Sheet,
    kind: str,
    at: Points,
    size: float,
    way: Array,
    ink: Array,
    style: Points,
    turn: float,
    within: Array | None,
) -> None:
    turn = (turn if style[0] < 0.3 else (np.pi / 4 if style[0] < 0.5 else 0.0)) + rng.normal(0, 0.04)
    c, s = np.cos(turn), np.sin(turn)
    full = size * (way @ np.array([[c, -s], [s, c]]))

    def put(points: object) -> Array:
        return np.asarray(np.asarray(points, np.float32) @ full.T + at, np.float32)

    def lay(shapes: list[Shape], paint: Array) -> None:
        sheet.lay(shapes, paint, MARKER, within=within)

    disc = ellipse(0, 0, 1, 1)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    other = np.clip(1 - ink, 0, 1) if np.ptp(ink) < 0.2 else np.full(3, 0.95 if style[1] < 0.6 else 0.04, np.float32)
    other = np.asarray(other, np.float32)
    if kind == "cross":
        arm = 0.12 + 0.22 * style[1]
        lay([put(square * [1, arm]), put(square * [arm, 1])], ink)
    elif kind == "dot":
        lay([put(disc)], ink)
    elif kind == "ring":
        lay([put(disc)], ink)
        lay([put(disc * (0.45 + 0.25 * style[1]))], other)
        if style[2] < 0.5:
            lay([put(disc * 0.25)], ink)
    elif kind == "bowtie":
        lay([put(disc if style[1] < 0.5 else square)], ink)
        quarter = np.linspace(0, np.pi / 2, 9)
        for start in (0, np.pi):
            pie = np.stack([np.cos(quarter + start), np.sin(quarter + start)], 1) * 0.86
            corner = np.array([[0, 0], [0.86, 0], [0.86, 0.86], [0, 0.86]], np.float32) * (1 if start == 0 else -1)
            lay([put(np.concatenate([[[0, 0]], pie]) if style[1] < 0.5 else corner)], other)
    elif kind == "checker":
        n = 3 + int(style[1] * 3)
        lay([put(square * (1.25 if style[2] < 0.5 else 1.02))], ink)
        cells = [(i, j) for i in range(n) for j in range(n) if (i + j) % 2 == 0]
        lay([put((square * 0.5 + [i - n / 2 + 0.5, j - n / 2 + 0.5]) * 2 / n) for i, j in cells], other)
    else:
        lay([put(disc)], ink * np.float32(0.75))
        lay([put(disc * 0.7 + np.array([-0.15, -0.2], np.float32))], ink * np.float32(0.9))
        lay([put(disc * 0.35 + np.array([-0.25, -0.32], np.float32))], np.clip(ink + 0.15, 0, 1).astype(np.float32))


def wires(rng: np.random.Generator, sheet: Sheet, at: Points, reach: float) -> None:
    """One wire, cable or string through `at`, or a few side by side: straight, sagging, hanging or curled."""
    line = _course(rng, at, reach)
    width = _between(rng, *WIRE_WIDTH) * sheet.unit
    width = max(width, 0.9)
    ink = visible(rng, sheet.at(line))
    if rng.random() < 0.5:
        tone = float(rng.choice([rng.uniform(0.0, 0.15), rng.uniform(0.75, 1.0)]))
        ink = visible(
            rng, sheet.at(line), lambda: np.full(3, rng.uniform(0, 1) if rng.random() < 0.5 else tone, np.float32)
        )
    rope = rng.random() < 0.25 and width > 3 * sheet.unit
    opacity = rng.uniform(0.55, 1.0) if width < 2.5 * sheet.unit else 1.0
    many = int(rng.choice([1, 2, 3], p=[0.75, 0.17, 0.08]))
    for _ in range(many):
        _wire(rng, sheet, line, width, ink, opacity, rope)
        line = np.asarray(line + rng.normal(0, 12 * sheet.unit, 2) + 0.02 * (line - at) * rng.normal(), np.float32)
    if rng.random() < 0.15:  # what hangs on it
        sheet.lay([ellipse(line[-1][0], line[-1][1], 1.6 * width, 2.2 * width)], ink, WIRE)


def _course(rng: np.random.Generator, at: Points, reach: float) -> Array:
    kind = str(rng.choice(["straight", "hanging", "sag", "curl"], p=[0.35, 0.2, 0.28, 0.17]))
    t = np.linspace(-1, 1, 25)[:, None]
    if kind == "hanging":
        lean = np.array([rng.normal(0, 0.04), 1.0])
        start = rng.uniform(0.1, 1.5) if rng.random() < 0.5 else 3.0
        return np.asarray(at + lean * np.linspace(-3, start, 9)[:, None] * reach, np.float32)
    turn = rng.uniform(0, np.pi) if kind == "straight" else rng.normal(0, 0.35)
    half = reach * _between(rng, 0.3, 3.0)
    way = half * np.array([np.cos(turn), np.sin(turn)])
    middle = at + way * rng.uniform(-0.7, 0.7)
    line = middle + t * way
    if kind == "sag":
        line = line + np.array([0, 1]) * half * _between(rng, 0.03, 0.6) * ((at - middle) @ way / half**2) ** 2
        line = line - np.array([0, 1]) * half * _between(rng, 0.03, 0.6) * t**2
    elif kind == "curl":
        knots = middle + np.linspace(-1, 1, 6)[:, None] * way + rng.normal(0, 0.16 * half, (6, 2))
        return spline(knots.astype(np.float32), 10)
    return np.asarray(line, np.float32)


def _wire(
    rng: np.random.Generator, sheet: Sheet, line: Points, width: float, ink: Array, opacity: float, rope: bool
) -> None:
    def tubes(radius: float, move: float = 0.0) -> list[Shape]:
        return [Tube(np.asarray(line + np.float32(move), np.float32), np.full(len(line), radius, np.float32))]

    def twisted(where: object) -> Array:
        y, x = np.mgrid[where.window].astype(np.float32)  # type: ignore[attr-defined]
        wave = 0.75 + 0.25 * np.sin((x + y) * np.float32(3.0 / width))
        return np.asarray(ink * wave[..., None], np.float32)

    seen = tubes(max(width / 2, 0.62))
    sheet.lay(tubes(width / 2), twisted if rope else ink, WIRE, opacity, outline=seen)
    if width > 2.5 * sheet.unit and rng.random() < 0.7:
        light = np.clip(ink + rng.uniform(-0.25, 0.4), 0, 1).astype(np.float32)
        sheet.lay(tubes(width / 5, -0.15 * width), light, WIRE, 0.7, outline=[])


def stand(rng: np.random.Generator, sheet: Sheet, at: Points) -> None:
    """A light stand, C-stand, tripod or bare rod; some part of it lies at `at`."""
    kind = str(rng.choice(["light", "c", "tripod", "rod"], p=[0.32, 0.26, 0.17, 0.25]))
    look = metal(rng)
    behind = sheet.at(np.asarray(at + rng.uniform(-60, 60, (12, 2)) * sheet.unit, np.float32))
    if len(behind) and np.abs(look.base - behind.mean(0)).max() < CONTRAST_OF_METAL:
        look = Metal(visible(rng, behind), look.side, look.gloss, look.sharp, look.ambient)
    if kind == "rod":
        _rod(rng, sheet, at, look)
        return
    high = _between(rng, 350, 1500) * sheet.unit
    r = _between(rng, 4.5, 15) * sheet.unit * float(np.clip(high / sheet.unit / 800, 0.7, 1.3))
    foot = at + np.array([0.0, high * rng.uniform(0, 1)])
    if rng.random() < 0.35:  # the foot itself in view
        foot = at + np.array([rng.normal(0, 0.1), rng.uniform(-0.05, 0.2)]) * high
    {"light": _light_stand, "c": _c_stand, "tripod": _tripod}[kind](rng, sheet, foot, high, r, look)


CONTRAST_OF_METAL = 0.1


def _part(sheet: Sheet, p: Points, q: Points, r: float, look: Metal) -> None:
    sheet.lay([bar(p, q, r)], look.ink(p, q, r), STAND)


def _knob(rng: np.random.Generator, sheet: Sheet, at: Points, r: float, look: Metal) -> None:
    side = float(rng.choice([-1.0, 1.0]))
    tip = at + np.array([side * 3.0 * r, rng.normal(0, 0.5) * r])
    _part(sheet, at, tip, 0.45 * r, look)
    sheet.lay([ellipse(tip[0], tip[1], 1.1 * r, 1.3 * r)], np.asarray(look.base * 0.7, np.float32), STAND)


def _pole(rng: np.random.Generator, sheet: Sheet, foot: Points, high: float, r: float, look: Metal) -> Array:
    """Telescoping sections with collars; returns the top."""
    lean = np.array([rng.normal(0, 0.012), -1.0])
    cuts = np.concatenate([[0.0], np.sort(rng.uniform(0.25, 0.9, int(rng.integers(1, 4)))), [1.0]])
    thick = r
    for low, up in pairwise(cuts):
        _part(sheet, foot + lean * low * high, foot + lean * up * high, thick, look)
        if up < 1:
            joint = foot + lean * up * high
            _part(sheet, joint - lean * 2.2 * r, joint + lean * 1.2 * r, 1.7 * thick, look)
            if rng.random() < 0.7:
                _knob(rng, sheet, joint, thick, look)
        thick = max(0.62 * r, thick * rng.uniform(0.75, 0.9))
    return np.asarray(foot + lean * high, np.float32)


def _light_stand(rng: np.random.Generator, sheet: Sheet, foot: Points, high: float, r: float, look: Metal) -> None:
    hub, low = (
        foot + np.array([0, -rng.uniform(0.16, 0.3) * high]),
        foot + np.array([0, -rng.uniform(0.03, 0.1) * high]),
    )
    reach = rng.uniform(0.12, 0.3) * high
    for x in (-1.0, 1.0, rng.uniform(-0.5, 0.5)):
        end = foot + np.array([x * reach, (0.06 if abs(x) < 1 else rng.uniform(-0.02, 0.03)) * high])
        _part(sheet, hub, end, 0.65 * r, look)
        _part(sheet, low, hub + (end - hub) * 0.55, 0.45 * r, look)
    top = _pole(rng, sheet, foot + np.array([0, -0.02 * high]), high, r, look)
    for joint in (hub, low):
        _part(sheet, joint + np.array([0, 2 * r]), joint - np.array([0, 2 * r]), 1.9 * r, look)
    if rng.random() < 0.4:
        _arm(rng, sheet, top, high, r, look)


def _c_stand(rng: np.random.Generator, sheet: Sheet, foot: Points, high: float, r: float, look: Metal) -> None:
    reach = rng.uniform(0.12, 0.22) * high
    for k, x in enumerate((-1.0, 1.0, rng.uniform(-0.6, 0.6))):
        up = np.array([0, -(0.05 + 0.03 * k) * high])
        knee = foot + up + np.array([0.35 * x * reach, 0.2 * r])
        _part(sheet, foot + up, knee, 0.85 * r, look)
        _part(sheet, knee, foot + np.array([x * reach, rng.uniform(0, 0.02) * high]), 0.85 * r, look)
    top = _pole(rng, sheet, foot + np.array([0, -0.04 * high]), high, r, look)
    _arm(rng, sheet, top, high, r, look)


def _arm(rng: np.random.Generator, sheet: Sheet, top: Points, high: float, r: float, look: Metal) -> None:
    """A grip head with an arm through it."""
    turn = rng.normal(0, 0.7)
    way = np.array([np.cos(turn), np.sin(turn)]) * rng.choice([-1.0, 1.0])
    _part(sheet, top - way * rng.uniform(0.02, 0.1) * high, top + way * rng.uniform(0.15, 0.6) * high, 0.62 * r, look)
    sheet.lay([ellipse(top[0], top[1], 2.5 * r, 2.5 * r)], np.asarray(look.base * 0.85, np.float32), STAND)
    sheet.lay(
        [ellipse(top[0], top[1], 1.2 * r, 1.2 * r)], np.clip(look.base * 1.2 + 0.03, 0, 1).astype(np.float32), STAND
    )
    _knob(rng, sheet, top, r, look)


def _tripod(rng: np.random.Generator, sheet: Sheet, foot: Points, high: float, r: float, look: Metal) -> None:
    high = 0.7 * high
    head, reach = foot + np.array([0, -high]), rng.uniform(0.25, 0.42) * high
    for x in (-1.0, 1.0, rng.uniform(-0.35, 0.35)):
        end = foot + np.array([x * reach, rng.uniform(-0.03, 0.06) * high])
        middle = head + (end - head) * rng.uniform(0.5, 0.62)
        gap = np.array([1.3 * r, 0])
        for side in (-gap, gap):
            _part(sheet, head + side, middle + side, 0.55 * r, look)
        _part(sheet, middle + (head - end) * 0.08, end, 0.75 * r, look)
        _part(sheet, middle + (head - end) * 0.05, middle - (head - end) * 0.02, 2.1 * r, look)
        _part(sheet, foot + np.array([0, -0.35 * high]), head + (end - head) * 0.62, 0.35 * r, look)
    _part(sheet, head + np.array([0, 3 * r]), head - np.array([0, 4 * r]), 3.2 * r, look)
    handle = np.array([rng.choice([-1.0, 1.0]) * rng.uniform(0.15, 0.3), rng.uniform(-0.05, 0.2)]) * high
    _part(sheet, head - np.array([0, 2 * r]), head - np.array([0, 2 * r]) + handle, 0.5 * r, look)


def _rod(rng: np.random.Generator, sheet: Sheet, at: Points, look: Metal) -> None:
    """A straight tube, thicker than any wire, with caps and clamps."""
    r = _between(rng, 5.5, 20) * sheet.unit
    turn = rng.uniform(0, np.pi)
    way = np.array([np.cos(turn), np.sin(turn)])
    ends = (
        at + way * _between(rng, 150, 1500) * sheet.unit * rng.uniform(0.1, 1),
        at - way * _between(rng, 150, 1500) * sheet.unit,
    )
    _part(sheet, ends[0], ends[1], r, look)
    if rng.random() < 0.6:
        sheet.lay([straight_tube(ends[0], ends[0] + way * r, 1.02 * r)], np.asarray(look.base * 0.5, np.float32), STAND)
    for _ in range(int(rng.integers(0, 3))):
        joint = ends[1] + (ends[0] - ends[1]) * rng.uniform(0, 1)
        _part(sheet, joint, joint + way * 2.5 * r, 1.5 * r, look)
        if rng.random() < 0.5:
            _knob(rng, sheet, joint + way * r, r, look)
