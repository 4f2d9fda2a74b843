"""Which network a file's arrays belong to, judged by names and shapes against the networks that `models.create` builds.

Imports torch only when a network is built, on the meta device, where nothing is allocated or initialised.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import models
from models.weights import registry
from models.weights.formats.tree import unwrapped

COUNTER = "num_batches_tracked"
# Wrappers with averaged values, in the order of taking them: those, the network's own, and what only looks like it.
AVERAGED, RAW, OTHER = range(3)
_AVERAGED = re.compile(r"(?:^|_)(?:ema|avg|average|averaged|swa|polyak|shadow|smoothed)(?:_|\d|$)")
# Part of a network's keys under a wrapper that make it a copy of the network.
A_COPY = 0.5
# Part of a network's keys that must be found before a file is said to look like it.
_RESEMBLANCE = 0.3


class Shaped(Protocol):
    """Anything with a shape: a tensor, or an array that has not been read yet."""

    @property
    def shape(self) -> Any: ...


@dataclass(frozen=True)
class Guess:
    """A network that a file fits, wholly (`complete`) or for the most part.

    `prefix` is the wrapper in front of the published names, such as "state_dict.generator.". `share` is the part of
    the network's arrays that the file has, in the right shape.
    """

    network: str
    options: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    share: float = 0.0
    size: int = 0

    @property
    def complete(self) -> bool:
        return self.share == 1.0

    def __str__(self) -> str:
        return describe(self.network, self.options)


def describe(network: str, options: Mapping[str, Any]) -> str:
    """A network in words, such as "Robust Video Matting (resnet50, deep_guided_filter)"."""
    known = registry.networks().get(network)
    values = ", ".join(f"{key} {value}" if isinstance(value, int) else str(value) for key, value in options.items())
    return (known.title if known else network) + (f" ({values})" if values else "")


def identify(arrays: Mapping[str, Shaped]) -> Guess | None:
    """The network and options that the arrays belong to; the nearest one if none fits wholly, None if none is near."""
    arrays = unwrapped(arrays)
    best: Guess | None = None
    for network, options in candidates(arrays):
        guess = compare(arrays, network, options)
        if best is None or (guess.share, guess.size) > (best.share, best.size):
            best = guess
    return best if best is not None and best.share >= _RESEMBLANCE else None


def compare(arrays: Mapping[str, Shaped], network: str, options: Mapping[str, Any]) -> Guess:
    """How far the arrays are this network's. Raises ValueError if models.create cannot build it."""
    best = Guess(network, options)
    for guess in copies(arrays, network, options):
        if guess.share > best.share:
            best = guess
    return best


def values_taken(arrays: Mapping[str, Shaped], network: str, options: Mapping[str, Any]) -> str:
    """A sentence about which values are taken where a file holds the network more than once, else nothing."""
    found = [copy for copy in copies(arrays, network, options) if copy.share >= A_COPY]
    if len(found) < 2:
        return ""
    taken = max(found, key=lambda copy: copy.share)  # the first of equals
    others = [copy for copy in found if copy is not taken]
    averaged = [copy for copy in others if _kind(copy.prefix, arrays) == AVERAGED]
    if _kind(taken.prefix, arrays) == AVERAGED:
        return f"the averaged values ({_called(taken)}) are taken, not the raw ones ({_called(others[0])})"
    if averaged:
        missing = 1 - averaged[0].share
        return (
            f"the raw values ({_called(taken)}) are taken, since of the averaged ones ({_called(averaged[0])}) "
            f"{missing:.0%} are not in the file"
        )
    return f"it holds the network {len(found)} times: the values of {_called(taken)} are taken"


def copies(arrays: Mapping[str, Shaped], network: str, options: Mapping[str, Any]) -> list[Guess]:
    """How far the arrays under each wrapper are this network's, what is to be taken first first."""
    wanted = {key: shape for key, (shape, _) in signature(network, options).items() if not key.endswith(COUNTER)}
    found = []
    for prefix in prefixes(arrays, list(wanted)):
        hits = 0
        for key, shape in wanted.items():
            array = arrays.get(prefix + key)
            hits += tuple(array.shape) == shape if array is not None else solvable(arrays, prefix + key)
        found.append(Guess(network, options, prefix, hits / len(wanted), len(wanted)))
    return found


def solvable(arrays: Mapping[str, Any], key: str) -> bool:
    """Whether a missing array can be computed: torch before 1.1 saved only one vector of a spectral norm."""
    return key.endswith("weight_v") and f"{key[:-1]}u" in arrays and f"{key[:-1]}orig" in arrays


def prefixes(arrays: Mapping[str, Any], wanted: list[str]) -> list[str]:
    """Wrappers under which some of the wanted keys lie in the file: averaged values first, then the plainest."""
    found: dict[str, None] = {}
    for key in _anchors(tuple(wanted)):
        tail = "." + key
        for name in arrays:
            if name == key:
                found[""] = None
            elif name.endswith(tail):
                found[name[: -len(key)]] = None
    return sorted(found, key=lambda prefix: (_kind(prefix, arrays), prefix.count("."), prefix))


def candidates(arrays: Mapping[str, Shaped]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every network that the arrays may belong to, with the options that they show or that have to be tried."""
    for known in registry.networks().values():
        if known.name not in models.NETWORKS or not _marked(arrays, known):
            continue
        read = _from_keys(arrays, known) | _from_shapes(arrays, known)
        read = {option: value for option, value in read.items() if known.usual.get(option) != value}
        for values in itertools.product(*known.options.values()):
            options = dict(zip(known.options, values, strict=True)) | read
            try:
                signature(known.name, options)
            except ValueError:
                continue
            yield known.name, options


def _marked(arrays: Mapping[str, Any], known: registry.NetworkFacts) -> bool:
    found = any(known.mark in name for name in arrays)
    return found and not (known.unless and any(known.unless in name for name in arrays))


def seems_to_be(arrays: Mapping[str, Shaped]) -> str:
    """What an unusable file looks like, in words: another network, or at least what is in it."""
    guess = identify(arrays)
    if guess is not None and guess.complete:
        return f"it is {guess}"
    for part, what in registry.strangers():
        if any(part in name for name in arrays):
            return f"it looks like {what}"
    if guess is not None:
        return f"it looks like {guess}, changed or incomplete"
    names = list(arrays)
    return f"its arrays ({names[0][:60]} and {len(names) - 1} more) belong to no network Cleanplate knows"


def signature(network: str, options: Mapping[str, Any]) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of every array of a network, by key, in the published order.

    Raises ValueError, as models.create does, if the network or an option is unknown.
    """
    return _signature(network, json.dumps(dict(options), sort_keys=True))


@functools.lru_cache(maxsize=256)
def _signature(network: str, options: str) -> dict[str, tuple[tuple[int, ...], str]]:
    import torch

    try:
        with torch.device("meta"):
            state = models.create(network, **json.loads(options)).state_dict()
    except (ArithmeticError, TypeError, RuntimeError, LookupError) as error:  # combinations that no network checks
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"Network {network!r} cannot be built with the options {options}: {reason}") from None
    return {key: (tuple(value.shape), str(value.dtype).removeprefix("torch.")) for key, value in state.items()}


def _from_keys(arrays: Mapping[str, Any], known: registry.NetworkFacts) -> dict[str, Any]:
    read = {}
    for option, signs in known.from_keys.items():
        for value, part in signs.items():
            if any(part in name for name in arrays):
                read[option] = value
                break
    return read


def _from_shapes(arrays: Mapping[str, Shaped], known: registry.NetworkFacts) -> dict[str, Any]:
    read = {}
    for option, place in known.from_shape.items():
        key, _, axis = place.rstrip("]").partition("[")
        for name, array in arrays.items():
            if (name == key or name.endswith("." + key)) and len(array.shape) > int(axis or 0):
                read[option] = int(array.shape[int(axis or 0)])
    return read


@functools.lru_cache(maxsize=256)
def _anchors(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """A few keys that hardly occur in other networks: the longest, from all over the network."""
    step = max(1, len(wanted) // 6)
    groups = [wanted[at : at + step] for at in range(0, len(wanted), step)]
    return tuple(max(group, key=len) for group in groups)


def _kind(prefix: str, arrays: Mapping[str, Any]) -> int:
    """Whether a wrapper holds averaged values (AVERAGED), the network's own, or others that only look like it."""
    parts = prefix.lower().split(".")
    if any(part.startswith(("optim", "teacher")) or "momentum" in part for part in parts):
        return OTHER
    if any(part.startswith("online") or part == "raw" for part in parts):
        return RAW
    averaging = prefix.removesuffix("module.") + "n_averaged" in arrays  # torch.optim.swa_utils
    return AVERAGED if averaging or any(_AVERAGED.search(part) for part in parts) else RAW


def _called(copy: Guess) -> str:
    return copy.prefix.rstrip(".")[:60] or "without a prefix"
