"""Scenes to stand in front of: dead leaves, rooms, facades, foliage, landscapes, plain backdrops, lit screens.

The families follow what photographs have in common: power-law sizes and occlusion (dead leaves), 1/f spectra,
straight architecture, repeated texture, smooth and blown-out areas, lights in the dark.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.training.procedural.fields import Array, colour, fractal, grid, hsv, smoothstep, value_noise
from models.training.procedural.raster import Shape, Tube, ellipse, spline, stencil
from models.training.procedural.textures import cloth, surface

FAMILIES = {"leaves": 0.22, "room": 0.2, "facade": 0.12, "foliage": 0.13, "landscape": 0.08, "backdrop": 0.1,
            "spectrum": 0.05, "night": 0.1}  # fmt: skip


def _lay(picture: Array, shapes: list[Shape], paint: Array) -> None:
    """Paint shapes with a colour (3,) or a texture of the picture's size."""
    where = stencil(picture.shape[:2], shapes)
    if where is None:
        return
    mask = where.mask[..., None]
    ink = paint if paint.ndim == 1 else paint[where.window]
    picture[where.window] += (ink - picture[where.window]) * mask


def _box(x0: float, y0: float, x1: float, y1: float) -> Array:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)


def _lit(rng: np.random.Generator, picture: Array, depth: float = 0.35) -> Array:
    """Uneven light: a gradient, a pool of light, a slight colour cast over the frame."""
    h, w = picture.shape[:2]
    x, y = grid(h, w)
    a = rng.uniform(0, 2 * np.pi)
    ramp = (np.cos(a) * (x / w - 0.5) + np.sin(a) * (y / h - 0.5)).astype(np.float32)
    spot = np.exp(-(((x / w - rng.random()) ** 2 + (y / h - rng.random()) ** 2) / rng.uniform(0.1, 0.6))).astype(
        np.float32
    )
    gain = 1 + np.float32(rng.normal(0, depth)) * ramp + np.float32(rng.normal(0, depth)) * (spot - 0.5)
    return np.asarray(picture * gain[..., None], np.float32)


def leaves(rng: np.random.Generator, h: int, w: int) -> Array:
    """Occluding shapes of power-law sizes, each with its own colour, gradient and texture."""
    picture = surface(rng, h, w)
    textures = [surface(rng, h, w) for _ in range(4)]
    smallest = h * rng.uniform(0.01, 0.04)
    for size in sorted((smallest / rng.random(int(np.exp(rng.uniform(4.0, 7.0)))) ** 0.6).clip(0, h), reverse=True):
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        kind = rng.random()
        if kind < 0.35:
            shape: Shape = ellipse(x, y, size, size * rng.uniform(0.2, 1), rng.uniform(0, np.pi))
        elif kind < 0.65:
            half = size * rng.uniform(0.3, 1.0, 2)
            t = rng.choice([0.0, rng.uniform(0, np.pi)])
            turn = np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])
            shape = (np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half @ turn + [x, y]).astype(np.float32)
        elif kind < 0.85:
            a = np.linspace(0, 2 * np.pi, 8, endpoint=False)
            r = size * rng.uniform(0.4, 1.0, 8)
            shape = spline(np.stack([x + r * np.cos(a), y + r * np.sin(a)], 1), 6, closed=True)
        else:
            end = [x + rng.normal(0, 2 * size), y + rng.normal(0, 2 * size)]
            shape = Tube(np.array([[x, y], end], np.float32), np.float32([0.12 * size] * 2))
        paint = (
            textures[int(rng.integers(0, 4))] * rng.uniform(0.4, 1.3, 3).astype(np.float32)
            if rng.random() < 0.3
            else colour(rng)
        )
        _lay(picture, [shape], np.asarray(paint, np.float32))
    return picture


def room(rng: np.random.Generator, h: int, w: int) -> Array:
    """A wall and a floor with doors, windows, pictures, shelves, curtains and furniture."""
    picture = surface(rng, h, w)
    floor = h * rng.uniform(0.62, 0.95)
    _lay(picture, [_box(0, floor, w, h)], surface(rng, h, w))
    _lay(picture, [_box(0, floor - 0.025 * h, w, floor)], colour(rng))
    if rng.random() < 0.4:
        corner = w * rng.uniform(0.1, 0.9)
        side = [[corner, -1], [corner, floor], [w * 1.2, floor + 0.3 * h], [w * 1.2, -1]]
        _lay(picture, [np.asarray(side, np.float32)], np.asarray(picture * rng.uniform(0.6, 1.2), np.float32))
    for _ in range(int(rng.integers(2, 9))):
        kind = rng.choice(["frame", "window", "door", "shelf", "curtain", "table", "lamp", "poster"])
        x, wide = rng.uniform(-0.1, 0.95) * w, rng.uniform(0.06, 0.35) * w
        y, high = rng.uniform(0.05, 0.5) * h, rng.uniform(0.1, 0.45) * h
        if kind in ("frame", "poster"):
            _lay(picture, [_box(x - 6, y - 6, x + wide + 6, y + high + 6)], colour(rng))
            _lay(picture, [_box(x, y, x + wide, y + high)], cloth(rng, h, w, high * 0.5))
        elif kind == "window":
            _window(rng, picture, x, y, wide, high * 1.6)
        elif kind == "door":
            _lay(picture, [_box(x, floor - 0.62 * h, x + 0.28 * h, floor)], surface(rng, h, w))
            for k in (0.12, 0.55):
                top = floor - 0.62 * h * (1 - k)
                _lay(picture, [_box(x + 0.04 * h, top, x + 0.24 * h, top + 0.22 * h)], colour(rng))
        elif kind == "shelf":
            _shelf(rng, picture, x, y, wide, high)
        elif kind == "curtain":
            xs = np.arange(w, dtype=np.float32)
            period, phase = rng.uniform(12, 60), rng.uniform(0, 6)
            fold = 0.75 + 0.25 * np.sin(2 * np.pi * xs / period + phase + np.sin(xs / 40))
            _lay(
                picture,
                [_box(x, 0, x + wide, floor)],
                np.asarray(colour(rng) * fold[None, :, None] + np.zeros((h, 1, 1)), np.float32),
            )
        elif kind == "table":
            top = floor - rng.uniform(0.02, 0.2) * h
            paint = surface(rng, h, w)
            legs: list[Shape] = [
                _box(x + k * wide, top, x + k * wide + 0.012 * w, floor + 0.1 * h) for k in (0.03, 0.9)
            ]
            _lay(picture, [_box(x, top, x + wide, top + rng.uniform(0.02, 0.12) * h), *legs], paint)
        else:
            _lay(picture, [ellipse(x, y, 0.1 * wide + 4, 0.1 * wide + 4)], np.float32([1, 0.95, 0.8]))
            glow = cv2.GaussianBlur((picture > 0.98).all(2).astype(np.float32), (0, 0), 0.03 * w)
            picture += glow[..., None] * np.float32([0.6, 0.5, 0.35])
    return picture


def _window(rng: np.random.Generator, picture: Array, x: float, y: float, wide: float, high: float) -> None:
    outside = np.broadcast_to(
        hsv(rng.uniform(0.5, 0.65), rng.uniform(0, 0.4), rng.uniform(0.6, 1.1)), picture.shape
    ).astype(np.float32)
    if rng.random() < 0.4:
        outside = outside * (0.8 + 0.2 * fractal(rng, *picture.shape[:2], 0.8, 4))[..., None]
    _lay(picture, [_box(x - 8, y - 8, x + wide + 8, y + high + 8)], colour(rng))
    columns, rows = rng.integers(1, 4), rng.integers(1, 4)
    panes: list[Shape] = [
        _box(
            x + wide * i / columns + 3,
            y + high * j / rows + 3,
            x + wide * (i + 1) / columns - 3,
            y + high * (j + 1) / rows - 3,
        )
        for i in range(columns)
        for j in range(rows)
    ]
    _lay(picture, panes, outside)
    if rng.random() < 0.4:  # blinds
        step = rng.uniform(6, 16)
        slats: list[Shape] = [_box(x, t, x + wide, t + 0.55 * step) for t in np.arange(y, y + high, step)]
        _lay(picture, slats, colour(rng))


def _shelf(rng: np.random.Generator, picture: Array, x: float, y: float, wide: float, high: float) -> None:
    _lay(picture, [_box(x - 5, y - 5, x + wide + 5, y + high + 5)], colour(rng) * 0.5)
    for top in np.arange(y, y + high - 20, max(24.0, high / rng.integers(1, 5))):
        deep, left = max(20.0, high / 4), x
        while left < x + wide - 4:
            thick = rng.uniform(4, 26)
            _lay(picture, [_box(left, top + rng.uniform(0, 0.4) * deep, left + thick, top + deep)], colour(rng))
            left += thick + rng.choice([0.5, 0.5, 12])


def facade(rng: np.random.Generator, h: int, w: int) -> Array:
    """Buildings with rows of windows under a sky, a street before them."""
    picture = landscape(rng, h, w)
    x = -rng.uniform(0, 0.3) * w
    while x < w:
        wide, top = rng.uniform(0.15, 0.7) * w, rng.uniform(-0.4, 0.5) * h
        _lay(picture, [_box(x, top, x + wide, 0.9 * h)], surface(rng, h, w))
        dx, dy = rng.uniform(0.02, 0.08) * w, rng.uniform(0.04, 0.14) * h
        glass = colour(rng) * 0.6
        panes: list[Shape] = [_box(a, b, a + dx * 0.6, b + dy * 0.62) for a in np.arange(x + 0.3 * dx, x + wide - dx, dx)
                              for b in np.arange(top + 0.4 * dy, 0.85 * h, dy)]  # fmt: skip
        if panes:
            _lay(picture, panes, glass)
            lit = [panes[int(k)] for k in rng.integers(0, len(panes), max(1, len(panes) // 8))]
            _lay(picture, lit, np.clip(glass * 3 + 0.1, 0, 1))
        x += wide + rng.choice([0, 0.1 * w])
    _lay(picture, [_box(0, 0.9 * h - rng.uniform(0, 0.1) * h, w, h)], surface(rng, h, w))
    if rng.random() < 0.5:  # seen from an angle
        bend = rng.uniform(-0.25, 0.25, 4) * h
        to = np.float32([[0, bend[0]], [w, bend[1]], [w, h + bend[2]], [0, h + bend[3]]])
        way = cv2.getPerspectiveTransform(np.float32([[0, 0], [w, 0], [w, h], [0, h]]), to)
        picture = np.asarray(
            cv2.warpPerspective(picture, way, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101),
            np.float32,
        )
    return picture


def foliage(rng: np.random.Generator, h: int, w: int) -> Array:
    """Trunks, twigs, grass and thousands of leaves, from the dark depth to the lit front."""
    hue = rng.uniform(0.12, 0.42)
    deep = 0.5 + 0.3 * fractal(rng, h, w, 1.0, 8)
    picture = np.asarray(hsv(hue, 0.5, 0.25) * deep[..., None] * 1.2, np.float32).clip(0, 1)
    if rng.random() < 0.5:
        sky = smoothstep(fractal(rng, h, w, 1.2, 8) - np.float32(rng.uniform(-0.5, 1)), 0.6)[..., None]
        picture += (hsv(0.58, rng.uniform(0, 0.4), 0.95) - picture) * sky
    for _ in range(int(rng.integers(0, 7))):
        x = rng.uniform(0, w)
        r = rng.uniform(0.004, 0.05) * w
        line = spline(np.array([[x, -20], [x + rng.normal(0, 40), h / 2], [x + rng.normal(0, 60), h + 20]]))
        _lay(picture, [Tube(line, np.full(len(line), r, np.float32))], surface(rng, h, w) * np.float32([0.6, 0.5, 0.4]))
    size = h * float(np.exp(rng.uniform(np.log(0.008), np.log(0.07))))
    count = int(min(9000, 0.6 * h * w / size**2))
    grass = rng.random() < 0.3
    for k in range(count):
        p = np.array([rng.uniform(0, w), rng.uniform(0, h)])
        a = -np.pi / 2 + rng.normal(0, 0.4) if grass else rng.uniform(0, 2 * np.pi)
        tip = p + size * rng.uniform(0.7, 2.4) * np.array([np.cos(a), np.sin(a)])
        across = np.array([-np.sin(a), np.cos(a)]) * size * rng.uniform(0.05, 0.16 if grass else 0.45)
        ink = hsv(
            (hue + rng.normal(0, 0.03)) % 1, rng.uniform(0.3, 0.8), 0.1 + 0.65 * (k / count) * rng.uniform(0.5, 1.2)
        )
        blade = np.stack([p, 0.5 * (p + tip) + across, tip, 0.5 * (p + tip) - across]).astype(np.float32)
        cv2.fillPoly(picture, [np.round(blade * 16).astype(np.int32)], ink.tolist(), cv2.LINE_8, 4)
    return picture


def landscape(rng: np.random.Generator, h: int, w: int) -> Array:
    """A sky with clouds, hills or sea, ground."""
    _, y = grid(h, w)
    blue, pale = (
        hsv(rng.uniform(0.5, 0.68), rng.uniform(0, 0.6), rng.uniform(0.4, 1.0)),
        hsv(rng.uniform(0, 1), 0.1, rng.uniform(0.7, 1.05)),
    )
    t = smoothstep(y / np.float32(0.7 * h))[..., None]
    picture = blue + (pale - blue) * t
    if rng.random() < 0.6:
        clouds = smoothstep(fractal(rng, h, w, 1.1, 4) - np.float32(rng.uniform(-0.6, 1)), rng.uniform(0.5, 2))[
            ..., None
        ]
        picture = picture + (np.float32(rng.uniform(0.6, 1.1)) - picture) * clouds * 0.8
    horizon = h * rng.uniform(0.3, 0.9)
    for k in range(int(rng.integers(1, 5))):
        ridge = horizon + k * 0.08 * h + 0.08 * h * fractal(rng, 1, w, 1.0, 4)[0] * rng.uniform(0.1, 1)
        edge = np.stack([np.arange(w), ridge], 1).astype(np.float32)
        area = np.concatenate([edge, np.float32([[w, h + 5], [0, h + 5]])])
        ground = (
            surface(rng, h, w) if rng.random() < 0.4 else colour(rng) * (1 + 0.2 * fractal(rng, h, w, 0.5))[..., None]
        )
        _lay(picture, [area], np.asarray(ground, np.float32))
    return np.asarray(picture, np.float32)


def backdrop(rng: np.random.Generator, h: int, w: int) -> Array:
    """A studio: smooth paper, creased cloth, a screen of one colour, blown-out white."""
    kind = rng.random()
    if kind < 0.25:
        base = np.full(3, rng.uniform(0.92, 1.06), np.float32)
    elif kind < 0.45:
        base = hsv(rng.choice([0.33, 0.62, rng.random()]), rng.uniform(0.5, 0.9), rng.uniform(0.4, 0.8))
    else:
        base = colour(rng)
    crease = 0.06 * value_noise(rng, h, w, w / 8, rng.uniform(1, 4)) * (rng.random() < 0.5) + 0.01 * fractal(
        rng, h, w, 0.6
    )
    return np.asarray(base * (1 + crease)[..., None], np.float32)


def spectrum(rng: np.random.Generator, h: int, w: int) -> Array:
    """Coloured 1/f noise."""
    slope = rng.uniform(0.3, 1.3)
    grey = fractal(rng, h, w, slope)
    tints = np.stack([fractal(rng, h, w, slope + 0.2, 4) for _ in range(3)], 2)
    return np.asarray(
        colour(rng) + rng.uniform(0.05, 0.25) * grey[..., None] + rng.uniform(0.02, 0.1) * tints, np.float32
    )


def night(rng: np.random.Generator, h: int, w: int) -> Array:
    """Darkness with lit screens, signs and out-of-focus lights."""
    picture = np.asarray((leaves if rng.random() < 0.5 else room)(rng, h, w) * rng.uniform(0.05, 0.4), np.float32)
    light = np.zeros_like(picture)
    for _ in range(int(rng.integers(1, 6))):
        x, y = rng.uniform(0, 0.9) * w, rng.uniform(0, 0.8) * h
        wide = rng.uniform(0.08, 0.45) * w
        panel = _box(x, y, x + wide, y + wide * rng.uniform(0.4, 0.8)) + rng.normal(0, 0.02 * wide, (4, 2)).astype(
            np.float32
        )
        show = leaves(rng, h // 4, w // 4) if rng.random() < 0.5 else cloth(rng, h // 4, w // 4, 30)
        _lay(light, [panel], np.asarray(cv2.resize(show, (w, h)) * rng.uniform(0.6, 1.4), np.float32))
    r = rng.uniform(0.003, 0.03) * w
    for _ in range(int(rng.integers(0, 60))):
        _lay(
            light,
            [ellipse(rng.uniform(0, w), rng.uniform(0, h), r, r)],
            hsv(rng.random(), rng.uniform(0, 0.7), rng.uniform(0.4, 1.0)),
        )
    small = cv2.resize(light, (w // 8, h // 8), interpolation=cv2.INTER_AREA)
    halo = cv2.resize(cv2.GaussianBlur(small, (0, 0), rng.uniform(2, 8)), (w, h))
    return np.asarray(np.where(light > 0, light, picture) + rng.uniform(0, 0.5) * halo, np.float32)


def scene_family(rng: np.random.Generator) -> str:
    """One of `FAMILIES`, by their shares."""
    return str(rng.choice(list(FAMILIES), p=list(FAMILIES.values())))


def background(rng: np.random.Generator, h: int, w: int, of: str = "") -> Array:
    """Draw one empty scene (h, w, 3), sRGB-encoded 0..1, of a family (one of `FAMILIES`, or by their shares)."""
    draw = {"leaves": leaves, "room": room, "facade": facade, "foliage": foliage, "landscape": landscape, "backdrop": backdrop,
            "spectrum": spectrum, "night": night}[of or scene_family(rng)]  # fmt: skip
    picture = _lit(rng, draw(rng, h, w))
    if rng.random() < 0.7:
        picture = picture * (1 + rng.uniform(0, 0.06) * fractal(rng, h, w, rng.uniform(0.2, 0.8)))[..., None]
    if rng.random() < 0.55:  # depth of field
        sigma = float(np.exp(rng.uniform(np.log(0.5), np.log(14.0)))) * h / 1080
        picture = cv2.GaussianBlur(np.asarray(picture, np.float32), (0, 0), sigma)
    gamma = np.float32(np.exp(rng.normal(0, 0.25)))
    picture = np.clip(picture, 0, 1) ** gamma * rng.uniform(0.8, 1.25) + rng.normal(0, 0.02)
    return np.clip(picture, 0, 1).astype(np.float32)
