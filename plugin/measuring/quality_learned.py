"""The part of `make quality` about key frames: what is learned from four against what carries them without learning."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from models.motion import along, flow, grey, stay
from models.training import metrics
from models.training.procedural.fields import Array
from nodes.footage.colour.transfer import encode
from nodes.footage.reader import Footage
from plugin.measuring import learning, quality_shots
from plugin.measuring.learning import Budget
from plugin.measuring.quality_shots import Form, TrueShot, unit
from plugin.measuring.quality_table import Case, Table, best_and_worst

COLUMNS = ("MAD", "dtSSD", "MAD, of flow", "dtSSD, of flow", "left of the mark", "changed elsewhere, %", "GB")
NOT_MEASURED = float("nan")
GB = 1e9
# Frames: cases are not taken from beside a key, where everything is right.
AWAY = 6
# Pixels around a mark of 540 lines that belong to it: its soft edge, and the feather of the node.
AROUND = 9
UHD = Form(24, 2160, 3840)
UHD_MINUTES = 1.0


@dataclass(frozen=True)
class How:
    """`fifth` measures a fifth key as well, `uhd` the memory for large frames; `subject` and `clip` are one's own."""

    budget: Budget = field(default_factory=lambda: Budget(10.0))
    form: Form = field(default_factory=Form)
    fifth: bool = False
    uhd: bool = False
    subject: Path | None = None
    clip: Path | None = None

    def keys(self) -> list[int]:
        """The frames that are painted, counted from 1: the first, the last, and two between them."""
        count = self.form.count
        return sorted({1, count // 3 + 1, 2 * count // 3 + 1, count})

    def shots(self) -> list[TrueShot]:
        """One's own, or one for each of the drawn subjects."""
        if self.subject or self.clip:
            return [quality_shots.own(self.subject, self.clip, self.form)]
        return [quality_shots.drawn(kind, self.form) for kind in quality_shots.SUBJECTS]


def learned(starts: Sequence[Path], how: How) -> Table:
    """Every start's way to mattes and to a painted-out mark, and what key frames give without learning."""
    budget = how.budget
    spent = f"{budget.steps} steps" if budget.steps else f"{budget.minutes:g} minutes"
    table = Table(
        "Learned",
        f"Shots of {how.form.count} frames at {how.form.width}x{how.form.height} with noise of 1 %, {len(how.keys())} "
        f"of them keys, learned for {spent} on the processor and rendered by the node at its defaults; baselines show "
        "the keys themselves. MAD of the other frames and dtSSD of all x 1e3; of a mark that was painted out, the "
        "error on its pixels as a share of leaving it; the most memory the process that learns had.",
        COLUMNS,
    )
    measured = [_Mattes(shot, how) for shot in how.shots()]
    for start in ["", *map(str, starts)]:
        for one in measured:
            with tempfile.TemporaryDirectory(prefix="cleanplate-quality-") as folder:
                one.learn(Path(folder), start, table)
        with tempfile.TemporaryDirectory(prefix="cleanplate-quality-") as folder:
            _paint_out(Path(folder), start, how, table)
    if how.uhd:
        with tempfile.TemporaryDirectory(prefix="cleanplate-quality-") as folder:
            _large(Path(folder), table)
    return table


class _Mattes:
    """A shot's baselines, which are measured once, and its rows."""

    def __init__(self, shot: TrueShot, how: How) -> None:
        self.shot, self.how, self.keys = shot, how, how.keys()
        at = [key - 1 for key in self.keys]
        self.carried = carried_by_flow(shot, at)
        self.baselines = {
            "nearest key held": self._scores(held(shot, at)),
            "both keys carried by flow": self._scores(self.carried),
        }

    def learn(self, folder: Path, start: str, table: Table) -> None:
        """Adds the shot's rows, and its cases."""
        named = self.shot.name
        if not start:
            table.rows += [(f"{named}: {name}", self._row(scores)) for name, scores in self.baselines.items()]
        source = learning.write_shot(self.shot, folder / "shot")
        keys = learning.write_keys(self.shot, folder / "keys", self.keys)
        weights = folder / "learned.safetensors"
        taught = learning.teach(source, keys, weights, self.how.budget, start)
        passes = learning.render(source, weights, folder, ["alpha", "confidence"])
        mattes = np.stack([pixels[..., 0] for pixels in learning.pixels_of(passes["alpha"])])
        method = f"{named}: learned, {taught.card.steps} steps" + (f", from {Path(start).stem}" if start else "")
        table.rows.append((method, self._row(self._scores(mattes), taught.peak / GB)))
        if not start:
            confidence = np.stack([pixels[..., 0] for pixels in learning.pixels_of(passes["confidence"])])
            table.cases += self._cases(mattes, confidence)
            if self.how.fifth:
                self._fifth(folder, source, weights, taught.card.shots[0].next_keys[0], table)

    def _fifth(self, folder: Path, source: str, known: Path, named: int, table: Table) -> None:
        """What one more key gives, each learned on from the same weights and measured where none of them is a key."""
        longest = max(pairwise(self.keys), key=lambda gap: gap[1] - gap[0])
        middle = sum(longest) // 2
        for key, why in ((named, "as it says"), (middle, "in the middle of the longest gap")):
            weights = folder / f"fifth_{why[:2]}.safetensors"
            shutil.copy(known, weights)
            keys = learning.write_keys(self.shot, folder / f"keys_{why[:2]}", sorted({*self.keys, key}))
            taught = learning.teach(source, keys, weights, self.how.budget)
            alpha = learning.render(source, weights, folder / why[:2], ["alpha"])["alpha"]
            mattes = np.stack([pixels[..., 0] for pixels in learning.pixels_of(alpha)])
            scores = self._scores(mattes, but=(named, middle))
            row = f"{self.shot.name}: and a fifth key, {key}, {why}, {taught.card.steps} steps more"
            table.rows.append((row, self._row(scores)))

    def _scores(self, mattes: Array, but: Sequence[int] = ()) -> tuple[float, float]:
        return mean_error(mattes, self.shot.mattes, [*self.keys, *but]), 1e3 * metrics.dtssd(
            list(mattes), list(self.shot.mattes)
        )

    def _row(self, scores: tuple[float, float], gigabytes: float = NOT_MEASURED) -> list[float]:
        flow_scores = self.baselines["both keys carried by flow"]
        shares = [score / most for score, most in zip(scores, flow_scores, strict=True)]
        return [*scores, *shares, NOT_MEASURED, NOT_MEASURED, gigabytes]

    def _cases(self, mattes: Array, confidence: Array) -> list[Case]:
        shot, cases = self.shot, []
        keys = np.array(self.keys) - 1
        away = {at: int(np.abs(keys - at).min()) for at in range(len(mattes))}
        far = [at for at in away if away[at] >= min(AWAY, max(away.values()))]
        wrong = [metrics.mad(mattes[at], shot.mattes[at]) for at in far]
        for title, which in best_and_worst(wrong).items():
            at = far[which]
            key = int(keys[np.abs(keys - at).argmin()])
            pictures = [
                (f"key {key + 1}", _over_grey(shot, key, shot.mattes[key])),
                (f"source {at + 1}", unit(shot.pictures[at])),
                ("learned", _over_grey(shot, at, mattes[at])),
                ("its error", np.abs(mattes[at] - shot.mattes[at])),
                ("error of carried keys", np.abs(self.carried[at] - shot.mattes[at])),
                ("confidence", confidence[at]),
            ]
            cases.append(Case(title, pictures))
        return cases


def _paint_out(folder: Path, start: str, how: How, table: Table) -> None:
    """Adds the row of a mark that is painted out, and its case."""
    shot, keys = quality_shots.marked(how.form), how.keys()
    assert shot.clean is not None
    source = learning.write_shot(shot, folder / "shot")
    painted = learning.write_keys(shot, folder / "keys", keys)
    taught = learning.teach(source, painted, folder / "learned.safetensors", how.budget, start)
    passes = learning.render(source, folder / "learned.safetensors", folder, ["picture", "confidence"])
    before = Footage(source)
    wrong, elsewhere, shares = {}, [], {}
    shown: dict[int, Mapping[str, Array]] = {}
    reach = 2 * round(AROUND * how.form.scale) + 1
    for at in range(how.form.count):
        if at + 1 in keys:
            continue
        picture, there = passes["picture"].frame(at + 1).pixels, before.frame(at + 1).pixels
        truth, marked = unit(shot.clean[at]), shot.mattes[at]
        result = encode(picture, "srgb")
        wrong[at] = metrics.mae(result, truth, marked)
        shares[at] = wrong[at] / metrics.mae(unit(shot.pictures[at]), truth, marked)
        near = cv2.dilate((marked > 0).astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
        elsewhere.append(float((picture != there).any(-1)[~near].mean()))
        shown[at] = {"result": result, "truth": truth}
    spent = f"marker: learned, {taught.card.steps} steps" + (f", from {Path(start).stem}" if start else "")
    left = [float(np.mean(list(shares.values()))), 100 * float(np.mean(elsewhere)), taught.peak / GB]
    table.rows.append((spent, [*[NOT_MEASURED] * 4, *left]))
    if not start:
        at = max(shares, key=lambda frame: shares[frame])
        key = min(keys, key=lambda one: abs(one - 1 - at)) - 1
        confidence = passes["confidence"].frame(at + 1).pixels[..., 0]
        unpainted, result, truth = unit(shot.pictures[at]), shown[at]["result"], shown[at]["truth"]
        pictures = [
            (f"key {key + 1}", _around(shot.mattes[key], unit(shot.clean[key]))),
            (f"source {at + 1}", _around(shot.mattes[at], unpainted)),
            ("learned", _around(shot.mattes[at], result)),
            ("its error", _around(shot.mattes[at], np.abs(result - truth).max(-1))),
            ("error of leaving it", _around(shot.mattes[at], np.abs(unpainted - truth).max(-1))),
            ("confidence", _around(shot.mattes[at], confidence)),
        ]
        table.cases.append(Case("worst", pictures))


def _around(mark: Array, picture: Array) -> Array:
    """The sixth of a picture, across and down, that has the mark in its middle."""
    size = np.array(mark.shape) // 6
    corner = np.clip(np.argwhere(mark > 0).mean(0) - size / 2, 0, np.array(mark.shape) - size).astype(int)
    return picture[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]]


def _large(folder: Path, table: Table) -> None:
    """Adds the row of the memory that large frames need."""
    shot = quality_shots.drawn(next(iter(quality_shots.SUBJECTS)), UHD)
    source = learning.write_shot(shot, folder / "shot")
    keys = learning.write_keys(shot, folder / "keys", How(form=UHD).keys())
    taught = learning.teach(source, keys, folder / "learned.safetensors", Budget(UHD_MINUTES))
    row = f"{shot.name} at {UHD.width}x{UHD.height}: learned, {taught.card.steps} steps"
    table.rows.append((row, [*[NOT_MEASURED] * 6, taught.peak / GB]))


def mean_error(mattes: Array, truths: Array, keys: Sequence[int]) -> float:
    """MAD x 1e3 of the frames, counted from 1, that are no keys."""
    others = [at for at in range(len(truths)) if at + 1 not in keys]
    return float(np.mean([metrics.mad(mattes[at], truths[at]) for at in others])) * 1e3


def held(shot: TrueShot, keys: Sequence[int]) -> Array:
    """The matte [n,H,W] of the key next to each frame, counted from 0."""
    return shot.mattes[[min(keys, key=lambda key: abs(key - at)) for at in range(len(shot.mattes))]]


def carried_by_flow(shot: TrueShot, keys: Sequence[int]) -> Array:
    """Both keys beside each frame carried there from frame to frame along dense flow, blended by how near they are."""
    greys = [grey(picture) for picture in shot.pictures]
    total, weights = np.zeros_like(shot.mattes), np.zeros(len(greys))
    for key in keys:
        for step in (-1, 1):
            way, at = stay(*greys[key].shape), key
            while 0 <= (at := at + step) < len(greys) and at not in keys:
                way = np.asarray(along(way, flow(greys[at], greys[at - step])), np.float32)
                total[at] += along(shot.mattes[key], way) / np.float32(abs(at - key))
                weights[at] += 1 / abs(at - key)
    for key in keys:
        total[key], weights[key] = shot.mattes[key], 1
    return np.asarray(total / weights[:, None, None], np.float32)


def _over_grey(shot: TrueShot, at: int, alpha: Array) -> Array:
    cut = unit(shot.pictures[at]) * alpha[..., None] + np.float32(0.5) * (1 - alpha[..., None])
    return np.asarray(cut, np.float32)
