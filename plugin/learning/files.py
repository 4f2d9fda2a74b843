"""What learning keeps on disk: the weights with their card, and beside them what it goes on from and how it stands.

Every file is whole or not there. `OUT.state` is what the same command goes on from, to the same bits; it may be
deleted. `OUT.status.json` says how it stands, `OUT.preview.png` shows it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import weights
from models.weights import store
from models.weights.errors import BadFile
from models.weights.formats.safetensors_file import read_metadata
from nodes.errors import OutputError, ParameterError
from nodes.footage.atomic_file import cannot_write, write_file
from nodes.learning.card import Card, read_card

if TYPE_CHECKING:
    from torch import Tensor

ENDING = ".safetensors"
NETWORK = "learned"


@dataclass(frozen=True)
class LearningState:
    """What learning goes on from: the teacher's tensors, and how far it was.

    `lessons` tells what was taught, `losses` are steps and mean losses. `start` are the weights it began with, by their
    sha256, and `fresh` says that these were none that know the shot.
    """

    tensors: Mapping[str, Tensor]
    lessons: str
    step: int
    seconds: float
    losses: list[list[float]]
    start: str = ""
    fresh: bool = True


class Files:
    """The files of one `--out`."""

    def __init__(self, out: str) -> None:
        if not out.endswith(ENDING):
            raise ParameterError(f"--out {out} does not end in {ENDING}: that is what weights are written as")
        self.weights = os.path.abspath(os.path.expanduser(out))
        self.state, self.status = f"{self.weights}.state", f"{self.weights}.status.json"
        self.preview = f"{self.weights}.preview.png"

    @property
    def all(self) -> list[str]:
        return [self.weights, self.state, self.status, self.preview]

    def known(self) -> Card | None:
        """The card of weights that are there already. Raises ParameterError where the file is somebody else's."""
        if not os.path.lexists(self.weights):
            return None
        with contextlib.suppress(BadFile, OSError):
            metadata = read_metadata(Path(self.weights))
            if metadata.get("network") == NETWORK and (card := read_card(metadata)):
                return card
        raise ParameterError(
            f"{self.weights} is there already and was not made by cleanplate learn: choose another --out"
        )

    def write_weights(self, tensors: Mapping[str, Tensor], card: Card) -> str:
        """Writes the weights; returns their sha256. Raises WeightsError."""
        options = {"kind": card.kind}
        return weights.save(
            Path(self.weights), tensors, NETWORK, options, licence=card.settings.get("licence", "yours"), **card.texts()
        )

    def write_state(self, state: LearningState) -> None:
        """Raises WeightsError."""
        from safetensors.torch import save

        about = {"lessons": state.lessons, "step": str(state.step), "seconds": repr(state.seconds)}
        about |= {"losses": json.dumps(state.losses), "start": state.start, "fresh": str(int(state.fresh))}
        tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors.items()}
        data = save(tensors, about)
        with store.replacing(Path(self.state)) as file:
            file.write(data)

    def read_state(self, lessons: str) -> LearningState | None:
        """What was written while the same was taught; None where there is nothing, or nothing that can be read."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.state, "pt") as file:
                about = file.metadata() or {}
                if about.get("lessons") != lessons:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            losses = [[int(step), float(loss)] for step, loss in json.loads(about["losses"])]
            numbers = int(about["step"]), float(about["seconds"])
            return LearningState(tensors, lessons, *numbers, losses, about["start"], about["fresh"] == "1")
        except (SafetensorError, OSError, KeyError, ValueError, TypeError):
            return None

    def write_status(self, status: Mapping[str, Any]) -> None:
        """How this process stands: `state` and `text`, and more while it learns; see `Learner.tell`.

        Nobody's learning ends because nobody can look at it.
        """
        whole = {**status, "pid": os.getpid(), "time": round(time.time(), 3)}
        with contextlib.suppress(OutputError):
            write_file(self.status, (json.dumps(whole, indent=1) + "\n").encode())

    def check_writable(self) -> None:
        """Raises OutputError where nothing can be written beside the weights."""
        folder = os.path.dirname(self.weights)
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.weights, error) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"{self.weights} cannot be written: you lack the permission to write there.")
