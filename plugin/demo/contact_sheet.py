"""One picture that shows at a glance what came out: frames of the shot as columns, passes as rows."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from nodes.footage.frame import Pixels
from nodes.footage.preview import to_preview

LABEL_HEIGHT = 26
GAP = 4
INK = (225, 225, 225)
PAPER = (34, 34, 34)


def contact_sheet(rows: Sequence[tuple[str, Sequence[Pixels]]], width: int = 480) -> Pixels:
    """An sRGB picture `[H,W,3]` in 0..1 from (label, pictures) rows.

    Pictures are scene-linear `[H,W,3]` or masks `[H,W,1]`, shown `width` pixels wide.
    """
    strips = []
    for label, pictures in rows:
        tiles = [_tile(picture, width) for picture in pictures]
        gap = np.full((tiles[0].shape[0], GAP, 3), PAPER, np.uint8)
        row = tiles[0]
        for tile in tiles[1:]:
            row = np.concatenate([row, gap, tile], axis=1)
        title = np.full((LABEL_HEIGHT, row.shape[1], 3), PAPER, np.uint8)
        cv2.putText(title, label, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
        strips += [title, row]
    return (np.concatenate(strips, axis=0) / np.float32(255)).astype(np.float32)


def over(foreground: Pixels, alpha: Pixels, background: Pixels) -> Pixels:
    """The premultiplied `foreground` over `background`, scene-linear."""
    return foreground + (1 - alpha) * background


def _tile(picture: Pixels, width: int) -> np.ndarray:
    # Resized as shown: highlights do not smear over their surroundings.
    shown = to_preview(picture)
    height = round(width * picture.shape[0] / picture.shape[1])
    small = cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA)
    return np.repeat(small[..., None], 3, axis=2) if small.ndim == 2 else small
