"""The part of a shot that is taught, and the small picture of it that the network sees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

import cv2
import numpy as np

from models.motion import EightBit as EightBit
from nodes.footage.colour.transfer import encode
from nodes.footage.frame import Frame, Pixels
from nodes.footage.window import Window
from nodes.picture import place

# The network sees at most so many pixels: the whole of 960x540, every second column and row of HD.
MOST_PIXELS = 960 * 540


@dataclass(frozen=True)
class Region:
    """A window of a shot's format, whose size is `width` x `height`; it reaches beyond it where there is overscan."""

    x: int
    y: int
    width: int
    height: int
    format_width: int
    format_height: int

    @classmethod
    def around(cls, frame: Frame, windows: Iterable[Window] = ()) -> Region:
        """The frame's format, and what the `windows` have beyond it."""
        whole = display = frame.display_window
        for window in windows:
            if not window.empty:
                left, top = min(whole.x, window.x), min(whole.y, window.y)
                right, bottom = max(whole.right, window.right), max(whole.bottom, window.bottom)
                whole = Window(left, top, right - left, bottom - top)
        origin = whole.x - display.x, whole.y - display.y
        return cls(*origin, whole.width, whole.height, display.width, display.height)

    @classmethod
    def read(cls, numbers: Sequence[Any]) -> Region:
        """What `numbers` wrote down. Raises ValueError."""
        if len(numbers) != 6 or not all(type(one) is int and abs(one) < 1 << 20 for one in numbers):
            raise ValueError("a region is six whole numbers")
        region = cls(*numbers)
        if min(region.width, region.height, region.format_width, region.format_height) < 1:
            raise ValueError("a region has pixels")
        return region

    def numbers(self) -> list[int]:
        return list(astuple(self))

    def window_in(self, frame: Frame) -> Window:
        """Where the region lies in a frame, whatever its format's size is."""
        display = frame.display_window
        across, down = display.width / self.format_width, display.height / self.format_height
        left, top = round(self.x * across), round(self.y * down)
        right, bottom = round((self.x + self.width) * across), round((self.y + self.height) * down)
        return Window(display.x + left, display.y + top, max(1, right - left), max(1, bottom - top))


def small_size(window: Window) -> tuple[int, int]:
    """Height and width of the picture that the network sees of a window."""
    scale = min(1.0, math.sqrt(MOST_PIXELS / (window.width * window.height)))
    return max(1, int(window.height * scale + 1e-6)), max(1, int(window.width * scale + 1e-6))


def reduced(pixels: Pixels, data: Window, window: Window, edge: bool) -> Pixels:
    """`pixels` `[H,W,C]` of the window `data` over another one, as small as the network sees it.

    What lies beyond the data continues its border if `edge`, else it is 0.
    """
    laid = place(pixels, data, window, edge)
    height, width = small_size(window)
    if (height, width) == laid.shape[:2]:
        return laid
    small = cv2.resize(laid, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(height, width, pixels.shape[2])


def seen_small(light: Pixels, gain: float, data: Window, window: Window) -> Pixels:
    """What the network sees `[h,w,3]` of light `[H,W,3]` over `data`: display-encoded 0..1, the window as it is small.

    It is made small in light, as by a lens, which is many times as fast as to encode it first.
    """
    small = reduced((light * np.float32(gain)).clip(0, 1), data, window, edge=True)
    return np.asarray(encode(small, "srgb").clip(0, 1), np.float32)


def as_bytes(shown: Pixels) -> EightBit:
    """Display-encoded values 0..1 in 256 steps."""
    return np.asarray(np.rint(shown.clip(0, 1) * np.float32(255)), np.uint8)
