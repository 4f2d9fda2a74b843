"""What can be trained: for each name the network, its stages and where its examples come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.training import bgmv2, inpaint, segment
from models.training.folders import FolderExamples, FolderPlates
from models.training.inpaint import Plates
from models.training.pool import Pool
from models.training.rigs import RigPool
from models.training.trainer import Stage


@dataclass(frozen=True)
class Recipe:
    """`file` is the stem of the exported weights; `drawn` makes examples of a drawn pool's folder, `own` of a user's
    pictures, where the recipe can use some."""

    file: str
    network: str
    options: Mapping[str, Any]
    stages: Sequence[type[Stage]]
    new_model: Callable[[], Any]
    drawn: Callable[[Path], Any]
    own: Callable[[Path], Any] | None = None

    def stages_named(self, name: str) -> list[Stage]:
        """All stages for `all`, else the one of that name. Raises ValueError where there is none."""
        chosen = [stage() for stage in self.stages if name in ("all", stage.name)]
        if not chosen:
            known = ", ".join(stage.name for stage in self.stages)
            raise ValueError(f"there is no stage '{name}' for these weights: the stages are {known}")
        return chosen


def find(name: str, backbone: str = "mobilenetv2") -> Recipe:
    """The recipe `bgmv2`, `inpaint` or `segment`; `backbone` is BGMv2's."""
    if name == "bgmv2":
        return Recipe(
            f"bgmv2_{backbone}",
            "bgmv2",
            {"backbone": backbone},
            bgmv2.STAGES,
            lambda: bgmv2.new_model(backbone),
            Pool,
            FolderExamples,
        )
    if name == "inpaint":
        return Recipe(
            "inpaint_lama",
            "lama",
            inpaint.OPTIONS,
            inpaint.STAGES,
            inpaint.new_model,
            lambda folder: Plates(Pool(folder)),
            lambda folder: Plates(FolderPlates(folder)),
        )
    return Recipe("segment_rigs", "hrnet_ocr", segment.OPTIONS, segment.STAGES, segment.new_model, RigPool)
