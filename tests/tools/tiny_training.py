"""A training stage so small that a step takes a millisecond, with a discriminator where asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.training.loop.trainer import Settings, Trainer


@dataclass(frozen=True)
class Batch:
    x: Tensor
    y: Tensor


class Blur:
    """Learns to smooth noise."""

    name, steps, warmup = "blur", 12, 2

    def prepare(self, model: nn.Module) -> None:
        with torch.no_grad():
            model[-1].bias.fill_(0.5)

    def set_mode(self, model: nn.Module) -> None:
        model.train()

    def groups(self, model: nn.Module) -> list[dict[str, object]]:
        return [{"params": list(model.parameters()), "peak": 1e-2}]

    def batch(self, examples: object, rng: np.random.Generator, progress: float) -> Batch:
        x = torch.from_numpy(rng.random((2, 1, 8, 8), np.float32))
        return Batch(x, nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False))

    def loss(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        loss = (model(batch.x).float() - batch.y).abs().mean()
        return {"l1": loss, "total": loss}

    def preview(self, model: nn.Module, batch: Batch) -> list[tuple[str, Tensor]]:
        return [("input", batch.x), ("truth", batch.y), ("answer", model(batch.x))]


class JudgedBlur(Blur):
    """The same with a discriminator."""

    name = "judged"

    def __init__(self) -> None:
        self.judge = nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(1, 4, 3)), nn.ReLU(), nn.Conv2d(4, 1, 3))

    def loss(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        answer = model(batch.x).float()
        self.answer = answer.detach()
        losses = {"l1": (answer - batch.y).abs().mean(), "adversarial": -self.judge(answer).float().mean()}
        return losses | {"total": losses["l1"] + losses["adversarial"]}

    def judge_groups(self) -> list[dict[str, object]]:
        return [{"params": list(self.judge.parameters()), "peak": 1e-3, "betas": (0.5, 0.999)}]

    def judge_loss(self, batch: Batch) -> dict[str, Tensor]:
        loss = (1 + self.judge(self.answer)).relu().mean() + (1 - self.judge(batch.y)).relu().mean()
        return {"total": loss.float()}


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))


def trainer(folder, stage=None, network=None, examples=None, **settings) -> Trainer:
    torch.manual_seed(0)
    settings = {"save_every": 5, "log_every": 1, "half": False} | settings
    return Trainer(stage or Blur(), network or model(), examples, Settings(folder, **settings))
