"""Random fields and colours that every procedural picture is made of."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def value_noise(rng: np.random.Generator, h: int, w: int, cell: float, stretch: float = 1.0) -> Array:
    """Smooth (h, w) noise, about N(0, 1), features of `cell` pixels; `stretch` > 1 elongates them vertically."""
    gh = max(2, int(np.ceil(h / (cell * stretch))) + 1)
    gw = max(2, int(np.ceil(w / cell)) + 1)
    if gh >= h and gw >= w:
        return rng.standard_normal((h, w), dtype=np.float32)
    grid = rng.standard_normal((gh, gw), dtype=np.float32)
    return np.asarray(cv2.resize(grid, (w, h), interpolation=cv2.INTER_CUBIC), np.float32)


def fractal(rng: np.random.Generator, h: int, w: int, slope: float = 1.0, finest: float = 1.0) -> Array:
    """(h, w) noise of zero mean and unit deviation whose octave amplitudes grow as size ** slope (natural: 1)."""
    total = np.zeros((h, w), np.float32)
    cell = float(finest)
    while cell < max(h, w):
        total += np.float32(cell**slope) * value_noise(rng, h, w, cell)
        cell *= 2.0
    total -= total.mean()
    return total / np.float32(total.std() + 1e-6)


def grid(h: int, w: int) -> tuple[Array, Array]:
    """Pixel coordinates (x, y), each (h, w) float32."""
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    return xs, ys


def smoothstep(x: Array, edge: float = 1.0) -> Array:
    """Cubic ramp from 0 at x <= 0 to 1 at x >= edge."""
    t = np.clip(x / np.float32(edge), 0, 1)
    return t * t * (3 - 2 * t)


def hsv(h: float, s: float, v: float) -> Array:
    """One display-encoded RGB colour (3,) from hue, saturation, value in 0..1."""
    k = (np.array([5, 3, 1], np.float32) + np.float32(h * 6)) % 6
    return np.asarray(v - v * s * np.clip(np.minimum(k, 4 - k), 0, 1), np.float32)


def colour(rng: np.random.Generator) -> Array:
    """A colour as things have them: often neutral or dark, seldom saturated."""
    kind = rng.random()
    if kind < 0.2:
        return hsv(rng.random(), rng.uniform(0, 0.25), rng.uniform(0.02, 0.2))
    if kind < 0.34:
        return hsv(rng.uniform(0.05, 0.2), rng.uniform(0, 0.1), rng.uniform(0.8, 1.0))
    if kind < 0.55:
        return hsv(rng.random(), rng.uniform(0, 0.12), rng.uniform(0.1, 0.95))
    if kind < 0.85:
        return hsv(rng.random(), rng.uniform(0.12, 0.5), rng.uniform(0.12, 0.9))
    return hsv(rng.random(), rng.uniform(0.5, 0.95), rng.uniform(0.2, 0.95))


def skin(rng: np.random.Generator) -> Array:
    """A skin tone, from very dark to very pale."""
    t = rng.random()
    dark, pale = np.array([0.22, 0.14, 0.10]), np.array([0.96, 0.82, 0.73])
    tone = dark + (pale - dark) * t + rng.normal(0, 0.02, 3)
    return np.clip(tone, 0.03, 1).astype(np.float32)


def hair_colour(rng: np.random.Generator) -> Array:
    """A hair or fur colour: mostly dark and brown, some blond, red, grey, white, dyed."""
    kind = rng.random()
    if kind < 0.42:
        return hsv(rng.uniform(0.02, 0.1), rng.uniform(0.1, 0.5), rng.uniform(0.03, 0.2))
    if kind < 0.66:
        return hsv(rng.uniform(0.04, 0.09), rng.uniform(0.4, 0.7), rng.uniform(0.2, 0.5))
    if kind < 0.80:
        return hsv(rng.uniform(0.09, 0.13), rng.uniform(0.25, 0.55), rng.uniform(0.55, 0.92))
    if kind < 0.93:
        return hsv(rng.uniform(0.0, 0.15), rng.uniform(0.0, 0.1), rng.uniform(0.4, 0.97))
    return hsv(rng.random(), rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.9))
