"""Training of Inpaint's own weights: a narrow LaMa (arXiv:2109.07161) on generated pictures with holes.

The paper judges a fill by a discriminator and by features of a network that was trained on photographs. Ours have no
such network, and a fill that invents grain is punished by nobody's eye more than by a compositor's: so these stages ask
for the picture itself, in the hole first, and for its gradients. Grain comes back in the node, measured on the plate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

import models
from models.bgmv2.losses import sobel
from models.lama import LaMa
from models.training.holes import hole
from models.training.pool import View
from models.training.procedural.fields import Array

OPTIONS: dict[str, int | str] = {"n_blocks": 9, "width": 24}
# Height in pixels of the frame that a window is cut out of.
LOWEST, HIGHEST = 256.0, 1080.0


@dataclass(frozen=True)
class Batch:
    """picture [B,3,H,W] display-encoded 0..1, hole [B,1,H,W] of 0 and 1."""

    picture: Tensor
    hole: Tensor


class Scenes(Protocol):
    """Where pictures without holes come from."""

    def plate(self, rng: np.random.Generator, view: View) -> Array:
        """A picture (h, w, 3) display-encoded in 0..1 seen through `view`."""
        ...


class Plates:
    """Pictures of a pool or a folder with holes."""

    def __init__(self, scenes: Scenes) -> None:
        self.scenes = scenes

    def example(self, rng: np.random.Generator, view: View) -> tuple[Array, Array]:
        """A picture (h, w, 3) and a hole (h, w)."""
        return self.scenes.plate(rng, view), hole(rng, view.height, view.width)


class FillStage:
    """From scratch on small windows: Adam at 1.5e-3 after a warm-up, cosine to 1 %."""

    name = "fill"
    steps = 4000
    warmup = 100
    peak = 1.5e-3
    height, width, count = 128, 128, 8

    def prepare(self, model: LaMa) -> None:
        pass

    def set_mode(self, model: LaMa) -> None:
        model.train()

    def groups(self, model: LaMa) -> list[dict[str, object]]:
        return [{"params": list(model.parameters()), "peak": self.peak}]

    def batch(self, examples: Plates, rng: np.random.Generator, progress: float) -> Batch:
        shown = []
        for _ in range(self.count):
            frame = float(np.exp(rng.uniform(np.log(max(LOWEST, self.height)), np.log(HIGHEST))))
            shown.append(examples.example(rng, View(self.height, self.width, frame)))
        pictures, holes = zip(*shown, strict=True)
        return Batch(
            torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), torch.from_numpy(np.stack(holes))[:, None]
        )

    def loss(self, model: LaMa, batch: Batch) -> dict[str, Tensor]:
        known = batch.picture * (1 - batch.hole)
        answer = model(torch.cat([known, batch.hole], dim=1)).float()
        losses = {
            "hole": 4 * ((answer - batch.picture).abs() * batch.hole).sum() / (3 * batch.hole.sum()),
            "known": 0.5 * ((answer - batch.picture).abs() * (1 - batch.hole)).mean(),
            "gradient": 2 * ((sobel(answer) - sobel(batch.picture)).abs() * batch.hole).sum() / (3 * batch.hole.sum()),
        }
        return losses | {"total": torch.stack(list(losses.values())).sum()}


class WideStage(FillStage):
    """Larger windows at a lower rate, with the batch norms' statistics kept: larger holes, longer structures."""

    name = "wide"
    steps = 1000
    warmup = 20
    peak = 4e-4
    height, width, count = 256, 320, 3

    def set_mode(self, model: LaMa) -> None:
        model.eval()


STAGES = (FillStage, WideStage)


def new_model() -> LaMa:
    """An untrained network."""
    model = models.create("lama", **OPTIONS)
    assert isinstance(model, LaMa)
    return model
