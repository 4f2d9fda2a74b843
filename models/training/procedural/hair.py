"""Haircuts and hats. Hair is a dark mass with strands over it and stray ones in the air around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.procedural.fields import Array, colour
from models.training.procedural.raster import Canvas, Shape, ellipse, shading, spline
from models.training.procedural.strands import draw, grow, shades

KINDS = ("short", "medium", "long", "curly", "afro", "tied", "bald")


@dataclass(frozen=True)
class Hairdo:
    """One haircut: `back` goes under neck and shoulders, `front` over the face's outline."""

    kind: str
    length: float  # of the falling part, in heads
    curl: float
    volume: float
    wild: float

    def back(self, rng: np.random.Generator, canvas: Canvas, head: Array, u: float, tone: Array) -> None:
        x, y = head
        if self.kind in ("medium", "long"):
            low, wide = self.length * u, (0.42 + self.volume) * u
            points = [[x - wide, y - 0.1 * u], [x - wide * 1.05, y + 0.5 * low], [x - 0.8 * wide, y + low], [x, y + 1.02 * low],
                      [x + 0.8 * wide, y + low], [x + wide * 1.05, y + 0.5 * low], [x + wide, y - 0.1 * u], [x, y - 0.6 * u]]  # fmt: skip
            self._mass(rng, canvas, [spline(np.asarray(points, np.float32), 6, closed=True)], tone * 0.7, u)
            n = int(rng.integers(500, 1100))
            t = rng.uniform(0, 2 * np.pi, n)
            roots = np.stack([x + wide * np.cos(t) * rng.uniform(0.6, 1, n), y - 0.1 * u + 0.45 * u * np.sin(t)], 1)
            away = np.stack([np.cos(t) * 0.5, np.full(n, 0.5)], 1)
            self._strands(rng, canvas, roots, away, low * rng.lognormal(0, 0.18, n), 3.0, tone * 0.85)
        elif self.kind in ("curly", "afro"):
            self._ball(rng, canvas, head, u, tone * 0.8, 0.5 + self.volume, n=int(rng.integers(700, 1400)))
        elif self.kind == "tied":
            side = rng.choice([-1, 1])
            bun = np.array([x + side * rng.uniform(0.1, 0.4) * u, y - rng.uniform(-0.1, 0.5) * u])
            n = 350
            t = rng.uniform(0, 2 * np.pi, n)
            roots = bun + 0.16 * u * np.stack([np.cos(t), np.sin(t)], 1)
            self._strands(rng, canvas, roots, np.stack([np.cos(t) + side, np.sin(t) - 0.3], 1),
                          self.length * u * rng.lognormal(-0.2, 0.3, n), 2.5, tone)  # fmt: skip
            self._mass(rng, canvas, [ellipse(*bun, 0.24 * u, 0.22 * u)], tone, u)

    def front(
        self, rng: np.random.Generator, canvas: Canvas, head: Array, u: float, tone: Array, from_behind: bool
    ) -> None:
        if self.kind == "bald":
            return
        x, y = head
        r = (0.42 + 0.25 * self.volume) * u
        line = y - rng.uniform(0.12, 0.3) * u if not from_behind else y + 0.35 * u
        t = np.linspace(np.pi, 2 * np.pi, 16)
        dome = np.stack([x + r * np.cos(t), y - 0.06 * u + (r + 0.06 * u) * np.sin(t)], 1)
        drop = rng.uniform(0.05, 0.35) * u if not from_behind else 0.3 * u
        part = x + rng.normal(0, 0.15) * u
        fringe = [[x + r, y + drop], [x + 0.86 * r, y + 0.02 * u], [part + 0.3 * u, line], [part, line - 0.06 * u],
                  [part - 0.3 * u, line], [x - 0.86 * r, y + 0.02 * u], [x - r, y + drop]]  # fmt: skip
        if from_behind:
            fringe = [[x + r, y + drop], [x, y + 0.48 * u], [x - r, y + drop]]
        outline = np.concatenate([dome, np.asarray(fringe)]).astype(np.float32)
        self._mass(rng, canvas, [outline], tone * 0.8, u)
        n = int(rng.integers(500, 1000))
        a = rng.uniform(np.pi * 0.95, np.pi * 2.05, n)
        deep = rng.uniform(0.35, 1.0, n)
        roots = np.stack([x + r * deep * np.cos(a), y - 0.06 * u + (r + 0.04 * u) * deep * np.sin(a)], 1)
        roots = roots[roots[:, 1] < line + 0.25 * u]
        aim = roots - [part, y - 0.1 * u]
        aim /= np.linalg.norm(aim, axis=1, keepdims=True) + 1e-3
        flow = np.stack([np.sign(aim[:, 0]) * 0.6, np.full(len(aim), 0.25)], 1)
        long = {"short": 0.16, "tied": 0.2, "curly": 0.3, "afro": 0.2}.get(self.kind, 0.4) * u
        lengths = long * rng.lognormal(0, 0.3, len(roots))
        self._strands(rng, canvas, roots, flow + self.wild * aim, lengths, 1.0, tone)
        if self.kind in ("curly", "afro"):
            upper = head - np.array([0, 0.22 * u])
            self._ball(rng, canvas, upper, u, tone, 0.34 + 0.5 * self.volume, n=500, top=True)
        stray = int(rng.integers(10, 90))
        a = rng.uniform(np.pi * 0.9, np.pi * 2.1, stray)
        roots = np.stack([x + 0.95 * r * np.cos(a), y - 0.06 * u + r * np.sin(a)], 1)
        away = np.stack([np.cos(a), np.sin(a) * 0.9], 1) + rng.normal(0, 0.5, (stray, 2))
        lengths = rng.uniform(0.08, 0.5, stray) * u
        hairs = grow(rng, roots.astype(np.float32), away, lengths, 1.2, 0.1 + 0.2 * self.curl)
        draw(canvas, hairs, shades(rng, tone, stray), np.ones(stray))

    def _mass(self, rng: np.random.Generator, canvas: Canvas, shapes: list[Shape], tone: Array, u: float) -> None:
        where = canvas.stencil(shapes)
        if where is not None:
            shade = shading(rng, where.mask, canvas.light, 0.5, u)
            canvas.paint(where, tone * shade[..., None])

    def _strands(self, rng: np.random.Generator, canvas: Canvas, roots: Array, aim: Array, lengths: Array, gravity: float,
                 tone: Array) -> None:  # fmt: skip
        n = len(roots)
        if n == 0:
            return
        hairs = grow(
            rng, roots.astype(np.float32), aim + rng.normal(0, 0.12, (n, 2)), lengths, gravity, self.curl * 0.25
        )
        draw(canvas, hairs, shades(rng, tone, n), 1 + (rng.random(n) < 0.5) + 2 * (rng.random(n) < 0.15))

    def _ball(self, rng: np.random.Generator, canvas: Canvas, head: Array, u: float, tone: Array, radius: float, n: int,
              top: bool = False) -> None:  # fmt: skip
        if not top:
            self._mass(
                rng, canvas, [ellipse(head[0], head[1] - 0.1 * u, 0.88 * radius * u, 0.88 * radius * u)], tone * 0.8, u
            )
        a = rng.uniform(np.pi, 2 * np.pi, n) if top else rng.uniform(0.8 * np.pi, 2.2 * np.pi, n)
        deep = np.sqrt(rng.uniform(0.2, 1, n)) * radius * u
        roots = head + [0, -0.1 * u] + np.stack([deep * np.cos(a), deep * np.sin(a)], 1)
        aim = np.stack([np.cos(a), np.sin(a)], 1) + rng.normal(0, 0.8, (n, 2))
        hairs = grow(rng, roots.astype(np.float32), aim, rng.uniform(0.08, 0.3, n) * u, 0.5, 0.35 + 0.3 * self.curl)
        draw(canvas, hairs, shades(rng, tone, n), 1 + (rng.random(n) < 0.6) + 2 * (rng.random(n) < 0.3))


def hairdo(rng: np.random.Generator) -> Hairdo:
    """A random haircut."""
    kind = str(rng.choice(KINDS, p=[0.30, 0.16, 0.2, 0.12, 0.06, 0.10, 0.06]))
    length = {"medium": rng.uniform(0.7, 1.2), "long": rng.uniform(1.1, 2.3), "tied": rng.uniform(0.5, 1.4)}.get(
        kind, 0.4
    )
    return Hairdo(kind, length, rng.choice([0.0, 0.2, 0.7]), rng.uniform(0.02, 0.22), rng.choice([0.0, 0.15, 0.7]))


def hat(rng: np.random.Generator, canvas: Canvas, head: Array, u: float) -> None:
    """A cap, a brimmed hat or a woollen one."""
    x, y = head[0], head[1] - rng.uniform(0.14, 0.24) * u
    r, tall = rng.uniform(0.4, 0.48) * u, rng.uniform(0.35, 0.6) * u
    t = np.linspace(np.pi, 2 * np.pi, 14)
    crown = np.stack([x + r * np.cos(t), y + tall * np.sin(t)], 1).astype(np.float32)
    shapes: list[Shape] = [crown]
    kind = rng.choice(["cap", "brim", "wool"])
    if kind == "brim":
        shapes.append(ellipse(x, y, r * rng.uniform(1.3, 1.9), 0.1 * u))
    elif kind == "cap":
        shapes.append(ellipse(x + rng.choice([-1, 0, 1]) * 0.4 * r, y + 0.03 * u, r, 0.08 * u))
    where = canvas.stencil(shapes)
    if where is not None:
        canvas.paint(where, colour(rng) * shading(rng, where.mask, canvas.light, 0.4, u)[..., None])
