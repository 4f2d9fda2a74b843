"""From a foreground and a scene to what a camera delivers: the source, the clean plate and everything that differs.

After the published augmentation (BGMv2 section 4.4: shadow, noise, jitter and shift of the plate), with the faults of
real plates added: exposure drift, grain that follows brightness, defocus, compression, lights that changed locally.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.training.procedural.fields import Array, value_noise


@dataclass(frozen=True)
class Composite:
    """One training example, float32 0..1: `src` and `bgr` (h, w, 3), `pha` (h, w), `fgr` (h, w, 3) straight."""

    src: Array
    bgr: Array
    pha: Array
    fgr: Array


@dataclass(frozen=True)
class Faults:
    """How often each fault happens (0..1); sizes are those of HD pixels."""

    shadow: float = 0.65
    local: float = 0.3
    sway: float = 0.08
    defocus: float = 0.25
    noise: float = 0.75
    drift: float = 0.8
    shift: float = 0.7
    jpeg: float = 0.15
    motion: float = 0.08


def composite(
    rng: np.random.Generator, fgr: Array, pha: Array, bgr: Array, scale: float, faults: Faults | None = None
) -> Composite:
    """Put `fgr` (h, w, 3) with `pha` (h, w) over `bgr` (h, w, 3) and spoil both views as a shoot would.

    `scale` is the size of these pictures over full HD (1 = HD), by which shifts and blurs are scaled.
    """
    faults = faults or Faults()
    if rng.random() < faults.motion and pha.any():
        fgr, pha = _motion(rng, fgr, pha, scale)
    scene, plate = bgr, bgr
    if rng.random() < faults.shadow:
        scene = scene * _shadow(rng, pha)
    if rng.random() < faults.local:
        scene = scene * _local(rng, *pha.shape)
    if rng.random() < faults.sway:
        scene = _sway(rng, scene, scale)
    if rng.random() < faults.defocus:
        sigma = max(0.25, rng.uniform(0.3, 2.2) * scale)
        if rng.random() < 0.6:
            scene = cv2.GaussianBlur(scene, (0, 0), sigma)
        else:
            plate = cv2.GaussianBlur(plate, (0, 0), sigma)
    if rng.random() < faults.shift:
        plate = _shift(rng, plate, scale)
    if rng.random() < faults.drift:
        plate = _drift(rng, plate)
    a = pha[..., None]
    src = fgr * a + scene * (1 - a)
    if rng.random() < faults.noise:
        sigma = rng.uniform(0, 0.03) * min(1.0, 0.4 + 0.6 * scale)
        src = _noise(rng, src, sigma)
        plate = _noise(rng, plate, sigma * rng.choice([0.2, 1.0]))
    if rng.random() < faults.jpeg:
        quality = int(rng.integers(45, 96))
        src, plate = _jpeg(src, quality), _jpeg(plate, quality)
    return Composite(_clip(src), _clip(plate), _clip(pha), _clip(fgr))


def _clip(picture: Array) -> Array:
    return np.clip(picture, 0, 1).astype(np.float32, copy=False)


def _shadow(rng: np.random.Generator, pha: Array) -> Array:
    """The darkening (h, w, 3) a subject throws on what is behind it: beside it, and dense where it stands."""
    h, w = pha.shape
    small = cv2.resize(pha, (max(8, w // 4), max(8, h // 4)), interpolation=cv2.INTER_AREA)
    hs, ws = small.shape
    way = cv2.getRotationMatrix2D((ws / 2, hs / 2), rng.normal(0, 6), float(rng.uniform(0.7, 1.4)))
    way[0, 1] += rng.normal(0, 0.3)
    way[:, 2] += rng.normal(0, 0.12, 2) * [ws, hs]
    cast = cv2.warpAffine(small, way, (ws, hs))
    cast = cv2.GaussianBlur(cast, (0, 0), hs * rng.uniform(0.008, 0.09))
    if rng.random() < 0.4:
        low = cv2.warpAffine(small, np.float32([[1, 0, 0], [0, 1, 0.02 * hs]]), (ws, hs))
        cast = np.maximum(cast, 0.8 * cv2.GaussianBlur(low, (0, 0), hs * rng.uniform(0.01, 0.04)))
    depth = rng.uniform(0.05, 0.55) * np.clip(1 + rng.normal(0, 0.08, 3), 0.7, 1.3)
    return np.asarray(1 - cv2.resize(cast, (w, h))[..., None] * depth, np.float32)


def _local(rng: np.random.Generator, h: int, w: int) -> Array:
    """A gain (h, w, 3) that differs in soft patches: a door moved, a cloud, light bounced by the subject."""
    patch = value_noise(rng, h, w, h * rng.uniform(0.1, 0.8))
    patch = np.clip((patch - rng.normal(0, 0.5)) * np.float32(rng.uniform(0.5, 3.0)), 0, 1)
    return np.asarray(1 + patch[..., None] * rng.normal(0, 0.07) * (1 + rng.normal(0, 0.2, 3)), np.float32)


def _sway(rng: np.random.Generator, scene: Array, scale: float) -> Array:
    """Leaves in the wind: the scene bends by up to a few pixels here and there."""
    h, w = scene.shape[:2]
    xs, ys = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    reach, cell = np.float32(rng.uniform(0.5, 2.5) * scale), h * rng.uniform(0.1, 0.5)
    return np.asarray(
        cv2.remap(scene, xs + reach * value_noise(rng, h, w, cell), ys + reach * value_noise(rng, h, w, cell),
                  cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.float32)  # fmt: skip


def _shift(rng: np.random.Generator, plate: Array, scale: float) -> Array:
    h, w = plate.shape[:2]
    reach = (6.0 if rng.random() < 0.06 else 2.0) * scale
    way = cv2.getRotationMatrix2D((w / 2, h / 2), float(rng.uniform(-0.12, 0.12)), float(1 + rng.normal(0, 5e-4)))
    way[:, 2] += rng.uniform(-reach, reach, 2)
    return np.asarray(
        cv2.warpAffine(plate, way, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.float32
    )


def _drift(rng: np.random.Generator, plate: Array) -> Array:
    """Exposure, white balance, black level and gamma of the plate against the source."""
    gain = np.exp(np.clip(rng.normal(0, 0.05), -0.13, 0.13)) * np.clip(1 + rng.normal(0, 0.02, 3), 0.93, 1.07)
    out = plate * gain.astype(np.float32) + np.float32(rng.normal(0, 0.006))
    if rng.random() < 0.3:
        out = np.clip(out, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.04)))
    return np.asarray(out, np.float32)


def _noise(rng: np.random.Generator, picture: Array, sigma: float) -> Array:
    """Grain of deviation `sigma` at mid grey, more of it in the light; sometimes coarse or with chroma blotches."""
    h, w = picture.shape[:2]
    grain = rng.standard_normal((h, w, 3), dtype=np.float32)
    if rng.random() < 0.4:
        grain = cv2.GaussianBlur(grain, (3, 3), 0.7) * np.float32(1.6)
    if rng.random() < 0.3:
        grain = 0.5 * grain + 0.9 * grain[..., :1]
    return np.asarray(picture + np.float32(sigma) * grain * np.sqrt(0.3 + np.clip(picture, 0, 1) * 1.2), np.float32)


def _jpeg(picture: Array, quality: int) -> Array:
    done, data = cv2.imencode(
        ".jpg", (_clip(picture) * 255 + 0.5).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG in memory.")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32) / 255


def _motion(rng: np.random.Generator, fgr: Array, pha: Array, scale: float) -> tuple[Array, Array]:
    """The subject smeared along a line, colour and alpha together."""
    length = max(3, int(rng.uniform(3, 36) * scale))
    kernel = np.zeros((2 * length + 1,) * 2, np.float32)
    a = rng.uniform(0, np.pi)
    reach = 0.5 * length * np.array([np.cos(a), np.sin(a)])
    ends = np.round((np.array([-reach, reach]) + length) * 16).astype(np.int32)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1, cv2.LINE_8, 4)
    kernel /= max(float(kernel.sum()), 1.0)
    soft = cv2.filter2D(pha, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    rich = cv2.filter2D(fgr * pha[..., None], -1, kernel, borderType=cv2.BORDER_REPLICATE)
    straight = np.where(soft[..., None] > 1e-3, rich / np.maximum(soft, 1e-3)[..., None], fgr)
    return np.asarray(straight, np.float32), np.asarray(soft, np.float32)
