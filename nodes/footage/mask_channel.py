"""Which channel of a picture is the mask: by name in `layers.pick_layer`, and then by its pixels."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from nodes.errors import ParameterError
from nodes.footage.channel_names import component_of
from nodes.footage.colour.space import LINEAR_REC709
from nodes.footage.colour.spaces import to_linear_rec709
from nodes.footage.frame import Frame, Pixels

# What differs by less is the same everywhere: opaque alpha that went through a resize or a lossy compression.
SAME = 1e-3
# What is nearer to 0 is black.
BLACK = 1e-6
# Rows that are looked at first.
ROWS = 16


def as_mask(frame: Frame) -> tuple[Frame, str]:
    """The one channel of a picture that is the mask, as a frame with the channel A, and a note where it may surprise.

    Without alpha it is the largest of the colour channels at each pixel: a matte is often in one of them. With alpha
    it is the alpha, unless that is the same in the whole picture: then it says nothing, and the colour is the mask.
    But alpha that is 0 everywhere may be a shape that has left the picture, over a plate: then the colour is the mask
    only if it is that of a matte, black or white in half of the picture at least; else the frame is empty.
    Where the colour is the same everywhere too, the smaller of both counts, so that a frame in which the shape is not
    to be seen is empty whatever its alpha; but where the data window is smaller than the picture, the alpha: a shape
    that was cropped to its box.

    Values stay as they are, above 1 and NaN too; of a frame in a colour space they are decoded. A frame of one
    channel is its own mask.
    """
    values, note = _chosen(frame)
    values = to_linear_rec709(values, frame.colour)
    return dataclasses.replace(frame, pixels=values, channels=("A",), colour=LINEAR_REC709), note


def only_channel(frame: Frame, asked: str) -> Frame:
    """A frame's channel of that name (`A`, `alpha`, `mask.R`). Raises ParameterError, saying which there are."""
    if len(frame.channels) == 1:
        return frame
    wanted = component_of(asked.strip())
    if wanted not in frame.channels:
        raise ParameterError(f"there is no channel {asked!r}: the mask has {', '.join(frame.channels)}")
    index = frame.channels.index(wanted)
    return dataclasses.replace(frame, pixels=frame.pixels[..., index : index + 1], channels=("A",))


def _chosen(frame: Frame) -> tuple[Pixels, str]:
    if len(frame.channels) == 1:
        return frame.pixels, ""
    planes = [frame.pixels[..., index] for index in range(len(frame.channels))]
    alpha = planes.pop(frame.channels.index("A")) if "A" in frame.channels else None
    if alpha is not None and _varies(alpha):
        return np.ascontiguousarray(alpha)[..., None], ""
    # NaN only where all channels are.
    largest = functools.reduce(np.fmax, planes)[..., None]
    if alpha is None:
        return largest, ""
    if not any(_varies(plane) for plane in planes):
        if frame.data_window.intersect(frame.display_window) != frame.display_window:
            return np.ascontiguousarray(alpha)[..., None], ""
        return np.fmin(alpha[..., None], largest), ""
    level = float(alpha.flat[0])
    if level < SAME and not _is_matte(largest):
        return np.ascontiguousarray(alpha)[..., None], ""
    obvious = level > 1 - SAME
    return largest, "" if obvious else f"the mask's alpha is {level:.3g} everywhere, so its colour is the mask"


def _is_matte(colour: Pixels) -> bool:
    """Whether most of it is black or white, as in mattes and as in no plate, which has grain."""
    return bool(np.mean((np.abs(colour) < BLACK) | (colour > 1 - SAME)) >= 0.5)


def _varies(plane: Pixels) -> bool:
    """Whether a channel `[H,W]` differs from pixel to pixel; mostly a few rows tell."""
    return _differ(plane[:: max(1, len(plane) // ROWS)]) or _differ(plane)


def _differ(values: Pixels) -> bool:
    if not values.size:
        return False
    low, high = float(values.min()), float(values.max())
    # NaN is no value that others could be the same as.
    return high != low and not high - low <= SAME * max(1.0, abs(high))
