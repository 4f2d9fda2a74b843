"""Which weights a render will use, before the worker is asked. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from models import weights
from models.weights import WeightsError, WeightsFacts, registry
from nodes import catalogue
from nodes.faces.face import Face
from nodes.selecting import select, selection


def planned(face: Face, params: Mapping[str, Any]) -> tuple[WeightsFacts, ...]:
    """The weights that the parameters ask for, both halves where they come in two, and those of nodes that it asks;
    none for a node without weights.

    Raises WeightsError that says what to run if they are not on this machine, unless the node can do without, and
    ParameterError if they are not what the parameters ask for.
    """
    found = list(_own(face, params))
    for helper in map(catalogue.find, face.helpers):
        found += _own(helper, face.of_helper(helper, params))
    return tuple({one.sha256: one for one in found}.values())


def _own(face: Face, params: Mapping[str, Any]) -> tuple[WeightsFacts, ...]:
    text = str(params["weights"])
    if not text.strip() and not registry.knows_node(face.id):
        return ()
    wanted = selection(face, params)
    if wanted is None:
        return ()
    try:
        first = select(face, text, wanted.networks, wanted.options)
    except WeightsError:
        if face.weights_optional and not text.strip():
            return ()
        raise
    half = weights.other_half(first) if _has_halves(face) else ""
    try:
        return (first.facts, weights.resolve(half, face.id).facts) if half else (first.facts,)
    except WeightsError:
        if first.network:
            raise
        return (first.facts,)  # a file nobody has looked into yet may be whole


def _has_halves(face: Face) -> bool:
    return registry.knows_node(face.id) and not registry.halves().isdisjoint(registry.node(face.id).networks)


def digest(used: Iterable[WeightsFacts]) -> str:
    """The weights by their hashes, for a pass's metadata: `sha256:...`, several with a space between."""
    return " ".join(sorted(f"sha256:{entry.sha256}" for entry in used))
