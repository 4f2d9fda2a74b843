"""Where to fill: the mask's threshold, growth and feather, as separate holes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from models import wording
from nodes.aligning.grid import Floats, Mask
from nodes.engine import Inputs, Params
from nodes.errors import FrameError
from nodes.footage.frame import Frame
from nodes.footage.mask_channel import SAME, as_mask
from nodes.footage.window import Window
from nodes.picture import laid_on, settled

# Side of the squares in which holes are looked for, and how many of them apart two holes are still one.
CELL = 16
NEAR_CELLS = 2


@dataclass(frozen=True, eq=False)
class Hole:
    """A connected place to fill: `weight` `[h,w]` over `box` is 1 where the fill replaces the picture, falls to 0
    across the feather and is exactly 0 where no pixel may change. One that is `relit` is not replaced: what the fill
    has more or less of light, the picture gets.
    """

    box: Window
    weight: Floats
    relit: bool = False

    @property
    def support(self) -> Mask:
        """Where anything may change; the picture there is not to be trusted."""
        return self.weight > 0


def find_holes(source: Frame, frame: int, params: Params, inputs: Inputs) -> list[Hole]:
    """The holes of a frame: what is to be relit, from the Shadow input, then what is to be replaced, from the Mask
    input or else from the source's alpha, which a frame with shadows may lack.

    Raises FrameError where there is neither, or where the mask has another format than the source.
    """
    shadows = _masked("Shadow", "shadow mask", source, frame, params, inputs) if inputs.connected("Shadow") else []
    holes = [replace(shadow, relit=True) for shadow in shadows]
    if inputs.connected("Mask"):
        return holes + _masked("Mask", "mask", source, frame, params, inputs)
    if holes and not _has_alpha(source):
        return holes
    return holes + _holes(_own_alpha(source), source.data_window, source, params)


def _masked(name: str, called: str, source: Frame, frame: int, params: Params, inputs: Inputs) -> list[Hole]:
    mask = laid_on(called, inputs.frame(name, frame), source)
    return _holes(as_mask(mask)[0].pixels[..., 0], mask.data_window, source, params)


def _holes(values: Floats, window: Window, source: Frame, params: Params) -> list[Hole]:
    # NaN is in no hole; beyond 1 and infinity are.
    core = values > params["maskThreshold"]
    return holes_of(core, window, source.data_window, params["grow"], params["feather"])


def _own_alpha(source: Frame) -> Floats:
    """The alpha of a source without a mask. Raises FrameError where it has none, or an opaque one, which is no mask."""
    advice = f"{wording.footage('Mask', 'mask')}, or give the source an alpha channel with the mask in it"
    if "A" not in source.channels:
        raise FrameError(f"there is no mask: {advice}")
    alpha: Floats = source.pixels[..., source.channels.index("A")]
    if _is_opaque(alpha):
        raise FrameError(f"there is no mask, and the source's alpha is 1 everywhere: {advice}")
    return alpha


def _is_opaque(alpha: Floats) -> bool:
    return bool(alpha.size and float(alpha.min()) > 1 - SAME)


def _has_alpha(source: Frame) -> bool:
    return "A" in source.channels and not _is_opaque(source.pixels[..., source.channels.index("A")])


def holes_of(core: Mask, window: Window, within: Window, grow: float, feather: float) -> list[Hole]:
    """The holes around the True pixels of `core` `[H,W]`, which covers `window`; none reaches beyond `within`.

    Each grows by `grow` pixels and then fades out over `feather` pixels. Holes less than about 64 pixels apart are
    one. Pixels of `core` outside `within` count as well, where the growth brings them in.
    """
    reach = math.ceil(grow + feather)
    holes = []
    for part, own in _separate(core, window, reach):
        box = _wider(part, reach).intersect(within)
        if box.empty:
            continue
        around = _wider(box, reach)
        weight = weight_around(paint([(part, own)], around), grow, feather)[box.slices_in(around)]
        inside = bounds(weight > 0, box)
        if not inside.empty:
            holes.append(Hole(inside, np.ascontiguousarray(weight[inside.slices_in(box)])))
    return holes


def hidden(holes: Sequence[Hole], window: Window) -> Mask:
    """`[h,w]` over `window`: True in any hole."""
    return paint([(hole.box, hole.support) for hole in holes], window)


def paint(parts: Sequence[tuple[Window, Mask]], window: Window) -> Mask:
    """`[h,w]` over `window`: True where any part is."""
    out = np.zeros((window.height, window.width), bool)
    for box, mask in parts:
        shared = box.intersect(window)
        if not shared.empty:
            out[shared.slices_in(window)] |= mask[shared.slices_in(box)]
    return out


def distance_within(mask: Mask) -> Floats:
    """The distance in pixels `[h,w]` from each True pixel to the nearest False one; 0 where it is False."""
    distance = np.asarray(cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
    # OpenCV's last bit depends on how many threads it has just then; the square is a whole number.
    return np.asarray(np.sqrt(np.rint(np.square(distance))), np.float32)


def weight_around(core: Mask, grow: float, feather: float) -> Floats:
    """1 on `core` `[h,w]` and `grow` pixels around it, falling to exactly 0 over `feather` pixels more."""
    if grow == feather == 0 or not core.any():
        return core.astype(np.float32)
    distance = distance_within(~core)
    if feather < 1e-3:
        return (distance <= grow).astype(np.float32)
    across = np.clip((distance - np.float32(grow)) / np.float32(feather), 0, 1)
    return settled(1 - across * across * (3 - 2 * across))


def _separate(core: Mask, window: Window, reach: int) -> list[tuple[Window, Mask]]:
    """The parts of `core`, each with the box around it; parts whose growth could meet are one."""
    around = bounds(core, window)
    if around.empty:
        return []
    whole = Window(around.x, around.y, around.width + -around.width % CELL, around.height + -around.height % CELL)
    rows, columns = whole.height // CELL, whole.width // CELL
    cells = paint([(window, core)], whole).reshape(rows, CELL, columns, CELL).any(axis=(1, 3))
    radius = max(NEAR_CELLS, -(-reach // CELL))
    square: Any = np.ones((2 * radius + 1,) * 2, np.uint8)
    near: Any = cells.astype(np.uint8)
    count, labels = cv2.connectedComponents(cv2.dilate(near, square))
    parts = []
    for label in range(1, count):
        own = cells & (labels == label)
        found = bounds(own, Window(0, 0, columns, rows))
        box = Window(whole.x + found.x * CELL, whole.y + found.y * CELL, found.width * CELL, found.height * CELL)
        squares = own[found.y : found.bottom, found.x : found.right].repeat(CELL, axis=0).repeat(CELL, axis=1)
        parts.append((box, paint([(window, core)], box) & squares))
    return parts


def _wider(window: Window, by: int) -> Window:
    return Window(window.x - by, window.y - by, window.width + 2 * by, window.height + 2 * by)


def bounds(mask: Mask, window: Window) -> Window:
    """The smallest window around the True pixels of a mask that covers `window`; an empty one if there are none."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return Window(window.x, window.y, 0, 0)
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return Window(
        window.x + int(columns[0]),
        window.y + int(rows[0]),
        int(columns[-1] - columns[0]) + 1,
        int(rows[-1] - rows[0]) + 1,
    )
