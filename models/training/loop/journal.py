"""The losses of a stage, one JSON object a line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path


class Journal:
    """STAGE.jsonl: `step` and each loss."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, step: int, losses: Mapping[str, float]) -> None:
        """Adds a line."""
        entry = {"step": step, **{name: round(value, 6) for name, value in losses.items()}}
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def forget_after(self, step: int) -> None:
        """Takes out what a killed run wrote after its last checkpoint."""
        if self.path.exists():
            lines = [line for line in self.path.read_text().splitlines() if _step_of(line) <= step]
            self.path.write_text("".join(f"{line}\n" for line in lines))


def _step_of(line: str) -> float:
    """The step of a line; infinite where the kill cut it short."""
    try:
        return float(json.loads(line)["step"])
    except ValueError:
        return math.inf
