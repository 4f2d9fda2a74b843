"""Colour and alpha: straight colour becomes premultiplied, in light, whatever curve it is stored with."""

from __future__ import annotations

import dataclasses

import numpy as np

from nodes.footage.colour.space import ColourSpace
from nodes.footage.colour.spaces import from_linear_rec709, to_linear_rec709
from nodes.footage.frame import Frame, Pixels
from nodes.footage.metadata import SourceMetadata

KEPT = "if it was already, name the alpha premultiplied"


def multiplied(colour: Pixels, alpha: Pixels, space: ColourSpace) -> Pixels:
    """Colour `[height, width, n]` of a space times alpha `[height, width, 1]`, in the same space.

    What is multiplied is light, so that the result, made linear, can be laid over anything: for a curve f the values
    are f(alpha x light). Colour is bit for bit itself where alpha is 1, and stands for no light where alpha is 0.

    >>> from nodes.footage.colour.space import LINEAR_REC709
    >>> colour, alpha = np.full((1, 2, 3), 0.5, np.float32), np.array([[[1], [0.5]]], np.float32)
    >>> multiplied(colour, alpha, LINEAR_REC709)[0].tolist()
    [[0.5, 0.5, 0.5], [0.25, 0.25, 0.25]]
    """
    if space.transfer == "linear":
        return np.where(alpha > 0, colour * alpha, np.float32(0))
    light = to_linear_rec709(colour, space)
    with np.errstate(invalid="ignore"):
        shown = from_linear_rec709(np.where(alpha > 0, light * alpha, np.float32(0)), space)
    return np.where(alpha == 1, colour, shown)


def mixed(over: Pixels, under: Pixels, weight: Pixels, space: ColourSpace) -> Pixels:
    """Colour laid over colour of the same space by a weight `[height, width, 1]`, as light mixes."""
    if space.transfer == "linear":
        return np.asarray(weight * over + (1 - weight) * under, np.float32)
    light = weight * to_linear_rec709(over, space) + (1 - weight) * to_linear_rec709(under, space)
    return from_linear_rec709(np.asarray(light, np.float32), space)


def premultiplied(frame: Frame) -> Frame:
    """The frame with its colour multiplied by its alpha where its metadata says that alpha is straight."""
    metadata = frame.metadata
    if not isinstance(metadata, SourceMetadata) or not metadata.straight_alpha or "A" not in frame.channels:
        return frame
    index = frame.channels.index("A")
    alpha = frame.pixels[..., index : index + 1]
    if (alpha == 1).all():
        return dataclasses.replace(frame, metadata=dataclasses.replace(metadata, straight_alpha=False))
    colours = [n for n in range(len(frame.channels)) if n != index]
    pixels = frame.pixels.copy()
    pixels[..., colours] = multiplied(frame.pixels[..., colours], alpha, frame.colour)
    lost = bool((frame.pixels[..., colours][alpha[..., 0] == 0] != 0).any())
    gone = ", and is gone where alpha is 0" if lost else ""
    note = f"{metadata.footage}: alpha is straight, so colour was multiplied by it{gone}; {KEPT}"
    said = dataclasses.replace(metadata, straight_alpha=False, notes=(*metadata.notes, note))
    return dataclasses.replace(frame, pixels=pixels, metadata=said)
