"""From what a file describes (nested dictionaries, modules, optimiser state) to arrays with dotted names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from models.weights.errors import BadFile
from models.weights.formats.arrays import MAX_ARRAYS, Storage, StoredArray
from models.weights.formats.torch_names import Record

_MAX_DEPTH = 64
_MAX_NAME = 512
# Left in names by torch.compile, by sharding and by checkpointing, wherever the wrapped part is.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
T = TypeVar("T")
_NODES = (StoredArray, dict, list, tuple, Record)
# A pickled module keeps its parts under these; they are no part of the published names.
_TRANSPARENT = ("_parameters", "_buffers", "_modules")


def unwrapped(arrays: Mapping[str, T]) -> dict[str, T]:
    """The arrays under the names they had before torch compiled, sharded or checkpointed the network or a part of it.

    What would then have the name of another keeps its own.
    """
    plain = {name: ".".join(part for part in name.split(".") if part not in _WRAPPERS) for name in arrays}
    counts = Counter(plain.values())
    return {new if counts[new] == 1 else name: arrays[name] for name, new in plain.items()}


def flatten(tree: Any) -> dict[str, StoredArray]:
    """Every array under its dotted name, in the file's order.

    {"state_dict": {"generator.a": x}} gives {"state_dict.generator.a": x}; a module's attributes count as entries. A
    container that appears twice is entered once. Raises BadFile if there are absurdly many.
    """
    found: dict[str, StoredArray] = {}
    for name, value in _walk(tree):
        if isinstance(value, StoredArray):
            found.setdefault(name, value)
            if len(found) > MAX_ARRAYS:
                raise BadFile("is not a plausible weights file: it describes too many arrays")
    return found


def storages(tree: Any) -> dict[str, Storage]:
    """Every storage that an array of the tree uses, by its key; of several claims the largest."""
    found: dict[str, Storage] = {}
    for _, value in _walk(tree):
        if isinstance(value, StoredArray):
            known = found.get(value.storage.key)
            if known is None or known.size < value.storage.size:
                found[value.storage.key] = value.storage
    return found


def _walk(tree: Any) -> Iterator[tuple[str, Any]]:
    entered: set[int] = set()
    stack: list[tuple[str, Any, Any, int]] = [("", None, tree, 0)]
    while stack:
        prefix, key, value, depth = stack.pop()
        name = prefix if key is None else f"{prefix}.{key}" if prefix else str(key)
        if isinstance(value, StoredArray):
            yield name, value
        elif isinstance(value, _NODES) and id(value) not in entered and depth < _MAX_DEPTH and len(name) < _MAX_NAME:
            entered.add(id(value))
            children = [(name, step, child, depth + 1) for step, child in _children(value) if isinstance(child, _NODES)]
            stack.extend(reversed(children))


def _children(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            inside = key in _TRANSPARENT and isinstance(child, dict)
            if isinstance(key, (str, int)) and len(str(key)) < _MAX_NAME:
                yield (None if inside else key), child
    elif isinstance(value, Record):
        yield None, value.state
        yield None, value.items
    else:
        yield from enumerate(value)
