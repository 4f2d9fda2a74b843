"""Surface textures: cloth, fur markings, and whatever else covers a figure or a wall. All (h, w, 3) float32, 0..1."""

from __future__ import annotations

import numpy as np

from models.training.procedural.fields import Array, colour, fractal, grid, smoothstep, value_noise

PATTERNS = ("plain", "stripes", "checks", "plaid", "dots", "blotches", "print", "knit", "gradient", "zigzag")
_WEIGHTS = np.array([0.34, 0.14, 0.06, 0.09, 0.05, 0.09, 0.09, 0.06, 0.05, 0.03])


def _square(x: Array, duty: float, soft: float) -> Array:
    """A wave of period 1: 1 on a fraction `duty` of it, 0 elsewhere, with edges `soft` wide."""
    return smoothstep(np.float32(duty / 2) - np.abs((x % 1) - np.float32(0.5)) + np.float32(soft / 2), soft)


def cloth(rng: np.random.Generator, h: int, w: int, unit: float, pattern: str | None = None) -> Array:
    """Dress fabric with one of `PATTERNS`, distorted as by folds; `unit` is about the width of the wearer's head."""
    pattern = pattern or str(rng.choice(PATTERNS, p=_WEIGHTS))
    base, other = colour(rng), colour(rng)
    if rng.random() < 0.5:  # tone in tone: a low-contrast pattern
        other = np.clip(base + rng.normal(0, 0.09) + rng.normal(0, 0.03, 3), 0, 1).astype(np.float32)
    x, y = grid(h, w)
    bend = np.float32(rng.uniform(0, 0.14) * unit)
    turn = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    x, y = x + bend * value_noise(rng, h, w, unit), y + bend * value_noise(rng, h, w, unit)
    period = float(unit * np.exp(rng.uniform(np.log(0.05), np.log(1.2))))
    u = (x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))) / np.float32(period)
    v = (y * np.float32(np.cos(turn)) - x * np.float32(np.sin(turn))) / np.float32(period)
    soft = max(1.5 / period, 0.04)
    duty = rng.uniform(0.2, 0.7)
    if pattern == "stripes":
        mix = _square(u, duty, soft)
    elif pattern == "checks":
        a, b = _square(u, 0.5, soft), _square(v, 0.5, soft)
        mix = a + b - 2 * a * b
    elif pattern == "plaid":
        mix = 0.5 * _square(u, duty, soft) + 0.3 * _square(v, duty, soft) + 0.2 * _square(u * 2.3, 0.15, soft * 2)
    elif pattern == "dots":
        mix = smoothstep(np.float32(duty * 0.5) - np.hypot(u % 1 - 0.5, v % 1 - 0.5), soft)
    elif pattern == "blotches":
        mix = smoothstep(fractal(rng, h, w, 0.8, 4) + np.float32(rng.normal(0, 0.3)), rng.uniform(0.1, 0.8))
    elif pattern == "zigzag":
        mix = _square(u + np.float32(0.3) * np.abs(v % 1 - 0.5), duty, soft)
    elif pattern == "gradient":
        mix = smoothstep((y - y.min()) / np.float32(h))
    elif pattern == "knit":
        fine = np.float32(max(3.0, 0.04 * unit) / period)
        mix = 0.5 + 0.25 * np.sin(2 * np.pi * u / fine) * np.sin(2 * np.pi * v / fine)
    elif pattern == "print":
        return _grain(rng, _print(rng, h, w, unit, base))
    else:
        mix = 0.1 * value_noise(rng, h, w, unit)
    return _grain(rng, base + (other - base) * np.asarray(mix, np.float32)[..., None])


def _print(rng: np.random.Generator, h: int, w: int, unit: float, base: Array) -> Array:
    """Several inks, each on the positive side of its own smooth field: flowers, camouflage, logos."""
    out = np.broadcast_to(base, (h, w, 3)).astype(np.float32)
    cell = unit * rng.uniform(0.1, 0.5)
    for _ in range(int(rng.integers(2, 5))):
        ink = colour(rng)
        area = smoothstep(value_noise(rng, h, w, cell) - np.float32(rng.uniform(0.2, 0.9)), rng.uniform(0.05, 0.2))
        out += (ink - out) * area[..., None]
    return out


def _grain(rng: np.random.Generator, texture: Array) -> Array:
    """Weave and wear: fine and coarse modulation of the brightness."""
    h, w = texture.shape[:2]
    amount = rng.uniform(0.0, 0.06)
    grain = value_noise(rng, h, w, rng.uniform(1.0, 3.0), rng.uniform(0.5, 3)) * amount
    grain += value_noise(rng, h, w, 24) * rng.uniform(0.0, 0.06)
    return np.clip(texture * (1 + grain)[..., None] + 0.2 * grain[..., None], 0, 1)


def pelt(rng: np.random.Generator, h: int, w: int, unit: float, base: Array) -> Array:
    """An animal's markings around the colour `base`: plain, spotted, striped, patched; `unit` is about its head."""
    other = np.clip(base * rng.uniform(0.2, 2.2) + rng.normal(0, 0.05, 3), 0.01, 1).astype(np.float32)
    kind = rng.choice(["plain", "spots", "stripes", "patches"])
    if kind == "spots":
        mix = smoothstep(value_noise(rng, h, w, unit * rng.uniform(0.1, 0.3)) - 0.6, 0.3)
    elif kind == "stripes":
        mix = smoothstep(value_noise(rng, h, w, unit * rng.uniform(0.08, 0.2), rng.uniform(3, 8)), 0.6)
    elif kind == "patches":
        mix = smoothstep(value_noise(rng, h, w, unit * rng.uniform(0.8, 2)), 0.25)
    else:
        mix = np.clip(0.5 + 0.3 * value_noise(rng, h, w, unit), 0, 1)
    body = base + (other - base) * np.asarray(mix, np.float32)[..., None]
    return np.clip(body * (1 + 0.12 * fractal(rng, h, w, 0.5))[..., None], 0, 1).astype(np.float32)


def surface(rng: np.random.Generator, h: int, w: int) -> Array:
    """What walls, floors and things are made of: plaster, wood, brick, tiles, stone, cloth."""
    kind = rng.choice(["plaster", "wood", "brick", "tiles", "stone", "cloth", "flat"])
    base = colour(rng)
    x, y = grid(h, w)
    size = float(np.exp(rng.uniform(np.log(12), np.log(160))))
    if kind == "wood":
        grain = value_noise(rng, w, h, size / 6, rng.uniform(8, 20)).T
        lines = np.sin(6 * grain + y * np.float32(2 * np.pi / size) * 0.2)
        tone = 0.16 * lines + 0.08 * value_noise(rng, h, w, 2)
    elif kind in ("brick", "tiles"):
        high, wide = size * (0.4 if kind == "brick" else 1.0), size
        row = np.floor(y / high)
        column = np.floor(x / wide + (row % 2) * (0.5 if kind == "brick" else 0.0))
        shades = rng.normal(0, rng.uniform(0.02, 0.16), 4096).astype(np.float32)
        tone = shades[(row * 71 + column * 37).astype(np.int64) % 4096]
        gap = np.float32(rng.uniform(0.02, 0.08))
        edge = np.minimum((y / high) % 1 * high / wide, (x / wide + (row % 2) * (0.5 if kind == "brick" else 0)) % 1)
        tone = np.where(edge < gap, rng.uniform(-0.3, 0.3), tone) + 0.04 * fractal(rng, h, w, 0.4)
    elif kind == "stone":
        tone = rng.uniform(0.08, 0.25) * fractal(rng, h, w, rng.uniform(0.3, 1.0))
    elif kind == "cloth":
        return cloth(rng, h, w, size * 3)
    elif kind == "flat":
        tone = 0.02 * value_noise(rng, h, w, 200)
    else:
        tone = rng.uniform(0.01, 0.08) * fractal(rng, h, w, rng.uniform(0.4, 1.2))
    tint = rng.normal(0, 0.1, 3).astype(np.float32)
    return np.clip(base * (1 + tone[..., None] * (1 + tint)) + 0.3 * tone[..., None], 0, 1).astype(np.float32)
