"""What `registry.yaml` knows: published and bundled weights, their terms, and which node uses which network."""

from __future__ import annotations

import difflib
import fnmatch
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from models.weights.errors import WeightsError

FILE = Path(__file__).with_name("registry.yaml")
BUNDLED = Path(__file__).with_name("bundled")
# Written by: cd models/weights/bundled && sha256sum *.safetensors > SHA256SUMS
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Licence:
    """`word` names it, `use` is its consequence in a few words, `terms` in a sentence; `ask`: needs an explicit yes."""

    id: str
    word: str
    use: str
    terms: str
    ask: bool


@dataclass(frozen=True)
class Entry:
    """One set of weights. `url` is empty where a person has to fetch the file; `page` then says from where."""

    id: str
    node: str
    what: str
    network: str
    licence: Licence
    options: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    url: str = ""
    page: str = ""
    format: str = "safetensors"
    layout: str = ""
    member: str = ""
    goes_with: str = ""
    about_mb: float | None = None
    bytes: int | None = None
    sha256: str = ""
    bundled: bool = False

    @property
    def source(self) -> str:
        """Where the weights come from, for people."""
        return "bundled with Cleanplate" if self.bundled else self.url or self.page

    @property
    def variants(self) -> list[str]:
        """The names of files with the same weights in other formats."""
        return [variant["file"] for variant in _document()["variants"] if variant["of"] == self.id]

    def matches_file(self, name: str) -> bool:
        """Whether a file of this name may be the published one (or one of its variants)."""
        patterns = [self.file, *self.variants]
        return any(fnmatch.fnmatchcase(name, pattern.rpartition("/")[2]) for pattern in patterns if pattern)


@dataclass(frozen=True)
class NetworkFacts:
    """How files of a network look.

    `mark` is part of a key that they have, `unless` one that they have not. What options a file was made with is told
    by its keys (`from_keys`: the first value whose text is part of one), by shapes (`from_shape`: a key, and the axis
    in brackets if it is not the first), or found by trying (`options`); values in `usual` go without saying.
    `extras` are starts of keys that may be there and are not used, `remembers` of those that are not the network's and
    stay in the file, `rename` old key starts and what they are now.
    """

    name: str
    title: str
    mark: str = ""
    unless: str = ""
    options: Mapping[str, list[Any]] = field(default_factory=dict)
    from_keys: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    from_shape: Mapping[str, str] = field(default_factory=dict)
    usual: Mapping[str, Any] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    remembers: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NodeWeights:
    """`networks` a node can use, and the weights it looks for first when none are named.

    `made_by` is the command that makes some, for a node that has none of its own.
    """

    id: str
    command: str
    networks: tuple[str, ...]
    defaults: tuple[str, ...]
    made_by: str = ""


@functools.cache
def entries() -> dict[str, Entry]:
    """All published and bundled weights by id."""
    document = _document()
    sums = bundled_sums()
    bundled = [{"sha256": sums.get(f"{raw['id']}.safetensors", ""), **raw} for raw in document["bundled"]]
    made = [_entry(raw, bundled=True) for raw in bundled] + [_entry(raw) for raw in document["entries"]]
    return {entry.id: entry for entry in made}


def bundled_sums() -> dict[str, str]:
    """The sha256 that each bundled file has to have, by its name, as `sha256sum` wrote them down."""
    try:
        lines = (BUNDLED / SUMS).read_text("utf-8").splitlines()
    except OSError:
        return {}
    return {name.strip().lstrip("*"): digest for digest, _, name in (line.partition(" ") for line in lines)}


@functools.cache
def licences() -> dict[str, Licence]:
    return {key: Licence(key, **raw) for key, raw in _document()["licences"].items()}


@functools.cache
def networks() -> dict[str, NetworkFacts]:
    """All networks whose files the house recognises."""
    return {
        name: NetworkFacts(name, **_tuples(raw, "extras", "remembers")) for name, raw in _document()["networks"].items()
    }


@functools.cache
def nodes() -> dict[str, NodeWeights]:
    return {
        name: NodeWeights(name, **_tuples(raw, "networks", "defaults")) for name, raw in _document()["nodes"].items()
    }


def entry(name: str) -> Entry:
    """The entry of this id. Raises WeightsError, with the nearest ids, if there is none."""
    found = entries().get(name)
    if found is None:
        raise WeightsError(f"no published weights are called '{name}'; {nearest(name, entries())}")
    return found


def halves() -> set[str]:
    """The networks that are used two at a time."""
    return {entry.network for entry in entries().values() if entry.goes_with}


def together(name: str) -> list[str]:
    """The entries that a name stands for: itself and what it works together with.

    "structureflow_places2" and either of its halves stand for both. Raises WeightsError, with the nearest ids.
    """
    both = [f"{name}_flow", f"{name}_structure"]
    if name not in entries() and all(half in entries() for half in both):
        return both
    found = entry(name)
    return [found.id, found.goes_with] if found.goes_with else [found.id]


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name: the nearest known ones, or where to look."""
    close = difflib.get_close_matches(name, list(known), 2)
    return f"did you mean {' or '.join(close)}?" if close else "'cleanplate weights list' shows what there is"


def node(name: str) -> NodeWeights:
    """A node by id ("VideoMatte"), OpenFX id or command ("video-matte"). Raises WeightsError for an unknown one."""
    wanted = name.rpartition(".")[2]
    for candidate in nodes().values():
        if wanted in (candidate.id, candidate.command):
            return candidate
    raise WeightsError(f"the weights registry knows no node '{name}'; it knows {', '.join(nodes())}")


def knows_node(name: str) -> bool:
    """Whether the registry states weights for a node; it does not for a studio's own nodes."""
    wanted = name.rpartition(".")[2]
    return any(wanted in (candidate.id, candidate.command) for candidate in nodes().values())


def node_of(network: str) -> str:
    """The id of the node that uses a network, or an empty string."""
    return next((candidate.id for candidate in nodes().values() if network in candidate.networks), "")


def licence(name: str) -> Licence:
    """A licence by id or word; any other text is taken as the word for a licence the registry does not know."""
    for known in licences().values():
        if name.lower() in (known.id.lower(), known.word.lower()):
            return known
    unknown = "The registry does not know this licence; read its text."
    return Licence(name, name, "see its text", unknown, ask=False)


def by_file(name: str) -> list[Entry]:
    """Published entries whose file may have this name; several where publishers reuse names."""
    return [candidate for candidate in entries().values() if not candidate.bundled and candidate.matches_file(name)]


def elsewhere(name: str) -> str:
    """What to do about a published file that does not import, or an empty string."""
    for other in _document()["elsewhere"]:
        if fnmatch.fnmatchcase(name, other["file"]):
            return f"{name} is {other['what']}; bring {entry(other['instead']).file} instead"
    return ""


def option_kinds() -> Mapping[str, Any]:
    """What options of networks are: `words`, `truths`, `whole` numbers, `numbers` and `lists`, with their limits."""
    kinds: Mapping[str, Any] = _document()["option_kinds"]
    return kinds


def strangers() -> list[tuple[str, str]]:
    """(part of a key, what a file with such a key seems to be)."""
    return [(raw["part"], raw["what"]) for raw in _document()["strangers"]]


@functools.cache
def _document() -> dict[str, Any]:
    with FILE.open(encoding="utf-8") as file:
        document = yaml.safe_load(file)
    assert isinstance(document, dict)
    return document


def _entry(raw: Mapping[str, Any], bundled: bool = False) -> Entry:
    return Entry(**{**raw, "licence": licence(raw["licence"])}, bundled=bundled)


def _tuples(raw: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: tuple(value) if key in names else value for key, value in raw.items()}
