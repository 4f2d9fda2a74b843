"""One frame of footage: pixels, where they sit, what their numbers mean, and what must survive with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nodes.footage.colour.space import LINEAR_REC709, ColourSpace
from nodes.footage.colour.space import Pixels as Pixels
from nodes.footage.window import Window


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded picture, whoever delivered it: an EXR file or a host's clip.

    `pixels` is float32 `[height, width, channels]`, top row first, exactly as stored (no colour conversion, no
    clamping, NaN and Inf included), and covers `data_window`. `channels` names the last axis, for instance
    `("R", "G", "B", "A")` or `("Y",)`. `display_window` is the format. `metadata` belongs to whoever read the
    frame and is passed on untouched; engines do not look into it.
    """

    pixels: Pixels
    channels: tuple[str, ...]
    data_window: Window
    display_window: Window
    pixel_aspect: float = 1.0
    colour: ColourSpace = LINEAR_REC709
    metadata: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        expected = (self.data_window.height, self.data_window.width, len(self.channels))
        if self.pixels.shape != expected:
            raise ValueError(f"pixels have the shape {self.pixels.shape}, the windows and channels say {expected}")
