"""From what a user writes into a node's `weights` parameter to a file, its hash and its terms. Free of torch."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.weights import hashes, registry, remedies, store
from models.weights.errors import BadFile, WeightsError
from models.weights.facts import WeightsFacts
from models.weights.formats.checkpoint import SUFFIXES, open_file
from models.weights.formats.safetensors_file import read_metadata
from models.weights.header import options_in
from models.wording import parameter


@dataclass(frozen=True)
class WeightsRef:
    """Weights that were found: where, which exactly, what they build, and under which terms.

    `network` is empty, and `options` with it, for a foreign file that nobody has looked into yet (`loading.complete`
    does). `state` is "bundled", "imported" or "file". `licence` is a word, `terms` a sentence, `source` says where
    the weights come from, `values` which are taken where a foreign file holds the network more than once.
    """

    path: Path
    name: str
    sha256: str
    state: str
    network: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "unknown"
    terms: str = ""
    source: str = ""
    values: str = ""

    @property
    def use(self) -> str:
        """What the licence means for commercial work, in a few words."""
        return registry.licence(self.licence).use

    @property
    def facts(self) -> WeightsFacts:
        """What is told about them."""
        told = {field.name: str(getattr(self, field.name)) for field in dataclasses.fields(WeightsFacts)}
        return WeightsFacts(**told)

    def summary(self) -> str:
        """One line for logs and doctors: name, origin, hash, terms and their consequence, place."""
        return self.facts.sentence


def resolve(name_or_path: str | os.PathLike[str], node: str | None = None) -> WeightsRef:
    """The weights meant by a name or a file; an empty text means `node`'s default.

    A path (something with a slash, a weights suffix, or an existing file) wins over an imported name, that over a
    bundled one. The name of weights that come in two halves means the first, see `other_half`. Raises WeightsError that
    says which command brings weights that are not here, or that the weights are for another node.
    """
    text = os.fspath(name_or_path).strip()
    if not text:
        if node is None:
            raise WeightsError("no weights are named, and no node to choose them for")
        return default_for(node)
    path = Path(text).expanduser()
    if "/" in text or path.suffix.lower() in SUFFIXES or path.is_file():
        found = _file(path)
    elif store.place(text).is_file():
        found = _stored(text, store.place(text), "imported")
    elif store.bundled_place(text).is_file():
        found = _stored(text, store.bundled_place(text), "bundled")
    elif text not in registry.entries() and f"{text}_flow" in registry.entries():
        return resolve(f"{text}_flow", node)  # either half stands for both
    else:
        raise WeightsError(remedies.for_name(text))
    if node is not None and found.network:
        _check_node(found, node)
    return found


def choose(
    node: str, text: str = "", options: Mapping[str, Any] | None = None, networks: Sequence[str] = ()
) -> WeightsRef:
    """What a node's `weights` parameter means beside the parameters that choose a network or its size.

    An empty `text` means the node's default among weights of one of `networks` (default: any of the node's) with these
    `options`; a name or a file is taken as it is, and whoever builds the network compares. A node of a studio, which
    the registry does not know, has no default and takes weights of any network.

    Raises WeightsError that says which command brings weights that are not here.
    """
    known = registry.knows_node(node)
    if text.strip():
        return resolve(text, node if known else None)
    if not known:
        raise WeightsError(f"{node} has no weights of its own; name some with {parameter('weights')}")
    return default_for(node, options, networks)


def default_for(node: str, options: Mapping[str, Any] | None = None, networks: Sequence[str] = ()) -> WeightsRef:
    """The weights a node uses when none are named.

    The node's preferred weights if they are here (imported before bundled), else any that came bundled for it. With
    `options`, such as {"backbone": "resnet50"}, only weights of networks with these options count; with `networks`
    only weights of these. Raises WeightsError that says what to run if there are none, and for a node whose weights
    are made by a command: what comes bundled for it is where that begins, and nothing to render with.
    """
    wanted = registry.node(node)
    if wanted.made_by:
        raise WeightsError(remedies.for_node(wanted, options, []))
    narrowed = bool(options) or not set(networks or wanted.networks) >= set(wanted.networks)
    if networks:
        wanted = dataclasses.replace(wanted, networks=tuple(networks))
    names = list(wanted.defaults)
    if narrowed:
        names += [entry.id for entry in registry.entries().values() if entry.network in wanted.networks]
    for name in dict.fromkeys(names):
        for state, place in (("imported", store.place(name)), ("bundled", store.bundled_place(name))):
            if place.is_file():
                found = _stored(name, place, state)
                if found.network in wanted.networks and _has(found.options, options):
                    return found
    for name in store.bundled():
        found = _stored(name, store.bundled_place(name), "bundled")
        if found.network in wanted.networks and _has(found.options, options):
            return found
    raise WeightsError(remedies.for_node(wanted, options, [] if options else _here_for(wanted)))


# How the two halves of StructureFlow are told apart, by Cleanplate's names and by the published files'.
_HALVES = (("_structure", "_flow"), ("_net_s_gen", "_net_f_gen"))


def other_half(ref: WeightsRef) -> str:
    """The name or file of the weights that these work together with, as StructureFlow's come in two; "" for most.

    Published weights know their other half; a file's is the one of the matching name in the same folder.
    """
    if ref.network and ref.network not in registry.halves():
        return ""
    entry = registry.entries().get(ref.name) if ref.state != "file" else None
    if entry is not None:
        return entry.goes_with
    for pair in _HALVES:
        for mine, other in (pair, pair[::-1]):
            whole = ref.path.name if ref.state == "file" else ref.name
            # A longer word, as in my_structureflow_flow, is no half.
            if found := re.fullmatch(rf"(.*){mine}((?![a-z]).*)", whole):
                name = found[1] + other + found[2]
                return str(ref.path.with_name(name)) if ref.state == "file" else name
    return ""


def describe_terms(licence: str) -> str:
    """The terms of a licence in a sentence."""
    return registry.licence(licence).terms


def _file(path: Path) -> WeightsRef:
    with open_file(path) as file:
        start = file.read(9)
    if not start:
        raise WeightsError(f"{path.name} is empty")
    path = path.absolute()
    digest = hashes.sha256(path)
    if start[8:9] == b"{":
        return _described(WeightsRef(path, path.stem, digest, "file", source=str(path)), _metadata(path))
    for name in store.imported():
        if store.record(name).get("source_sha256") == digest:
            known = _stored(name, store.place(name), "imported")
            return dataclasses.replace(known, path=path, name=path.stem, sha256=digest, state="file", source=str(path))
    return WeightsRef(path, path.stem, digest, "file", terms=describe_terms("unknown"), source=str(path))


def _stored(name: str, path: Path, state: str) -> WeightsRef:
    found = WeightsRef(path, name, hashes.sha256(path), state)
    return _described(found, _metadata(path))


def _described(found: WeightsRef, metadata: Mapping[str, str]) -> WeightsRef:
    """Fills in what the file's own header says, then what the registry says about its name."""
    entry = registry.entries().get(found.name) if found.state != "file" else None
    options = options_in(metadata, found.path.name)
    if options is None:
        options = dict(entry.options) if entry else {}
    licence = metadata.get("licence") or (entry.licence.id if entry else "unknown")
    return dataclasses.replace(
        found,
        network=metadata.get("network") or (entry.network if entry else ""),
        options=options,
        licence=registry.licence(licence).word,
        terms=metadata.get("terms") or describe_terms(licence),
        source=metadata.get("source") or (entry.source if entry else found.source),
    )


def _metadata(path: Path) -> dict[str, str]:
    try:
        return read_metadata(path)
    except BadFile as error:
        raise WeightsError(f"{path} {error}") from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from None


def _check_node(found: WeightsRef, node: str) -> None:
    wanted = registry.node(node)
    if found.network not in wanted.networks:
        other = registry.node_of(found.network)
        use = f"they are for {other}" if other else f"they are for the network '{found.network}'"
        raise WeightsError(f"the weights '{found.name}' do not fit {wanted.id}: {use}")


def _has(options: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    return all(options.get(key) == value for key, value in (wanted or {}).items())


def _here_for(node: registry.NodeWeights) -> list[str]:
    """Imported weights of the node's networks, whatever they are called."""
    return [name for name in store.imported() if _network_of(name) in node.networks]


def _network_of(name: str) -> str:
    try:
        return resolve(store.place(name)).network
    except WeightsError:
        return ""
