"""The inpainting networks, each called as its authors do: value ranges, mask polarity, sizes, padding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from models.structureflow.smoothing import smooth

# Loads a network of the node by its name.
Load = Callable[[str], nn.Module]


@dataclass(frozen=True)
class FillNetwork:
    """How one kind of network is run: `run(load, shown, hole)` gives the filled picture.

    `shown` `[1,3,H,W]`, display-encoded 0..1, and `hole` `[1,1,H,W]`, 1 where to fill, have sides that are multiples
    of `multiple` and at least `least`; the result is as `shown` and only meant to be used in the hole. `parts` are the
    names of the networks used. Where `rough` is set, `shown` holds a smooth fill in the hole.
    """

    parts: tuple[str, ...]
    multiple: int
    least: int
    run: Callable[[Load, Tensor, Tensor], Tensor]
    rough: bool = False

    def fill(self, load: Load, shown: Tensor, hole: Tensor) -> Tensor:
        """As `run`, at any size: the picture is mirrored beyond its right and lower border."""
        height, width = shown.shape[-2:]
        rows, columns = (_mirrored(n, max(self.least, n + -n % self.multiple)) for n in (height, width))

        def padded(image: Tensor) -> Tensor:
            return image[..., rows.to(image.device), :][..., columns.to(image.device)]

        return self.run(load, padded(shown), padded(hole))[..., :height, :width].clamp(0, 1)


def _mirrored(length: int, wanted: int) -> Tensor:
    """Indices 0..length-1 and back and forth until there are `wanted`; the border pixel stands twice."""
    there_and_back = torch.cat([torch.arange(length), torch.arange(length - 1, -1, -1)])
    return there_and_back.repeat(-(-wanted // (2 * length)))[:wanted]


def _lama(name: str) -> Callable[[Load, Tensor, Tensor], Tensor]:
    """0..1 in and out, an empty hole."""

    def run(load: Load, shown: Tensor, hole: Tensor) -> Tensor:
        return cast(Tensor, load(name)(torch.cat([shown * (1 - hole), hole], dim=1)))

    return run


def _lama_detail(load: Load, shown: Tensor, hole: Tensor) -> Tensor:
    """0..1 in and out, a smooth fill in the hole."""
    return cast(Tensor, load("lama_detail")(torch.cat([shown, hole], dim=1)))


def _pennet(load: Load, shown: Tensor, hole: Tensor) -> Tensor:
    """-1..1 in and out, a white hole; the mask once more for the attention."""
    masked = (2 * shown - 1) * (1 - hole) + hole
    return cast(Tensor, load("pennet")(torch.cat([masked, hole], dim=1), hole).output + 1) / 2


def _structureflow(load: Load, shown: Tensor, hole: Tensor) -> Tensor:
    """-1..1 in and out, a grey hole; first the structure, then the texture from it.

    The picture is smoothed with the rough fill in its hole, so that nothing of what is removed reaches the structure.
    """
    picture = (2 * shown - 1) * (1 - hole)
    structure = (2 * smooth(shown.float()).to(shown.dtype) - 1) * (1 - hole)
    structure = load("structureflow_structure")(torch.cat([picture, structure, hole], dim=1))
    return cast(Tensor, load("structureflow_flow")(torch.cat([picture, structure, hole], dim=1)).image + 1) / 2


# The best first.
NETWORKS = {
    "lama": FillNetwork(("lama",), 8, 16, _lama("lama")),
    "lama regular": FillNetwork(("lama_regular",), 8, 16, _lama("lama_regular")),
    "structureflow": FillNetwork(("structureflow_flow", "structureflow_structure"), 16, 48, _structureflow, rough=True),
    "pennet": FillNetwork(("pennet",), 64, 64, _pennet),
    "lama detail": FillNetwork(("lama_detail",), 8, 16, _lama_detail, rough=True),
}


@dataclass(frozen=True)
class Chosen:
    """A network with its weights: for each part the name to ask the device for and the weights' options and digest."""

    model: str
    network: FillNetwork
    names: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
