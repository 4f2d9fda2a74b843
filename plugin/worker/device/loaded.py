"""Networks that are loaded, and what is told about their weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import torch

from models.weights import WeightsRef
from plugin.worker.protocol.fields import ModelStatus
from plugin.worker.protocol.fitting import fitted_record


@dataclass(frozen=True)
class ModelKey:
    """What makes two loaded networks the same: never what the weights are called or where they lie."""

    sha256: str
    network: str
    options: str
    dtype: torch.dtype
    compiled: bool
    ref: WeightsRef = field(compare=False)


def model_status(key: ModelKey, size: int) -> ModelStatus:
    """A loaded network of so many bytes, as the status tells it."""
    facts = dataclasses.replace(fitted_record(key.ref.facts), network=key.network)
    return ModelStatus(**vars(facts), precision=str(key.dtype).removeprefix("torch."), bytes=size)
