"""What engines share about running a network: which weights, and the guard against half precision's overflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from models.weights import WeightsRef, other_half
from nodes.engine import Device, Params
from nodes.errors import ParameterError

T = TypeVar("T")


def choose_weights(
    params: Params, device: Device, network: str | Sequence[str], size_parameter: str = ""
) -> tuple[str, WeightsRef]:
    """The weights that the parameters ask for: what to call them at the device, and what they are.

    `network` is the one the node uses, or those it can use; which it is then says the answer's `network`.
    `size_parameter` names the parameter that chooses among the network's published sizes, such as `backbone`; its
    value is an option of the network, `auto` takes any. Both are what the face says with `selects`, from which a client
    knows the same weights beforehand (`nodes.selecting`). Raises ParameterError if the weights are of another size or
    network, WeightsError that says what to run if there are none.
    """
    size = params[size_parameter] if size_parameter else "auto"
    wanted = {} if size == "auto" else {size_parameter: size}
    weights = device.weights_of(params["weights"], network, wanted)
    return str(weights.path), weights


def choose_other_half(weights: WeightsRef, device: Device, network: str) -> tuple[str, WeightsRef]:
    """The weights of `network` that `weights` work together with, as `choose_weights` gives them.

    StructureFlow's come as two files; naming either names both. Raises ParameterError if nothing says which, and
    WeightsError that says what to run if they are not here.
    """
    half = other_half(weights)
    if not half:
        raise ParameterError(
            f"the weights '{weights.name}' are one of two files that are used together, and nothing says which the "
            "other is: keep both under their published names in one folder, or import both with --as"
        )
    other = device.weights_of(half, network)
    return str(other.path), other


def run_guarded(
    run: Callable[[torch.dtype], T], outputs: Callable[[T], Sequence[Tensor]], dtype: torch.dtype
) -> tuple[T, list[str]]:
    """`run(dtype)`, and again in full precision, with a sentence that says so, where half precision overflowed."""
    result = run(dtype)
    if dtype == torch.float32 or all(bool(torch.isfinite(image).all()) for image in outputs(result)):
        return result, []
    return run(torch.float32), ["half precision overflowed; the frame was computed in full precision"]
