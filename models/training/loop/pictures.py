"""Pictures in the logs: what a stage answers to a fixed batch, as one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

# A label and pictures [B,3 or 1,H,W], display-encoded 0..1.
PictureRow = tuple[str, Tensor]
COLUMNS = 4
LARGEST = 320
LABEL = 22
GAP = 3
PAPER, INK = 34, (225, 225, 225)


def write(path: Path, rows: Sequence[PictureRow]) -> None:
    """Writes a contact sheet: one row per kind of picture, one column per example."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part.png")
    if not cv2.imwrite(str(temporary), np.ascontiguousarray(sheet(rows)[..., ::-1])):
        raise OSError(f"{path} cannot be written")
    temporary.replace(path)


def sheet(rows: Sequence[PictureRow]) -> NDArray[np.uint8]:
    """RGB codes [H,W,3]."""
    strips: list[NDArray[np.uint8]] = []
    for label, pictures in rows:
        tiles = [_tile(picture) for picture in pictures[:COLUMNS]]
        gap = np.full((tiles[0].shape[0], GAP, 3), PAPER, np.uint8)
        row = np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1)
        title = np.full((LABEL, row.shape[1], 3), PAPER, np.uint8)
        cv2.putText(title, label, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
        strips += [title, row]
    wide = max(strip.shape[1] for strip in strips)
    return np.concatenate(
        [np.pad(strip, ((0, 0), (0, wide - strip.shape[1]), (0, 0)), constant_values=PAPER) for strip in strips]
    )


def _tile(picture: Tensor) -> NDArray[np.uint8]:
    shown = picture.detach().float().cpu().nan_to_num(0).clamp(0, 1).permute(1, 2, 0).numpy()
    codes = np.asarray(shown * 255 + 0.5, np.uint8)
    codes = np.repeat(codes, 3, axis=2) if codes.shape[2] == 1 else codes
    size = LARGEST / max(codes.shape[:2])
    if size < 1:
        codes = np.asarray(cv2.resize(codes, None, fx=size, fy=size, interpolation=cv2.INTER_AREA), np.uint8)
    return codes
