"""What `cleanplate weights list` shows: everything that is here or could be, node by node. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from models.weights import registry, store
from models.weights.errors import WeightsError
from models.weights.reference import WeightsRef, default_for, resolve


@dataclass(frozen=True)
class WeightsRow:
    """One set of weights. `state` is "bundled", "imported", "available" (fetch brings it), "by hand" (a person has
    to), or "damaged" with the reason in `problem`. `size` is in bytes, or None where nobody knows; `default` tells
    whether the node uses these when none are named."""

    name: str
    node: str
    what: str
    state: str
    size: int | None
    licence: str
    use: str
    terms: str
    source: str
    path: str = ""
    sha256: str = ""
    problem: str = ""
    default: bool = False


def rows() -> list[WeightsRow]:
    """All weights in the order of the nodes, those that are here first. Reads headers and hashes, no arrays."""
    found = [*_here()]
    here = {row.name for row in found}
    found += [_published(entry) for entry in registry.entries().values() if entry.id not in here and not entry.bundled]
    nodes = list(registry.nodes())
    order = {"damaged": 0, "bundled": 1, "imported": 2}
    found.sort(key=lambda row: (nodes.index(row.node) if row.node in nodes else len(nodes), order.get(row.state, 3)))
    return _with_defaults(found)


def _here() -> list[WeightsRow]:
    imported = store.imported()
    names = [*imported, *(name for name in store.bundled() if name not in imported)]
    return [_present(name) for name in names]


def _present(name: str) -> WeightsRow:
    try:
        ref = resolve(name)
    except WeightsError as error:
        known = registry.entries().get(name)
        node = known.node if known else ""
        return WeightsRow(name, node, "", "damaged", None, "", "", "", "", problem=str(error))
    licence = registry.licence(ref.licence)
    return WeightsRow(
        name=name,
        node=registry.node_of(ref.network),
        what=_what(ref),
        state=ref.state,
        size=ref.path.stat().st_size,
        licence=licence.word,
        use=licence.use,
        terms=ref.terms,
        source=ref.source,
        path=str(ref.path),
        sha256=ref.sha256,
    )


def _what(ref: WeightsRef) -> str:
    known = registry.entries().get(ref.name)
    if known is not None:
        return known.what
    title = registry.networks()[ref.network].title if ref.network in registry.networks() else ref.network
    values = ", ".join(str(value) for value in ref.options.values())
    return f"your own: {title}" + (f" ({values})" if values else "")


def _published(entry: registry.Entry) -> WeightsRow:
    return WeightsRow(
        name=entry.id,
        node=entry.node,
        what=entry.what,
        state="available" if entry.url else "by hand",
        size=entry.bytes or (int(entry.about_mb * 1e6) if entry.about_mb else None),
        licence=entry.licence.word,
        use=entry.licence.use,
        terms=entry.licence.terms,
        source=entry.source,
    )


def _with_defaults(found: list[WeightsRow]) -> list[WeightsRow]:
    chosen = set()
    for node in registry.nodes():
        try:
            chosen.add(default_for(node).name)
        except WeightsError:
            continue
    return [replace(row, default=row.name in chosen) for row in found]
