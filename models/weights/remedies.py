"""What to say, and what to run, where weights are missing. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.weights import registry, store
from models.wording import setting


def for_name(name: str) -> str:
    """Which command brings the weights of this name, or what the name may have been meant to be."""
    entry = registry.entries().get(name)
    if entry is None:
        known = [*registry.entries(), *store.imported(), *store.bundled()]
        return f"there are no weights called '{name}' and no such file; {registry.nearest(name, known)}"
    if entry.bundled:
        return f"the weights '{name}' belong to this software but are missing from this installation; install it again"
    return f"the weights '{name}' are not on this machine; {how_to_fetch(entry)}"


def for_node(node: registry.NodeWeights, options: Mapping[str, Any] | None, here: Sequence[str]) -> str:
    """Which command brings weights for a node, with these options; `here` are weights of its networks that are here."""
    if node.made_by:
        return f"{node.id} needs weights that you taught it: run {node.made_by}, then {setting('weights', 'FILE')}"
    published = [entry for entry in registry.entries().values() if entry.network in node.networks]
    fitting = [entry for entry in published if not entry.bundled and _has(entry, options)]
    which = " ".join(f"{key} {value}" for key, value in (options or {}).items())
    first = f"{node.id} has no weights{' for ' + which if which else ''} on this machine"
    if not fitting:
        return f"{first}; import some with: cleanplate weights import FILE"
    preferred = [entry for entry in fitting if entry.id in node.defaults]
    brings = how_to_fetch((preferred or fitting)[0])
    if here:
        first = f"{node.id} has none of the weights it takes by itself"
        return f"{first}; name those that are here (weights {here[0]}), or {brings}"
    return f"{first}; {brings}"


def how_to_fetch(entry: registry.Entry) -> str:
    """Which command brings published weights, as the second half of a sentence."""
    by_hand = f"cleanplate weights import FILE --as {entry.id}"
    if entry.url:
        return f"run: cleanplate weights fetch {entry.id}, or with the file at hand: {by_hand}"
    return f"fetch {entry.file.rpartition('/')[2]} by hand from {entry.page}, then run: {by_hand}"


def _has(entry: registry.Entry, options: Mapping[str, Any] | None) -> bool:
    return all(entry.options.get(key) == value for key, value in (options or {}).items())
