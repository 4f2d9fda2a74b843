"""What a recurrent matting network remembers, and where that lies on the footage.

The network sees a frame's canvas: its format (the display window) and what the frame has beyond it, black where the
frame has nothing, as everywhere in a compositor. So footage that is cropped to what is in it, otherwise at every frame,
is seen and remembered as the whole picture is. A canvas depends on its own frame alone, never on which were rendered
before; where it changes, because overscan comes and goes, the memory is laid on the new one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nodes.cuts import SmallFrame, same_shot, view_of
from nodes.footage.frame import Frame
from nodes.footage.window import Window

# The longer side the network sees when the ratio is automatic, as its authors chose it.
AUTOMATIC_SIDE = 512
SMALLEST_SIDE = 16
# Longer side of the picture in which cuts are looked for.
THINNED = 256
State = tuple[Tensor, Tensor, Tensor, Tensor]


class Grid(NamedTuple):
    """Where the network's pictures lie: `canvas` counts from the format's top left pixel; `ratio` is their scale."""

    canvas: Window
    ratio: float

    def level(self, number: int) -> tuple[int, int]:
        """Height and width of a state; 0 to 3 are at 1/2 to 1/16 of the small picture, rounded up."""
        small = (max(SMALLEST_SIDE, side) for side in (self.canvas.height, self.canvas.width))
        height, width = (math.ceil(math.floor(side * self.ratio) / 2 ** (number + 1)) for side in small)
        return height, width


class SeenFrame(NamedTuple):
    """What the network sees of a frame: `shown` `[1,3,H,W]` covers the grid's canvas; `format` is width and height of
    the display window; with `view` cuts are found."""

    shown: Tensor
    grid: Grid
    format: tuple[int, int]
    view: SmallFrame | None


class Memory(NamedTuple):
    """The states after a frame, and that frame; where the memory began and, where not at the start, why."""

    states: State
    grid: Grid
    format: tuple[int, int]
    view: SmallFrame | None
    began: int
    why: str = ""

    def break_before(self, picture: SeenFrame) -> str:
        """Why the memory is of no use for the frame after; empty where it is."""
        if self.format != picture.format:
            return "the picture changes its size there"
        cut = self.view is not None and picture.view is not None and same_shot(self.view, picture.view, True) is False
        return "there is a cut" if cut else ""

    def states_on(self, grid: Grid) -> State:
        """The states as they lie on another frame's grid; 0, as at the start, where they were not."""
        if grid == self.grid:
            return self.states
        moved = [_moved(state, self.grid, grid, number) for number, state in enumerate(self.states)]
        return moved[0], moved[1], moved[2], moved[3]


def grid_of(frame: Frame, wanted: float) -> Grid:
    """The grid of a frame; a `wanted` ratio of 0 is chosen, and none lets the picture vanish."""
    format_ = frame.display_window
    canvas = Window(0, 0, format_.width, format_.height).union(_from_format(frame))
    longer, shorter = max(canvas.width, canvas.height), min(canvas.width, canvas.height)
    ratio = wanted or min(1.0, max(AUTOMATIC_SIDE / longer, SMALLEST_SIDE / shorter))
    if max(shorter, SMALLEST_SIDE) * ratio < 1:
        ratio = 2 / max(shorter, SMALLEST_SIDE)
    return Grid(canvas, ratio)


def picture_of(frame: Frame, shown: Tensor, wanted: float, cuts: bool) -> SeenFrame:
    """What the network sees of a frame whose display-encoded data is `shown` `[1,3,H,W]`."""
    grid = grid_of(frame, wanted)
    data, canvas = _from_format(frame), grid.canvas
    if data != canvas and not data.empty:
        left, above = data.x - canvas.x, data.y - canvas.y
        shown = F.pad(shown, (left, canvas.right - data.right, above, canvas.bottom - data.bottom))
    elif data.empty:
        shown = shown.new_zeros((1, 3, canvas.height, canvas.width))
    size = frame.display_window.width, frame.display_window.height
    return SeenFrame(shown, grid, size, _view(shown, data, canvas, size) if cuts else None)


def part_in(frame: Frame, grid: Grid) -> tuple[slice, slice]:
    """The rows and columns of a canvas that a frame's data covers."""
    return _from_format(frame).slices_in(grid.canvas)


def _from_format(frame: Frame) -> Window:
    data, format_ = frame.data_window, frame.display_window
    return Window(data.x - format_.x, data.y - format_.y, data.width, data.height)


def _view(shown: Tensor, data: Window, canvas: Window, size: tuple[int, int]) -> SmallFrame:
    step = max(1, max(size) // THINNED)
    rows, columns = slice(-canvas.y, size[1] - canvas.y, step), slice(-canvas.x, size[0] - canvas.x, step)
    thinned = shown[0, :, rows, columns].permute(1, 2, 0).cpu().numpy()
    covered = torch.zeros(size[1], size[0], dtype=torch.bool)
    seen = data.intersect(Window(0, 0, *size))
    covered[seen.y : seen.bottom, seen.x : seen.right] = True
    return view_of(thinned, covered[::step, ::step].numpy())


def _moved(state: Tensor, have: Grid, want: Grid, number: int) -> Tensor:
    """A state resampled to another grid, bilinearly by the places of its cells' centres on the format."""

    def places(count: int, there: int, start: float, wanted_start: float) -> Tensor:
        cells = torch.arange(count, dtype=torch.float64) + 0.5
        on_format = wanted_start + cells * 2 ** (number + 1) / want.ratio
        # -1 and 1 are the outer edges of what there is.
        return ((on_format - start) * have.ratio / 2 ** (number + 1)) / there * 2 - 1

    height, width = want.level(number)
    down = places(height, state.shape[-2], have.canvas.y, want.canvas.y)
    across = places(width, state.shape[-1], have.canvas.x, want.canvas.x)
    grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)[None].to(state.device, torch.float32)
    return F.grid_sample(state.float(), grid, padding_mode="zeros", align_corners=False).to(state.dtype)
