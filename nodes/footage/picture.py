"""What a decoder gives back, whatever the format, and the limit that all decoders obey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nodes.errors import FootageError
from nodes.footage.colour.space import ColourSpace
from nodes.footage.frame import Pixels
from nodes.footage.metadata import Attribute
from nodes.footage.window import FARTHEST, WIDEST, Window

# Float32 bytes of one decoded frame. 16K x 8K RGB needs 1.6 GB.
MAX_FRAME_BYTES = 2_000_000_000


# A mask is one channel of numbers, a plate a picture; either may be the one or the other, as it is stored.
Kind = Literal["plate", "mask", "either"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What to take of a file that holds several pictures; see `layers.pick_layer`.

    Where `needs_view` is off, a file that has no views, or just one, is the same for every view.
    """

    layer: str = ""
    view: str = ""
    part: str | int | None = None
    kind: Kind = "plate"
    needs_view: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a file. `pixels` is None where only the header was read; the rest as in `Frame`.

    `pixel_type` is the float type that holds what the file stores, `half` or `float`. `colour` is what a profile in the
    file says, and `colour_note` what had to be guessed where nobody names the space. `notes` say what was chosen in the
    file where that was not obvious; none of them names the file.
    """

    pixels: Pixels | None
    channels: tuple[str, ...]
    data_window: Window
    display_window: Window
    pixel_aspect: float
    file_format: str
    attributes: Mapping[str, Attribute]
    straight_alpha: bool
    view: str
    pixel_type: str = "half"
    colour: ColourSpace | None = None
    colour_note: str = ""
    notes: tuple[str, ...] = ()


def check_size(path: str, data: Window, display: Window, channels: int) -> None:
    """Raises FootageError for a picture that is larger or lies farther out than anything here can hold.

    Asked before anything is allocated.
    """
    for name, window in (("data", data), ("display", display)):
        if max(window.width, window.height) > WIDEST or max(abs(window.x), abs(window.y)) > FARTHEST:
            raise FootageError(
                f"{path} has the {name} window {window}, more than {WIDEST} pixels wide or high or farther than "
                f"{FARTHEST} from the origin; crop or move the picture."
            )
    needed = data.width * data.height * channels * 4
    if needed > MAX_FRAME_BYTES:
        raise FootageError(
            f"{path} says it measures {data.width}x{data.height} pixels, which takes {needed / 1e9:.1f} GB of memory; "
            f"the limit is {MAX_FRAME_BYTES / 1e9:.0f} GB."
        )
