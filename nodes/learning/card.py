"""The card in the header of weights that were taught: what they were taught, how, and how sure they are.

Each entry is a text called `card.*`, JSON. Free of torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nodes.footage.files.frame_list import format_frames
from nodes.learning.region import Region

PREFIX = "card."


@dataclass(frozen=True)
class TaughtShot:
    """A shot that was taught: what it is called, the frames with a key, the part of its format that was seen.

    `confidence` says for each frame how sure the weights are of it: 1 where no error is expected, and at keys; 0.9 for
    a mean error of 0.005, 0 for 0.05 and more. `next_keys` says where another key would help most.
    """

    source: str
    keys: Sequence[int]
    plate: bool
    region: Region
    confidence: Mapping[int, float] = field(default_factory=dict)
    next_keys: Sequence[int] = ()


@dataclass(frozen=True)
class Card:
    """`settings` are those of the command, `seconds` how long it learned, `losses` steps and mean losses up to them."""

    kind: str
    shots: Sequence[TaughtShot]
    settings: Mapping[str, Any]
    learned: str
    seconds: float
    steps: int
    losses: Sequence[Sequence[float]] = ()

    def texts(self) -> dict[str, str]:
        """What is written into the header."""
        shots = [
            {
                "source": shot.source,
                "keys": list(shot.keys),
                "plate": shot.plate,
                "region": shot.region.numbers(),
                "confidence": {str(frame): round(value, 3) for frame, value in shot.confidence.items()},
                "next_keys": list(shot.next_keys),
            }
            for shot in self.shots
        ]
        entries = {
            "kind": self.kind,
            "shots": shots,
            "settings": dict(self.settings),
            "learned": self.learned,
            "seconds": round(self.seconds, 1),
            "steps": self.steps,
            "losses": [list(entry) for entry in self.losses],
        }
        source = "; ".join(f"{shot.source}, keys {format_frames(shot.keys)}" for shot in self.shots)
        return {
            "source": f"cleanplate learn: {source}"[:1000],
            **{PREFIX + name: json.dumps(value, separators=(",", ":")) for name, value in entries.items()},
        }


def read_card(metadata: Mapping[str, str]) -> Card | None:
    """The card in a header; None where there is none, or none as `cleanplate learn` writes it."""
    try:
        entries = {name: json.loads(metadata[PREFIX + name]) for name in ("shots", "settings", "losses")}
        kind, learned = (str(json.loads(metadata[PREFIX + name])) for name in ("kind", "learned"))
        seconds, steps = float(metadata[f"{PREFIX}seconds"]), int(metadata[f"{PREFIX}steps"])
        shots = [_shot(entry) for entry in entries["shots"]]
        settings = {str(name): value for name, value in entries["settings"].items()}
        float(settings["exposure"])
        losses = [[int(step), float(loss)] for step, loss in entries["losses"]]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return Card(kind, shots, settings, learned, seconds, steps, losses) if shots else None


def _shot(entry: Mapping[str, Any]) -> TaughtShot:
    confidence = {int(frame): float(value) for frame, value in entry["confidence"].items()}
    keys, following = ([int(frame) for frame in entry[name]] for name in ("keys", "next_keys"))
    return TaughtShot(
        str(entry["source"]), keys, bool(entry["plate"]), Region.read(entry["region"]), confidence, following
    )
