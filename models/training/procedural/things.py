"""Animals with fur outlines, plants, furniture and other foregrounds that are not people."""

from __future__ import annotations

import itertools

import numpy as np

from models.training.procedural.fields import Array, colour, hair_colour, hsv, value_noise
from models.training.procedural.raster import Canvas, Shape, Tube, ellipse, shading, spline, tube, wobble
from models.training.procedural.strands import draw, fur, grow, shades
from models.training.procedural.textures import cloth, pelt, surface


def _canvas(rng: np.random.Generator, size: int, unit: float) -> Canvas:
    light = np.array([rng.normal(0, 0.6), rng.normal(-0.5, 0.4), 0.9], np.float32)
    return Canvas(size, size, light / np.linalg.norm(light), wobble(rng, 0.06 * unit, 1.2 * unit))


def _skin(
    rng: np.random.Generator, canvas: Canvas, shapes: list[Shape], texture: Array, unit: float, gain: float = 1.0
) -> None:
    where = canvas.stencil(shapes)
    if where is None:
        return
    shade = shading(rng, where.mask, canvas.light, 0.3, unit) * gain
    here = texture if texture.ndim == 1 else texture[where.window]
    canvas.paint(where, here * shade[..., None])


def animal(rng: np.random.Generator, size: int) -> tuple[Array, bool]:
    """A four-legged animal, a sitting one or a head from close by: straight RGBA (size, size, 4) and 'cut off below'."""
    kind = str(rng.choice(["standing", "sitting", "portrait"]))
    base = hair_colour(rng)
    u = size * {"standing": 0.2, "sitting": 0.24, "portrait": 0.42}[kind]
    canvas = _canvas(rng, size, u)
    coat = pelt(rng, size, size, u, base)
    flip = float(rng.choice([-1, 1]))

    def at(x: float, y: float) -> list[float]:
        return [size / 2 + flip * x * size, y * size]

    if kind == "standing":
        for x in (-0.2, 0.17):
            _skin(
                rng,
                canvas,
                [tube([at(x, 0.55), at(x + 0.03, 0.75), at(x, 0.93)], [0.3 * u, 0.16 * u, 0.12 * u])],
                coat,
                u,
                0.7,
            )
        tail = [at(-0.26, 0.45), at(-0.36, rng.uniform(0.3, 0.6)), at(-0.42, rng.uniform(0.2, 0.8))]
        _skin(rng, canvas, [tube(tail, [0.14 * u, 0.12 * u, 0.06 * u])], coat, u)
        belly = rng.uniform(0.42, 0.62) * u
        _skin(rng, canvas, [tube([at(-0.23, 0.5), at(0.0, 0.53), at(0.2, 0.47)], [belly, belly * 1.1, belly])], coat, u)
        for x in (-0.25, 0.22):
            step = rng.normal(0, 0.04)
            _skin(
                rng,
                canvas,
                [tube([at(x, 0.55), at(x + step, 0.76), at(x + step / 2, 0.95)], [0.34 * u, 0.16 * u, 0.12 * u])],
                coat,
                u,
            )
        neck, head = [at(0.2, 0.42), at(0.3, 0.3)], at(0.34, rng.uniform(0.2, 0.34))
        _skin(rng, canvas, [tube(neck, [0.4 * u, 0.3 * u])], coat, u)
        r = 0.36 * u
    elif kind == "sitting":
        _skin(
            rng, canvas, [tube([at(-0.1, 0.9), at(-0.3, 0.93), at(-0.4, 0.8)], [0.1 * u, 0.1 * u, 0.05 * u])], coat, u
        )
        wide = rng.uniform(0.6, 0.85) * u
        _skin(
            rng, canvas, [tube([at(0, 0.78), at(0.01, 0.6), at(0.03, 0.42)], [wide, wide * 0.85, wide * 0.6])], coat, u
        )
        for x in (-0.08, 0.08):
            _skin(
                rng,
                canvas,
                [tube([at(x, 0.6), at(x, 0.8), at(x + 0.01, 0.95)], [0.2 * u, 0.14 * u, 0.14 * u])],
                coat,
                u,
            )
        head, r = at(0.04, 0.28), 0.5 * u
    else:
        _skin(rng, canvas, [tube([at(0, 1.05), at(0, 0.8), at(0, 0.5)], [0.95 * u, 0.75 * u, 0.6 * u])], coat, u)
        head, r = at(0, 0.4), rng.uniform(0.55, 0.7) * u
    _head(rng, canvas, head, r, flip, coat, base, kind == "standing")
    length = u * float(np.exp(rng.uniform(np.log(0.03), np.log(0.35))))
    if rng.random() < 0.85:
        fur(rng, canvas, max(6.0, length), int(rng.integers(2500, 9000)), u)
    return canvas.straight(), kind == "portrait"


def _head(rng: np.random.Generator, canvas: Canvas, head: list[float], r: float, flip: float, coat: Array, base: Array,
          profile: bool) -> None:  # fmt: skip
    x, y = head
    ear = rng.uniform(0.4, 1.3) * r
    turn = rng.uniform(0.2, 1.0)
    for s in (-1.0, 1.0):
        root = np.array([x + s * 0.6 * r, y - 0.55 * r])
        tip = root + ear * np.array([s * np.sin(turn), -np.cos(turn) if rng.random() < 0.8 else 0.6])
        _skin(rng, canvas, [tube([root, 0.5 * (root + tip), tip], [0.34 * r, 0.28 * r, 0.08 * r])], coat, r)
    muzzle = [x + (0.8 * r * flip if profile else 0.0), y + 0.42 * r]
    _skin(
        rng,
        canvas,
        [ellipse(x, y, r, 0.92 * r), tube([[x, y + 0.1 * r], muzzle], [0.6 * r, rng.uniform(0.28, 0.45) * r])],
        coat,
        r,
    )
    dark = np.float32([0.05, 0.04, 0.04])
    _skin(rng, canvas, [ellipse(muzzle[0], muzzle[1] - 0.08 * r, 0.13 * r, 0.09 * r)], dark, r)
    for s in (-1.0, 1.0):
        eye = [x + s * 0.38 * r + (0.15 * r * flip if profile else 0), y - 0.12 * r]
        _skin(rng, canvas, [ellipse(*eye, 0.14 * r, 0.13 * r)], hsv(rng.uniform(0.05, 0.3), 0.6, 0.6), r)
        _skin(rng, canvas, [ellipse(*eye, 0.08 * r, 0.1 * r)], dark, r)
    n = 10
    roots = np.asarray(muzzle, np.float32) + rng.normal(0, 0.1 * r, (n, 2)).astype(np.float32)
    aim = np.stack([rng.choice([-1.0, 1.0], n), rng.normal(0.1, 0.3, n)], 1)
    whiskers = grow(rng, roots, aim, rng.uniform(0.6, 1.3, n) * r, 0.4, 0.0)
    draw(canvas, whiskers, shades(rng, np.clip(base + 0.5, 0, 1), n), np.ones(n))


def plant(rng: np.random.Generator, size: int) -> tuple[Array, bool]:
    """Stems with leaves, sometimes in a pot."""
    u = size * 0.15
    canvas = _canvas(rng, size, u)
    green = hsv(rng.uniform(0.15, 0.45), rng.uniform(0.2, 0.8), rng.uniform(0.15, 0.7))
    foot = np.array([size * 0.5, size * 0.85])
    for _ in range(int(rng.integers(5, 22))):
        a = rng.normal(0, 0.6)
        tip = foot + rng.uniform(0.3, 0.78) * size * np.array([np.sin(a), -np.cos(a)])
        mid = 0.5 * (foot + tip) + rng.normal(0, 0.05 * size, 2)
        stem = tube([foot, mid, tip], [0.02 * u, 0.02 * u, 0.01 * u])
        _skin(rng, canvas, [stem], green * 0.6, u)
        tone = np.clip(green * rng.uniform(0.6, 1.4) + rng.normal(0, 0.03, 3), 0, 1).astype(np.float32)
        leaves: list[Shape] = []
        wide, long = rng.uniform(0.1, 0.35), rng.uniform(0.3, 1.0) * u
        for p in stem.points[rng.integers(len(stem.points) // 3, len(stem.points), rng.integers(1, 9))]:
            b = a + rng.normal(0, 1.0)
            way = np.array([np.sin(b), -np.cos(b)])
            leaves.append(tube([p, p + 0.5 * long * way, p + long * way + [0, 0.1 * long]], [1.0, wide * long, 1.0]))
        _skin(rng, canvas, leaves, tone, u * 0.5)
    if rng.random() < 0.5:
        w, h = rng.uniform(0.6, 1.4) * u, size - foot[1]
        pot = np.array(
            [foot + [-w, -0.3 * h], foot + [w, -0.3 * h], foot + [0.7 * w, h], foot + [-0.7 * w, h]], np.float32
        )
        _skin(rng, canvas, [pot], colour(rng), u)
    return canvas.straight(), True


def furniture(rng: np.random.Generator, size: int) -> tuple[Array, bool]:
    """Bars and boards: chairs, stands, bicycles, umbrellas, boxes, rings; thin parts and holes."""
    u = size * 0.2
    canvas = _canvas(rng, size, u)
    canvas.warp = None if rng.random() < 0.6 else canvas.warp
    for _ in range(int(rng.integers(1, 4))):
        texture = surface(rng, size, size) if rng.random() < 0.5 else cloth(rng, size, size, u)
        kind = rng.choice(["bars", "box", "ring", "blob", "wheel"])
        c = np.array([size / 2, size / 2]) + rng.normal(0, 0.1 * size, 2)
        if kind == "bars":
            corners = c + rng.uniform(-0.4, 0.4, (int(rng.integers(3, 8)), 2)) * size
            r = rng.uniform(0.01, 0.12) * u
            _skin(rng, canvas, [Tube(np.stack([a, b]).astype(np.float32), np.float32([r, r]))
                                for a, b in itertools.pairwise(corners)], texture, u)  # fmt: skip
        elif kind == "box":
            half = rng.uniform(0.1, 0.38, 2) * size
            skew = rng.normal(0, 0.15, (4, 2)) * half
            _skin(
                rng,
                canvas,
                [(c + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + skew).astype(np.float32)],
                texture,
                u,
            )
        elif kind == "ring":
            t = np.linspace(0, 2 * np.pi, 48)
            r = rng.uniform(0.15, 0.4, 2) * size
            line = (c + r * np.stack([np.cos(t), np.sin(t)], 1)).astype(np.float32)
            _skin(rng, canvas, [Tube(line, np.full(48, rng.uniform(0.02, 0.3) * u, np.float32))], texture, u)
        elif kind == "wheel":
            r = rng.uniform(0.15, 0.35) * size
            ends = [c + r * np.array([np.cos(a), np.sin(a)]) for a in np.linspace(0, 2 * np.pi, 20)]
            thin, thick = rng.uniform(0.5, 3), rng.uniform(3, 14)
            shapes: list[Shape] = [Tube(np.stack([c, e]).astype(np.float32), np.float32([thin, thin])) for e in ends]
            shapes.append(Tube(np.asarray(ends, np.float32), np.full(20, thick, np.float32)))
            _skin(rng, canvas, shapes, colour(rng), u)
        else:
            a = np.linspace(0, 2 * np.pi, int(rng.integers(4, 12)), endpoint=False)
            r = size * rng.uniform(0.12, 0.42, len(a))
            _skin(
                rng, canvas, [spline(c + r[:, None] * np.stack([np.cos(a), np.sin(a)], 1), 8, closed=True)], texture, u
            )
    return canvas.straight(), False


def veil(rng: np.random.Generator, size: int) -> tuple[Array, bool]:
    """Something half transparent: smoke, gauze, glass."""
    picture, _ = furniture(rng, size)
    clouds = 0.5 + 0.25 * value_noise(rng, size, size, size / rng.uniform(4, 20))
    picture[..., 3] *= np.clip(clouds, 0.08, 0.95)
    return picture, False
