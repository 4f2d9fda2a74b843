"""A small painter: supersampled outlines, rounded shading and a premultiplied canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from models.training.procedural.fields import Array, value_noise

SUPERSAMPLING = 2
Warp = Callable[[Array], Array]


@dataclass(frozen=True)
class Tube:
    """A limb: centre line (n, 2) and radius (n,) in pixels, drawn with round ends."""

    points: Array
    radii: Array


Shape = Tube | Array  # an array is a closed polygon (n, 2)


@dataclass(frozen=True)
class Stencil:
    """Coverage 0..1 of a shape inside the box whose upper left corner is (y, x) of the canvas."""

    y: int
    x: int
    mask: Array

    @property
    def window(self) -> tuple[slice, slice]:
        return slice(self.y, self.y + self.mask.shape[0]), slice(self.x, self.x + self.mask.shape[1])


def wobble(rng: np.random.Generator, amplitude: float, wavelength: float) -> Warp:
    """A smooth random displacement of points, so that nothing drawn by rule looks ruled."""
    k = rng.normal(0, 2 * np.pi / wavelength, (6, 2))
    phase = rng.uniform(0, 2 * np.pi, 6)
    push = rng.normal(0, amplitude / np.sqrt(6), (6, 2))

    def warp(points: Array) -> Array:
        return np.asarray(points + np.sin(points @ k.T + phase) @ push, np.float32)

    return warp


def spline(points: Sequence[Sequence[float]] | Array, per_span: int = 8, closed: bool = False) -> Array:
    """Catmull-Rom curve (m, d) through `points` (n, d)."""
    p = np.asarray(points, np.float32)
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    q = np.concatenate([ends[0], p, ends[1]])
    t = np.linspace(0, 1, per_span, endpoint=False, dtype=np.float32)[:, None]
    spans = []
    for a, b, c, d in zip(q[:-3], q[1:-2], q[2:-1], q[3:], strict=True):
        spans.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    if not closed:
        spans.append(p[-1:])
    return np.asarray(np.concatenate(spans), np.float32)


def tube(points: Sequence[Sequence[float]] | Array, radii: Sequence[float]) -> Tube:
    """A smooth limb through `points` with `radii` given at the same places."""
    both = np.concatenate([np.asarray(points, np.float32), np.asarray(radii, np.float32)[:, None]], 1)
    dense = spline(both)
    return Tube(dense[:, :2], np.maximum(dense[:, 2], 0.5))


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0, n: int = 48) -> Array:
    """Polygon (n, 2) of an ellipse, turned by `turn` radians."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    c, s = np.cos(turn), np.sin(turn)
    px, py = rx * np.cos(t), ry * np.sin(t)
    return np.stack([x + c * px - s * py, y + s * px + c * py], 1).astype(np.float32)


def stencil(size: tuple[int, int], shapes: Sequence[Shape], warp: Warp | None = None) -> Stencil | None:
    """Antialiased union of shapes, or None where nothing of it lies inside the (h, w) canvas."""
    moved: list[Shape] = []
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for shape in shapes:
        points = shape.points if isinstance(shape, Tube) else shape
        points = warp(points) if warp else points
        reach = shape.radii[:, None] if isinstance(shape, Tube) else 0.0
        low, high = np.minimum(low, (points - reach).min(0)), np.maximum(high, (points + reach).max(0))
        moved.append(Tube(points, shape.radii) if isinstance(shape, Tube) else points)
    x0, y0 = np.maximum(np.floor(low) - 1, 0).astype(int)
    x1, y1 = np.minimum(np.ceil(high) + 2, [size[1], size[0]]).astype(int)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    big = np.zeros(((y1 - y0) * SUPERSAMPLING, (x1 - x0) * SUPERSAMPLING), np.uint8)

    def fixed(points: Array) -> NDArrayInt:
        local = (np.asarray(points) - [x0, y0]) * SUPERSAMPLING - 0.5
        return np.asarray(np.round(np.clip(local, -8000, 8000) * 16), np.int32)

    for shape in moved:
        if isinstance(shape, Tube):
            _fill_tube(big, shape, fixed)
        else:
            cv2.fillPoly(big, [fixed(shape)], 255, cv2.LINE_AA, 4)
    small = cv2.resize(big, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    return Stencil(int(y0), int(x0), small.astype(np.float32) / 255)


NDArrayInt = np.ndarray[tuple[int, ...], np.dtype[np.int32]]


def _fill_tube(big: np.ndarray, shape: Tube, fixed: Callable[[Array], NDArrayInt]) -> None:
    p, r = shape.points, shape.radii
    along = np.diff(p, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], 1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-6)
    quads = np.stack([p[:-1] + normal * r[:-1, None], p[1:] + normal * r[1:, None],
                      p[1:] - normal * r[1:, None], p[:-1] - normal * r[:-1, None]], 1)  # fmt: skip
    for quad in fixed(quads.astype(np.float32)):
        cv2.fillConvexPoly(big, quad, 255, cv2.LINE_AA, 4)
    for centre, radius in zip(fixed(p), r, strict=True):
        cv2.circle(big, centre.tolist(), int(radius * SUPERSAMPLING * 16), 255, -1, cv2.LINE_AA, 4)


def shading(rng: np.random.Generator, mask: Array, light: Array, folds: float = 0.0, unit: float = 100.0) -> Array:
    """Lambert shading (h, w), about 0.3..1.2, of `mask` inflated to a rounded body and lit from `light` (3,)."""
    h, w = mask.shape
    step = 2 if min(h, w) > 64 else 1
    small = cv2.resize(mask, (max(1, w // step), max(1, h // step)), interpolation=cv2.INTER_AREA)
    inside = (small > 0.5).astype(np.uint8)
    depth = cv2.distanceTransform(cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)[
        1:-1, 1:-1
    ]
    radius = np.float32(max(2.0, min(depth.max(), 0.6 * unit / step)))
    height = np.sqrt(np.clip(1 - (1 - np.clip(depth / radius, 0, 1)) ** 2, 0, 1)) * radius
    if folds > 0:
        hs, ws = small.shape
        height = height + np.float32(folds * unit / step) * (
            0.05 * value_noise(rng, hs, ws, unit / step * 0.5, rng.uniform(0.5, 2.5))
            + 0.014 * value_noise(rng, hs, ws, unit / step * 0.16, rng.uniform(0.6, 3.0))
        )
    height = cv2.GaussianBlur(np.asarray(height, np.float32), (0, 0), max(0.8, 0.02 * unit / step))
    gx, gy = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125)
    norm = np.sqrt(gx * gx + gy * gy + 1)
    lambert = np.maximum((-gx * light[0] - gy * light[1] + light[2]) / norm, 0)
    return np.asarray(cv2.resize(0.42 + 0.72 * lambert, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)


@dataclass
class Canvas:
    """A premultiplied picture under construction: `rgb` (h, w, 3) and `alpha` (h, w), both 0..1."""

    height: int
    width: int
    light: Array
    warp: Warp | None = None
    rgb: Array = field(init=False)
    alpha: Array = field(init=False)

    def __post_init__(self) -> None:
        self.rgb = np.zeros((self.height, self.width, 3), np.float32)
        self.alpha = np.zeros((self.height, self.width), np.float32)

    def stencil(self, shapes: Sequence[Shape]) -> Stencil | None:
        return stencil((self.height, self.width), shapes, self.warp)

    def paint(self, where: Stencil, colour: Array) -> None:
        """Lay `colour` (3,) or (h, w, 3) over the canvas, covering as `where` says."""
        mask = where.mask[..., None]
        self.rgb[where.window] = np.clip(colour, 0, 1) * mask + self.rgb[where.window] * (1 - mask)
        self.alpha[where.window] = where.mask + self.alpha[where.window] * (1 - where.mask)

    def straight(self) -> Array:
        """(h, w, 4) with straight colour; under empty pixels the colour of the nearest painted ones."""
        weight, rgb = self.alpha[..., None].copy(), self.rgb.copy()
        spread, total = rgb.copy(), weight.copy()
        for radius in (3, 12, 48):
            more = cv2.blur(rgb, (2 * radius + 1,) * 2)
            mass = cv2.blur(weight, (2 * radius + 1,) * 2)[..., None]
            room = np.clip(1 - 50 * total, 0, 1)
            spread, total = spread + more * room, total + mass * room
        out = np.concatenate([spread / np.maximum(total, 1e-4), self.alpha[..., None]], 2)
        return np.clip(out, 0, 1).astype(np.float32)
