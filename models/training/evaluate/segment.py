"""Measures Segment weights on unseen procedural rigs at HD: IoU of each class, and how much of a rig the mask covers.

python -m models.training.evaluate.segment WEIGHTS [--scenes 24] [--families leaves] [--flip] [--scales 1]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import weights
from models.hrnet_ocr import HRNetOCR
from models.hrnet_ocr.classify import probabilities
from models.pieces import too_short
from models.tiles import OVERLAP, Tile, blended, side_at, summed
from models.training.data.pool import FrameCut
from models.training.data.rigs import FIGURES, Rigged, Strewn, layer, strew
from models.training.data.rigs_paint import CLASSES, Labels, PaintedLayer, Sheet
from models.training.procedural import background, sprite
from models.training.procedural.backgrounds import FAMILIES
from models.training.procedural.fields import Array
from models.weights import classes

HEIGHT, WIDTH = 1080, 1920
# Nothing in training draws from this seed.
UNSEEN = 90211
GROWN = 2
# How likely a pixel of the mask that things are removed with is some rig's: what `cleanplate remove` asks of Segment.
REMOVED = 0.25
# How long the pieces of each of CLASSES must be, in pixels.
SHORTEST = classes.known()["rigs_and_lookalikes"].shortest[: len(CLASSES)]
# Scenes as they are filmed. Not: mosaics (`leaves`, half of `night`), in which no one can tell a marker from a disc.
FILMED = ("room", "facade", "foliage", "landscape", "backdrop", "spectrum")


class Found(NamedTuple):
    """`labels` (h, w): the likeliest of CLASSES at each pixel; `mask` (h, w) bool: what removal takes for a rig."""

    labels: Labels
    mask: NDArray[np.bool_]


Answer = Callable[[Array], Found]


def scene(number: int, families: Sequence[str] = FILMED) -> Rigged:
    """Unseen scene `number` at HD: a new background, up to two new figures, and rigs of every class."""
    rng = np.random.default_rng([UNSEEN, number])
    shown = background(rng, HEIGHT, WIDTH, families[number % len(families)])
    sheet = Sheet(shown, np.zeros((HEIGHT, WIDTH), np.uint8))
    layers = [_figure(rng) for _ in range(int(rng.choice([0, 1, 2], p=[0.3, 0.5, 0.2])))]
    counts = Strewn(int(rng.integers(2, 7)), int(rng.integers(1, 4)), int(rng.integers(2, 5)), int(rng.integers(1, 4)))
    return strew(rng, sheet, counts, layers)


def _figure(rng: np.random.Generator) -> PaintedLayer:
    kind = str(rng.choice(FIGURES))
    picture = sprite(rng, 1280, kind).picture
    ys, xs = np.nonzero(picture[..., 3] > 0.05)
    size = HEIGHT * rng.uniform(0.5, 1.0) / max(1, int(np.ptp(ys)))
    way = np.diag([size, size, 1.0])
    way[:2, 2] = [rng.uniform(0.15, 0.85) * WIDTH - size * xs.mean(), HEIGHT - size * ys.max()]
    codes = np.asarray(picture * 255 + 0.5, np.uint8)
    return layer(rng, [codes], way, FrameCut(HEIGHT, WIDTH, HEIGHT), kind)


def _none() -> NDArray[np.int64]:
    return np.zeros(len(CLASSES), np.int64)


@dataclass
class Score:
    """What was counted over all pictures: `both`, `truth` and `said` pixels of each class; `covered` ones, and those
    that the mask for removal covers, `removed`; and how many pixels this mask has, grown: `wiped`.
    """

    both: NDArray[np.int64] = field(default_factory=_none)
    truth: NDArray[np.int64] = field(default_factory=_none)
    said: NDArray[np.int64] = field(default_factory=_none)
    covered: NDArray[np.int64] = field(default_factory=_none)
    removed: NDArray[np.int64] = field(default_factory=_none)
    wiped: int = 0

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class."""
        return np.asarray(self.both / np.maximum(self.truth + self.said - self.both, 1))

    @property
    def coverage(self) -> NDArray[np.float64]:
        """Share of each class's pixels inside the mask of all rigs, grown by GROWN pixels."""
        return np.asarray(self.covered / np.maximum(self.truth, 1))

    @property
    def removal(self) -> NDArray[np.float64]:
        """Share of each class's pixels inside the mask that removal takes, grown by GROWN pixels."""
        return np.asarray(self.removed / np.maximum(self.truth, 1))

    @property
    def all_covered(self) -> float:
        """Share of all rigs' pixels inside the mask of all rigs, grown."""
        return _share(self.covered[1:].sum(), self.truth[1:].sum())

    @property
    def all_removed(self) -> float:
        """Share of all rigs' pixels inside the mask that removal takes, grown."""
        return _share(self.removed[1:].sum(), self.truth[1:].sum())


def _share(part: int, whole: int) -> float:
    return float(part / max(1, whole))


def measure(answer: Answer, shown: Sequence[Rigged]) -> Score:
    """The score of `answer` over some pictures."""
    score = Score()
    for example in shown:
        said, mask = answer(example.src)
        covered, removed = grown(said > 0), grown(mask)
        score.wiped += int(removed.sum())
        for k in range(len(CLASSES)):
            truth = example.labels == k
            score.both[k] += int((truth & (said == k)).sum())
            score.truth[k] += int(truth.sum())
            score.said[k] += int((said == k).sum())
            score.covered[k] += int((truth & covered).sum())
            score.removed[k] += int((truth & removed).sum())
    return score


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask (h, w) with all that lies within GROWN pixels of it."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GROWN + 1, 2 * GROWN + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0)


def table(score: Score) -> Iterator[str]:
    """Lines of the table."""
    pixels = score.truth.sum()
    yield f"{'class':<10}{'IoU':>8}{'coverage':>10}{'for removal':>13}{'share of pixels':>17}"
    for k, name in enumerate(CLASSES):
        covered = f"{score.coverage[k]:>10.3f}{score.removal[k]:>13.3f}" if k else f"{'':>23}"
        yield f"{name:<10}{score.iou[k]:>8.3f}{covered}{score.truth[k] / pixels:>17.4f}"
    rigs = score.truth[1:].sum() / pixels
    yield f"{'all rigs':<10}{'':>8}{score.all_covered:>10.3f}{score.all_removed:>13.3f}{rigs:>17.4f}"
    yield f"{'removal mask':<41}{score.wiped / pixels:>17.4f}"


def find(model: HRNetOCR, picture: Array, flip: bool = False, scales: Sequence[float] = ()) -> Found:
    """What the network finds in a picture (h, w, 3), as Segment does: whatever is no rig counts as other, the picture
    is seen in tiles of the size that the network learned from, and labels of pieces that are too short are dropped.

    flip: its mirror image is seen as well; scales: at which it is seen, if not at those of the weights.
    """
    scales = scales or model.scales
    whole = torch.from_numpy(picture).permute(2, 0, 1)[None]
    height, width = picture.shape[:2]
    looks = (False, True) if flip else (False,)

    def answer(scale: float, where: Tile) -> Tensor:
        tile = where.of(whole)
        said = torch.stack([probabilities(model, tile, scale, look) for look in looks]).mean(0) / len(scales)
        return torch.cat([said[:1] + said[len(CLASSES) :].sum(0, keepdim=True), said[1 : len(CLASSES)]])

    def seen(scale: float) -> Iterator[tuple[int, Tensor]]:
        side = side_at(model.window, scale) if model.window else max(height, width)
        return blended((height, width), side, int(OVERLAP * side), partial(answer, scale))

    with torch.inference_mode():
        rows = [(rows.argmax(0).byte(), rows[0] < 1 - REMOVED) for _, rows in summed([seen(scale) for scale in scales])]
    labels, mask = (torch.cat(parts).numpy() for parts in zip(*rows, strict=True))
    labels[too_short(labels > 0, labels, SHORTEST)] = 0
    return Found(labels, mask)


def load(path: Path) -> HRNetOCR:
    """The network with the weights of a file."""
    model = weights.build(weights.resolve(path))
    assert isinstance(model, HRNetOCR)
    return model


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.training.evaluate.segment", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--families", nargs="+", default=FILMED, choices=FAMILIES, help="of backgrounds")
    parser.add_argument("--flip", action="store_true", help="look at the mirrored picture as well and average")
    parser.add_argument("--scales", nargs="+", type=float, default=(), help="to look at it at, if not the weights' own")
    options = parser.parse_args()
    model = load(options.weights)
    shown = [scene(number, options.families) for number in range(options.scenes)]
    score = measure(lambda picture: find(model, picture, options.flip, options.scales), shown)
    print(
        f"{options.scenes} unseen procedural scenes ({', '.join(options.families)}) at {WIDTH}x{HEIGHT}; "
        f"coverage: inside the mask of all rigs grown by {GROWN} pixels; for removal: inside that of pixels which are "
        f"some rig's with a probability of {REMOVED}, grown as well"
    )
    for line in table(score):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
