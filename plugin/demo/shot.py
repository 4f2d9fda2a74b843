"""The bundled demo shot: made by the software itself, in scene-linear light, with everything real shots have.

A figure with loose hair walks in front of buildings: motion blur, lamps above 1, overscan, timecode; and a clean plate
that is not quite the same picture: other noise, 3 % more exposure, one pixel aside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from models.training.procedural import background, sprite
from nodes.footage.frame import Pixels
from nodes.footage.window import Window

FORMAT = Window(0, 0, 960, 540)
OVERSCAN = Window(-20, -14, 1000, 568)
FIRST, COUNT = 1001, 24
FIGURE_SEED, SCENE_SEED = 3000, 2002
# Positions of the figure within one frame's exposure: a 180 degree shutter.
SHUTTER_SAMPLES = 7
NOISE = 0.004
PLATE_EXPOSURE = 1.03
PLATE_SHIFT = 1.0
LAMP_LEVEL = 6.0


@dataclass(frozen=True)
class DemoFrame:
    """One frame over `OVERSCAN`: the shot and its true foreground `[H,W,3]` in light, and its true alpha `[H,W,1]`."""

    number: int
    source: Pixels
    alpha: Pixels
    foreground: Pixels


def clean_plate() -> Pixels:
    """The plate as it was shot: scene-linear, `[H,W,3]` over `OVERSCAN`, brighter and shifted against the shot."""
    shifted = cv2.warpAffine(
        _scene(),
        np.array([[1, 0, PLATE_SHIFT], [0, 1, 0]]),
        (OVERSCAN.width, OVERSCAN.height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return noisy(shifted * PLATE_EXPOSURE, np.random.default_rng(SCENE_SEED + 1))


def frames(count: int = COUNT) -> Iterator[DemoFrame]:
    """The frames of the shot, one after the other."""
    scene = _scene()
    figure = _figure()
    for index in range(count):
        premultiplied = np.mean(
            [_posed(figure, (index + shutter) / COUNT) for shutter in np.linspace(-0.25, 0.25, SHUTTER_SAMPLES)], axis=0
        )
        alpha = premultiplied[..., 3:].astype(np.float32)
        source = premultiplied[..., :3] + (1 - alpha) * scene
        yield DemoFrame(
            FIRST + index,
            noisy(source, np.random.default_rng([FIGURE_SEED, index])),
            alpha,
            (premultiplied[..., :3] / np.maximum(alpha, 1e-4)).astype(np.float32),
        )


def timecode(number: int, rate: int = 24) -> str:
    """SMPTE timecode of a frame, starting at 01:00:00:00."""
    seconds, frame = divmod(number - FIRST, rate)
    return f"01:{seconds // 60:02d}:{seconds % 60:02d}:{frame:02d}"


def as_light(encoded: Pixels) -> Pixels:
    """Display-encoded (sRGB) numbers as scene-linear light."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _scene() -> Pixels:
    rng = np.random.default_rng(SCENE_SEED)
    scene = as_light(background(rng, OVERSCAN.height, OVERSCAN.width, "facade"))
    for _ in range(4):
        x, y = rng.uniform(0.05, 0.95) * OVERSCAN.width, rng.uniform(0.1, 0.45) * OVERSCAN.height
        lamp = np.zeros(scene.shape[:2], np.float32)
        cv2.circle(lamp, (round(x), round(y)), int(rng.integers(6, 11)), 1.0, -1, cv2.LINE_AA)
        glow = cv2.GaussianBlur(lamp, (0, 0), 14) * 0.9
        tint = np.array([1.0, 0.86, 0.62], np.float32)
        scene = scene * (1 - lamp[..., None]) + LAMP_LEVEL * tint * lamp[..., None] + tint * glow[..., None]
    return scene


def _figure() -> Pixels:
    """Premultiplied scene-linear RGBA of the figure."""
    picture = sprite(np.random.default_rng(FIGURE_SEED), 720, "person", "bust").picture
    alpha = picture[..., 3:]
    return np.concatenate([as_light(picture[..., :3]) * alpha, alpha], axis=2)


def _posed(figure: Pixels, moment: float) -> Pixels:
    """The figure at a moment (0 to 1 over the shot) over `OVERSCAN`: it walks across and sways."""
    size = figure.shape[0]
    scale = 0.72
    sway = 2.5 * np.sin(2 * np.pi * 1.5 * moment)
    matrix = cv2.getRotationMatrix2D((size / 2, size), sway, scale)
    x = OVERSCAN.width * (0.36 + 0.24 * moment)
    y = OVERSCAN.height + 5 * np.sin(2 * np.pi * 2 * moment) + 8
    matrix[:, 2] += (x - size / 2, y - size)
    posed = cv2.warpAffine(figure, matrix, (OVERSCAN.width, OVERSCAN.height), flags=cv2.INTER_AREA)
    return np.asarray(posed, np.float32)


def noisy(light: Pixels, rng: np.random.Generator) -> Pixels:
    """Sensor noise that grows with the light."""
    sigma = NOISE * (0.4 + np.sqrt(np.clip(light, 0, 1)))
    return (light + rng.standard_normal(light.shape, np.float32) * sigma).astype(np.float32)
