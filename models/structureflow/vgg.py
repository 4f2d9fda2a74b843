"""Features of VGG-19 for the texture stage's losses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

from torch import Tensor, nn
from torchvision.models.vgg import vgg19

from ..imagenet import normalise
from ..weights import load_state_dict


class VGG19Features(nn.Module):
    """The first activation of each of the five scales of VGG-19 (arXiv:1409.1556): relu1_1 to relu5_1.

    The network is fixed: it stays in eval mode and its weights take no gradient.  Published code feeds it pictures in
    -1..1 as they are; here they are normalised as the network was trained.
    """

    taps = (1, 6, 11, 20, 29)

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        """`state`: weights by torchvision's names (`features.0.weight` ...); a classifier among them is ignored.

        Raises RuntimeError, which names them, if weights are missing or have another shape.
        """
        super().__init__()
        self.features = vgg19(init_weights=False).features[: self.taps[-1] + 1]
        self.load_state_dict({k: v for k, v in state.items() if k in self.state_dict()})
        self.requires_grad_(False).eval()

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """With weights from a file of any format that `models.weights` reads."""
        return cls(load_state_dict(path))

    def forward(self, x: Tensor, count: int = 5) -> list[Tensor]:
        """x: [B,3,H,W], RGB -1..1.  The first `count` of the five features, at 1/1, 1/2, 1/4, 1/8 and 1/16 size."""
        x = normalise((x + 1) / 2)
        found = []
        for index, layer in enumerate(self.features[: self.taps[count - 1] + 1]):
            x = layer(x)
            if index in self.taps:
                found.append(x)
        return found

    def train(self, mode: bool = True) -> Self:
        return super().train(False)
