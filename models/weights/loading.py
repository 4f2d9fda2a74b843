"""From weights that were found to tensors and networks. The only part of the package, with import, that needs torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import models
from models.weights import registry
from models.weights.errors import WeightsError
from models.weights.fit import fitted_arrays, fitting_network, key_plan
from models.weights.formats.checkpoint import Checkpoint, open_checkpoint
from models.weights.hashes import digest
from models.weights.header import check_options
from models.weights.identify import values_taken
from models.weights.reference import WeightsRef, describe_terms

if TYPE_CHECKING:
    from torch import Tensor, nn


def complete(ref: WeightsRef) -> WeightsRef:
    """The same weights with `network` and `options` known: a foreign file is looked into, its shapes decide.

    Raises WeightsError if the file fits no network of the house.
    """
    if ref.network:
        return ref
    with open_checkpoint(ref.path) as checkpoint:
        guess = fitting_network(checkpoint.arrays, checkpoint.label)
        values = values_taken(checkpoint.arrays, guess.network, guess.options)
    published = {entry.licence.word for entry in registry.entries().values() if entry.network == guess.network}
    terms = ref.terms or describe_terms("unknown")
    if ref.licence == "unknown" and published:
        terms += f" The published weights of this network are under {', '.join(sorted(published))}."
    return dataclasses.replace(ref, network=guess.network, options=dict(guess.options), terms=terms, values=values)


def load_model_weights(
    ref: WeightsRef, network: str | None = None, options: Mapping[str, Any] | None = None
) -> dict[str, Tensor]:
    """The tensors of the weights under the network's own keys, on the CPU, checked, as float32 or float16.

    `network` and `options` are what to fit them to; without them what the weights say they are. The bytes that are
    loaded are those that `ref.sha256` names, or nothing is. Raises WeightsError if the file has changed since it was
    found, does not fit, or is spoilt.
    """
    if network is None:
        ref = complete(ref)
        network, options = ref.network, ref.options
    check_options(network, options or {}, ref.name)
    with open_checkpoint(ref.path) as checkpoint:
        tensors = _fitted(checkpoint, network, options or {})
        _check_unchanged(checkpoint, ref)
    return tensors


def load_remembered(ref: WeightsRef) -> dict[str, Tensor]:
    """The tensors that a file holds beside its network's, which say what it remembers, on the CPU and as they are.

    Raises WeightsError if the file has changed since it was found, or is spoilt.
    """
    known = registry.networks().get(complete(ref).network)
    with open_checkpoint(ref.path) as checkpoint:
        names = [name for name in checkpoint.arrays if known and name.startswith(known.remembers)]
        tensors = {name: checkpoint.tensor(name) for name in names}
        _check_unchanged(checkpoint, ref)
    return tensors


def build(ref: WeightsRef, options: Mapping[str, Any] | None = None) -> nn.Module:
    """The network of the weights, loaded, in eval mode, on the CPU, in float32.

    `options` are added to those of the weights, or replace them (a refinement mode, another refiner). Raises
    WeightsError as `load_model_weights` does.
    """
    ref = complete(ref)
    wanted = {**ref.options, **(options or {})}
    tensors = load_model_weights(ref, ref.network, wanted)
    model = models.create(ref.network, **wanted)
    model.load_state_dict(tensors)
    return model


def _check_unchanged(checkpoint: Checkpoint, ref: WeightsRef) -> None:
    checkpoint.file.seek(0)
    if digest(checkpoint.file) != ref.sha256:
        raise WeightsError(f"{ref.path} changed while it was being loaded; try again")


def _fitted(checkpoint: Checkpoint, network: str, options: Mapping[str, Any]) -> dict[str, Tensor]:
    try:
        fitting = key_plan(
            checkpoint.arrays, network, options, checkpoint.label, loose=checkpoint.format == "TorchScript"
        )
    except ValueError as error:
        raise WeightsError(f"{checkpoint.label} cannot be used: {error}") from None
    return dict(fitted_arrays(fitting, checkpoint.tensor, checkpoint.label))
