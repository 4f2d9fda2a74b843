"""With how many bits passes are written, and what the user is told where that costs some of the source's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nodes.faces.face import Pass
from nodes.footage.frame import Frame
from nodes.footage.metadata import SourceMetadata
from nodes.footage.writer import DataType

LARGEST_HALF = 65504


def depth_of(result: Pass, wanted: DataType | None, source: Frame) -> DataType:
    """The float type of a pass's channels. `wanted` is what the user named; without it, half but for passes that are
    the source itself, which keep its type, and those that are always exact."""
    if result.exact:
        return "float"
    return wanted or ("float" if result.as_source and _has_more_bits(source) else "half")


def sentences(passes: Sequence[Pass], wanted: DataType | None, source: Frame) -> list[str]:
    """What the bits of these passes cost."""
    carriers = [one for one in passes if one.as_source] or [one for one in passes if "R" in one.channels]
    if not _has_more_bits(source) or all(depth_of(one, wanted, source) == "float" for one in carriers):
        return []
    said = []
    if any(one.as_source for one in carriers):
        said.append("bit depth half has fewer bits than the source: untouched pixels are the source's, rounded to half")
    if _exceeds_half(source):
        said.append(
            f"the source has values beyond {LARGEST_HALF}, which half floats cannot hold: they are cut there in the "
            "passes; choose the bit depth float to keep them"
        )
    return said


def _has_more_bits(source: Frame) -> bool:
    return isinstance(source.metadata, SourceMetadata) and source.metadata.pixel_type == "float"


def _exceeds_half(source: Frame) -> bool:
    pixels = source.pixels
    if not pixels.size or max(np.fmax.reduce(pixels, axis=None), -np.fmin.reduce(pixels, axis=None)) <= LARGEST_HALF:
        return False
    return bool((np.isfinite(pixels) & (np.abs(pixels) > LARGEST_HALF)).any())
