"""Where things go from picture to picture: dense optical flow, followed over many frames.

A way is a float32 array [h, w, 2]: for each pixel of one picture its place (x, y) in another, in pixels. Flow is dense
inverse search (Kroeger et al., arXiv:1603.03590, in OpenCV). Steps from frame to frame are composed, so that nothing is
sampled twice, and after each step the whole way is refined between its two ends, so that it does not drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

EightBit = NDArray[np.uint8]
Way = NDArray[np.float32]
Care = Literal["quick", "usual", "fine"]


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


def shift(here: EightBit, there: EightBit, guess: Way | None = None, care: Care = "usual") -> Way:
    """How far (x, y) each pixel of `here` is from its place in `there`, both [h, w]; found near a `guess` of it."""
    start: Any = None if guess is None else np.array(guess, np.float32, order="C")  # it is written to
    quick = care == "quick"
    preset = cv2.DISOPTICAL_FLOW_PRESET_FAST if quick else cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
    finder = cv2.DISOpticalFlow.create(preset)
    if care == "fine":  # down to single pixels, at three times the cost
        finder.setFinestScale(0)
        finder.setPatchStride(4)
    return np.asarray(finder.calc(here, there, start), np.float32)


def flow(here: EightBit, there: EightBit, guess: Way | None = None) -> Way:
    """The way from each pixel of `here` to `there`, both [h, w], found near `guess` where there is one."""
    place = stay(*here.shape)
    return place + shift(here, there, None if guess is None else guess - place)


def along(picture: NDArray[Any], way: Way, beyond: float | None = None) -> NDArray[Any]:
    """`picture` [h, w(, c)] as seen at the places that `way` names; off its edge its last pixels, or `beyond`."""
    edge = cv2.BORDER_REPLICATE if beyond is None else cv2.BORDER_CONSTANT
    nothing: Any = None
    value = [beyond or 0.0] * 4
    return np.asarray(cv2.remap(picture, way, nothing, cv2.INTER_LINEAR, borderMode=edge, borderValue=value))


def followed(key: EightBit, others: Iterable[EightBit]) -> Iterator[tuple[Way, Way]]:
    """For each of `others`, which lead away from `key` in order, where its pixels are in `key`, and the way back; all
    [h, w]. Where the two do not lead to where they began something else is seen."""
    before = key
    to_key = from_key = stay(*key.shape)
    for other in others:
        to_key = flow(other, key, along(to_key, flow(other, before)))
        from_key = flow(key, other, along(flow(before, other), from_key))
        before = other
        yield to_key, from_key


def enlarged_shift(moved: Way, height: int, width: int) -> Way:
    """A shift found between smaller pictures, for pictures of `height` x `width`."""
    larger = np.asarray(cv2.resize(moved, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return larger * np.array([width / moved.shape[1], height / moved.shape[0]], np.float32)


def enlarged(way: Way, height: int, width: int) -> Way:
    """A way found between smaller pictures, for pictures of `height` x `width`."""
    return stay(height, width) + enlarged_shift(way - stay(*way.shape[:2]), height, width)
