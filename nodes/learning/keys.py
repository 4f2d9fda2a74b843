"""What an artist painted for some frames: whether it is a matte or a picture, and what it says of a region."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from models.learning.lesson import TaughtKind as TaughtKind
from nodes.footage.colour.space import LINEAR_REC709
from nodes.footage.colour.spaces import from_linear_rec709, to_linear_rec709
from nodes.footage.frame import Frame, Pixels
from nodes.footage.linearise import linearised
from nodes.footage.mask_channel import SAME
from nodes.footage.window import Window
from nodes.learning.region import EightBit, reduced, seen_small
from nodes.picture import colour_pixels, light_pixels, mask_pixels, place, settled


class Taught(NamedTuple):
    """What key frames teach, and a sentence where that is not obvious."""

    kind: TaughtKind
    note: str = ""


def what_is_taught(keys: Iterable[Frame]) -> Taught:
    """Colour is a picture, unless its alpha differs from pixel to pixel or its three channels are all the same.

    Anything else is a matte. The frames are looked at once.
    """
    coloured = all_grey = has_alpha = False
    for key in keys:
        if not {"R", "G", "B"} <= set(key.channels):
            continue
        if "A" in key.channels:
            has_alpha = True
            if _spread(_plane(key, "A")) > SAME:
                return Taught("matte", "the key frames have colour and alpha: the alpha is taught, as a matte")
        all_grey = (all_grey or not coloured) and _is_grey(key)
        coloured = True
    if not coloured:
        return Taught("matte")
    if all_grey:
        return Taught("matte", "the key frames' three channels are the same: they are taught as a matte")
    if has_alpha:
        return Taught("picture", "the key frames' alpha is the same everywhere: their colour is taught, as a picture")
    return Taught("picture")


def as_matte(key: Frame, named_space: bool = False) -> Frame:
    """A key frame as a mask: its numbers are no colours unless somebody named their space."""
    return key if named_space else dataclasses.replace(key, colour=LINEAR_REC709)


def key_matte(key: Frame, window: Window) -> Pixels:
    """Alpha `[h,w,1]` of a key frame that was laid on its source, over a window, as small as the network sees it."""
    return settled(reduced(mask_pixels(key, window), window, window, edge=False))


def key_picture(key: Frame, source: Pixels, window: Window, exposure: float) -> Pixels:
    """The display-encoded picture `[h,w,3]` of a key frame; where it has no pixels `source` `[h,w,3]`, of that size."""
    light = light_pixels(linearised(key))
    there = reduced(np.ones((*light.shape[:2], 1), np.float32), key.data_window, window, edge=False)
    small = seen_small(light, 2.0**exposure, key.data_window, window)
    return np.where(there >= 1, small, source).clip(0, 1).astype(np.float32)


def pixels_like(key: Frame, source: Frame) -> Pixels:
    """The colour `[H,W,3]` of a key frame over its source's pixels and in its space; the source's where it has none."""
    painted = linearised(key)
    own = colour_pixels(source)
    if painted.colour != source.colour:
        light = to_linear_rec709(colour_pixels(painted), painted.colour)
        painted = dataclasses.replace(
            painted, pixels=from_linear_rec709(light, source.colour), channels=("R", "G", "B"), colour=source.colour
        )
    laid = place(colour_pixels(painted), painted.data_window, source.data_window, edge=False)
    shared = painted.data_window.intersect(source.data_window)
    result = own.copy()
    if not shared.empty:
        where = shared.slices_in(source.data_window)
        result[where] = laid[where]
    return result


def is_black(key: Pixels) -> bool:
    """Whether a key frame says nothing at all."""
    return not key.any()


def is_white(key: Pixels) -> bool:
    """Whether a key frame's matte leaves nothing out."""
    return bool((key == 1).all())


def is_source(key: Pixels, source: EightBit) -> bool:
    """Whether a key frame's picture `[h,w,3]` shows the same as its source `[h,w,3]`, to the 8 bits of it."""
    return bool(np.abs(key - source / np.float32(255)).max(initial=0) <= 1 / 255)


def _plane(key: Frame, channel: str) -> Pixels:
    return key.pixels[..., key.channels.index(channel)]


def _is_grey(key: Frame) -> bool:
    red, green, blue = (np.nan_to_num(_plane(key, channel)) for channel in "RGB")
    return bool(max(np.abs(red - green).max(initial=0), np.abs(red - blue).max(initial=0)) <= SAME)


def _spread(plane: Pixels) -> float:
    finite = plane[np.isfinite(plane)]
    return float(finite.max() - finite.min()) if finite.size else 0.0
