"""Parts of a frame as light: scene-linear Rec.709 without NaN, and which pixels are real."""

from __future__ import annotations

import dataclasses

import numpy as np

from nodes.aligning.grid import Floats, Mask
from nodes.footage.colour import spaces as colour
from nodes.footage.colour.space import ColourSpace
from nodes.footage.frame import Frame, Pixels
from nodes.footage.window import Window
from nodes.picture import colour_pixels, without_smallest

# The brightest light that is told apart, and the darkest below 0: far beyond any lamp.
BRIGHTEST = np.float32(2.0**40)


def cut(frame: Frame, window: Window) -> Frame:
    """The part of a frame within `window`, which lies within its data; shares the frame's pixels."""
    if window == frame.data_window:
        return frame
    return dataclasses.replace(
        frame, pixels=frame.pixels[window.slices_in(frame.data_window)], data_window=window, metadata=None
    )


def light_of(frame: Frame, window: Window) -> tuple[Floats, Mask]:
    """Light `[h,w,3]` of `window`, and where the frame really has it: outside its data and where it is not finite the
    light is 0 and the mask False. It is never beyond `BRIGHTEST`, so that it can be squared and added up."""
    shared = frame.data_window.intersect(window)
    light = np.zeros((window.height, window.width, 3), np.float32)
    real = np.zeros((window.height, window.width), bool)
    if shared.empty:
        return light, real
    values, finite = _bounded(without_smallest(colour_pixels(cut(frame, shared))), frame.colour)
    where = shared.slices_in(window)
    light[where] = values if finite.all() else np.where(finite[..., None], values, 0)
    real[where] = finite
    return light, real


def _bounded(pixels: Pixels, space: ColourSpace) -> tuple[Floats, Mask]:
    """Light within `BRIGHTEST`, and where the pixels are finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        light = colour.to_linear_rec709(pixels, space)
        usual: Mask = np.asarray((np.abs(light) <= BRIGHTEST).all(axis=2))
        if usual.all():
            return light, usual
        light = colour.to_linear_rec709(np.clip(pixels, -BRIGHTEST, BRIGHTEST), space)
    return np.clip(light, -BRIGHTEST, BRIGHTEST), np.asarray(np.isfinite(pixels).all(axis=2))


def stored(light: Floats, frame: Frame) -> Pixels:
    """Light `[h,w,3]` in the colour space that the frame's pixels are in."""
    return np.asarray(colour.from_linear_rec709(light, frame.colour), np.float32)


def widened(window: Window, by: int, within: Window) -> Window:
    """The window with `by` pixels more on each side, but not beyond `within`."""
    return Window(window.x - by, window.y - by, window.width + 2 * by, window.height + 2 * by).intersect(within)
