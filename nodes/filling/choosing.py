"""Which network fills the holes: the one asked for, or the best whose weights are there."""

from __future__ import annotations

from models.weights import WeightsError, WeightsRef
from models.wording import setting
from nodes.engine import Device, Params
from nodes.errors import CleanplateError
from nodes.filling.networks import NETWORKS, Chosen
from nodes.network import choose_other_half, choose_weights
from nodes.selecting import networks_named

NO_WEIGHTS_NEEDED = f"; or {setting('model', 'smooth')}, which needs no weights and does for small marks on even ground"


def choose_network(params: Params, device: Device) -> Chosen:
    """The network of the parameters `model` and `weights`, with its weights.

    Raises CleanplateError, WeightsError or ParameterError that say what to run where weights are missing or are of
    another network.
    """
    models = {part: model for model, network in NETWORKS.items() for part in network.parts}
    wanted = tuple(models) if params["model"] == "auto" else networks_named(params["model"], models)
    try:
        name, weights = choose_weights(params, device, wanted)
    except WeightsError as error:
        if params["weights"]:
            raise
        raise CleanplateError(str(error) + NO_WEIGHTS_NEEDED) from None
    found: dict[str, tuple[str, WeightsRef]] = {weights.network: (name, weights)}
    model = models[weights.network]
    for part in NETWORKS[model].parts:
        if part not in found:
            found[part] = choose_other_half(weights, device, part)
    return Chosen(
        model,
        NETWORKS[model],
        {part: name for part, (name, _) in found.items()},
        {part: dict(info.options) for part, (_, info) in found.items()},
        {part: info.sha256 for part, (_, info) in found.items()},
    )
