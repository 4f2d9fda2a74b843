"""What key frames say of another frame, once they are carried there along the motion.

A hint is kept small, because a weights file holds one or two for each frame of a shot: the carried key at half size,
and how far the picture that came along with it differs from the frame, which is how much it is doubted, at a quarter.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from models.learning.lesson import EightBit, Floats, TaughtKind
from models.motion import Way, along, enlarged, stay

SHRINK = 2  # of keys; doubts are as much smaller again
ASTRAY = 3.0, 11.0  # pixels at the size of hints: fine, and as wrong as can be
DOUBT = 0.1  # a hint that differs by this much from the frame weighs 1/e
NOWHERE = 1e3  # how far a key frame is that is not there
FAR = 24.0


class Hint(NamedTuple):
    """`key` uint8 [h/2, w/2, c]: carried alpha, or what a taught picture adds, around 128 and halved; `doubt` uint8
    [h/4, w/4], 255 for what cannot be trusted at all; `distance` to the key frame, in frames."""

    key: EightBit
    doubt: EightBit
    distance: int


def half(image: Floats) -> Floats:
    """A key [h, w, c] at the size of hints."""
    size = (-(-image.shape[1] // SHRINK), -(-image.shape[0] // SHRINK))
    smaller = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.float32).reshape(size[1], size[0], -1)


def carried(key: Floats, from_picture: EightBit, to_picture: EightBit, ways: tuple[Way, Way], distance: int) -> Hint:
    """The hint that `key` [h/2, w/2, c] of `from_picture` is for `to_picture`, both [h, w, 3]. `ways` lead from the
    pixels of the latter to the former, and back."""
    height, width = key.shape[:2]
    fine = [way if way.shape[:2] == (height, width) else enlarged(way, height, width) for way in ways]
    there = np.asarray(along(key, fine[0]), np.float32).reshape(key.shape)
    doubt = _off(from_picture, to_picture, fine[0]) + _astray(*fine)
    size = (-(-width // SHRINK), -(-height // SHRINK))
    return Hint(_bytes(there), _bytes(np.asarray(cv2.resize(doubt, size, interpolation=cv2.INTER_AREA))), distance)


def undoubted(key: Floats) -> Hint:
    """The hint that a key [h/2, w/2, c] is for its own frame."""
    height, width = key.shape[:2]
    return Hint(_bytes(key), np.zeros((-(-height // SHRINK), -(-width // SHRINK)), np.uint8), 1)


def _off(from_picture: EightBit, to_picture: EightBit, way: Way) -> Floats:
    """How little the pictures look alike: 1 for a quarter of full scale, and where the way leaves the picture."""
    size = (way.shape[1], way.shape[0])
    here, there = (cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (to_picture, from_picture))
    off = np.abs(np.asarray(along(there, way), np.float32) - here).mean(-1) * np.float32(4 / 255)
    outside = (way < 0).any(-1) | (way > np.array([size[0] - 1, size[1] - 1], np.float32)).any(-1)
    off[outside] = 4
    return np.asarray(np.minimum(cv2.GaussianBlur(off, (0, 0), 2.0 / SHRINK), 1), np.float32)


def _astray(way: Way, back: Way) -> Floats:
    """How far a pixel is from where it began once it went there and back: what looks alike may be something else."""
    distance = np.linalg.norm(np.asarray(along(back, way)) - stay(*way.shape[:2]), axis=-1)
    smooth = cv2.GaussianBlur(np.minimum(distance, 2 * ASTRAY[1]).astype(np.float32), (0, 0), 1)
    return np.asarray(np.clip((smooth - ASTRAY[0]) / (ASTRAY[1] - ASTRAY[0]), 0, 1), np.float32)


def _bytes(image: Floats) -> EightBit:
    return np.asarray(np.clip(image, 0, 1) * 255 + 0.5, np.uint8)


def coded(kind: TaughtKind, key: Floats, picture: EightBit) -> Floats:
    """A key as hints hold it: alpha, or half of what the taught picture adds to the frame, around one half."""
    return (
        key if kind == "matte" else np.asarray(np.clip((key - picture / np.float32(255)) / 2 + 0.5, 0, 1), np.float32)
    )


class Excerpt(NamedTuple):
    """A window onto a frame of `height` x `width`: which place each pixel shows is `matrix` (2 x 3) times (x, y, 1)."""

    matrix: Floats
    size: tuple[int, int]  # height, width of the window
    full: tuple[int, int]  # of the frame


def whole_frame(height: int, width: int) -> Excerpt:
    return Excerpt(np.array([[1, 0, 0], [0, 1, 0]], np.float32), (height, width), (height, width))


def through(image: EightBit | Floats, view: Excerpt) -> Floats:
    """An image of any size that covers the frame, as float32 [height, width, c] of the view; uint8 becomes 0..1."""
    fy, fx = image.shape[0] / view.full[0], image.shape[1] / view.full[1]
    matrix = view.matrix.astype(np.float64) * np.array([[fx], [fy]])
    matrix[:, 2] += np.array([fx, fy]) * 0.5 - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(
        np.asarray(image, np.float32), matrix, view.size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )
    seen = np.asarray(seen, np.float32).reshape(*view.size, -1)
    return seen / np.float32(255) if image.dtype == np.uint8 else seen


def seen(
    kind: TaughtKind, frame: Floats, before: Hint | None, after: Hint | None, plate: Floats | None, view: Excerpt
) -> Floats:
    """What the network sees, float32 [height, width, channels] around 0 (models.learning.network), of a `frame` 0..1
    [height, width, 3] that shows `view`, with a `plate` like it."""
    one, other = (_said(kind, frame, hint, view) for hint in (before or after, after or before))
    if before is None:
        one = (one[0], np.ones_like(one[1]), NOWHERE)
    if after is None:
        other = (other[0], np.ones_like(other[1]), NOWHERE)
    return laid_out(frame, one, other, plate)


Said = tuple[Floats, Floats, float]


def laid_out(frame: Floats, one: Said, other: Said, plate: Floats | None) -> Floats:
    """The channels in their order: frame, blend, both carried keys, both doubts, distance, plate."""
    weights = [np.exp(-doubt / DOUBT) / distance + 1e-9 for _, doubt, distance in (one, other)]
    blend = (one[0] * weights[0] + other[0] * weights[1]) / (weights[0] + weights[1])
    nearest = np.full_like(frame[..., :1], min(one[2], other[2], 2 * FAR) / FAR)
    by_plate = np.zeros((*frame.shape[:2], 4), np.float32)
    if plate is not None:
        by_plate[..., :3], by_plate[..., 3] = frame - plate, 1
    middle = np.concatenate([frame, blend, one[0], other[0], one[1], other[1], nearest], -1) - np.float32(0.5)
    return np.concatenate([middle, by_plate], -1).astype(np.float32)


def _said(kind: TaughtKind, frame: Floats, hint: Hint | None, view: Excerpt) -> Said:
    if hint is None:
        unknown = np.full_like(frame[..., :1], 0.5) if kind == "matte" else frame
        return unknown, np.ones_like(frame[..., :1]), NOWHERE
    key = through(hint.key, view)
    if kind == "picture":
        key = frame + 2 * (key - np.float32(128 / 255))
    return key, through(hint.doubt, view), float(hint.distance)
