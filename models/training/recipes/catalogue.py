"""What can be trained: for each name the network, its stages and where its examples come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.lama.perceptual import HighReceptiveFieldLoss
from models.structureflow.vgg import VGG19Features
from models.training.data.clip_folders import FolderClips
from models.training.data.clip_pool import ClipPool
from models.training.data.folders import FolderExamples, FolderPlates
from models.training.data.pool import Pool
from models.training.data.rigs import RigPool
from models.training.loop.trainer import Stage
from models.training.recipes import bgmv2, inpaint, lama, pennet, rvm, segment, structureflow
from models.training.recipes.inpaint import Plates


@dataclass(frozen=True)
class ExportedPart:
    """Weights to export: of the network whose keys start with `prefix` in the trained model."""

    file: str
    network: str
    options: Mapping[str, Any]
    prefix: str = ""


@dataclass(frozen=True)
class Recipe:
    """`file` is the stem of the exported weights; `drawn` makes examples of a drawn pool's folder, `own` of a user's
    pictures, where the recipe can use some.

    `held` makes the examples of the pictures in the log, of a drawn pool's folder; `parts` are what is exported of a
    model of several networks; `features` reads the fixed network that perceptual losses look through.
    """

    file: str
    network: str
    options: Mapping[str, Any]
    stages: Sequence[type[Stage]]
    new_model: Callable[[], Any]
    drawn: Callable[[Path], Any]
    own: Callable[[Path], Any] | None = None
    held: Callable[[Path], Any] | None = None
    parts: Sequence[ExportedPart] = ()
    features: Callable[[Path], Any] | None = None

    def stages_named(self, name: str) -> list[Stage]:
        """All stages for `all`, else the one of that name. Raises ValueError where there is none."""
        chosen = [stage() for stage in self.stages if name in ("all", stage.name)]
        if not chosen:
            known = ", ".join(stage.name for stage in self.stages)
            raise ValueError(f"there is no stage '{name}' for these weights: the stages are {known}")
        return chosen

    def stage_before(self, name: str) -> str:
        """The name of the stage that this one goes on from, "" for the first."""
        names = [stage.name for stage in self.stages]
        return ["", *names][names.index(name)]

    def weights(self, state: Mapping[str, Any]) -> Iterator[tuple[ExportedPart, dict[str, Any]]]:
        """What to export of a trained model's state."""
        for part in self.parts or (ExportedPart(self.file, self.network, self.options),):
            yield part, {k.removeprefix(part.prefix): v for k, v in state.items() if k.startswith(part.prefix)}


FILLS: dict[str, Any] = {
    "drawn": lambda folder: Plates(Pool(folder)),
    "own": lambda folder: Plates(FolderPlates(folder)),
    "held": lambda folder: Plates(Pool(folder, "held")),
}


def find(name: str, backbone: str = "mobilenetv2") -> Recipe:
    """The recipe `bgmv2`, `rvm`, `inpaint`, `lama`, `pennet`, `structureflow` or `segment`; `backbone` is BGMv2's."""
    if name == "bgmv2":
        return Recipe(
            f"bgmv2_{backbone}",
            "bgmv2",
            {"backbone": backbone},
            bgmv2.STAGES,
            lambda: bgmv2.new_model(backbone),
            Pool,
            FolderExamples,
            held=lambda folder: Pool(folder, "held"),
        )
    if name == "rvm":
        return Recipe(
            "rvm_mobilenetv3",
            "rvm",
            rvm.OPTIONS,
            rvm.STAGES,
            rvm.new_model,
            lambda folder: ClipPool(Pool(folder)),
            FolderClips,
            held=lambda folder: ClipPool(Pool(folder, "held")),
        )
    if name == "inpaint":
        return Recipe("inpaint_detail", "lama_detail", inpaint.OPTIONS, inpaint.STAGES, inpaint.new_model, **FILLS)
    if name == "lama":
        return Recipe(
            "inpaint_lama",
            "lama",
            lama.OPTIONS,
            lama.STAGES,
            lama.new_model,
            **FILLS,
            features=HighReceptiveFieldLoss.from_file,
        )
    if name == "pennet":
        return Recipe("inpaint_pennet", "pennet", pennet.OPTIONS, pennet.STAGES, pennet.new_model, **FILLS)
    if name == "structureflow":
        return Recipe(
            "inpaint_structureflow",
            "structureflow_flow",
            structureflow.OPTIONS,
            structureflow.STAGES,
            structureflow.new_model,
            **FILLS,
            parts=[
                ExportedPart(
                    f"inpaint_structureflow_{half}", f"structureflow_{half}", structureflow.OPTIONS, f"{half}."
                )
                for half in ("structure", "flow")
            ],
            features=VGG19Features.from_file,
        )
    return Recipe(
        "segment_rigs",
        "hrnet_ocr",
        segment.OPTIONS,
        segment.STAGES,
        segment.new_model,
        RigPool,
        held=lambda folder: RigPool(folder, "held"),
    )
