"""Which frames show the background of a frame: those looked at that are of its shot.

Where there are cuts, more is looked at of the frame's own shot, until half of what was looked at belongs to it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nodes.cuts import SmallFrame, same_shot, view_of
from nodes.errors import FootageError
from nodes.filling.mask import hidden
from nodes.filling.shot import HoledShot, Look
from nodes.filling.still_plate import Sample, StillPlate, sample_of
from nodes.filling.view import light_of
from nodes.footage.colour.transfer import encode
from nodes.footage.files.frame_list import format_frames
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from nodes.frame_runs import held

# Longer side of the picture of which a view is made.
THINNED = 256
# Characters of a list of frames in a note.
LONGEST = 120


class Survey:
    """Frames of the footage, by the shots they belong to."""

    def __init__(self) -> None:
        self.views: dict[int, SmallFrame] = {}
        self.shots: list[list[int]] = []
        self.plates: list[StillPlate] = []
        self.notes: list[str] = []

    def look(self, frames: Sequence[int], shot: HoledShot, like: Frame) -> None:
        """Looks at the frames once. Raises FootageError if none of them can be read."""
        if self.views:
            return
        alone = HoledShot(shot.params, shot.inputs)
        samples: dict[int, Sample] = {}
        views: dict[int, SmallFrame] = {}
        for frame in frames:
            look = alone.look_aside(frame, like)
            if look is not None and look.source.pixels.any():  # a missing frame may be black
                samples[frame], views[frame] = sample_of(look), _view(look)
        if not samples:
            raise FootageError("none of the frames that the still plate is made from can be read")
        self.notes = alone.notes
        self.shots = shots_of(views)
        self.plates = [StillPlate({frame: samples[frame] for frame in frames}) for frames in self.shots]
        self.views = views

    def shot_of(self, look: Look) -> int | None:
        """Which of the shots a frame belongs to; None where it is of another one."""
        own = self.views.get(look.frame) or _view(look)
        answers = [[same_shot(own, self.views[frame]) for frame in frames] for frames in self.shots]
        found = [index for index, shot in enumerate(answers) if any(shot)]
        if not found and not any(answer is False for shot in answers for answer in shot):
            found = list(range(len(self.shots)))
        return min(found, key=lambda index: _distance(look.frame, self.shots[index]), default=None)

    def others(self, index: int | None) -> list[int]:
        """The frames that are of other shots."""
        return [frame for frame in self.views if index is None or frame not in self.shots[index]]


def left_out(frames: Sequence[int]) -> str:
    """What to say about frames of other shots."""
    listed = format_frames(frames)
    listed = listed if len(listed) <= LONGEST else f"{listed[:LONGEST].rpartition(',')[0]}, ..."
    return f"the background at frames {listed} is another one, as after a cut: they were left out"


def narrowed(frames: Sequence[int], others: Sequence[int], frame: int) -> Sequence[int]:
    """The frames around one, up to the nearest of the others on both sides."""
    shown = held(frames, frame)
    before = max((other for other in others if other < shown), default=None)
    after = min((other for other in others if other > shown), default=None)
    start = 0 if before is None else bisect_right(frames, before)
    return frames[start : len(frames) if after is None else bisect_left(frames, after)]


def shots_of(views: Mapping[int, SmallFrame]) -> list[list[int]]:
    """The frames by shots: each agrees with another one of its shot. What shows too little goes by time."""
    shots: list[list[int]] = []
    unclear = []
    for frame, view in views.items():
        answers = [[same_shot(view, views[other]) for other in shot] for shot in shots]
        if shots and not any(answer is not None for shot in answers for answer in shot):
            unclear.append(frame)
            continue
        own = [shot for shot, found in zip(shots, answers, strict=True) if any(found)]
        shots = [shot for shot in shots if shot not in own]
        shots.append(sorted([frame, *(one for shot in own for one in shot)]))
    for frame in unclear:
        nearest = min(shots, key=lambda shot: _distance(frame, shot))
        nearest.append(frame)
        nearest.sort()
    return sorted(shots)


def _distance(frame: int, shot: Sequence[int]) -> int:
    return min(abs(frame - other) for other in shot)


def _view(look: Look) -> SmallFrame:
    """The view of a frame's background, of every n-th pixel: it is asked for at every frame."""
    whole, data = look.source.display_window, look.source.data_window
    step = max(1, max(whole.width, whole.height) // THINNED)
    rows, columns = range(whole.y, whole.bottom, step), range(whole.x, whole.right, step)
    above, left = bisect_left(rows, data.y), bisect_left(columns, data.x)
    own_rows, own_columns = (
        rows[above : bisect_left(rows, data.bottom)],
        columns[left : bisect_left(columns, data.right)],
    )
    thinned = replace(
        look.source,
        pixels=look.source.pixels[_slice(own_rows, data.y)][:, _slice(own_columns, data.x)],
        data_window=Window(left, above, len(own_columns), len(own_rows)),
        metadata=None,
    )
    light, real = light_of(thinned, Window(0, 0, len(columns), len(rows)))
    return view_of(encode(np.clip(light, 0, 1), "srgb"), real & ~hidden(look.holes, whole)[::step, ::step])


def _slice(places: range, first: int) -> slice:
    return slice(places.start - first, places.stop - first, places.step) if places else slice(0, 0)
