"""The training loop: seeded, resumable to the same losses, mixed precision, accumulation, exponential average."""

from __future__ import annotations

import json
import logging
import math
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)
EMA_DECAY = 0.998
CLIP = 5.0
PREFETCH = 4


class Stage(Protocol):
    """One stage of a recipe: how to prepare the network, what to show it, what to ask of it."""

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
    """`steps` 0 means the stage's own; `save_every` and `log_every` count steps; `accumulate` batches make a step."""

    folder: Path
    seed: int = 1
    steps: int = 0
    device: str = "cpu"
    half: bool = True
    accumulate: int = 1
    save_every: int = 100
    log_every: int = 20


class Trainer:
    """One stage's training. The state after a step depends on seed and step alone, so a killed run goes on unharmed."""

    def __init__(self, stage: Stage, model: nn.Module, examples: Any, settings: Settings) -> None:
        self.stage, self.examples, self.settings = stage, examples, settings
        self.device = torch.device(settings.device)
        self.model = model.to(self.device)
        self.steps = settings.steps or stage.steps
        self.step = 0
        groups = stage.groups(model)
        self.optimiser = torch.optim.Adam(groups, lr=0.0, betas=(0.9, 0.99))
        self.average: dict[str, Tensor] = {}
        self.checkpoint = settings.folder / f"{stage.name}.pt"
        self.log = settings.folder / f"{stage.name}.jsonl"

    def run(self, until: int | None = None) -> dict[str, Tensor]:
        """Trains from the checkpoint, if there is one, to the end or to step `until`; returns the averaged weights."""
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.exists():
            self._load()
        else:
            self.stage.prepare(self.model)
            self.average = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.stage.set_mode(self.model)
        last = min(self.steps, until or self.steps)
        began = time.monotonic()
        for batches in self._batches(last):
            losses = self._step(batches)
            if self.step % self.settings.log_every == 0 or self.step == last:
                self._write_log(losses, time.monotonic() - began)
            if self.step % self.settings.save_every == 0 or self.step == last:
                self._save()
        return self.average

    def _batches(self, last: int) -> Iterator[list[Any]]:
        """Each step's batches, made ahead in a thread; what they show depends on seed, stage and step alone."""
        ready: queue.Queue[list[Any] | BaseException] = queue.Queue(PREFETCH)
        stop = threading.Event()

        def make() -> None:
            try:
                for step in range(self.step, last):
                    rng = np.random.default_rng([self.settings.seed, *self.stage.name.encode(), step])
                    count = self.settings.accumulate
                    batches = [self.stage.batch(self.examples, rng, step / self.steps) for _ in range(count)]
                    while not stop.is_set():
                        try:
                            ready.put(batches, timeout=0.5)
                            break
                        except queue.Full:
                            continue
                    if stop.is_set():
                        return
            except BaseException as error:
                ready.put(error)

        maker = threading.Thread(target=make, name="examples", daemon=True)
        maker.start()
        try:
            for _ in range(self.step, last):
                batches = ready.get()
                if isinstance(batches, BaseException):
                    raise batches
                yield batches
        finally:
            stop.set()
            maker.join()

    def _step(self, batches: list[Any]) -> dict[str, float]:
        torch.manual_seed(self.settings.seed * 1_000_003 + self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(group["peak"], self.step, self.steps, self.stage.warmup)
        self.optimiser.zero_grad(set_to_none=True)
        total: dict[str, float] = {}
        for batch in batches:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.half):
                losses = self.stage.loss(self.model, _on(batch, self.device))
            (losses["total"] / len(batches)).backward()
            for name, value in losses.items():
                total[name] = total.get(name, 0.0) + float(value.detach()) / len(batches)
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimiser.step()
        self.step += 1
        self._follow()
        return total

    def _follow(self) -> None:
        """Moves the average, batch-norm statistics included, towards the weights."""
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for key, value in self.model.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - decay)
                else:
                    self.average[key].copy_(value)

    def _write_log(self, losses: dict[str, float], seconds: float) -> None:
        entry = {"step": self.step, **{name: round(value, 6) for name, value in losses.items()}}
        with self.log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        log.info("%s %d/%d: loss %.4f, %.0f s", self.stage.name, self.step, self.steps, losses["total"], seconds)

    def _save(self) -> None:
        state = {
            "step": self.step,
            "steps": self.steps,
            "seed": self.settings.seed,
            "model": self.model.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }
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
        self.optimiser.load_state_dict(state["optimiser"])


def learning_rate(peak: float, step: int, steps: int, warmup: int) -> float:
    """Linear warm-up, then a cosine down to 1 % of the peak."""
    return peak * min(1.0, (step + 1) / warmup) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _on(batch: Any, device: torch.device) -> Any:
    return type(batch)(*(getattr(batch, name).to(device) for name in batch.__dataclass_fields__))
