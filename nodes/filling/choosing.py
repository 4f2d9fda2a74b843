"""Which network fills the holes: the one asked for, or the best whose weights are there."""

from __future__ import annotations

from pathlib import Path

from models.weights import WeightsError, registry
from nodes.engine import Device, Params, WeightsInfo
from nodes.errors import CleanplateError, ParameterError
from nodes.filling.networks import NETWORKS, Chosen

NODE = "Inpaint"
# The best first.
PREFERRED = ("lama", "lama regular", "structureflow", "pennet")
NO_WEIGHTS_NEEDED = "; or set model=smooth, which needs no weights and does for small marks on even ground"
HALVES = {
    "structureflow_flow": ("structureflow_structure", "_f_gen", "_s_gen"),
    "structureflow_structure": ("structureflow_flow", "_s_gen", "_f_gen"),
}


def choose_network(params: Params, device: Device) -> Chosen:
    """The network of the parameters `model` and `weights`, with its weights.

    Raises WeightsError or ParameterError that say what to run where weights are missing or are of another network.
    """
    models = PREFERRED if params["model"] == "auto" else (params["model"],)
    missing: Exception | None = None
    for model in models:
        for name in [params["weights"]] if params["weights"] else _installed_names(model):
            try:
                return _complete(model, name, device)
            except ParameterError as error:  # of another network
                missing = missing or error
            except WeightsError as error:
                if params["weights"]:
                    raise
                missing = missing or error
    sentence = str(missing)
    if params["weights"]:
        raise ParameterError(sentence)
    raise CleanplateError(sentence + NO_WEIGHTS_NEEDED)


def _installed_names(model: str) -> list[str]:
    """Names to try for a model: the node's default, then what the registry knows, bundled weights last."""
    part = NETWORKS[model].parts[0]
    known = [entry for entry in registry.entries().values() if entry.network == part]
    known.sort(key=lambda entry: (entry.id not in registry.node(NODE).defaults, entry.bundled))
    return [entry.id for entry in known]


def _complete(model: str, name: str, device: Device) -> Chosen:
    """The chosen network, where `name` is the weights of one of its parts."""
    network = NETWORKS[model]
    infos: dict[str, WeightsInfo] = {}
    names: dict[str, str] = {}
    for part in network.parts:
        try:
            infos[part], names[part] = device.weights_of(name, part), name
            break
        except ParameterError:
            if part == network.parts[-1]:
                raise
    for part in network.parts:
        if part not in infos:
            names[part] = _other_half(name, next(iter(infos)))
            infos[part] = device.weights_of(names[part], part)
    return Chosen(
        model,
        network,
        names,
        {part: dict(info.options) for part, info in infos.items()},
        {part: info.sha256 for part, info in infos.items()},
    )


def _other_half(name: str, half: str) -> str:
    """The weights that go with those of one stage of StructureFlow."""
    entry = registry.entries().get(name)
    if entry is not None and entry.goes_with:
        return entry.goes_with
    other, mine, theirs = HALVES[half]
    path = Path(name)
    if mine in path.name:
        return str(path.with_name(path.name.replace(mine, theirs)))
    raise ParameterError(
        f"the weights '{name}' are one half of StructureFlow and do not say which {other} goes with them: name the two "
        "files ..._net_s_gen and ..._net_f_gen and leave them in one folder"
    )
