"""What imported weights may be called, decided before their file is opened. Free of torch."""

from __future__ import annotations

import re
from pathlib import Path

import models
from models.weights import registry, store
from models.weights.errors import WeightsError
from models.weights.formats.checkpoint import SUFFIXES
from models.weights.registry import Entry


def check(path: Path, as_entry: str | None, name: str | None) -> Entry | None:
    """The published weights that a file is said to be. Raises WeightsError for names that can come to nothing."""
    entry = None
    if as_entry is not None:
        entry = registry.entry(as_entry)
        if entry.bundled:
            raise WeightsError(f"'{entry.id}' come with Cleanplate and are not imported; say --name for your own")
        if entry.network not in models.NETWORKS:
            raise WeightsError(f"this version of Cleanplate does not have the network of '{entry.id}' yet")
    elif hint := registry.elsewhere(path.name):
        raise WeightsError(hint)
    if name is not None:
        if entry is not None or registry.entries().get(name) not in published(path):
            called(name, entry, path)
        else:
            store.place(name)  # its arrays decide whether it is what its name says
    return entry


def called(name: str | None, entry: Entry | None, path: Path) -> str:
    """The name of weights: the one given, that of the published ones they are, or one made of the file's.

    Raises WeightsError for one that is impossible, or that means something else.
    """
    given = name if name is not None else entry.id if entry else _from_file(path)
    store.place(given)
    known = registry.entries().get(given)
    if known is not None and known.bundled:
        raise WeightsError(f"'{given}' is the name of weights bundled with Cleanplate; choose another with --name")
    if known is not None and known != entry:
        raise WeightsError(
            f"'{given}' is the name of published weights, which {path.name} is not known to be; "
            f"say --as {given} if it is, else choose another name with --name"
        )
    if known is None and f"{given}_flow" in registry.entries():
        raise WeightsError(f"'{given}' stands for two published weights at once; choose another with --name")
    if given.lower().endswith(SUFFIXES):
        raise WeightsError(f"'{given}' cannot be a name of weights: it would be taken for a file; leave off its ending")
    return given


def published(path: Path) -> list[Entry]:
    """Published weights whose file this may be by its name, or by their id used as its name."""
    by_id = registry.entries().get(path.stem)
    return [by_id] if by_id is not None and not by_id.bundled else registry.by_file(path.name)


def _from_file(path: Path) -> str:
    stem = path.stem
    while stem.lower().endswith(SUFFIXES):
        stem = stem.rpartition(".")[0]
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", stem).strip("._-+")[:80] or "weights"
