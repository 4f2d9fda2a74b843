"""From a file's arrays to exactly what a network loads: names unwrapped, shapes and values checked, gaps explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.weights import registry
from models.weights.errors import WeightsError
from models.weights.formats.tree import unwrapped
from models.weights.identify import (
    A_COPY,
    COUNTER,
    Guess,
    Shaped,
    compare,
    copies,
    describe,
    identify,
    seems_to_be,
    signature,
    solvable,
)

if TYPE_CHECKING:
    from torch import Tensor

# Left by tools that count operations or hold losses; never part of a network.
_IGNORED_ENDS = (COUNTER, "total_ops", "total_params", "n_averaged")
_IGNORED_STARTS = ("loss.", "criterion.")
_KEPT_TYPES = ("float32", "float16", "int64")


@dataclass(frozen=True)
class KeyPlan:
    """How a file's arrays become a network's: `takes` maps the network's keys to the file's, None for a counter that
    old files lack; `solves` maps keys of spectral norms that old files lack to the start of the norm's keys."""

    network: str
    options: Mapping[str, Any]
    prefix: str
    takes: Mapping[str, str | None]
    solves: Mapping[str, str]


def fit(state: Mapping[str, Tensor], network: str, options: Mapping[str, Any], label: str = "") -> dict[str, Tensor]:
    """The arrays of `state` under the network's own keys, ready for `load_state_dict(strict=True)`.

    Strips any wrapper (`module.`, `model.`, `generator.`, {"state_dict": ...}, {"netG": ...}, ...), adds the batch
    counters that files of torch 0.4 lack, ignores counters and losses the network does not have.

    Raises WeightsError, in one sentence that starts with `label`, if arrays are missing, left over, of another shape
    or not finite.
    """
    label = label or "the file"
    state = unwrapped(state)
    return dict(fitted_arrays(key_plan(state, network, options, label), state.__getitem__, label))


def key_plan(
    arrays: Mapping[str, Shaped], network: str, options: Mapping[str, Any], label: str, loose: bool = False
) -> KeyPlan:
    """How the arrays fit the network; reads shapes only. `loose` permits left-over arrays (TorchScript constants).

    Raises WeightsError as `fit` does, ValueError for an unknown network or option.
    """
    renamed = _renamed(arrays, network)
    guess = compare(renamed, network, options)
    if guess.share < 0.5:
        raise WeightsError(f"{label} does not fit {describe(network, options)}: {seems_to_be(arrays)}")
    takes: dict[str, str | None] = {}
    solves: dict[str, str] = {}
    wrong: list[str] = []
    wanted = signature(network, options)
    for key, (shape, _) in wanted.items():
        array = renamed.get(guess.prefix + key)
        if array is not None and tuple(array.shape) == shape:
            takes[key] = renamed.origin(guess.prefix + key)
        elif array is not None:
            wrong.append(f"{key} is {_size(array.shape)} instead of {_size(shape)}")
        elif key.endswith(COUNTER):
            takes[key] = None
        elif solvable(renamed, guess.prefix + key):
            solves[key] = guess.prefix + key.removesuffix("weight_v")
        else:
            wrong.append(f"{key} is missing")
    if wrong:
        raise WeightsError(_misfit(arrays, guess, label, wrong))
    left = _left_over(renamed, guess, wanted, network)
    if left and not loose:
        raise WeightsError(
            f"{label} has {len(left)} arrays that {guess} has no place for, such as {left[0][:80]}; "
            "it was made by a changed version of the network"
        )
    return KeyPlan(network, options, guess.prefix, takes, solves)


def fitted_arrays(
    plan: KeyPlan, tensor: Callable[[str], Tensor], label: str, order: Sequence[str] | None = None
) -> Iterator[tuple[str, Tensor]]:
    """The network's keys and tensors, one after the other (in `order`); `tensor` returns an array of the file.

    float32 and float16 stay what they are, other floats become float32, counters int64. Raises WeightsError for
    values that are not finite or not real numbers.
    """
    import torch

    for key in order or signature(plan.network, plan.options):
        if key in plan.solves:
            yield key, _solve(plan.solves[key], tensor)
            continue
        source = plan.takes[key]
        value = torch.zeros((), dtype=torch.int64) if source is None else tensor(source)
        counts = key.endswith(COUNTER)
        if not counts and not value.is_floating_point():
            raise WeightsError(f"{label} holds whole numbers where weights should be ({key}); it is quantised")
        if not counts and not _finite(value):
            raise WeightsError(f"{label} is spoilt: {key} holds NaN or infinite values")
        if str(value.dtype).removeprefix("torch.") not in _KEPT_TYPES or (counts and value.dtype != torch.int64):
            value = value.to(torch.int64 if counts else torch.float32)
        yield key, value


def fitting_network(arrays: Mapping[str, Shaped], label: str) -> Guess:
    """The network that the arrays fit wholly. Raises WeightsError that says what the file seems to be instead."""
    guess = identify(arrays)
    if guess is not None and guess.complete:
        return guess
    # Older names may hide a file that fits.
    for name, known in registry.networks().items():
        if known.rename:
            guess = identify(_renamed(arrays, name))
            if guess is not None and guess.complete and guess.network == name:
                return guess
    raise WeightsError(f"{label} cannot be used: {seems_to_be(arrays)}")


class _Renamed(dict[str, Shaped]):
    """Arrays under current names; `origin` gives back the file's."""

    def __init__(self, arrays: Mapping[str, Shaped], rename: Mapping[str, str]) -> None:
        super().__init__(arrays)
        self._origin: dict[str, str] = {}
        for old, new in rename.items():
            for name in arrays:
                start, found, end = name.rpartition(old)
                current = start + new + end
                if found and (not start or start.endswith(".")) and current not in arrays:
                    self[current] = self.pop(name)
                    self._origin[current] = name

    def origin(self, name: str) -> str:
        return self._origin.get(name, name)


def _renamed(arrays: Mapping[str, Shaped], network: str) -> _Renamed:
    known = registry.networks().get(network)
    return _Renamed(arrays, known.rename if known else {})


def _left_over(arrays: _Renamed, guess: Guess, wanted: Mapping[str, Any], network: str) -> list[str]:
    known = registry.networks().get(network)
    starts = (*_IGNORED_STARTS, *((*known.extras, *known.remembers) if known else ()))
    others = [copy.prefix for copy in copies(arrays, network, guess.options) if copy.share >= A_COPY]
    beside = tuple(prefix for prefix in others if prefix.startswith(guess.prefix) and prefix != guess.prefix)
    left = []
    for name in arrays:
        key = name.removeprefix(guess.prefix)
        if not name.startswith(guess.prefix) or name.startswith(beside):
            continue
        if key in wanted or key.startswith(starts) or key.endswith(_IGNORED_ENDS):
            continue
        if f"{key}_orig" not in wanted:  # the normalised weight itself, which torch before 1.1 saved as well
            left.append(key)
    return left


def _misfit(arrays: Mapping[str, Shaped], guess: Guess, label: str, wrong: list[str]) -> str:
    other = identify(arrays)
    if other is not None and other.complete:
        return f"{label} does not fit {guess}: it is {other}"
    more = f" and {len(wrong) - 1} more like it" if len(wrong) > 1 else ""
    return f"{label} does not fit {guess}: {wrong[0]}{more}"


def _solve(start: str, tensor: Callable[[str], Tensor]) -> Tensor:
    """The right singular vector that torch before 1.1 did not save, such that u W v is the norm it divided by."""
    weight, left = tensor(start + "weight_orig"), tensor(start + "weight_u")
    right = weight.flatten(1).T @ left
    try:
        normalised = tensor(start + "weight")
    except KeyError:
        return right / right.norm()
    chosen = normalised.abs() > normalised.abs().mean() * 0.1
    norm = (weight[chosen] / normalised[chosen]).mean()
    return right * (norm / right.square().sum())


def _finite(value: Tensor) -> bool:
    """Whether all numbers are finite; the extremes tell, NaN included, forty times as fast as looking at each."""
    import torch

    return value.numel() == 0 or bool(torch.isfinite(torch.stack(torch.aminmax(value))).all())


def _size(shape: Any) -> str:
    return "x".join(str(side) for side in shape) or "a single number"
