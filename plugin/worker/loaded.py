"""Networks that are loaded, and what is told about their weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from models.weights import WeightsRef, other_half
from nodes.engine import WeightsInfo
from plugin.worker.fields import ModelStatus
from plugin.worker.fitting import fitted


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
    precision = str(key.dtype).removeprefix("torch.")
    ref = key.ref
    return ModelStatus(
        name=fitted(ref.name),
        network=key.network,
        precision=precision,
        bytes=size,
        state=ref.state,
        path=fitted(ref.path),
        sha256=ref.sha256,
        licence=fitted(ref.licence),
        use=fitted(ref.use),
    )


def weights_info(ref: WeightsRef) -> WeightsInfo:
    """Weights that were found, as an engine and a client see them."""
    return WeightsInfo(
        name=ref.name,
        sha256=ref.sha256,
        network=ref.network,
        options=dict(ref.options),
        path=str(ref.path),
        state=ref.state,
        licence=ref.licence,
        use=ref.use,
        terms=ref.terms,
        source=ref.source,
        other_half=other_half(ref),
    )
