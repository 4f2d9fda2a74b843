"""Training of Inpaint's own weights: a small LaMa (arXiv:2109.07161) that adds to a smooth fill what it lacks.

The paper judges a fill by a discriminator and by features of a network that was trained on photographs. Ours have no
such network, and a fill that invents grain is punished by nobody's eye more than by a compositor's: so the stages ask
for the picture itself and for its structural similarity. Grain comes back in the node, measured on the plate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

import models
from models.lama import LaMaDetail
from models.membrane import membrane
from models.training.data.holes import hole, thin_hole
from models.training.data.pool import FrameCut
from models.training.loop.pictures import PictureRow
from models.training.metrics import similarity
from models.training.procedural.fields import Array

OPTIONS: dict[str, int | str] = {"n_blocks": 4, "width": 24}
# Height in pixels of the frame that a window is cut out of.
LOWEST, HIGHEST = 256.0, 1080.0
# A smooth fill with a mean error below PLAIN leaves nothing to learn: TELLING of the windows have more, if TRIES find
# one.
PLAIN, TELLING, TRIES = 0.02, 0.9, 12


@dataclass(frozen=True)
class HoleBatch:
    """picture [B,3,H,W] display-encoded 0..1, hole [B,1,H,W] of 0 and 1."""

    picture: Tensor
    hole: Tensor


class Scenes(Protocol):
    """Where pictures without holes come from."""

    def plate(self, rng: np.random.Generator, view: FrameCut) -> Array:
        """A picture (h, w, 3) display-encoded in 0..1 seen through `view`."""
        ...


class Plates:
    """Pictures of a pool or a folder with holes."""

    def __init__(self, scenes: Scenes) -> None:
        self.scenes = scenes

    def example(self, rng: np.random.Generator, view: FrameCut) -> tuple[Array, Array]:
        """A picture (h, w, 3) and a hole (h, w)."""
        return self.scenes.plate(rng, view), hole(rng, view.height, view.width)


def holed(examples: Plates, rng: np.random.Generator, height: int, width: int, count: int) -> HoleBatch:
    """A batch of windows, cut out of frames of many heights."""
    chosen = [examples.example(rng, _view(rng, height, width)) for _ in range(count)]
    pictures, holes = zip(*chosen, strict=True)
    return HoleBatch(
        torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), torch.from_numpy(np.stack(holes))[:, None]
    )


def _view(rng: np.random.Generator, height: int, width: int) -> FrameCut:
    """A window into a frame of any height, log-uniform."""
    return FrameCut(height, width, float(np.exp(rng.uniform(np.log(max(LOWEST, height)), np.log(HIGHEST)))))


def shown(batch: HoleBatch, answer: Tensor) -> list[PictureRow]:
    """Rows for the log: the picture with a grey hole, the truth, the picture with its hole filled."""
    return [
        ("input", batch.picture * (1 - batch.hole) + 0.5 * batch.hole),
        ("truth", batch.picture),
        ("answer", answer * batch.hole + batch.picture * (1 - batch.hole)),
    ]


@dataclass(frozen=True)
class Smoothed(HoleBatch):
    """`smooth` [B,3,H,W] is the picture with a smooth fill in its hole."""

    smooth: Tensor


class ThinStage:
    """Wires and markers in small windows, from scratch: Adam at 1e-3 after a warm-up, cosine to 1 %.

    A thin hole is where a smooth fill is nearly right and what it lacks is near: how edges go on is learned in a few
    hundred steps, where from large holes nothing was learned in 3,500.
    """

    name = "thin"
    steps = 1500
    warmup = 50
    peak = 1e-3
    height, width, count = 64, 64, 16
    draw: Callable[[np.random.Generator, int, int], Array] = staticmethod(thin_hole)

    def prepare(self, model: LaMaDetail) -> None:
        pass

    def set_mode(self, model: LaMaDetail) -> None:
        model.train()

    def groups(self, model: LaMaDetail) -> list[dict[str, object]]:
        return [{"params": list(model.parameters()), "peak": self.peak}]

    def batch(self, examples: Plates, rng: np.random.Generator, progress: float) -> Smoothed:
        chosen = [self._window(examples, rng) for _ in range(self.count)]
        pictures, holes, smooth = (torch.from_numpy(np.stack(part)) for part in zip(*chosen, strict=True))
        return Smoothed(pictures.permute(0, 3, 1, 2), holes[:, None], smooth.permute(0, 3, 1, 2))

    def _window(self, examples: Plates, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """A picture, a hole and the smooth fill: mostly such that there is something to learn from."""
        least = PLAIN if rng.random() < TELLING else 0.0
        for _ in range(TRIES):
            picture = np.ascontiguousarray(examples.scenes.plate(rng, _view(rng, self.height, self.width)))
            mask = self.draw(rng, self.height, self.width)
            smooth = membrane(picture, mask == 0)
            if np.abs(smooth - picture).sum() >= least * 3 * mask.sum():
                break
        return picture, mask, smooth

    def preview(self, model: LaMaDetail, batch: Smoothed) -> list[PictureRow]:
        return [*shown(batch, _answer(model, batch)), ("smooth fill", batch.smooth)]

    def loss(self, model: LaMaDetail, batch: Smoothed) -> dict[str, Tensor]:
        """Absolute error and lack of likeness, each as a share of the smooth fill's."""
        answer = _answer(model, batch)

        def lacking(filled: Tensor) -> tuple[Tensor, Tensor]:
            error = ((filled - batch.picture).abs() * batch.hole).sum()
            return error, ((1 - similarity(filled, batch.picture)) * batch.hole).sum()

        losses = {
            name: ours / torch.maximum(theirs, 1e-3 * batch.hole.sum())
            for name, ours, theirs in zip(("hole", "likeness"), lacking(answer), lacking(batch.smooth), strict=True)
        }
        return losses | {"total": losses["hole"] + 0.5 * losses["likeness"]}


class FillStage(ThinStage):
    """Holes of all kinds in larger windows."""

    name = "fill"
    steps = 2000
    peak = 8e-4
    height, width, count = 128, 128, 8
    draw = staticmethod(hole)


STAGES = (ThinStage, FillStage)


def new_model() -> LaMaDetail:
    """An untrained network."""
    model = models.create("lama_detail", **OPTIONS)
    assert isinstance(model, LaMaDetail)
    return model


def _answer(model: LaMaDetail, batch: Smoothed) -> Tensor:
    return model(torch.cat([batch.smooth, batch.hole], dim=1)).float()
