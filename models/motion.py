"""Where things go from picture to picture: dense optical flow, followed over many frames.

A way is a float32 array [h, w, 2]: for each pixel of one picture its place (x, y) in another, in pixels. Flow is dense
inverse search (Kroeger et al., arXiv:1603.03590, in OpenCV). Steps from frame to frame are composed, so that nothing is
sampled twice, and after each step the whole way is refined between its two ends, so that it does not drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

EightBit = NDArray[np.uint8]
Way = NDArray[np.float32]


def grey(picture: EightBit, shrink: int = 1) -> EightBit:
    """A picture [h, w, 3] as flow sees it: its luminance [h / shrink, w / shrink]."""
    if shrink > 1:
        size = (max(picture.shape[1] // shrink, 16), max(picture.shape[0] // shrink, 16))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def stay(height: int, width: int) -> Way:
    """The way of what does not move."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.ascontiguousarray(np.dstack([x, y]))


def flow(here: EightBit, there: EightBit, guess: Way | None = None) -> Way:
    """The way from each pixel of `here` to `there`, both [h, w], found near `guess` where there is one."""
    place = stay(*here.shape)
    start: Any = None if guess is None else np.ascontiguousarray(guess - place)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    moved: Way = np.asarray(search.calc(here, there, start), np.float32)
    return place + moved


def along(picture: NDArray[Any], way: Way, beyond: float | None = None) -> NDArray[Any]:
    """`picture` [h, w(, c)] as seen at the places that `way` names; off its edge its last pixels, or `beyond`."""
    edge = cv2.BORDER_REPLICATE if beyond is None else cv2.BORDER_CONSTANT
    nothing: Any = None
    value = [beyond or 0.0] * 4
    return np.asarray(cv2.remap(picture, way, nothing, cv2.INTER_LINEAR, borderMode=edge, borderValue=value))


def ways_to(key: EightBit, others: Iterable[EightBit]) -> Iterator[Way]:
    """For each of `others`, which lead away from `key` in order, where its pixels are in `key`; all [h, w]."""
    before, way = key, stay(*key.shape)
    for other in others:
        way = flow(other, key, along(way, flow(other, before)))
        before = other
        yield way


def ways_from(key: EightBit, others: Iterable[EightBit]) -> Iterator[Way]:
    """For each of `others`, which lead away from `key` in order, where the pixels of `key` are in it; all [h, w]."""
    before, way = key, stay(*key.shape)
    for other in others:
        way = flow(key, other, along(flow(before, other), way))
        before = other
        yield way


def enlarged(way: Way, height: int, width: int) -> Way:
    """A way found between smaller pictures, for pictures of `height` x `width`."""
    scale = np.array([width / way.shape[1], height / way.shape[0]], np.float32)
    larger = cv2.resize((way + 0.5) * scale - 0.5, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(larger, np.float32)
