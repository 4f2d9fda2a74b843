"""Teaching the network an artist's key frames, a step at a time; may be stopped after any step."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.learning import foresight
from models.learning.carrying import Carried, carry
from models.learning.exercises import Exercise, Exercises
from models.learning.lesson import Lesson, Predicted, TaughtKind
from models.learning.memory import ShotMemory, packed, small_picture
from models.learning.network import LearnedNetwork
from models.learning.pupil import answer, as_tensor

PIECES = 4
RATE, WARM, SLOWING = 8e-4, 20, 400
LEAK = 0.1  # slope of alpha beyond 0..1: with none, what is wrong by far would stay so


class Teacher:
    """Teaches one network `lessons`, all of one `kind`.

    Before anything else comes `prepare`. The same lessons, seed, machine and number of steps give the same weights, in
    one process or in several that go on from each other's `state`. `start` are tensors of the network to begin with.
    """

    def __init__(
        self,
        lessons: Sequence[Lesson],
        kind: TaughtKind,
        seed: int,
        device: torch.device,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.lessons, self.kind, self.device = lessons, kind, device
        torch.manual_seed(seed)
        self.rng = np.random.default_rng(seed)
        self.network = LearnedNetwork(kind).to(device).to(memory_format=torch.channels_last)
        if start is not None:
            self.network.load_state_dict(dict(start))
        self.network.eval()  # batch norm keeps its statistics: those of one shot would be poor ones
        self.mean = copy.deepcopy(self.network)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), RATE, betas=(0.9, 0.99), weight_decay=1e-4)
        self.steps = 0
        self.expected: dict[tuple[int, int], dict[int, float]] = {}  # of the last that was asked for

    def prepare(self, progress: Callable[[str, float], None]) -> None:
        """Carries the keys along the motion between frames, of which `progress` hears, 0..1."""
        self.carried: list[Carried] = []
        memories: list[ShotMemory] = []
        exercises: list[Exercise] = []
        for i, lesson in enumerate(self.lessons):

            def share(part: float, i: int = i) -> None:
                progress("following the motion", (i + part) / len(self.lessons))

            carried = carry(lesson, self.kind, share, os.cpu_count() or 1)
            small = np.stack([small_picture(lesson.picture(frame)) for frame in carried.frames])
            self.carried.append(carried)
            memories.append(ShotMemory(carried.frames, small, carried.hints))
            exercises += _exercises(lesson, carried)
        self.exercises = Exercises(self.kind, exercises)
        self.remembered = packed(memories)

    def step(self) -> float:
        """One step of learning; its loss."""
        self.steps += 1
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * min(1, self.steps / WARM) / (1 + self.steps / SLOWING) ** 0.5
        pieces = [self.exercises.draw(self.rng) for _ in range(PIECES)]
        x, truth = (as_tensor(np.stack(part), self.device) for part in zip(*pieces, strict=True))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=_fast_half(self.device)):
            value, error = self.network(x)
        loss = learning_loss(value.float(), error.float(), truth)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        keep = min(0.99, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for mean, now in zip(self.mean.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)
        return float(loss.detach())

    def state(self) -> dict[str, Tensor]:
        """All that a later process needs to go on, to the same bits."""
        state = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        state |= {f"mean.{name}": value for name, value in self.mean.state_dict().items()}
        for at, own in self.optimizer.state_dict()["state"].items():
            state |= {f"optimizer.{at}.{name}": value for name, value in own.items()}
        random = json.dumps(self.rng.bit_generator.state).encode()
        state |= {"steps": torch.tensor(self.steps), "random": torch.from_numpy(np.frombuffer(random, np.uint8).copy())}
        return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from a `state`."""
        own: dict[int, dict[str, Tensor]] = {}
        for part, network in (("network.", self.network), ("mean.", self.mean)):
            network.load_state_dict({n.removeprefix(part): v for n, v in state.items() if n.startswith(part)})
        for name, value in state.items():
            if name.startswith("optimizer."):
                _, at, key = name.split(".")
                own.setdefault(int(at), {})[key] = value.clone()
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": own})
        self.steps = int(state["steps"])
        self.rng.bit_generator.state = json.loads(state["random"].numpy().tobytes())

    def weights(self) -> dict[str, Tensor]:
        """What a file holds: the network's tensors, and `shot.*`, what it remembers of the shots."""
        network = {name: value.detach().cpu().clone().contiguous() for name, value in self.mean.state_dict().items()}
        return {**network, **self.remembered}

    def predict(self, lesson: int, frame: int) -> Predicted:
        """What the network makes of a frame now."""
        shot = self.lessons[lesson]
        hints = self.carried[lesson].hints.get(frame, (None, None))
        return answer(self.mean, shot.picture(frame), hints, shot.plate(frame) if shot.plate else None)

    def confidence(self, lesson: int) -> dict[int, float]:
        """How sure it is of each frame, 0..1 (models.learning.foresight)."""
        return {frame: foresight.confidence(error) for frame, error in self._expected(lesson).items()}

    def next_keys(self, lesson: int) -> list[int]:
        """Where another key would help most, best first."""
        return foresight.most_helpful(self._expected(lesson), sorted(self.lessons[lesson].keys))

    def _expected(self, lesson: int) -> dict[int, float]:
        at = (lesson, self.steps)
        if at not in self.expected:
            self.expected = {at: foresight.expected_errors(self.lessons[lesson], self.carried[lesson], self.mean)}
        return self.expected[at]


def learning_loss(value: Tensor, error: Tensor, truth: Tensor) -> Tensor:
    """L1 at four scales and of the slopes, and how well the network knows its own error; all [B, c, H, W]."""
    inside = value.clamp(0, 1)
    value = inside + LEAK * (value - inside)
    wrong = (inside.detach() - truth).abs().mean(1, keepdim=True)
    loss = 0.1 * F.binary_cross_entropy_with_logits(error, wrong)
    for axis in (-1, -2):
        loss = loss + 0.5 * (value.diff(dim=axis) - truth.diff(dim=axis)).abs().mean()
    for _ in range(4):
        loss = loss + 0.25 * (value - truth).abs().mean()
        value, truth = F.avg_pool2d(value, 2), F.avg_pool2d(truth, 2)
    return loss


def _exercises(lesson: Lesson, carried: Carried) -> list[Exercise]:
    """Each key with the hints that its neighbours are, and with those that it is itself."""
    found = []
    for key, before, after, neighbours in carried.examples:
        plate = lesson.plate(key) if lesson.plate else None
        share = 2.0 if neighbours else 1.0
        found.append(Exercise(lesson.picture(key), lesson.keys[key], before, after, plate, share))
    return found


def _fast_half(device: torch.device) -> bool:
    """Whether bfloat16 is worth it: on a GPU, and on processors that multiply it."""
    return device.type == "cuda" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
