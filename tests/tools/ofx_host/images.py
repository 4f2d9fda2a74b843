"""Pictures as OpenFX lays them out: rows from the bottom, any bounds, padded and negative row bytes, guarded ends."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ofx_host.properties import PropertySet
from ofx_host.standard import IMAGE

COMPONENTS = {
    1: "OfxImageComponentAlpha",
    2: "NatronOfxImageComponentXY",
    3: "OfxImageComponentRGB",
    4: "OfxImageComponentRGBA",
}
CHANNELS = {name: count for count, name in COMPONENTS.items()}
GUARD = 64
CANARY = np.float32(-12345.678)


@dataclass(frozen=True)
class Layout:
    """How a host stores rows: floats of padding after each, and whether the first in memory is the top one."""

    padding: int = 0
    top_first: bool = False


@dataclass(frozen=True)
class Picture:
    """Pixels `[height, width, channels]`, top row first, whose lower left corner is `corner` (y upwards)."""

    pixels: np.ndarray
    corner: tuple[int, int] = (0, 0)
    premultiplication: str = ""
    identifier: str = field(default="", compare=False)

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        height, width = self.pixels.shape[:2]
        return (self.corner[0], self.corner[1], self.corner[0] + width, self.corner[1] + height)

    @property
    def components(self) -> str:
        return COMPONENTS[self.pixels.shape[2]]


class Buffer:
    """Float pixels in memory, guarded on both ends and in the padding."""

    def __init__(self, height: int, width: int, channels: int, layout: Layout) -> None:
        self.shape, self.layout = (height, width, channels), layout
        self.row = width * channels + layout.padding
        self.memory = np.full(2 * GUARD + max(1, height * self.row), CANARY, np.float32)
        rows = self.memory[GUARD : GUARD + height * self.row].reshape(height, self.row)
        # Always top first, whatever lies first in memory.
        ordered = rows if layout.top_first else rows[::-1]
        self.pixels = ordered[:, : width * channels].reshape(height, width, channels)
        self._margins = (self.memory[:GUARD], self.memory[GUARD + height * self.row :], rows[:, width * channels :])

    @property
    def row_bytes(self) -> int:
        return -4 * self.row if self.layout.top_first else 4 * self.row

    @property
    def data(self) -> int:
        """The address of the bottom left pixel."""
        first = self.memory.ctypes.data + 4 * GUARD
        return first + 4 * self.row * (self.shape[0] - 1) if self.layout.top_first else first

    def intact(self) -> bool:
        """Whether nobody wrote outside the pixels."""
        return all((margin == CANARY).all() for margin in self._margins)


class Image:
    """An image handed to the plug-in; released by `clipReleaseImage` exactly once."""

    def __init__(
        self, host: Any, clip: Any, buffer: Buffer, corner: tuple[int, int], time: float, **values: Any
    ) -> None:
        height, width, channels = buffer.shape
        bounds = [corner[0], corner[1], corner[0] + width, corner[1] + height]
        self.host, self.clip, self.buffer, self.time = host, clip, buffer, time
        self.before = None if clip.is_output or not host.careful else buffer.memory.copy()
        self.released = False
        self.properties = PropertySet(
            host,
            f"image of {clip.name}",
            IMAGE,
            OfxImageEffectPropComponents=COMPONENTS[channels],
            OfxImagePropData=buffer.data,
            OfxImagePropBounds=bounds,
            OfxImagePropRegionOfDefinition=bounds,
            OfxImagePropRowBytes=buffer.row_bytes,
            **values,
        )
        host.images[self.properties.handle] = self

    def release(self) -> None:
        """Frees the image, after a look at what the plug-in did with its memory."""
        self.released = True
        if self.host.careful and not self.buffer.intact():
            self.host.journal.wrong(f"the plug-in wrote outside the pixels of {self.clip.name}")
        if self.before is not None and not np.array_equal(self.before, self.buffer.memory, equal_nan=True):
            self.host.journal.wrong(f"the plug-in wrote into its input {self.clip.name}")
        self.host.images.pop(self.properties.handle, None)
        self.properties.let_go()
        if self.host.careful and not self.clip.is_output:
            # Whoever still reads the image after its release reads nonsense, as in a host that reuses memory.
            ctypes.memset(self.buffer.memory.ctypes.data, 0xAB, self.buffer.memory.nbytes)


def buffer_of(picture: Picture, layout: Layout) -> Buffer:
    buffer = Buffer(*picture.pixels.shape, layout)
    buffer.pixels[...] = picture.pixels
    return buffer
