"""The part of `make quality` about keys without a plate: what a loose shape gives, beside what the true plate does.

A drawn animal moves, turns and bends before the grounds of the removal rows, so that matte and plate are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.training import metrics
from models.training.procedural import sprite
from models.training.procedural.fields import Array
from nodes import catalogue
from nodes.footage.colour.transfer import decode, encode
from plugin.measuring.quality_removal import UNSEEN, truths_of
from plugin.measuring.quality_shots import Form, TrueShot, subject_shot, unit
from plugin.measuring.quality_table import Case, Table, best_and_worst
from plugin.rendering.arrays import run_pictures
from plugin.worker.client.worker import Worker
from plugin.worker.protocol import paths

FORM = Form(60, 270, 480)
# Pixels of 540 lines by which the hull of the subject is grown: as loosely as somebody draws in a hurry.
LOOSE = 20
TRUE, FOUND, FOLLOWED = "background-matte, the true plate", "key-without-plate", "background-matte, the plate of follow"


def keys(clip: Path | None = None, form: Form = FORM) -> Table:
    """The matte with the true plate, with that of the shot itself, and with that of `follow`."""
    table = Table(
        "Key without a plate",
        f"A drawn animal over shots of {form.count} frames at {form.width}x{form.height}; the rough shape is its "
        f"convex hull, {LOOSE} pixels of 540 lines larger. MAD and dtSSD x 1e3.",
        [],
    )
    rows: dict[str, list[float]] = {TRUE: [], FOUND: [], FOLLOWED: []}
    columns, found = list[str](), list[tuple[float, Case]]()
    for name, ground in truths_of(form, clip).items():
        columns += [f"{name}: MAD", "dtSSD"]
        figure = sprite(np.random.default_rng([UNSEEN, 33]), round(576 * form.scale), "animal").picture
        shot = subject_shot(name, figure, form, iter(unit(ground)))
        mattes, plate = _mattes(shot, unit(ground))
        for method, alphas in mattes.items():
            mads = [metrics.mad(*pair) for pair in zip(alphas, shot.mattes, strict=True)]
            rows[method] += [1e3 * float(np.mean(mads)), 1e3 * metrics.dtssd(list(alphas), list(shot.mattes))]
        found += _cases(shot, mattes, plate)
    table.columns = columns
    table.rows += rows.items()
    table.cases += [found[at][1] for at in best_and_worst([error for error, _ in found]).values()]
    return table


def _mattes(shot: TrueShot, truth: Array) -> tuple[dict[str, Array], Array]:
    """The mattes `[n,h,w]` by how they were made, and the plate that was found."""
    source, shape = decode(unit(shot.pictures), "srgb"), np.stack(list(_rough(shot)))[..., None]
    with Worker(paths.resolve("cpu")) as worker:

        def rendered(node: str, passes: list[str], inputs: dict[str, Array], **settings: Any) -> dict[str, Array]:
            face = catalogue.find(node)
            return run_pictures(worker, face, inputs, face.parse(settings), passes)

        def against(plate: Array) -> Array:
            inputs = {"Source": source, "C": plate, "OutM": 1 - shape}
            return rendered("background-matte", ["alpha"], inputs, alignPlate=False)["alpha"][..., 0]

        key = rendered("key-without-plate", ["alpha", "plate"], {"Source": source, "Rough": shape})
        followed = rendered("inpaint", ["clean"], {"Source": source, "Mask": shape}, mode="follow", grain=0.0)["clean"]
        mattes = {
            TRUE: against(decode(truth, "srgb")),
            FOUND: key["alpha"][..., 0],
            FOLLOWED: against(followed[..., :3]),
        }
    return mattes, encode(np.clip(key["plate"], 0, 1), "srgb")


def _rough(shot: TrueShot) -> Iterator[Array]:
    """Loose shapes `[h,w]` around the subject."""
    grown = round(LOOSE * shot.mattes.shape[1] / 540)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grown + 1, 2 * grown + 1))
    for matte in shot.mattes:
        shape = np.zeros(matte.shape, np.uint8)
        points = cv2.findNonZero(np.asarray(matte > 0.02, np.uint8))
        if points is not None:
            cv2.fillConvexPoly(shape, cv2.convexHull(points), (1.0,))
        yield np.asarray(cv2.dilate(shape, disc), np.float32)


def _cases(shot: TrueShot, mattes: dict[str, Array], plate: Array) -> list[tuple[float, Case]]:
    wrong = [metrics.mad(*pair) for pair in zip(mattes[FOUND], shot.mattes, strict=True)]
    shapes = list(_rough(shot))
    cases = []
    for title, at in best_and_worst(wrong).items():
        pictures = [
            (f"{shot.name}, frame {at + 1}", unit(shot.pictures[at])),
            ("rough shape", shapes[at]),
            ("its plate", plate[at]),
            ("its matte", mattes[FOUND][at]),
            ("with the true plate", mattes[TRUE][at]),
            ("with that of follow", mattes[FOLLOWED][at]),
            ("truth", shot.mattes[at]),
        ]
        cases.append((wrong[at], Case(title, pictures)))
    return cases
