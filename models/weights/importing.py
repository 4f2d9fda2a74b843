"""Takes the weights files users have, of any format, into the store: checked, unwrapped, as safetensors."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from models.weights import hashes, naming, registry, store
from models.weights.errors import WeightsError
from models.weights.fit import KeyPlan, fitted_arrays, fitting_network, key_plan
from models.weights.formats.arrays import ITEM_SIZE
from models.weights.formats.checkpoint import Checkpoint, open_checkpoint
from models.weights.formats.safetensors_file import CARD, layout_order, write_safetensors
from models.weights.header import check_options, options_in
from models.weights.identify import Guess, describe, seems_to_be, signature, values_taken
from models.weights.reference import WeightsRef, resolve
from models.weights.registry import Entry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Imported:
    """What an import did: the weights, whether they were there already, and sentences the user should read."""

    ref: WeightsRef
    already: bool = False
    notes: tuple[str, ...] = ()


def import_file(
    path: str | os.PathLike[str],
    *,
    as_entry: str | None = None,
    name: str | None = None,
    licence: str | None = None,
    member: str | None = None,
    replace: bool = False,
    origin: str = "",
) -> Imported:
    """Put the weights in a file into the store.

    `as_entry` says which published file it is (else its name and arrays do), `name` what to call it, `licence` its
    terms where the registry does not know them, `member` which file of a zip archive, `replace` permits to put it in
    the place of other weights of that name, `origin` is noted as where it came from. Nothing in the file is run, and
    nothing is stored unless all of it is good.

    Raises WeightsError, in one sentence that names the file.
    """
    path = Path(path)
    entry = naming.check(path, as_entry, name)
    with open_checkpoint(path, member or (entry.member if entry else None) or _member(path)) as checkpoint:
        guess, metadata = _understand(checkpoint, entry)
        candidates = [entry] if entry else _candidates(path, guess)
        chosen = candidates[0] if len(candidates) == 1 else None
        called = naming.called(name, chosen, path)
        source = hashes.digest(_rewound(checkpoint))
        metadata |= _terms(licence, candidates, metadata, source)
        with store.locked():
            store.clean()
            existing = _existing(called, metadata, replace)
            if existing is not None:
                return Imported(existing, already=True)
            _write(checkpoint, guess, metadata, called, origin or str(path.absolute()))
        values = values_taken(checkpoint.arrays, guess.network, guess.options)
    return Imported(resolve(called), notes=_notes(candidates, metadata, called, values))


def save(path: Path, state: Mapping[str, Tensor], network: str, options: Mapping[str, Any], **about: str) -> str:
    """Write weights of a network as the house's safetensors, in one piece, and return the file's sha256.

    What the network `remembers` beside its own tensors is written as it is. `about` are further texts for the header,
    such as licence="Apache-2.0" or source="cleanplate train ...". The same arguments always give the same bytes. Raises
    WeightsError if the tensors are not the network's, or not finite.
    """
    try:
        fitting = key_plan(state, network, options, path.name)
    except ValueError as error:
        raise WeightsError(f"{path.name} cannot be written: {error}") from None
    dtypes = {key: str(state[source].dtype).removeprefix("torch.") for key, source in fitting.takes.items() if source}
    metadata = {"format": "pt", "network": network, "options": _json(options), **about}
    beside = {key: _kept_type(value, key, path.name) for key, value in state.items() if _remembers(network, key)}
    with store.replacing(path) as file:
        _write_tensors(file, fitting, dtypes, metadata, state.__getitem__, path.name, beside)
    return hashes.sha256(path)


def _understand(checkpoint: Checkpoint, entry: Entry | None) -> tuple[Guess, dict[str, str]]:
    """Which network it is: the file's own header, if it is one of ours and true, else its arrays."""
    header = checkpoint.metadata
    if header.get("network") and header.get("options"):
        options = options_in(header, checkpoint.label)
        if options is not None:
            check_options(header["network"], options, checkpoint.label)
            known = ("licence", "terms", "source", "source_sha256")
            kept = {key: text for key, text in header.items() if key in known or key.startswith(CARD)}
            return Guess(header["network"], options, "", 1.0, len(checkpoint.arrays)), kept
    guess = fitting_network(checkpoint.arrays, checkpoint.label)
    if entry is not None and not _is(entry, guess):
        raise WeightsError(
            f"{checkpoint.label} is not {entry.id}, which is {describe(entry.network, entry.options)}: "
            f"{seems_to_be(checkpoint.arrays)}"
        )
    return guess, {}


def _is(entry: Entry, guess: Guess) -> bool:
    same = all(guess.options.get(key, value) == value for key, value in entry.options.items())
    return entry.network == guess.network and same


def _candidates(path: Path, guess: Guess) -> list[Entry]:
    """Published files that this may be, by its name and its network."""
    named = naming.published(path)
    folders = [entry for entry in named if entry.file.count("/") and str(path.absolute()).endswith("/" + entry.file)]
    return [entry for entry in folders or named if _is(entry, guess)]


def _member(path: Path) -> str | None:
    return next((entry.member for entry in registry.by_file(path.name) if entry.member), None)


def _terms(licence: str | None, candidates: list[Entry], header: Mapping[str, str], source: str) -> dict[str, str]:
    licences = {entry.licence.id for entry in candidates}
    found = {"source_sha256": header.get("source_sha256", source)}
    if licence or len(licences) == 1:
        found["licence"] = licence or licences.pop()
    elif "licence" not in header:
        found["licence"] = "unknown"
    if len(candidates) == 1:
        found["source"] = candidates[0].source
    return found


def _existing(name: str, metadata: Mapping[str, str], replace: bool) -> WeightsRef | None:
    if not store.place(name).exists():
        return None
    if store.record(name).get("source_sha256") == metadata["source_sha256"] and not replace:
        return resolve(name)
    if not replace:
        origin = store.record(name).get("from", "another file")
        raise WeightsError(
            f"other weights are already called '{name}' (from {origin}); add --replace, or choose another --name"
        )
    return None


def _write(checkpoint: Checkpoint, guess: Guess, metadata: dict[str, str], name: str, origin: str) -> None:
    metadata = {"format": "pt", "network": guess.network, "options": _json(guess.options)} | metadata
    loose = checkpoint.format == "TorchScript"
    try:
        fitting = key_plan(checkpoint.arrays, guess.network, guess.options, checkpoint.label, loose=loose)
    except ValueError as error:
        raise WeightsError(f"{checkpoint.label} cannot be used: {error}") from None
    dtypes = {key: checkpoint.arrays[source].dtype for key, source in fitting.takes.items() if source}
    target = store.place(name)
    beside = {
        key: (array.dtype, tuple(array.shape))
        for key, array in checkpoint.arrays.items()
        if _remembers(guess.network, key)
    }
    with store.replacing(target) as file:
        _write_tensors(file, fitting, dtypes, metadata, checkpoint.tensor, checkpoint.label, beside)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    store.write_json(
        target.with_suffix(".json"),
        {
            "sha256": hashes.sha256(target),
            "source_sha256": metadata["source_sha256"],
            "from": origin,
            "format": checkpoint.format,
            "wrapper": fitting.prefix,
            "imported": now,
        },
    )


def _remembers(network: str, key: str) -> bool:
    known = registry.networks().get(network)
    return known is not None and key.startswith(known.remembers)


def _kept_type(value: Tensor, key: str, label: str) -> tuple[str, tuple[int, ...]]:
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in ITEM_SIZE:
        raise WeightsError(f"{label} cannot be written: {key} is of the type {dtype}")
    return dtype, tuple(value.shape)


def _write_tensors(
    file: IO[bytes],
    fitting: KeyPlan,
    dtypes: Mapping[str, str],
    metadata: Mapping[str, str],
    tensor: Callable[[str], Tensor],
    label: str,
    beside: Mapping[str, tuple[str, tuple[int, ...]]],
) -> None:
    """One array in memory at a time: the layout is known beforehand. `beside` are types and shapes of what is kept."""
    from torch import uint8

    wanted = signature(fitting.network, fitting.options)
    half = {key for key, dtype in dtypes.items() if dtype == "float16"}
    types = {key: "float16" if key in half and dtype == "float32" else dtype for key, (_, dtype) in wanted.items()}
    shapes = {key: shape for key, (shape, _) in wanted.items()} | {key: shape for key, (_, shape) in beside.items()}
    order = sorted({**types, **{key: dtype for key, (dtype, _) in beside.items()}}.items(), key=layout_order)
    layout = {key: (dtype, shapes[key]) for key, dtype in order}
    assert all(dtype in ITEM_SIZE for _, dtype in order)

    def pieces() -> Iterator[memoryview]:
        # What is kept beside the network is of any type and comes between its tensors in the file.
        own = fitted_arrays(fitting, tensor, label, order=[key for key in layout if key not in beside])
        for key in layout:
            value = tensor(key) if key in beside else next(own)[1]
            yield value.detach().cpu().contiguous().reshape(-1).view(uint8).numpy().data

    write_safetensors(file, layout, metadata, pieces())


def _rewound(checkpoint: Checkpoint) -> IO[bytes]:
    checkpoint.file.seek(0)
    return checkpoint.file


def _notes(candidates: list[Entry], metadata: Mapping[str, str], name: str, values: str) -> tuple[str, ...]:
    notes = [values] if values else []
    if len(candidates) > 1:
        ids = ", ".join(entry.id for entry in candidates)
        notes.append(f"it may be any of {ids}; import it with --as ID so that nodes find it")
    if metadata.get("licence") == "unknown":
        notes.append("nobody states its terms; add --licence if you know them")
    partner = candidates[0].goes_with if len(candidates) == 1 else ""
    if partner and not store.place(partner).exists():
        notes.append(f"it works together with {partner}, which is not here yet")
    return tuple(notes)


def _json(options: Mapping[str, Any]) -> str:
    return json.dumps(dict(options), sort_keys=True)
