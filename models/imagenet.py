"""The normalisation that networks trained on ImageNet expect."""

from __future__ import annotations

from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalise(x: Tensor) -> Tensor:
    """[...,3,H,W], display-encoded RGB 0..1, to mean 0 and deviation 1 over ImageNet."""
    mean, std = (x.new_tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (x - mean) / std
