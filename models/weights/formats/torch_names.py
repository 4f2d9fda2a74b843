"""What the names in a PyTorch file mean. Names that are not listed here stay inert records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.weights.formats.arrays import ITEM_SIZE, Storage, view


class InertName:
    """A class or function the file names. Inert."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Record:
    """What the file would have built by calling something: the name and the plain data. Inert."""

    __slots__ = ("args", "items", "kind", "state")

    def __init__(self, kind: Any, args: Any) -> None:
        self.kind, self.args = kind, args
        self.state: Any = None
        self.items: dict[Any, Any] = {}


_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}


def storage(reference: tuple[Any, ...]) -> Any:
    """The storage meant by a reference ("storage", type, key, device, count[, view]); its device does not matter.

    Raises ValueError for a reference that makes no sense.
    """
    kind, key, count = reference[1], reference[2], reference[4]
    dtype = _STORAGES.get(kind.name) if kind.module.startswith("torch") else None
    if dtype is None or (len(reference) > 5 and reference[5] is not None):  # the latter only before torch 0.4
        return Record(kind, None)
    if type(count) is not int or not 0 <= count < 1 << 48 or not isinstance(key, (str, int)):
        raise ValueError
    return Storage(str(key), dtype, count)


def meaning(kind: Any, args: Any) -> Any:
    """What calling `kind` with `args` stands for: a tensor, a container, or a `Record` of the attempt."""
    if isinstance(kind, InertName) and isinstance(args, tuple):
        understood = _MEANINGS.get((kind.module, kind.name))
        if understood is not None:
            return understood(args)
    return Record(kind, args)


def plain_key(value: Any) -> Any:
    """A dictionary key that is safe to hash: nested tuples can be deep enough to crash the interpreter."""
    return value if value is None or isinstance(value, (str, int, float, bytes)) else f"<{id(value)}>"


def _tensor(where: Any, offset: Any, shape: Any, stride: Any, dtype: str | None = None) -> Any:
    if not isinstance(where, Storage):
        return Record("an unknown kind of tensor", None)
    return view(where, offset, shape, stride, dtype or where.dtype)


def _tensor_v3(args: tuple[Any, ...]) -> Any:
    where, offset, shape, stride, _, _, dtype = args[:7]
    known = isinstance(dtype, InertName) and dtype.module == "torch" and dtype.name in ITEM_SIZE
    return _tensor(where, offset, shape, stride, dtype.name) if known else Record("an unknown kind of tensor", None)


def _tensor_subclass(args: tuple[Any, ...]) -> Any:
    rebuild = args[0]
    tensor = isinstance(rebuild, InertName) and rebuild.name.startswith("_rebuild_")
    return meaning(rebuild, args[2]) if tensor else Record(rebuild, None)


def _ordered_dict(args: tuple[Any, ...]) -> Any:
    pairs = args[0] if args else []
    return {plain_key(key): value for key, value in (pairs.items() if isinstance(pairs, dict) else pairs)}


_MEANINGS: dict[tuple[str, str], Callable[[tuple[Any, ...]], Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): lambda args: _tensor(*args[:4]),
    ("torch._utils", "_rebuild_tensor"): lambda args: _tensor(*args[:4]),
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    ("torch._utils", "_rebuild_parameter"): lambda args: args[0],
    ("torch._utils", "_rebuild_parameter_with_state"): lambda args: args[0],
    ("torch._tensor", "_rebuild_from_type_v2"): _tensor_subclass,
    ("torch.jit._pickle", "restore_type_tag"): lambda args: args[0],
    ("collections", "OrderedDict"): _ordered_dict,
    ("collections", "defaultdict"): lambda args: {},
    ("torch", "Size"): lambda args: args[0],
}
