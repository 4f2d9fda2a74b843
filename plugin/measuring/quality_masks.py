"""The masks' part of `make quality`: Segment's rigs against local contrast, a threshold per class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.data.rigs import Rigged
from models.training.data.rigs_paint import CLASSES
from models.training.evaluate import segment as evaluate_segment
from models.training.evaluate.segment import Found
from models.training.procedural.fields import Array
from plugin.measuring.quality_table import Case, Table, best_and_worst

SCENES = 6
WINDOWS = (5, 15, 41)
# What the pictures' classes are painted in, over the darkened source.
COLOURS = np.array([[0, 0, 0], [1.0, 0.25, 0.2], [0.2, 0.9, 0.2], [0.3, 0.5, 1.0]], np.float32)

Labels = NDArray[np.uint8]


def segment(files: Sequence[Path], scenes: int = SCENES) -> Table:
    """Every file as the node uses it, and for each class the window and threshold of local contrast that fit best."""
    shown = [evaluate_segment.scene(number) for number in range(scenes)]
    height, width = shown[0].labels.shape
    names = list(CLASSES)[1:]
    table = Table(
        "Segment",
        f"{scenes} unseen procedural scenes at {width}x{height} with rigs and what looks like them. "
        f"IoU of each class, counted over all pictures, and the share of all rigs' pixels inside their mask grown by "
        f"{evaluate_segment.GROWN} pixels: at the likeliest class, and at the threshold of `cleanplate remove`.",
        [*(f"IoU {name}" for name in names), "covered", "for removal"],
    )
    for file in files:
        model = evaluate_segment.load(file)
        found = [evaluate_segment.find(model, one.src) for one in shown]
        score = evaluate_segment.measure(partial(_next, iter(found)), shown)
        values = [*score.iou[1:], score.all_covered, score.all_removed]
        table.rows.append((f"{file.stem}, the node at its defaults", values))
        if not table.cases:
            said = [labels for labels, _ in found]
            wrong = [1 - _iou_of_rigs(labels, one.labels) for labels, one in zip(said, shown, strict=True)]
            for title, i in best_and_worst(wrong).items():
                pictures = [("source", shown[i].src), ("truth", painted(shown[i], shown[i].labels))]
                table.cases.append(Case(title, [*pictures, ("mask", painted(shown[i], said[i]))]))
    table.rows.append(
        ("local contrast, tuned on the set for each class", [*contrast_iou(shown), float("nan"), float("nan")])
    )
    return table


def _next(answers: Iterator[Found], picture: Array) -> Found:
    return next(answers)


def painted(shown: Rigged, labels: Labels) -> Array:
    """The classes in colour over the darkened picture."""
    inked = labels[..., None] > 0
    return np.where(inked, COLOURS[labels], 0.35 * shown.src).astype(np.float32)


def contrast_iou(shown: Sequence[Rigged]) -> list[float]:
    """IoU of each class with the pixels that differ from the median around them by more than a threshold: the best of
    all windows and thresholds, chosen with the truth of the whole set at hand."""
    best = np.zeros(len(CLASSES))
    for window in WINDOWS:
        counts = np.zeros((len(CLASSES), 256))
        for one in shown:
            contrast = local_contrast(one.src, window)
            for k in range(len(CLASSES)):
                counts[k] += np.bincount(contrast[one.labels == k], minlength=256)
        above = counts[:, ::-1].cumsum(1)[:, ::-1]
        iou = above / (counts.sum(1, keepdims=True) + above.sum(0) - above).clip(1)
        best = np.maximum(best, iou.max(1))
    return [float(value) for value in best[1:]]


def local_contrast(picture: Array, window: int) -> NDArray[np.uint8]:
    """Largest difference over the channels, in codes, from the median of window x window pixels."""
    codes = (picture * 255 + 0.5).astype(np.uint8)
    around = np.stack([cv2.medianBlur(np.ascontiguousarray(codes[..., c]), window) for c in range(3)], 2)
    return np.asarray(cv2.absdiff(codes, around).max(axis=2), np.uint8)


def _iou_of_rigs(said: Labels, truth: Labels) -> float:
    return float(((said > 0) & (truth > 0)).sum() / max(1, ((said > 0) | (truth > 0)).sum()))
