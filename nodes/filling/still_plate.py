"""The background of a shot whose camera stands still: what other frames reveal, the rest painted once.

Everything is computed in squares of a fixed grid and from frames that only the shot and the parameters choose, so a
square is the same whichever frame asked for it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np

from models.wording import setting
from nodes.aligning.align import estimate_registration
from nodes.aligning.gain import NO_GAIN, Gain, estimate_gain
from nodes.aligning.grid import Floats, Mask, corners, transform_points
from nodes.filling.fill import Filler, Painted
from nodes.filling.mask import Hole, hidden, holes_of, paint
from nodes.filling.regions import region_of
from nodes.filling.seen import Seen, median_of_seen, nothing
from nodes.filling.shot import HoledShot, Look
from nodes.footage.colour.transfer import encode
from nodes.footage.frame import Frame
from nodes.footage.window import Window

SQUARE = 256
# Squares that are gathered at a time (16 frames: 400 MB), and that are kept.
GATHERED = 32
MOST_SQUARES = 512
# Longer side at which the frames' exposures are compared.
COMPARED = 480
# Share of the picture's longer side by which a camera that stands still may seem to move.
MOVED = 0.003
STILL_GAIN = 0.005
MAX_GAIN = 4.0
Square = tuple[int, int]


class Sample(NamedTuple):
    """A frame that a plate is made from: its data window and holes; and small, over the display window, its light
    `[h,w,3]` and where that is background."""

    window: Window
    holes: list[Hole]
    light: Floats
    seen: Mask


class StillPlate:
    """Grows as frames ask for parts of it; a part never changes.

    Made from frames of one shot. Where a frame of the shot is asked for, for its format, any will do.
    """

    def __init__(self, samples: Mapping[int, Sample]) -> None:
        """`samples` are at least one, ascending."""
        self.notes: list[str] = []
        self.gains: dict[int, Gain] = {}
        self.squares: dict[Square, Seen] = {}
        self.painted: dict[tuple[Window, str], Painted] = {}
        middle = list(samples)[len(samples) // 2]
        for frame, (_, _, light, seen) in samples.items():
            _, _, shown, visible = samples[middle]
            gain = match_gain(shown, light, visible & seen) if frame != middle else NO_GAIN
            if gain is None:
                self.notes.append(f"frame {frame} does not help to find the background: its exposure differs too much")
                continue
            self.gains[frame] = gain
        self.frames = list(self.gains)
        self.holes = {frame: samples[frame].holes for frame in self.frames}
        windows = {frame: samples[frame].window for frame in self.frames}
        self.area = windows[self.frames[0]]
        for frame in self.frames:
            self.area = self.area.union(windows[frame])
        self.never_seen = self._never_seen(windows)
        for frame in sorted({self.frames[0], self.frames[-1]} - {middle}):
            if moves(samples[middle], samples[frame]):
                self.notes.append(
                    f"the camera moves between frames {frame} and {middle}: stabilise the shot, or "
                    f"{setting('mode', 'follow')}"
                )

    def part(self, window: Window, shot: HoledShot, like: Frame) -> Seen:
        """What other frames reveal of `window`, in the middle frame's exposure."""
        self._gather(_squares(window), shot, like)
        found = nothing(window)
        for square in _squares(window):
            box = _box(square)
            shared = box.intersect(window)
            for whole, part in zip(found, self.squares[square], strict=True):
                whole[shared.slices_in(window)] = part[shared.slices_in(box)]
        return found

    def paint_unseen(self, window: Window, shot: HoledShot, like: Frame, filler: Filler) -> Seen:
        """What of `window` no frame shows, painted from the plate around it."""
        found = nothing(window)
        for hole in self.never_seen:
            shared = hole.box.intersect(window)
            if shared.empty:
                continue
            inside = hole.support[shared.slices_in(hole.box)]
            if not inside.any():
                continue
            key = hole.box, filler.identity
            if key not in self.painted:
                region = region_of(hole, self.area, shot.params["context"])
                plate = self.part(region, shot, like)
                if not plate.where.any():
                    continue
                painted = filler.fill(plate.light, plate.where)
                self.painted[key] = Painted(painted.light[hole.box.slices_in(region)], painted.grain)
            painted = self.painted[key]
            here = shared.slices_in(window)
            found.light[here][inside] = painted.light[shared.slices_in(hole.box)][inside]
            found.grain[here][inside] = painted.grain
            found.where[here] |= inside
        return found

    def _never_seen(self, windows: dict[int, Window]) -> list[Hole]:
        first, *others = self.frames
        candidates = [(hole.box, hole.support) for hole in self.holes[first]]
        if windows[first] != self.area:
            inside = np.ones((windows[first].height, windows[first].width), bool)
            candidates.append((self.area, ~paint([(windows[first], inside)], self.area)))
        unseen = []
        for box, mask in candidates:
            left = mask.copy()
            for frame in others:
                shown = windows[frame].intersect(box)
                cover = np.ones_like(left)
                if not shown.empty:
                    cover[shown.slices_in(box)] = hidden(self.holes[frame], shown)
                left &= cover
                if not left.any():
                    break
            unseen += holes_of(left, box, box, 0, 0)
        return unseen

    def _gather(self, wanted: list[Square], shot: HoledShot, like: Frame) -> None:
        missing = [square for square in wanted if square not in self.squares]
        if not missing:
            return
        # What rig and marks pass through between the frames looked at will be asked for next.
        ahead = [square for square in self._path() if square not in self.squares and square not in missing]
        missing += ahead[: max(0, GATHERED - len(missing))]
        for start in range(0, len(missing), GATHERED):
            part = missing[start : start + GATHERED]
            shape = len(self.frames), SQUARE, SQUARE
            stacks = {square: (np.zeros((*shape, 3), np.float32), np.zeros(shape, bool)) for square in part}
            for index, frame in enumerate(self.frames):
                look = shot.look_aside(frame, like)
                if look is None:
                    continue
                for square, (lights, views) in stacks.items():
                    light, seen = look.background(_box(square))
                    lights[index] = light * np.array(self.gains[frame], np.float32)
                    views[index] = seen
                shot.forget(frame)
            for square in part:
                self.squares[square] = median_of_seen(*stacks.pop(square))
        while len(self.squares) > max(MOST_SQUARES, len(wanted)):
            oldest = next(square for square in self.squares if square not in wanted)
            del self.squares[oldest]

    def _path(self) -> list[Square]:
        boxes = []
        for frame in self.frames:
            box = Window(0, 0, 0, 0)
            for hole in self.holes[frame]:
                box = box.union(hole.box)
            boxes.append(box)
        squares: dict[Square, None] = {}
        for box, after in zip(boxes, [*boxes[1:], boxes[-1]], strict=True):
            squares.update(dict.fromkeys(_squares(box.union(after))))
        return list(squares)


def sample_of(look: Look) -> Sample:
    window = look.source.display_window
    light, seen = look.background(window)
    scale = min(1.0, COMPARED / max(window.width, window.height))
    size = max(1, round(window.width * scale)), max(1, round(window.height * scale))
    share = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    return Sample(look.source.data_window, look.holes, np.asarray(small, np.float32), np.asarray(share > 0.999))


def moves(one: Sample, other: Sample) -> bool:
    """Whether the camera moved between two frames."""
    shown, below = (encode(np.clip(sample.light, 0, 1), "srgb") for sample in (one, other))
    found = estimate_registration(shown, below, exclude=1 - one.seen.astype(np.float32))
    there = corners(found.source_size)
    shift = np.abs(transform_points(found.homography, there) - there).max()
    return bool(found.reliable and shift > MOVED * max(found.source_size))


def match_gain(source: Floats, plate: Floats, both: Mask) -> Gain | None:
    """Gain per channel that brings the plate's light `[h,w,3]` to the source's, judged where `both` is True.

    Exactly 1 within half a percent, and where there is too little to judge by; None if they differ beyond reason.
    """
    gain = estimate_gain(source, plate, both)
    if gain is None or all(abs(g - 1) < STILL_GAIN for g in gain):
        return NO_GAIN
    return gain if max(gain) <= MAX_GAIN and min(gain) >= 1 / MAX_GAIN else None


def _box(square: Square) -> Window:
    return Window(square[0] * SQUARE, square[1] * SQUARE, SQUARE, SQUARE)


def _squares(window: Window) -> list[Square]:
    if window.empty:
        return []
    columns = range(window.x // SQUARE, -(-window.right // SQUARE))
    rows = range(window.y // SQUARE, -(-window.bottom // SQUARE))
    return [(column, row) for row in rows for column in columns]
