"""Training of LaMa with the published losses (arXiv:2109.07161, sections 2.2 to 2.4), for who has the time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import models
from models.lama import Judgement, LaMa, LaMaDiscriminator, losses
from models.lama.perceptual import HighReceptiveFieldLoss
from models.training.loop.pictures import PictureRow
from models.training.recipes.inpaint import HoleBatch, Plates, holed, shown

OPTIONS: dict[str, int | str] = {"n_blocks": 9, "width": 64}


class AdversarialStage:
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

    def prepare(self, model: LaMa) -> None:
        pass

    def set_mode(self, model: LaMa) -> None:
        model.train()

    def groups(self, model: LaMa) -> list[dict[str, object]]:
        return [{"params": list(model.parameters()), "peak": self.peak}]

    def batch(self, examples: Plates, rng: np.random.Generator, progress: float) -> HoleBatch:
        return holed(examples, rng, self.height, self.width, self.count)

    def preview(self, model: LaMa, batch: HoleBatch) -> list[PictureRow]:
        return shown(batch, _answer(model, batch))

    def loss(self, model: LaMa, batch: HoleBatch) -> dict[str, Tensor]:
        answer = _answer(model, batch)
        self.last = answer.detach()
        with torch.no_grad():
            real = self._judgement(batch.picture)
        fake = self._judgement(answer)
        return losses.generator_loss(answer, batch.picture, batch.hole, fake, real, self.features)

    def judge_groups(self) -> list[dict[str, object]]:
        return [{"params": list(self.judge.parameters()), "peak": self.judge_peak}]

    def judge_loss(self, batch: HoleBatch) -> dict[str, Tensor]:
        truth = batch.picture.clone().requires_grad_()
        fake, real = self._judgement(self.last).scores, self._judgement(truth).scores
        return losses.discriminator_loss(fake, real, batch.hole, truth)

    def _judgement(self, picture: Tensor) -> Judgement:
        said = self.judge(picture)
        return Judgement(said.scores.float(), [feature.float() for feature in said.features])


STAGES = (AdversarialStage,)


def new_model() -> LaMa:
    """An untrained network."""
    model = models.create("lama", **OPTIONS)
    assert isinstance(model, LaMa)
    return model


def _answer(model: LaMa, batch: HoleBatch) -> Tensor:
    known = batch.picture * (1 - batch.hole)
    return model(torch.cat([known, batch.hole], dim=1)).float()
