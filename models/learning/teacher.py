"""Teaches the network one shot, step by step; the same lessons, seed and machine give the same bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.learning.lesson import Lesson, Predicted, TaughtKind
from models.learning.network import LearnedNetwork, leaky
from models.learning.pupil import FRAMES, KEYS, Pupil, as_tensor

CROP = 96
RATE = 2e-3


class Teacher:
    """`start` are tensors of the network to begin with; without them it begins with new ones of this `seed`."""

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
        self.network = LearnedNetwork(kind).to(device)
        if start:
            self.network.load_state_dict(dict(start))
        self.optimiser = torch.optim.AdamW(self.network.parameters(), RATE)
        self.random = torch.Generator().manual_seed(seed)
        self.frames = [list(lesson.keys) for lesson in lessons]
        self.keys = [_stacked(lesson) for lesson in lessons]

    def prepare(self, progress: Callable[[str, float], None]) -> None:
        """Looks at the frames with keys; `progress` is told what is done and how far it is, 0..1."""
        pairs = [(lesson, frame) for lesson in self.lessons for frame in lesson.keys]
        for done, (lesson, frame) in enumerate(pairs):
            progress("reading", done / len(pairs))
            lesson.picture(frame)
        progress("reading", 1.0)

    def step(self) -> float:
        """One step of learning; its loss."""
        which = self._pick(len(self.lessons))
        lesson, frames, keys = self.lessons[which], self.frames[which], self.keys[which]
        at = self._pick(len(frames))
        others = [index for index in range(len(frames)) if index != at] or [at]
        other = others[self._pick(len(others))]
        picture, truth = as_tensor(lesson.picture(frames[at])), keys[at : at + 1].float() / 255
        rows, columns = (self._part(side) for side in truth.shape[-2:])
        picture, truth = picture[..., rows, columns], truth[..., rows, columns]
        hint = (keys[other : other + 1].float() / 255)[..., rows, columns]
        answer = leaky(self.network(picture.to(self.device), hint.to(self.device)))
        loss = F.l1_loss(answer, truth.to(self.device))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())

    def state(self) -> dict[str, Tensor]:
        """All that a later process needs to go on, to the same bits."""
        state = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for at, own in self.optimiser.state_dict()["state"].items():
            state |= {f"optimiser.{at}.{name}": value for name, value in own.items()}
        return {**{name: value.detach().cpu().clone() for name, value in state.items()}, "random": self._random()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from a `state`."""
        network = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
        self.network.load_state_dict(network)
        own: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            if name.startswith("optimiser."):
                _, at, key = name.split(".")
                own.setdefault(int(at), {})[key] = value.clone()
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": own})
        self.random.set_state(state["random"])

    def weights(self) -> dict[str, Tensor]:
        """What a file holds: the network's tensors, and `shot.*`, what it remembers of the shots."""
        network = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
        return {**network, KEYS: self.keys[0], FRAMES: torch.tensor(self.frames[0])}

    def predict(self, lesson: int, frame: int) -> Predicted:
        """What the network makes of a frame now."""
        pupil = Pupil(self.network, {KEYS: self.keys[lesson], FRAMES: torch.tensor(self.frames[lesson])})
        return pupil(self.lessons[lesson].picture(frame), frame)

    def confidence(self, lesson: int) -> dict[int, float]:
        """How sure it is of each frame, 0..1: less the further the next key is."""
        keys = self.frames[lesson]
        return {frame: 1 / (1 + min(abs(frame - key) for key in keys) / 10) for frame in self.lessons[lesson].frames}

    def next_keys(self, lesson: int) -> list[int]:
        """Where another key would help most, best first."""
        sure = self.confidence(lesson)
        return sorted((frame for frame in sure if frame not in self.frames[lesson]), key=lambda f: (sure[f], f))[:5]

    def _pick(self, count: int) -> int:
        return int(torch.randint(count, (1,), generator=self.random))

    def _part(self, side: int) -> slice:
        first = self._pick(max(1, side - CROP + 1))
        return slice(first, first + min(CROP, side))

    def _random(self) -> Tensor:
        return self.random.get_state().clone()


def _stacked(lesson: Lesson) -> Tensor:
    """The keys of a lesson, uint8 `[K,C,h,w]`."""
    keys = np.stack([np.rint(255 * key).astype(np.uint8).transpose(2, 0, 1) for key in lesson.keys.values()])
    return torch.from_numpy(np.ascontiguousarray(keys))
