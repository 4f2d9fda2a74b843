"""Which weights the parameters of a node mean: one rule for who plans a render and who computes it. Free of torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models import weights
from models.weights import WeightsRef, registry
from models.wording import parameter, setting
from nodes.errors import ParameterError
from nodes.faces.face import Face


@dataclass(frozen=True)
class Selection:
    """Weights of one of these `networks` (of any where there are none), that were made with these `options`."""

    networks: tuple[str, ...]
    options: Mapping[str, Any]


def selection(face: Face, params: Mapping[str, Any]) -> Selection | None:
    """What the parameters of a face that select weights leave to choose from; None for a method that is no network."""
    networks = registry.node(face.id).networks if registry.knows_node(face.id) else ()
    options = {}
    for entry in face.parameters:
        value = params[entry.name]
        if not entry.selects or value == "auto":
            continue
        if entry.selects == "network":
            networks = networks_named(value, networks)
            if not networks:
                return None
        else:
            options[entry.selects] = value
    return Selection(networks, options)


def networks_named(value: str, known: Iterable[str]) -> tuple[str, ...]:
    """The networks of a method that a parameter names: that one, or its parts.

    >>> networks_named("lama regular", ["lama", "lama_regular"])
    ('lama_regular',)
    >>> networks_named("structureflow", ["lama", "structureflow_structure", "structureflow_flow"])
    ('structureflow_structure', 'structureflow_flow')
    """
    name, known = value.replace(" ", "_"), tuple(known)
    return (name,) if name in known else tuple(one for one in known if one.startswith(f"{name}_"))


def select(
    face: Face,
    text: str,
    networks: Collection[str],
    options: Mapping[str, Any],
    look_into: Callable[[WeightsRef], WeightsRef] = lambda found: found,
) -> WeightsRef:
    """The weights that `text`, a name, a file or nothing, means where weights of `networks` with `options` are wanted.

    `look_into` may find out what a foreign file holds, which takes torch; what it leaves open is not checked. Raises
    WeightsError that says what to run where there are none, ParameterError where they are others.
    """
    found = look_into(weights.choose(face.id, text, options, tuple(networks)))
    check_fit(face, found, networks, options)
    return found


def check_fit(face: Face, found: WeightsRef, networks: Collection[str], options: Mapping[str, Any]) -> None:
    """Raises ParameterError where weights are of another network, or were made with other options."""
    if not found.network:
        return
    if networks and found.network not in networks:
        raise ParameterError(
            f"the weights '{found.name}' are of the network {found.network}, {face.label} wants "
            + " or ".join(networks)
        )
    for option, value in options.items():
        if found.options.get(option) != value:
            name = next((entry.name for entry in face.parameters if entry.selects == option), option)
            raise ParameterError(
                f"{parameter(name)} is {value}, but the weights '{found.name}' were trained for "
                f"{found.options.get(option)}: {setting(name, 'auto')} or choose other weights"
            )
