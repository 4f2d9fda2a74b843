"""The training loop: seeded, resumable to the same losses, mixed precision, accumulation, exponential average."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from models.training.loop import pictures, processes
from models.training.loop.ahead import ahead
from models.training.loop.journal import Journal

log = logging.getLogger(__name__)
EMA_DECAY = 0.998
CLIP = 5.0
# Nothing in training draws from this seed.
HELD_SEED = 70707
RANK_STRIDE = 7_919_000_003


class Stage(Protocol):
    """One stage of a recipe: how to prepare the network, what to show it, what to ask of it.

    A group of `groups` names its `params` and the `peak` of their learning rate; other entries are Adam's. A stage may
    further have

    - `preview(model, batch)`: rows of pictures (see `pictures.PictureRow`) of a batch and the network's answer to it;
    - `judge`, a discriminator, with `judge_groups()` and `judge_loss(batch)`, which is called after `loss` of the same
      batch; in `loss` the discriminator's weights take no gradient;
    - `features`, a fixed network for a perceptual loss, or None.
    """

    name: str
    steps: int
    warmup: int

    def prepare(self, model: Any) -> None: ...
    def set_mode(self, model: Any) -> None: ...
    def groups(self, model: Any) -> list[dict[str, object]]: ...
    def batch(self, examples: Any, rng: np.random.Generator, progress: float) -> Any: ...
    def loss(self, model: Any, batch: Any) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class Settings:
    """`steps` 0 means the stage's own; `save_every`, `log_every` and `show_every` (0: no pictures) count steps;
    `accumulate` batches make a step; after `deadline` (of time.monotonic) one more step is made, then it stops."""

    folder: Path
    seed: int = 1
    steps: int = 0
    device: str = "cpu"
    half: bool = True
    accumulate: int = 1
    save_every: int = 100
    log_every: int = 20
    show_every: int = 0
    deadline: float | None = None


class Trainer:
    """One stage's training. The state after a step depends on seed and step alone, so a killed run goes on unharmed.

    `held` gives the examples of the pictures in the log; without it they are new ones of `examples`.
    """

    def __init__(self, stage: Stage, model: nn.Module, examples: Any, settings: Settings, held: Any = None) -> None:
        self.stage: Any = stage
        self.examples, self.settings = examples, settings
        self.held = examples if held is None else held
        self.device = torch.device(settings.device)
        self.processes = processes.current()
        self.model = model.to(self.device)
        self.judge: nn.Module | None = getattr(stage, "judge", None)
        for other in filter(None, (self.judge, getattr(stage, "features", None))):
            other.to(self.device)
        self.steps = settings.steps or stage.steps
        self.step = 0
        self.optimisers = [torch.optim.Adam(groups, lr=0.0, betas=(0.9, 0.99), fused=True) for groups in self._groups()]
        self.average: dict[str, Tensor] = {}
        self.checkpoint = settings.folder / f"{stage.name}.pt"
        self.journal = Journal(settings.folder / f"{stage.name}.jsonl")

    def _groups(self) -> list[Any]:
        return [self.stage.groups(self.model), *([] if self.judge is None else [self.stage.judge_groups()])]

    @property
    def finished(self) -> bool:
        """Whether the stage has made all its steps."""
        return self.step >= self.steps

    def run(self, until: int | None = None) -> dict[str, Tensor]:
        """The averaged weights after training from the checkpoint, if there is one, to the end, `until` or deadline."""
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self._load()
        else:
            self.stage.prepare(self.model)
            for module in filter(None, (self.model, self.judge)):
                self.processes.start_alike(module)
            self.average = {key: value.clone() for key, value in self.model.state_dict().items()}
        self._set_mode()
        last = min(self.steps, until or self.steps)
        began = time.monotonic()
        with closing(ahead(self._batches, self.step, last)) as steps:
            for batches in steps:
                losses = self._step(batches)
                late = self._late()
                if self.processes.first:
                    if self._due(self.settings.log_every, last):
                        self._write_log(losses, time.monotonic() - began)
                    if late or self._due(self.settings.save_every, last):
                        self._save()
                    if hasattr(self.stage, "preview") and self._due(self.settings.show_every, last):
                        self._show()
                if late:
                    break
        return self.average

    def _due(self, every: int, last: int) -> bool:
        return every > 0 and (self.step % every == 0 or self.step == last)

    def _late(self) -> bool:
        deadline = self.settings.deadline
        return deadline is not None and self.processes.any(time.monotonic() > deadline, self.device)

    def _set_mode(self) -> None:
        self.stage.set_mode(self.model)
        if self.judge is not None:
            self.judge.train()

    def _batches(self, step: int) -> list[Any]:
        """A step's batches; what they show depends on seed, stage, step and process alone."""
        own = [self.processes.rank] if self.processes.rank else []
        rng = np.random.default_rng([self.settings.seed, *self.stage.name.encode(), step, *own])
        return [self.stage.batch(self.examples, rng, step / self.steps) for _ in range(self.settings.accumulate)]

    def _step(self, batches: list[Any]) -> dict[str, float]:
        torch.manual_seed(self.settings.seed * 1_000_003 + self.step + self.processes.rank * RANK_STRIDE)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(group["peak"], self.step, self.steps, self.stage.warmup)
            optimiser.zero_grad(set_to_none=True)
        total: dict[str, float] = {}
        for batch in (_on(batch, self.device) for batch in batches):
            if self.judge is not None:
                self.judge.requires_grad_(False)
            self._learn(partial(self.stage.loss, self.model, batch), len(batches), total)
            if self.judge is not None:
                self.judge.requires_grad_(True)
                self._learn(partial(self.stage.judge_loss, batch), len(batches), total, "judge ")
        for module, optimiser in zip((self.model, self.judge), self.optimisers, strict=False):
            assert module is not None
            self.processes.average_gradients(module.parameters())
            self.processes.average_buffers(module)
            norm = nn.utils.clip_grad_norm_(module.parameters(), CLIP)
            # One overflow would make every weight NaN, and the checkpoint with them.
            if torch.isfinite(norm):
                optimiser.step()
            else:
                log.warning("%s %d: the gradients overflowed; this step changes nothing", self.stage.name, self.step)
                self._mend_statistics()
        self.step += 1
        self._follow()
        return total

    def _learn(
        self, ask: Callable[[], dict[str, Tensor]], count: int, total: dict[str, float], prefix: str = ""
    ) -> None:
        """Gradients of one batch of `count`; adds its losses to `total`."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.half):
            losses = ask()
        (losses["total"] / count).backward()
        for name, value in losses.items():
            total[prefix + name] = total.get(prefix + name, 0.0) + float(value.detach()) / count

    def _mend_statistics(self) -> None:
        """Batch-norm statistics that an overflow reached are those of the average again."""
        for name, buffer in self.model.named_buffers():
            if not torch.isfinite(buffer).all():
                buffer.copy_(self.average[name])

    def _follow(self) -> None:
        """Moves the average, batch-norm statistics included, towards the weights."""
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for key, value in self.model.state_dict().items():
                # Spectral norm's vectors have length 1, which their average has not.
                if value.is_floating_point() and not key.endswith(("weight_u", "weight_v")):
                    self.average[key].lerp_(value, 1 - decay)
                else:
                    self.average[key].copy_(value)

    def _show(self) -> None:
        """A PNG of what the averaged weights answer to a fixed batch, where the stage says how."""
        rng = np.random.default_rng([HELD_SEED, *self.stage.name.encode()])
        batch = _on(self.stage.batch(self.held, rng, 1.0), self.device)
        own = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        self.model.eval()
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.half):
            rows = self.stage.preview(self.model, batch)
        self.model.load_state_dict(own)
        self._set_mode()
        pictures.write(self.settings.folder / "pictures" / f"{self.stage.name}_{self.step:06}.png", rows)

    def _write_log(self, losses: dict[str, float], seconds: float) -> None:
        self.journal.write(self.step, losses)
        log.info("%s %d/%d: loss %.4f, %.0f s", self.stage.name, self.step, self.steps, losses["total"], seconds)

    def _save(self) -> None:
        state = {
            "step": self.step,
            "steps": self.steps,
            "seed": self.settings.seed,
            "model": self.model.state_dict(),
            "average": self.average,
            "optimiser": self.optimisers[0].state_dict(),
        }
        if self.judge is not None:
            state |= {"judge": self.judge.state_dict(), "judge_optimiser": self.optimisers[1].state_dict()}
        temporary = self.checkpoint.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def _load(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if (state["steps"], state["seed"]) != (self.steps, self.settings.seed):
            raise ValueError(
                f"{self.checkpoint} belongs to a run of {state['steps']} steps with seed {state['seed']}: "
                "continue it with the same, or choose another folder"
            )
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        self.optimisers[0].load_state_dict(state["optimiser"])
        if self.judge is not None:
            self.judge.load_state_dict(state["judge"])
            self.optimisers[1].load_state_dict(state["judge_optimiser"])
        if self.processes.first:
            self.journal.forget_after(self.step)


def learning_rate(peak: float, step: int, steps: int, warmup: int) -> float:
    """Linear warm-up, then a cosine down to 1 % of the peak."""
    return peak * min(1.0, (step + 1) / warmup) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _on(batch: Any, device: torch.device) -> Any:
    return type(batch)(*(getattr(batch, name).to(device) for name in batch.__dataclass_fields__))
