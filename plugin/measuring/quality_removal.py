"""The part of `make quality` about removal from shots that move: the ways over time against fills of single frames.

A figure and a pole are set over shots whose truth is therefore known: a drawn place in depth through which somebody
else walks, a drawn plane that a camera pans over, or one's own film.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from models.motion import EightBit
from models.training import metrics
from models.training.procedural import background, sprite
from models.training.procedural.fields import Array
from nodes import catalogue
from nodes.footage.colour.transfer import decode, encode
from plugin.measuring.quality_fills import telea
from plugin.measuring.quality_shots import Form, frames_of, unit
from plugin.measuring.quality_table import Case, Table, best_and_worst
from plugin.rendering.arrays import run_pictures
from plugin.worker.client.worker import Worker
from plugin.worker.protocol import paths

# Nothing in training draws from this seed.
UNSEEN = 90311
FORM = Form(48, 240, 432)
MODES = ("per frame", "follow", "motion")
TELEA = "Telea (OpenCV), each frame"
NOISE = 0.006
# When a frame is exposed: with a shutter that is open half of the time it is the mean of these moments.
MOMENTS = (-0.2, 0.0, 0.2)
TRUNKS = 5
Ground = Callable[[float], Array]


class Removal(NamedTuple):
    """`truth` uint8 `[n,h,w,3]`, display-encoded; `seen`, with what is to be removed, which is where `mask` `[n,h,w]`
    is 1."""

    name: str
    truth: EightBit
    seen: EightBit
    mask: Array


def removal(clip: Path | None = None, form: Form = FORM) -> Table:
    """Every mode of Inpaint, and a fill of single frames, over drawn places or a film."""
    shots = [
        shot for name, truth in truths_of(form, clip).items() for shot in (_figure(name, truth), _pole(name, truth))
    ]
    table = Table(
        "Removal",
        f"Shots of {form.count} frames at {form.width}x{form.height} with motion blur and noise, a figure or a pole "
        "set over them and removed by the node at its defaults. Inside the mask, display-encoded, x 1e3: the mean "
        "error, and that of the change from frame to frame.",
        [column for shot in shots for column in (shot.name, "its change")],
    )
    found: list[tuple[float, Case]] = []
    rows: dict[str, list[float]] = {method: [] for method in (TELEA, *MODES)}
    for shot in shots:
        filled = {TELEA: np.stack([telea(unit(*pair[:1]), pair[1]) for pair in zip(shot.seen, shot.mask, strict=True)])}
        images = {mode: _inpainted(shot, mode) for mode in MODES}
        filled |= {mode: encode(np.clip(found["clean"][..., :3], 0, 1), "srgb") for mode, found in images.items()}
        for method, pictures in filled.items():
            rows[method] += _scores(pictures, shot)
        found += _cases(shot, filled, images["motion"]["origin"])
    table.rows += rows.items()
    table.cases += [found[at][1] for at in best_and_worst([error for error, _ in found]).values()]
    return table


def _inpainted(shot: Removal, mode: str) -> dict[str, Array]:
    face = catalogue.find("inpaint")
    given = {"Source": decode(unit(shot.seen), "srgb"), "Mask": shot.mask[..., None]}
    with Worker(paths.resolve("cpu")) as worker:
        return run_pictures(worker, face, given, face.parse({"mode": mode}), ["clean", "origin"])


def _scores(filled: Array, shot: Removal) -> list[float]:
    truth = unit(shot.truth)
    errors = [metrics.mae(*frame) for frame in zip(filled, truth, shot.mask, strict=True)]
    either = np.maximum(shot.mask[1:], shot.mask[:-1])
    changes = [
        metrics.mae(*frame) for frame in zip(np.diff(filled, axis=0), np.diff(truth, axis=0), either, strict=True)
    ]
    return [1e3 * float(np.mean(errors)), 1e3 * float(np.mean(changes))]


def _cases(shot: Removal, filled: dict[str, Array], origin: Array) -> list[tuple[float, Case]]:
    """The frames of a shot that `motion` fills best and worst, behind their errors."""
    truth = unit(shot.truth)
    wrong = [metrics.mae(*frame) for frame in zip(filled["motion"], truth, shot.mask, strict=True)]
    cases = []
    for title, at in best_and_worst(wrong).items():
        pictures = [(f"{shot.name}, frame {at + 1}", unit(shot.seen[at])), ("truth", truth[at])]
        pictures += [(mode, filled[mode][at]) for mode in reversed(MODES)]
        pictures += [("error of motion", np.abs(filled["motion"][at] - truth[at]).max(-1)), ("its origin", origin[at])]
        cases.append((wrong[at], Case(title, pictures)))
    return cases


def truths_of(form: Form, clip: Path | None) -> dict[str, EightBit]:
    """What is behind, uint8 `[n,h,w,3]`: a place in depth and a plane, or a film from its first frame."""
    if clip is not None:
        frames = [np.asarray(frame * 255 + 0.5, np.uint8) for frame in frames_of(clip, form)]
        return {clip.stem: np.stack(frames)}
    rng = np.random.default_rng([UNSEEN, 31])
    grounds = {"depth": _deep(rng, form), "plane": _plane(rng, form)}
    return {name: _filmed(rng, ground, form) for name, ground in grounds.items()}


def _filmed(rng: np.random.Generator, ground: Ground, form: Form) -> EightBit:
    frames = []
    for at in range(form.count):
        exposed = np.mean([ground(at + moment) for moment in MOMENTS], axis=0)
        noisy = exposed + rng.normal(0, NOISE, exposed.shape)
        frames.append(np.asarray(noisy.clip(0, 1) * 255 + 0.5, np.uint8))
    return np.stack(frames)


def _plane(rng: np.random.Generator, form: Form) -> Ground:
    """A facade that a hand-held camera pans over, turning a little."""
    place = background(rng, round(1.4 * form.height), round(1.8 * form.width), "facade")

    def ground(at: float) -> Array:
        turn = cv2.getRotationMatrix2D((form.width * 0.9, form.height * 0.7), float(np.sin(at / 9)), 1.0)
        turn[:, 2] -= [form.width * (0.4 + 0.35 * np.sin(at / 16)), form.height * (0.2 + 0.05 * np.sin(at / 5))]
        return _moved(place, np.asarray(turn, np.float32), form)

    return ground


def _deep(rng: np.random.Generator, form: Form) -> Ground:
    """A landscape behind trunks, past which a camera travels and somebody walks."""
    far = background(rng, round(1.2 * form.height), round(2.2 * form.width), "foliage")
    bark = background(rng, round(1.2 * form.height), round(0.1 * form.width), "leaves")
    near = sorted((float(rng.uniform(1.4, 2.4)), float(rng.uniform(-0.3, 2.0))) for _ in range(TRUNKS))
    walker = sprite(rng, round(0.5 * form.height), "person").picture
    trunk = np.dstack([bark, np.ones(bark.shape[:2], np.float32)])

    def ground(at: float) -> Array:
        travel, bob = form.width * (0.006 * at + 0.01 * np.sin(at / 6)), 0.02 * form.height * np.sin(at / 5)
        picture = _moved(far, _shift(-0.3 * form.width - travel, -0.1 * form.height - bob), form)
        steps = form.width * (0.9 - 0.016 * at), 0.45 * form.height - bob + 0.01 * form.height * np.sin(at / 2)
        picture = _over(_moved(walker, _shift(*steps), form), picture)
        for depth, place in near:
            shift = _shift(place * form.width - depth * travel, -0.1 * form.height - depth * bob)
            picture = _over(_moved(trunk, shift, form), picture)
        return picture

    return ground


def _figure(name: str, truth: EightBit) -> Removal:
    """Somebody walks through the picture, nearer than all else."""
    count, height, width = truth.shape[:3]
    form = Form(count, height, width)
    figure = sprite(np.random.default_rng([UNSEEN, 32]), round(0.8 * height), "person").picture

    def at(frame: int) -> Array:
        left = width * (0.15 + 0.7 * frame / count) - figure.shape[1] / 2
        return _moved(figure, _shift(left, 0.2 * height + 0.01 * height * np.sin(frame * 0.6)), form)

    return _set_over(f"{name}, figure", truth, at)


def _pole(name: str, truth: EightBit) -> Removal:
    """A stand that moves with the camera, but not quite."""
    height, width = truth.shape[1:3]

    def at(frame: int) -> Array:
        picture = np.zeros((height, width, 4), np.float32)
        top = float(width * (0.45 + 0.05 * np.sin(frame / 15)))
        upper, lower = (round(8 * top), 0), (round(8 * (top + 0.02 * width)), 8 * height)
        cv2.line(picture, upper, lower, (0.35, 0.33, 0.3, 1.0), round(0.028 * width), cv2.LINE_AA, 3)
        return picture

    return _set_over(f"{name}, pole", truth, at)


def _set_over(name: str, truth: EightBit, at: Callable[[int], Array]) -> Removal:
    layers = [at(frame) for frame in range(len(truth))]
    seen = [_over(layer, unit(frame)) for layer, frame in zip(layers, truth, strict=True)]
    mask = np.stack([np.asarray(layer[..., 3] > 0.02, np.float32) for layer in layers])
    return Removal(name, truth, np.asarray(np.stack(seen).clip(0, 1) * 255 + 0.5, np.uint8), mask)


def _over(layer: Array, picture: Array) -> Array:
    alpha = layer[..., 3:].clip(0, 1)
    return np.asarray(layer[..., :3] * alpha + picture * (1 - alpha), np.float32)


def _shift(x: float, y: float) -> Array:
    return np.array([[1, 0, x], [0, 1, y]], np.float32)


def _moved(picture: Array, matrix: Array, form: Form) -> Array:
    border = cv2.BORDER_CONSTANT if picture.shape[2] == 4 else cv2.BORDER_REFLECT_101
    size = form.width, form.height
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border), np.float32)
