"""What a file of `cleanplate learn` taught, as the node uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch

from models import weights
from models.learning.network import LearnedNetwork
from models.learning.pupil import Pupil
from models.weights import WeightsError, WeightsRef
from models.weights.formats.checkpoint import open_checkpoint
from nodes.engine import Device
from nodes.learning.card import Card, read_card
from nodes.learning.keys import TaughtKind
from nodes.learning.region import Region


@dataclass(frozen=True)
class Remembered:
    """What a file holds beside the network: what it remembers of the shots, and its card."""

    shot: dict[str, torch.Tensor]
    card: Card

    @property
    def region(self) -> Region:
        return self.card.shots[0].region

    @property
    def exposure(self) -> float:
        return float(self.card.settings["exposure"])

    @property
    def with_plate(self) -> bool:
        return any(shot.plate for shot in self.card.shots)

    @property
    def key_frames(self) -> frozenset[int]:
        return frozenset(frame for shot in self.card.shots for frame in shot.keys)


def load(asked: str, ref: WeightsRef, device: Device) -> tuple[Pupil, Remembered, TaughtKind]:
    """Raises WeightsError where the file is none that `cleanplate learn` wrote."""
    memory = device.kept(f"learned {ref.sha256}", lambda: _remembered(ref))
    # In half precision a matte that was learned in full would not be the one that was previewed.
    network = cast(LearnedNetwork, device.model(asked, "learned", ref.options, torch.float32))
    with whole_memory(ref):
        pupil = Pupil(network, memory.shot)
    return pupil, memory, cast(TaughtKind, ref.options.get("kind", "matte"))


@contextmanager
def whole_memory(ref: WeightsRef) -> Iterator[None]:
    """Says that the file is damaged where what it remembers does not hang together, which may show only at a frame."""
    try:
        yield
    except (ValueError, KeyError):
        raise WeightsError(
            f"the weights '{ref.name}' are damaged: what they remember of the shot is not whole"
        ) from None


def _remembered(ref: WeightsRef) -> Remembered:
    with open_checkpoint(ref.path) as checkpoint:
        card = read_card(checkpoint.metadata)
    if card is None:
        raise WeightsError(
            f"the weights '{ref.name}' do not say what they were taught: they are not as cleanplate learn wrote them"
        )
    return Remembered(weights.load_remembered(ref), card)
