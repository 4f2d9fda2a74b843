"""Tables and pictures of `make quality`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from models.training.procedural.fields import Array

TILE = 300
LABEL = 20
GAP = 3
PAPER, INK = 34, (225, 225, 225)
JPEG_QUALITY = 82


@dataclass(frozen=True)
class Case:
    """One scene side by side: labelled pictures [H,W,3] or mattes [H,W], display-encoded 0..1."""

    title: str
    pictures: Sequence[tuple[str, Array]]


@dataclass
class Table:
    """What one node's weights and the baselines reached; a row without numbers says why."""

    node: str
    about: str
    columns: Sequence[str]
    rows: list[tuple[str, Sequence[float] | str]] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The table as Markdown."""
        yield f"**{self.node}**. {self.about}"
        yield ""
        yield "| " + " | ".join(["method", *self.columns]) + " |"
        yield "|---" * (1 + len(self.columns)) + "|"
        for method, values in self.rows:
            cells = [values] if isinstance(values, str) else [_short(value) for value in values]
            yield "| " + " | ".join([method, *cells, *[""] * (len(self.columns) - len(cells))]) + " |"

    def write_pictures(self, path: Path) -> None:
        """The cases below each other, as a JPEG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        codes = np.concatenate([_strip(case) for case in self.cases])
        if not cv2.imwrite(str(path), codes[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
            raise OSError(f"{path} cannot be written")


def best_and_worst(errors: Sequence[float]) -> dict[str, int]:
    """Which scene is the good case and which the bad one."""
    order = np.argsort(errors)
    return {"good": int(order[0]), "bad": int(order[-1])} if len(order) > 1 else {"only": 0}


def _short(value: float) -> str:
    """Three significant digits; nothing for what was not measured."""
    if np.isnan(value):
        return ""
    digits = max(0, 2 - int(np.floor(np.log10(abs(value))))) if value else 0
    return f"{value:.{digits}f}"


def _strip(case: Case) -> Array:
    tiles = [
        _tile(label if i else f"{case.title}: {label}", picture) for i, (label, picture) in enumerate(case.pictures)
    ]
    gap = np.full((tiles[0].shape[0], GAP, 3), PAPER, np.uint8)
    return np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1)


def _tile(label: str, picture: Array) -> Array:
    rgb = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
    height = round(TILE * rgb.shape[0] / rgb.shape[1])
    small = cv2.resize(np.asarray(rgb, np.float32), (TILE, height), interpolation=cv2.INTER_AREA)
    title = np.full((LABEL, TILE, 3), PAPER, np.uint8)
    cv2.putText(title, label, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK, 1, cv2.LINE_AA)
    return np.concatenate([title, np.asarray(small.clip(0, 1) * 255 + 0.5, np.uint8)])
