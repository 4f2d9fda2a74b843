"""From moving layers to a shot: shadow, focus, light that drifts, grain and compression, smooth in time where they are.

After the photometric augmentation of RVM (arXiv:2108.11515, section 4.1): brightness, contrast, saturation, hue, noise,
sharpness and blur, interpolated over the clip along an easing curve. Sizes are those of HD pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.data.clips import Clip
from models.training.data.motion import eased
from models.training.procedural.fields import Array

GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Photometry:
    """How often each happens to a clip (0..1)."""

    layer_drift: float = 0.3
    drift: float = 0.3
    shadow: float = 0.35
    shallow: float = 0.3
    focus: float = 0.12
    motion: float = 0.3
    grain: float = 0.65
    grey: float = 0.02
    sharpness: float = 0.08
    jpeg: float = 0.12


def shoot(
    rng: np.random.Generator,
    fgr: Array,
    pha: Array,
    bgr: Array,
    scale: float,
    speed: Array | None = None,
    often: Photometry | None = None,
) -> Clip:
    """Layers `fgr` (T, h, w, 3) straight, `pha` (T, h, w) and `bgr` (T, h, w, 3) as a camera takes them.

    `scale` is the size of these pictures over full HD. `speed` (T, 2) is how far the figure moves per frame in pixels,
    along which a slow shutter smears it.
    """
    often = often or Photometry()
    frames = len(pha)
    if rng.random() < often.layer_drift:
        fgr, bgr = _graded(fgr, grades(rng, frames, 0.5)), _graded(bgr, grades(rng, frames, 0.7))
    if rng.random() < often.shadow:
        bgr = bgr * (1 - Shadow(rng).of(pha))
    if speed is not None and rng.random() < often.motion:
        shutter = rng.uniform(0.2, 0.8)
        fgr, pha = _each(lambda i: smeared(fgr[i], pha[i], shutter * speed[i]), frames)
    if rng.random() < often.focus:
        fgr, pha = _focused(rng, fgr, pha, scale)
    if rng.random() < often.shallow:
        sigma = np.exp(rng.uniform(np.log(2), np.log(14))) * scale
        bgr = np.stack([cv2.GaussianBlur(picture, (0, 0), max(0.3, sigma)) for picture in bgr])
    a = pha[..., None]
    src = fgr * a + bgr * (1 - a)
    if rng.random() < often.drift:
        ways = grades(rng, frames, 1.0)
        src, fgr = _graded(src, ways), _graded(fgr, ways)
    if rng.random() < often.grey:
        src, fgr = (np.repeat((picture @ GREY)[..., None], 3, axis=-1) for picture in (src, fgr))
    clean = src
    if rng.random() < often.sharpness:
        src = _sharpened(src, rng.uniform(0.3, 2.5))
    if rng.random() < often.grain:
        src = _grainy(rng, src, scale)
    if rng.random() < often.jpeg:
        quality = int(rng.integers(40, 96))
        src = np.stack([_compressed(picture, quality) for picture in src])
    # What the camera adds is in the foreground too: taking grain out is not what a matte is for.
    return Clip(_unit(src), _unit(pha), _unit(fgr + (src - clean)))


def grades(rng: np.random.Generator, frames: int, amount: float) -> NDArray[np.float32]:
    """Colour matrices (T, 3, 4) for exposure, contrast, saturation and hue that change along an easing curve."""
    way = eased(rng, np.linspace(0, 1, frames)) if frames > 1 and rng.random() < 0.6 else np.zeros(frames)
    begin, end = rng.normal(0, amount, (2, 7))
    values = begin + way[:, None] * (end - begin)
    gain = np.exp(0.12 * values[:, :1] + 0.04 * values[:, 1:4])
    contrast, saturation, hue = np.exp(0.12 * values[:, 4]), np.exp(0.2 * values[:, 5]), 0.08 * values[:, 6]
    matrices = np.zeros((frames, 3, 4))
    for i in range(frames):
        matrices[i, :, :3] = gain[i][:, None] * contrast[i] * (_spin(hue[i]) @ _saturation(saturation[i]))
        matrices[i, :, 3] = 0.5 * (1 - contrast[i])
    return matrices.astype(np.float32)


def _spin(angle: float) -> NDArray[np.float64]:
    """A turn about the grey axis."""
    axis = np.full((3, 1), 3**-0.5)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) * 3**-0.5
    return np.asarray(np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * axis @ axis.T)


def _saturation(amount: float) -> NDArray[np.float64]:
    return np.asarray(amount * np.eye(3) + (1 - amount) * GREY[None].repeat(3, 0))


def _graded(pictures: Array, matrices: NDArray[np.float32]) -> Array:
    return np.clip(np.stack([cv2.transform(p, m) for p, m in zip(pictures, matrices, strict=True)]), 0, 1)


class Shadow:
    """What a figure throws on what is behind it, the same way in every frame."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.depth = np.float32(rng.uniform(0.08, 0.5) * np.clip(1 + rng.normal(0, 0.06, 3), 0.7, 1.3))
        self.softness = rng.uniform(0.008, 0.08)
        self.slant, self.size, self.away = rng.normal(0, 0.3), rng.uniform(0.8, 1.3), rng.normal(0, 0.1, 2)

    def of(self, pha: Array) -> Array:
        """The share of light (T, h, w, 3) that mattes (T, h, w) keep away."""
        return np.stack([self._one(matte) for matte in pha])

    def _one(self, matte: Array) -> Array:
        h, w = matte.shape
        small = cv2.resize(matte, (max(8, w // 4), max(8, h // 4)), interpolation=cv2.INTER_AREA)
        hs, ws = small.shape
        way = np.array([[self.size, self.slant, 0], [0, self.size, 0]])
        way[:, 2] = np.array([ws, hs]) / 2 * (1 - self.size) + self.away * hs - [self.slant * hs / 2, 0]
        cast = cv2.GaussianBlur(cv2.warpAffine(small, way, (ws, hs)), (0, 0), max(0.5, hs * self.softness))
        return np.asarray(cv2.resize(cast, (w, h))[..., None] * self.depth, np.float32)


def smeared(fgr: Array, pha: Array, way: Array) -> tuple[Array, Array]:
    """A figure smeared along `way` (2,) in pixels, colour and alpha together; shorter than 1.5 pixels, unchanged."""
    length = float(np.hypot(*way))
    if length < 1.5:
        return fgr, pha
    way = way * min(1.0, 0.15 * pha.shape[0] / length)
    reach = int(np.ceil(np.abs(way).max() / 2)) + 1
    kernel = np.zeros((2 * reach + 1,) * 2, np.float32)
    ends = np.round((np.array([-way, way]) / 2 + reach) * 16).astype(np.int32)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1, cv2.LINE_8, 4)
    return _straight(
        cv2.filter2D(
            np.dstack([fgr * pha[..., None], pha]), -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE
        ),
        fgr,
    )


def _focused(rng: np.random.Generator, fgr: Array, pha: Array, scale: float) -> tuple[Array, Array]:
    """Figures out of focus, half the time changing."""
    begin, end = np.exp(rng.uniform(np.log(1), np.log(7), 2)) * scale
    sigmas = begin + (eased(rng, np.linspace(0, 1, len(pha))) * (end - begin) if rng.random() < 0.5 else 0.0)
    sigmas = np.broadcast_to(np.maximum(sigmas, 0.25), len(pha))
    return _each(
        lambda i: _straight(
            cv2.GaussianBlur(np.dstack([fgr[i] * pha[i][..., None], pha[i]]), (0, 0), float(sigmas[i])), fgr[i]
        ),
        len(pha),
    )


def _each(one: Callable[[int], tuple[Array, Array]], frames: int) -> tuple[Array, Array]:
    fgr, pha = zip(*(one(i) for i in range(frames)), strict=True)
    return np.stack(fgr), np.stack(pha)


def _straight(premultiplied: Any, elsewhere: Array) -> tuple[Array, Array]:
    pha = premultiplied[..., 3:]
    return np.where(pha > 1e-3, premultiplied[..., :3] / np.maximum(pha, 1e-3), elsewhere), pha[..., 0]


def _sharpened(src: Array, amount: float) -> Array:
    return np.stack([p + np.float32(amount) * (p - cv2.GaussianBlur(p, (0, 0), 1.0)) for p in src])


def _grainy(rng: np.random.Generator, src: Array, scale: float) -> Array:
    """Fresh grain in every frame, of one size and strength; more of it in the light."""
    sigma = np.float32(rng.uniform(0.002, 0.04) * min(1.0, 0.5 + 0.5 * scale))
    size, mono = rng.choice([0.0, 0.0, 0.6, 0.9]), rng.random() < 0.4
    out: list[Array] = []
    for picture in src:
        grain = rng.standard_normal((*picture.shape[:2], 1 if mono else 3), dtype=np.float32)
        if size:
            soft = cv2.GaussianBlur(grain, (0, 0), size) * np.float32(2 * size + 0.6)
            grain = soft.reshape(grain.shape).astype(np.float32, copy=False)
        light = np.sqrt(0.3 + 1.2 * np.clip(picture, 0, 1))
        out.append(np.asarray(picture + sigma * grain * light, np.float32))
    return np.stack(out)


def _compressed(picture: Array, quality: int) -> Array:
    done, data = cv2.imencode(
        ".jpg", (_unit(picture) * 255 + 0.5).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG in memory.")
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32) / np.float32(255)


def _unit(picture: Array) -> Array:
    return np.clip(picture, 0, 1).astype(np.float32, copy=False)
