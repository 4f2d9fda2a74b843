"""The strip of pictures that grows while it learns: a row for each frame, a column for each moment."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.learning.lesson import Predicted
from nodes.errors import CleanplateError
from nodes.footage.preview import write_preview
from nodes.learning.region import EightBit

# Pixels across a picture, between two, and how many moments stay in the strip.
ACROSS, GAP, MOMENTS = 240, 4, 12
GREY = 0.5
Floats = NDArray[np.float32]


class Preview:
    """`sources` are the frames that are shown, as the network sees them."""

    def __init__(self, path: str, sources: Sequence[EightBit]) -> None:
        self._path = path
        self._sources = [_small(source.astype(np.float32) / np.float32(255)) for source in sources]
        self._columns: list[list[Floats]] = []

    def add(self, answers: Sequence[Predicted]) -> None:
        """One more moment; that the strip cannot be written ends nobody's learning.

        A matte is shown as the subject over grey. Of more moments than fit every second one goes.
        """
        column = []
        for source, answer in zip(self._sources, answers, strict=True):
            value = _small(answer.value)
            alpha = value[..., :1]
            column.append(value if value.shape[-1] == 3 else source * alpha + GREY * (1 - alpha))
        self._columns.append(column)
        if len(self._columns) > MOMENTS:
            self._columns = self._columns[::2] if len(self._columns) % 2 else [*self._columns[::2], column]
        with contextlib.suppress(CleanplateError):
            write_preview(self._path, self._sheet(), linear=False)

    def _sheet(self) -> Floats:
        rows = []
        for at, source in enumerate(self._sources):
            cells = [source, *(column[at] for column in self._columns)]
            rows.append(np.concatenate([_with_gap(cell) for cell in cells], axis=1))
        return np.concatenate(rows, axis=0)


def _small(picture: Floats) -> Floats:
    height = max(1, round(picture.shape[0] * ACROSS / picture.shape[1]))
    small = cv2.resize(picture, (ACROSS, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32).reshape(height, ACROSS, picture.shape[2])


def _with_gap(cell: Floats) -> Floats:
    return np.pad(cell, ((0, GAP), (0, GAP), (0, 0)))
