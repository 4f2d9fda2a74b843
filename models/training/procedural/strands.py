"""Hair and fur as thousands of single curved strands, drawn finer than a pixel."""

from __future__ import annotations

import cv2
import numpy as np

from models.training.procedural.fields import Array, value_noise
from models.training.procedural.raster import SUPERSAMPLING, Canvas, Stencil


def grow(
    rng: np.random.Generator,
    roots: Array,
    directions: Array,
    lengths: Array,
    gravity: float = 0.0,
    curl: float = 0.0,
    steps: int = 12,
) -> Array:
    """Strands (n, steps + 1, 2) from `roots` (n, 2) along `directions` (n, 2) of `lengths` (n,) pixels.

    `gravity` bends them downwards over their length, `curl` (radians per step) makes them wind.
    """
    n = len(roots)
    path = np.empty((n, steps + 1, 2), np.float32)
    path[:, 0] = roots
    heading = np.arctan2(directions[:, 1], directions[:, 0])
    spin = rng.normal(0, curl, n) + curl * np.sign(rng.normal(size=n))
    flip = rng.integers(3, 7)
    for k in range(steps):
        heading = heading + spin + rng.normal(0, 0.05 + 0.3 * curl, n)
        heading = heading + gravity / steps * np.sin(np.pi / 2 - heading)
        if k % flip == flip - 1:
            spin = -spin
        move = (lengths / steps)[:, None] * np.stack([np.cos(heading), np.sin(heading)], 1)
        path[:, k + 1] = path[:, k] + move
    return path


def draw(canvas: Canvas, strands: Array, colours: Array, thickness: Array, warped: bool = True) -> None:
    """Paint strands (n, k, 2) in `colours` (n, 3) with `thickness` (n,) in half pixels (1 = a 0.5 px hair)."""
    if canvas.warp and warped:
        strands = canvas.warp(strands.reshape(-1, 2)).reshape(strands.shape)
    low = np.maximum(np.floor(strands.min((0, 1))) - 3, 0).astype(int)
    high = np.minimum(np.ceil(strands.max((0, 1))) + 4, [canvas.width, canvas.height]).astype(int)
    if (high - low < 2).any():
        return
    w, h = (int(v) for v in high - low)
    tone = np.empty((h * SUPERSAMPLING, w * SUPERSAMPLING, 3), np.uint8)
    tone[:] = np.clip(colours.mean(0) * 255, 0, 255).astype(np.uint8)
    cover = np.zeros(tone.shape[:2], np.uint8)
    fixed = np.round(((strands - low) * SUPERSAMPLING - 0.5) * 16).astype(np.int32)
    inks = np.clip(colours * 255, 0, 255).astype(int).tolist()
    for line, ink, width in zip(fixed, inks, thickness.astype(int).tolist(), strict=True):
        cv2.polylines(tone, [line], False, ink, width + 2, cv2.LINE_8, 4)
        cv2.polylines(cover, [line], False, 255, width, cv2.LINE_AA, 4)
    mask = cv2.resize(cover, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    rgb = cv2.resize(tone, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    canvas.paint(Stencil(int(low[1]), int(low[0]), mask), rgb)


def shades(rng: np.random.Generator, base: Array, n: int, spread: float = 0.25) -> Array:
    """`n` strand colours (n, 3) around `base` (3,) or (n, 3): darker at random, some catching the light."""
    gain = rng.uniform(1 - 2 * spread, 1 + spread, (n, 1)) + 0.5 * (rng.random((n, 1)) < 0.06)
    return np.clip(base * gain + rng.normal(0, 0.012, (n, 3)), 0, 1).astype(np.float32)


def fur(rng: np.random.Generator, canvas: Canvas, length: float, count: int, unit: float) -> None:
    """Cover what is on the canvas with hair in its own colours; at the outline it stands out into the air."""
    solid = (canvas.alpha > 0.6).astype(np.uint8)
    if not solid.any():
        return
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    smooth = cv2.GaussianBlur(depth, (0, 0), max(2.0, length * 0.4))
    gx, gy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    angle = value_noise(rng, canvas.height, canvas.width, unit * 1.5) * 0.7 + np.float32(rng.uniform(0.8, 2.2))
    rim = np.argwhere((depth > 0.5) & (depth < max(3.0, 0.7 * length)))
    inner = np.argwhere(depth >= max(3.0, 0.7 * length))
    for candidates, share, out in ((inner, 0.4, 0.15), (rim, 0.6, 1.0)):
        if not len(candidates):
            continue
        n = int(count * share)
        at = candidates[rng.integers(0, len(candidates), n)]
        y, x = at[:, 0], at[:, 1]
        normal = -np.stack([gx[y, x], gy[y, x]], 1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-3
        comb = np.stack([np.cos(angle[y, x]), np.sin(angle[y, x])], 1)
        aim = out * normal + (0.9 - 0.3 * out) * comb + rng.normal(0, 0.25, (n, 2))
        local = canvas.rgb[y, x] / np.maximum(canvas.alpha[y, x], 0.05)[:, None]
        hairs = grow(rng, at[:, ::-1].astype(np.float32), aim, length * rng.lognormal(-0.1, 0.35, n), 0.3, 0.04, 6)
        width = 1 + (rng.random(n) < 0.35) + (rng.random(n) < 0.1)
        draw(canvas, hairs, shades(rng, local, n, 0.16), width, warped=False)
