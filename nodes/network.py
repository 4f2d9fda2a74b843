"""What engines share about running a network: which weights, and the guard against half precision's overflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from nodes.engine import Device, Params, WeightsInfo
from nodes.errors import ParameterError

T = TypeVar("T")


def choose_weights(params: Params, device: Device, network: str, size_parameter: str) -> tuple[str, WeightsInfo]:
    """The weights that the parameters ask for: what to call them at the device, and what they are.

    `size_parameter` names the parameter that chooses among the network's published sizes, such as `backbone`; its
    value is an option of the network. Raises ParameterError if the weights are of another size.
    """
    size = params[size_parameter]
    name = params["weights"] or ("" if size == "auto" else f"{network}_{size}")
    weights = device.weights_of(name, network)
    if size != "auto" and weights.options.get(size_parameter) != size:
        raise ParameterError(
            f"'{size_parameter}' is {size}, but the weights '{weights.name}' were trained for "
            f"{weights.options.get(size_parameter)}: set '{size_parameter}' to auto or choose other weights"
        )
    return name, weights


def run_guarded(
    run: Callable[[torch.dtype], T], outputs: Callable[[T], Sequence[Tensor]], dtype: torch.dtype
) -> tuple[T, list[str]]:
    """`run(dtype)`, and again in full precision, with a sentence that says so, where half precision overflowed."""
    result = run(dtype)
    if dtype == torch.float32 or all(bool(torch.isfinite(image).all()) for image in outputs(result)):
        return result, []
    return run(torch.float32), ["half precision overflowed; the frame was computed in full precision"]
