"""Registration of a clean plate to a shot: where the plate's pixels lie in the source, and how its light differs.

Pure functions of arrays: the same pictures give the same bits, whatever ran before and however many threads there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nodes.aligning.dense import Level, agreement, build_levels, refine
from nodes.aligning.features import feature_homography
from nodes.aligning.gain import NO_GAIN, Gain
from nodes.aligning.grid import Floats, Mask, Matrix, Size, grid_matrix, luma, resized, working_size
from nodes.aligning.judge import MIN_SUPPORT, Judge, plausible
from nodes.aligning.warp import resample, resample_part

WORKING_EDGE = 960
JUDGING_LEVEL = 1
SMALLEST = 32
ASPECT_TOLERANCE = 0.05
MIN_DETAIL = 0.004
STILL_PIXELS = 0.15
STILL_WORKING_PIXELS = 0.04
STILL_GAIN = 0.005
MAX_GAIN = 4.0
ENOUGH_INLIERS = 30

TOO_SMALL = "the picture is too small to line up a plate"
COVERED = "the subject's mask leaves too little background to line up the plate"
NO_DETAIL = "too little detail in the plate to line it up"
NOTHING_IN_COMMON = "too few details in common between the source and the plate"
TOO_FAR = "the source and the plate were shot from too different positions"
TOO_BRIGHT = "the exposure of the source and the plate differ too much"


@dataclass(frozen=True, eq=False)
class Registration:
    """How a plate lies under a source, and how its exposure and white balance differ.

    homography: 3x3 float64, [2, 2] == 1, read-only; carries plate pixel coordinates (x, y) to source pixel
        coordinates, pixel centres on integers, the top left pixel's centre on (0, 0). A plate that is in place has
        exactly the identity, or the plain resize if its size is another.
    gain: factors for the plate's R, G and B in linear light; exactly 1 when within 0.5 %.
    source_size, plate_size: (height, width) of the two pixel grids.
    inliers: matched details that agree on one movement.
    confidence: 0..1, share of the plate's detail that is found in place in the source. The subject hides detail, so a
        half is a good value for a close-up.
    residual: median absolute difference, in 8-bit display code values, after registration, where the two agree; NaN
        if it is not reliable.
    reliable: False when nothing trustworthy was found: the plate is then left in place and its light unchanged.
    reason: why it is not reliable, for an artist; empty otherwise.
    """

    homography: Matrix
    gain: Gain
    source_size: Size
    plate_size: Size
    inliers: int = 0
    confidence: float = 0.0
    residual: float = float("nan")
    reliable: bool = True
    reason: str = ""

    @property
    def in_place(self) -> bool:
        """The plate needs no resampling: its pixels are the source's pixels."""
        return self.source_size == self.plate_size and bool(np.array_equal(self.homography, np.eye(3)))

    @property
    def is_identity(self) -> bool:
        """Nothing to do at all: neither movement nor gain."""
        return self.in_place and self.gain == NO_GAIN


def estimate_registration(source: Any, plate: Any, exclude: Any = None) -> Registration:
    """Find the homography and the gain that bring `plate` under `source`.

    source, plate: display-encoded (sRGB) RGB, HxWx3, 0..1; the plate may be of another size, not of another aspect.
    exclude: HxW of the source, 0..1, 1 where the subject surely is (a core matte, a coarse alpha). Optional: whatever
    is not in the plate shows by not agreeing with it.

    Works at no more than 960 pixels across, so UHD costs little more than HD. Never makes it worse: the plate stays
    exactly in place if it is there already to about 0.15 pixels, if moving it does not lower the difference, or if
    nothing reliable is found. ValueError for arrays that are no such pictures.
    """
    source = _picture(source, "source")
    plate = _picture(plate, "plate")
    sizes = (source.shape[0], source.shape[1]), (plate.shape[0], plate.shape[1])
    _check_aspect(*sizes)
    hidden = np.zeros(sizes[0], np.float32) if exclude is None else _mask(exclude, sizes[0])
    if min(*sizes[0], *sizes[1]) < SMALLEST:
        return _unreliable(sizes, TOO_SMALL)

    size = working_size(sizes[0], WORKING_EDGE)
    source, plate = (np.clip(np.nan_to_num(resized(a, size)), 0.0, 1.0) for a in (source, plate))
    levels = build_levels(luma(source), luma(plate), resized(hidden, size))
    if np.mean(levels[0].usable) < MIN_DETAIL:
        return _unreliable(sizes, COVERED)
    judge = Judge(levels[min(JUDGING_LEVEL, len(levels) - 1)], size, source, plate)
    still = judge.fit(np.eye(3))
    if np.mean(still.agreed.judged) < MIN_DETAIL:
        return _unreliable(sizes, NO_DETAIL)
    start, coarsest, inliers = _start(levels)
    matrix = refine(levels, start, coarsest)
    possible = plausible(matrix, size)
    moved = judge.fit(matrix) if possible else still
    smallest = max(STILL_PIXELS * size[1] / sizes[0][1], STILL_WORKING_PIXELS)
    best = moved if possible and judge.better(still, moved, smallest) else still
    confidence = best.agreed.support
    if confidence < MIN_SUPPORT:
        return _unreliable(sizes, NOTHING_IN_COMMON if inliers < ENOUGH_INLIERS else TOO_FAR, inliers, confidence)
    if max(best.gain) > MAX_GAIN or min(best.gain) < 1.0 / MAX_GAIN:
        return _unreliable(sizes, TOO_BRIGHT, inliers, confidence)
    return Registration(
        homography=_in_place(*sizes) if best is still else _full_size(matrix, size, *sizes),
        gain=NO_GAIN if all(abs(g - 1.0) < STILL_GAIN for g in best.gain) else best.gain,
        source_size=sizes[0],
        plate_size=sizes[1],
        inliers=inliers,
        confidence=confidence,
        residual=judge.residual(best, best.agreed.agreeing),
    )


def warp_plate(plate_linear: Any, registration: Registration, size: Size | None = None) -> tuple[Floats, Mask]:
    """Bring a scene-linear plate under the source: its light first, then its place.

    plate_linear: HxW or HxWxC float32, any range; the gain applies to the first three channels, where there are three.
    size: (height, width) of the result, from the same top left corner; the source's by default.
    Returns the plate on the source's pixels, float32, and HxW bool, True where the plate really has a pixel; elsewhere
    its border is repeated. Values above 1 survive and nothing rings. Without movement and gain the result is the very
    same array.
    """
    plate: Floats = np.asarray(plate_linear, dtype=np.float32)
    if plate.ndim not in (2, 3) or plate.size == 0:
        raise ValueError(
            f"The plate must be a picture of height x width x channels, not an array of shape {plate.shape}."
        )
    if plate.shape[:2] != registration.plate_size:
        raise ValueError(
            f"This registration was made for a plate of {_written(registration.plate_size)}, "
            f"not for one of {_written((plate.shape[0], plate.shape[1]))}."
        )
    size = registration.source_size if size is None else (int(size[0]), int(size[1]))
    stack = plate if plate.ndim == 3 else plate[..., None]
    if stack.shape[2] >= 3 and registration.gain != NO_GAIN:
        stack = np.concatenate([stack[..., :3] * np.array(registration.gain, np.float32), stack[..., 3:]], axis=2)
    if registration.in_place and size == registration.plate_size:
        finite: Mask = np.asarray(np.isfinite(stack).all(axis=2))
        return stack.reshape(plate.shape), finite
    warped, valid = resample(stack, registration.homography, size)
    return (warped if plate.ndim == 3 else warped[..., 0]), valid


def warp_part(plate_linear: Any, registration: Registration, rows: slice, columns: slice) -> tuple[Floats, Mask]:
    """`warp_plate(...)[rows, columns]`, both results, at the cost of that part; for a plate `HxWx3`.

    Pixels that are NaN count as missing, and so do those that would be interpolated from them.
    """
    plate: Floats = np.asarray(plate_linear, dtype=np.float32)
    if registration.in_place:
        part = plate[rows, columns] * np.array(registration.gain, np.float32)
        return part, np.asarray(np.isfinite(part).all(axis=2))
    part, valid = resample_part(plate, registration.homography, registration.source_size, rows, columns)
    return part * np.array(registration.gain, np.float32), valid


def _start(levels: list[Level]) -> tuple[Matrix, int, int]:
    """Where refinement starts (plate -> source, finest level), on which level, and how many matched details agree.

    From matched details, which are good to about a pixel; or in place, and then from the coarsest level, if that agrees
    no worse.
    """
    found, index, inliers = None, 0, 0
    for closer in (1, 0):
        if closer < len(levels) and inliers < ENOUGH_INLIERS:
            level = levels[closer]
            matrix, count = feature_homography(level.source, level.plate, level.usable)
            if count > inliers:
                found, index, inliers = matrix, closer, count
    if found is not None:
        level = levels[index]
        down = grid_matrix(levels[0].size, level.size)
        start = np.linalg.inv(down) @ found @ down
        if plausible(start, levels[0].size) and agreement(level, found).support > agreement(level, np.eye(3)).support:
            return start, index, inliers
    return np.eye(3), len(levels) - 1, inliers


def _in_place(source_size: Size, plate_size: Size) -> Matrix:
    matrix = np.eye(3) if source_size == plate_size else grid_matrix(plate_size, source_size)
    matrix.setflags(write=False)
    return matrix


def _full_size(matrix: Matrix, working: Size, source_size: Size, plate_size: Size) -> Matrix:
    full: Matrix = np.linalg.inv(grid_matrix(source_size, working)) @ matrix @ grid_matrix(plate_size, working)
    full = full / full[2, 2]
    full.setflags(write=False)
    return full


def _unreliable(sizes: tuple[Size, Size], reason: str, inliers: int = 0, confidence: float = 0.0) -> Registration:
    return Registration(
        _in_place(*sizes), NO_GAIN, *sizes, inliers=inliers, confidence=confidence, reliable=False, reason=reason
    )


def _written(size: Size) -> str:
    return f"{size[1]} x {size[0]} pixels"


def _picture(image: Any, name: str) -> Floats:
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise ValueError(
            f"The {name} must be an RGB picture of height x width x 3, not an array of shape {array.shape}."
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"The {name} must hold floating point values 0..1, not {array.dtype}.")
    return np.ascontiguousarray(array, dtype=np.float32)


def _mask(exclude: Any, size: Size) -> Floats:
    array = np.asarray(exclude)
    if array.shape != size:
        raise ValueError(f"The mask to ignore must have the source's {_written(size)}, not the shape {array.shape}.")
    return np.clip(np.nan_to_num(np.ascontiguousarray(array, dtype=np.float32)), 0.0, 1.0)


def _check_aspect(source: Size, plate: Size) -> None:
    ratio = (source[1] / source[0]) / (plate[1] / plate[0])
    if abs(np.log(ratio)) > ASPECT_TOLERANCE:
        raise ValueError(
            f"The plate ({_written(plate)}) has another aspect than the source ({_written(source)}), "
            "so it cannot be its clean plate."
        )
