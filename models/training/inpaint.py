"""Training of Inpaint's own weights: a narrow LaMa (arXiv:2109.07161) on generated pictures with holes.

The paper judges a fill by a discriminator and by features of a network that was trained on photographs. Ours have no
such network, and a fill that invents grain is punished by nobody's eye more than by a compositor's: so the first two
stages ask for the picture itself, in the hole first, and for its gradients. Grain comes back in the node, measured on
the plate. The published losses are a stage of their own, for who wants them: `--stage adversarial`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

import models
from models.bgmv2.losses import sobel
from models.lama import Judgement, LaMa, LaMaDiscriminator
from models.lama.losses import discriminator_loss, generator_loss
from models.lama.perceptual import HighReceptiveFieldLoss
from models.training.holes import hole
from models.training.pictures import Row
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


def holed(examples: Plates, rng: np.random.Generator, height: int, width: int, count: int) -> Batch:
    """A batch of windows, cut out of frames of many heights."""
    chosen = []
    for _ in range(count):
        frame = float(np.exp(rng.uniform(np.log(max(LOWEST, height)), np.log(HIGHEST))))
        chosen.append(examples.example(rng, View(height, width, frame)))
    pictures, holes = zip(*chosen, strict=True)
    return Batch(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), torch.from_numpy(np.stack(holes))[:, None])


def shown(batch: Batch, answer: Tensor) -> list[Row]:
    """Rows for the log: the picture with a grey hole, the truth, the picture with its hole filled."""
    return [
        ("input", batch.picture * (1 - batch.hole) + 0.5 * batch.hole),
        ("truth", batch.picture),
        ("answer", answer * batch.hole + batch.picture * (1 - batch.hole)),
    ]


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
        return holed(examples, rng, self.height, self.width, self.count)

    def answer(self, model: LaMa, batch: Batch) -> Tensor:
        """The network's picture [B,3,H,W]."""
        known = batch.picture * (1 - batch.hole)
        return model(torch.cat([known, batch.hole], dim=1)).float()

    def preview(self, model: LaMa, batch: Batch) -> list[Row]:
        return shown(batch, self.answer(model, batch))

    def loss(self, model: LaMa, batch: Batch) -> dict[str, Tensor]:
        answer = self.answer(model, batch)
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


class AdversarialStage(FillStage):
    """The published losses, rates and sizes (section 2.2-2.4): a discriminator in whose eyes only the hole is fake.

    `features`, a HighReceptiveFieldLoss, adds the perceptual term.
    """

    name = "adversarial"
    steps = 25_000
    warmup = 100
    peak = 1e-3
    judge_peak = 1e-4
    height, width, count = 256, 256, 10
    features: HighReceptiveFieldLoss | None = None

    def __init__(self) -> None:
        self.judge = LaMaDiscriminator()

    def loss(self, model: LaMa, batch: Batch) -> dict[str, Tensor]:
        answer = self.answer(model, batch)
        self.last = answer.detach()
        with torch.no_grad():
            real = self._judgement(batch.picture)
        fake = self._judgement(answer)
        return generator_loss(answer, batch.picture, batch.hole, fake, real, self.features)

    def judge_groups(self) -> list[dict[str, object]]:
        return [{"params": list(self.judge.parameters()), "peak": self.judge_peak}]

    def judge_loss(self, batch: Batch) -> dict[str, Tensor]:
        truth = batch.picture.clone().requires_grad_()
        fake, real = self._judgement(self.last).scores, self._judgement(truth).scores
        return discriminator_loss(fake, real, batch.hole, truth)

    def _judgement(self, picture: Tensor) -> Judgement:
        said = self.judge(picture)
        return Judgement(said.scores.float(), [feature.float() for feature in said.features])


STAGES = (FillStage, WideStage)
EXTRA_STAGES = (AdversarialStage,)


def new_model() -> LaMa:
    """An untrained network."""
    model = models.create("lama", **OPTIONS)
    assert isinstance(model, LaMa)
    return model
