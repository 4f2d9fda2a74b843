"""What is taught: a shot, and what an artist painted for some of its frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.motion import EightBit as EightBit

TaughtKind = Literal["matte", "picture"]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Lesson:
    """One shot, and what an artist painted for some of its frames.

    `frames` are those that are there, ascending. `picture(frame)` is uint8 `[h, w, 3]` RGB, display-encoded, of one
    size for all frames. `keys` are float32 0..1, `[h, w, 1]` alpha or `[h, w, 3]` display-encoded pictures. `plate` is
    as `picture`.
    """

    name: str
    frames: Sequence[int]
    picture: Callable[[int], EightBit]
    keys: Mapping[int, Floats]
    plate: Callable[[int], EightBit] | None = None


@dataclass(frozen=True)
class Predicted:
    """`value` is alpha `[h, w, 1]` or a display-encoded picture `[h, w, 3]`, `confidence` `[h, w]`; float32, 0..1."""

    value: Floats
    confidence: Floats
