"""The mattes' part of `make quality`: BackgroundMatte against a difference keyer, VideoMatte against a threshold."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.training import metrics
from models.training.evaluate import bgmv2 as evaluate
from models.training.evaluate import rvm as evaluate_rvm
from models.training.procedural import Composite
from models.training.procedural.fields import Array
from nodes import catalogue
from plugin.measuring.quality_table import Case, Table, best_and_worst
from plugin.rendering.arrays import run_pictures
from plugin.worker.client.worker import Worker

SCENES = 24
CLIPS, FRAMES = 16, 6
# A clip is shown as a case if people cover at least this share of it.
PEOPLED = 0.01
VIDEO_MEASURES = ("MAD", "MSE", "Grad", "Conn", "dtSSD")


def background_matte(files: Sequence[Path], scenes: int = SCENES) -> Table:
    """Every file's network alone and in the node, and the keyer with the best settings for the whole set."""
    shown = [evaluate.scene(number) for number in range(scenes)]
    truths = [one.pha for one in shown]
    distances = [evaluate.difference(one) for one in shown]
    low, soft = evaluate.tuned_keyer(distances, truths)
    keyed = [evaluate.key(distance, low, soft) for distance in distances]
    height, width = truths[0].shape
    table = Table(
        "BackgroundMatte",
        f"{scenes} unseen procedural scenes at {width}x{height} with noise, exposure drift, shift and deep shadows. "
        "The network alone sees the plate as it is; the node registers it and solves soft edges. MAD, MSE and "
        "edge (8 pixels around soft edges) x 1e3.",
        [*metrics.MEASURES, "median MAD", "worst MAD"],
    )
    for file in files:
        model = evaluate.load(file)
        alone = [evaluate.matte(model, one) for one in shown]
        table.rows.append((f"{file.stem}, the network alone", _errors(alone, truths)))
        mattes = node_mattes(shown, file)
        table.rows.append((f"{file.stem}, the node at its defaults", _errors(mattes, truths)))
        if not table.cases:
            for title, i in best_and_worst([metrics.mad(*pair) for pair in zip(mattes, truths, strict=True)]).items():
                pictures = [("source", shown[i].src), ("truth", truths[i]), ("matte", mattes[i]), ("keyer", keyed[i])]
                table.cases.append(Case(title, pictures))
    table.rows.append((f"difference keyer, tuned on the set ({low}, {soft})", _errors(keyed, truths)))
    return table


def node_mattes(scenes: Sequence[Composite], file: Path) -> list[Array]:
    """Alpha [H,W] of every scene: the whole node at its defaults with the weights of a file, on the processor."""
    face = catalogue.find("background-matte")
    params = face.parse({"weights": str(file), "inputSpace": "sRGB"})
    pictures = {"Source": [scene.src for scene in scenes], "C": [scene.bgr for scene in scenes]}
    with Worker("cpu", on_note=lambda note: None, name="quality") as worker:
        return list(run_pictures(worker, face, pictures, params, ["alpha"])["alpha"][..., 0])


def _errors(mattes: Sequence[Array], truths: Sequence[Array]) -> list[float]:
    pairs = list(zip(mattes, truths, strict=True))
    means = [
        float(np.mean([measure(*pair) for pair in pairs])) * metrics.SCALES[name]
        for name, measure in metrics.MEASURES.items()
    ]
    each = [metrics.mad(*pair) * 1e3 for pair in pairs]
    return [*means, float(np.median(each)), max(each)]


def video_matte(files: Sequence[Path], clips: int = CLIPS, frames: int = FRAMES) -> Table:
    """Every file's network with and without memory, and the best fixed threshold for the whole set."""
    with tempfile.TemporaryDirectory(prefix="cleanplate-quality-") as folder:
        examples = evaluate_rvm.unseen(Path(folder))
        shown = [evaluate_rvm.clip(examples, number, frames) for number in range(clips)]
    name, threshold = evaluate_rvm.best_threshold(shown)
    height, width = shown[0].pha.shape[1:]
    table = Table(
        "VideoMatte",
        f"{clips} unseen procedural clips of {frames} frames at {width}x{height}. MAD, MSE and "
        "dtSSD (error of the change from frame to frame) x 1e3.",
        [*VIDEO_MEASURES, "worst MAD"],
    )
    truths = [list(one.pha) for one in shown]
    keyed = [threshold(one.src) for one in shown]
    for file in files:
        model = evaluate_rvm.load(file)
        mattes = [evaluate_rvm.recurrent(model, one.src) for one in shown]
        alone = [evaluate_rvm.frame_by_frame(model, one.src) for one in shown]
        scores = _clip_scores(mattes, truths)
        table.rows.append((f"{file.stem}, the network with memory", _means(scores)))
        table.rows.append((f"{file.stem}, frame by frame", _means(_clip_scores(alone, truths))))
        if not table.cases:
            peopled = [i for i, truth in enumerate(truths) if np.mean(truth) > PEOPLED] or [*range(len(shown))]
            errors = [scores[i]["MAD"] for i in peopled]
            for title, which in best_and_worst(errors).items():
                i = peopled[which]
                pictures = [("source", shown[i].src[-1]), ("truth", truths[i][-1]), ("matte", mattes[i][-1])]
                table.cases.append(Case(title, [*pictures, ("threshold", keyed[i][-1])]))
    table.rows.append((f"best fixed threshold ({name})", _means(_clip_scores(keyed, truths))))
    return table


def _clip_scores(mattes: Sequence[Sequence[Array]], truths: Sequence[Sequence[Array]]) -> list[dict[str, float]]:
    return [evaluate_rvm.score(*pair) for pair in zip(mattes, truths, strict=True)]


def _means(scores: Sequence[dict[str, float]]) -> list[float]:
    return [*(float(np.mean([one[name] for one in scores])) for name in VIDEO_MEASURES), max(s["MAD"] for s in scores)]
