"""Training of PEN-Net (arXiv:1904.07475, section 3.4) with its published losses, rates and sizes.

Not as published: holes are those of `holes`, and the rate falls along a cosine over the stage's steps, not once to a
tenth.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import models
from models.pennet import Inpainted, PENNet, PENNetDiscriminator, losses
from models.training.loop.pictures import PictureRow
from models.training.recipes.inpaint import HoleBatch, Plates, holed, shown

OPTIONS: dict[str, int] = {}
BETAS = (0.5, 0.999)


class PyramidStage:
    """Generator and discriminator from scratch: reconstruction at every level of the pyramid, hinge loss at the top."""

    name = "pyramid"
    steps = 150_000
    warmup = 1
    peak = 1e-4
    side, count = 256, 16

    def __init__(self) -> None:
        self.judge = PENNetDiscriminator()

    def prepare(self, model: PENNet) -> None:
        pass

    def set_mode(self, model: PENNet) -> None:
        model.train()

    def groups(self, model: PENNet) -> list[dict[str, object]]:
        return [{"params": list(model.parameters()), "peak": self.peak, "betas": BETAS}]

    def judge_groups(self) -> list[dict[str, object]]:
        return [{"params": list(self.judge.parameters()), "peak": self.peak, "betas": BETAS}]

    def batch(self, examples: Plates, rng: np.random.Generator, progress: float) -> HoleBatch:
        return holed(examples, rng, self.side, self.side, self.count)

    def loss(self, model: PENNet, batch: HoleBatch) -> dict[str, Tensor]:
        target, answer = 2 * batch.picture - 1, _answer(model, batch)
        filled = target * (1 - batch.hole) + answer.output * batch.hole
        self.last = filled.detach()
        fake = self.judge(filled).float()
        return losses.generator_loss(answer.pyramid, answer.output, target, batch.hole, fake)

    def judge_loss(self, batch: HoleBatch) -> dict[str, Tensor]:
        fake, real = self.judge(self.last).float(), self.judge(2 * batch.picture - 1).float()
        return {"total": losses.discriminator_loss(fake, real)}

    def preview(self, model: PENNet, batch: HoleBatch) -> list[PictureRow]:
        return shown(batch, (_answer(model, batch).output + 1) / 2)


STAGES = (PyramidStage,)


def new_model() -> PENNet:
    """An untrained network."""
    model = models.create("pennet", **OPTIONS)
    assert isinstance(model, PENNet)
    return model


def _answer(model: PENNet, batch: HoleBatch) -> Inpainted:
    """-1..1, from a picture with a white hole."""
    masked = (2 * batch.picture - 1) * (1 - batch.hole) + batch.hole
    answer = model(torch.cat([masked, batch.hole], dim=1), batch.hole)
    return Inpainted([level.float() for level in answer.pyramid], answer.output.float())
