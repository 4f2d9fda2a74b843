"""Training of StructureFlow's two networks (arXiv:1908.03852, section 3) with their published losses, rates and sizes.

First the structure network fills edge-preserving smoothed pictures; then the texture network paints from their truth;
last from what the structure network, now fixed, makes of them. Not as published: holes are those of `holes`, and the
rate falls along a cosine. Sampling correctness, style and content are asked for where VGG-19 weights are given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

import models
from models.structureflow import FlowGenerator, StructureFlowDiscriminator, StructureGenerator, Textured, losses, smooth
from models.structureflow.vgg import VGG19Features
from models.training.loop.pictures import PictureRow
from models.training.recipes.inpaint import Plates, holed

OPTIONS: dict[str, int] = {}
BETAS = (0.0, 0.999)


@dataclass(frozen=True)
class SmoothedBatch:
    """picture and smoothed picture [B,3,H,W] in -1..1, hole [B,1,H,W] of 0 and 1."""

    picture: Tensor
    structure: Tensor
    hole: Tensor


class Pair(nn.Module):
    """Both networks: `structure` and `flow`."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.structure = models.create("structureflow_structure", width=width)
        self.flow = models.create("structureflow_flow", width=width)
        assert isinstance(self.structure, StructureGenerator)
        assert isinstance(self.flow, FlowGenerator)

    def fill_structure(self, batch: SmoothedBatch) -> Tensor:
        """[B,3,H,W] in -1..1; only its hole is meant to be used."""
        known = 1 - batch.hole
        filled: Tensor = self.structure(torch.cat([batch.picture * known, batch.structure * known, batch.hole], dim=1))
        return filled.float()

    def fill_texture(self, batch: SmoothedBatch, structure: Tensor) -> Textured:
        """Picture in -1..1 and flow, from a whole structure."""
        answer = self.flow(torch.cat([batch.picture * (1 - batch.hole), structure, batch.hole], dim=1))
        return Textured(answer.image.float(), answer.flow.float())


class StructureStage:
    """The structure network from scratch, judged by how its smooth pictures look whole."""

    name = "structure"
    steps = 100_000
    warmup = 1
    peak = 1e-4
    side, count = 256, 8

    def __init__(self) -> None:
        self.judge = StructureFlowDiscriminator()

    def prepare(self, model: Pair) -> None:
        pass

    def set_mode(self, model: Pair) -> None:
        model.eval()
        model.structure.train()

    def groups(self, model: Pair) -> list[dict[str, object]]:
        return [{"params": list(model.structure.parameters()), "peak": self.peak, "betas": BETAS}]

    def judge_groups(self) -> list[dict[str, object]]:
        return [{"params": list(self.judge.parameters()), "peak": self.peak, "betas": BETAS}]

    def batch(self, examples: Plates, rng: np.random.Generator, progress: float) -> SmoothedBatch:
        plain = holed(examples, rng, self.side, self.side, self.count)
        return SmoothedBatch(2 * plain.picture - 1, 2 * smooth(plain.picture) - 1, plain.hole)

    def loss(self, model: Pair, batch: SmoothedBatch) -> dict[str, Tensor]:
        answer = model.fill_structure(batch)
        fake = self._judged(answer, batch.structure, batch)
        return losses.structure_loss(answer, batch.structure, fake)

    def judge_loss(self, batch: SmoothedBatch) -> dict[str, Tensor]:
        return self._judge_loss(batch.structure)

    def preview(self, model: Pair, batch: SmoothedBatch) -> list[PictureRow]:
        return _rows(batch, batch.structure, model.fill_structure(batch))

    def _judged(self, answer: Tensor, truth: Tensor, batch: SmoothedBatch) -> list[Tensor]:
        """The discriminator's scores of the truth with its hole filled, which is kept for the discriminator's turn."""
        filled = answer * batch.hole + truth * (1 - batch.hole)
        self.last = filled.detach()
        return [scores.float() for scores in self.judge(filled)]

    def _judge_loss(self, truth: Tensor) -> dict[str, Tensor]:
        fake, real = ([scores.float() for scores in self.judge(shown)] for shown in (self.last, truth))
        return {"total": losses.discriminator_loss(fake, real)}


class TextureStage(StructureStage):
    """The texture network from scratch, on the truth's own structure. `features` is VGG-19."""

    name = "texture"
    joint = False
    features: VGG19Features | None = None

    def set_mode(self, model: Pair) -> None:
        model.eval()
        model.flow.train()

    def groups(self, model: Pair) -> list[dict[str, object]]:
        return [{"params": list(model.flow.parameters()), "peak": self.peak, "betas": BETAS}]

    def structure(self, model: Pair, batch: SmoothedBatch) -> Tensor:
        """What the texture is painted from."""
        return batch.structure

    def loss(self, model: Pair, batch: SmoothedBatch) -> dict[str, Tensor]:
        answer = model.fill_texture(batch, self.structure(model, batch))
        fake = self._judged(answer.image, batch.picture, batch)
        return losses.texture_loss(answer, batch.picture, batch.hole, fake, self.features, self.joint)

    def judge_loss(self, batch: SmoothedBatch) -> dict[str, Tensor]:
        return self._judge_loss(batch.picture)

    def preview(self, model: Pair, batch: SmoothedBatch) -> list[PictureRow]:
        structure = self.structure(model, batch)
        rows = _rows(batch, batch.picture, model.fill_texture(batch, structure).image)
        return [*rows, ("structure", (structure + 1) / 2)]


class JointStage(TextureStage):
    """The texture network on what the fixed structure network makes of the picture, as in use; it takes over the
    discriminator of the stage before."""

    name = "joint"
    steps = 50_000
    joint = True
    judge_from = "texture"

    def structure(self, model: Pair, batch: SmoothedBatch) -> Tensor:
        with torch.no_grad():
            return model.fill_structure(batch)


STAGES = (StructureStage, TextureStage, JointStage)


def new_model() -> Pair:
    """Two untrained networks."""
    return Pair(**OPTIONS)


def _rows(batch: SmoothedBatch, truth: Tensor, answer: Tensor) -> list[PictureRow]:
    known = 1 - batch.hole
    pictures = {"input": truth * known, "truth": truth, "answer": answer * batch.hole + truth * known}
    return [(label, (picture + 1) / 2) for label, picture in pictures.items()]
