"""What the numbers of a picture mean: the one description of a colour space that all parts share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
ColourMatrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
IDENTITY: ColourMatrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """How to turn stored values into scene-linear Rec.709.

    `transfer` is `linear` (values are light), `srgb` (the sRGB curve, IEC 61966-2-1), `rec709` (the camera curve of
    ITU-R BT.709), `gamma:2.2` or another exponent, `cineon` (film printing density), `ocio` (the OpenColorIO
    configuration `ocio_config` converts from the space `name`) or `icc` (the ICC `profile` of a still says it, and only
    towards light: stills are made light before anything else). `to_rec709` is applied to linear values as
    `rgb709 = to_rec709 @ rgb`; it is the identity for `ocio` and `icc`. `colour.to_linear_rec709` does all that.
    """

    name: str = "lin_rec709"
    transfer: str = "linear"
    to_rec709: ColourMatrix = IDENTITY
    ocio_config: str = ""
    profile: bytes = field(default=b"", repr=False)


LINEAR_REC709 = ColourSpace()
SRGB = ColourSpace("srgb", "srgb")
