"""Reference cases of published networks: the deterministic parameter fill "F1" and the loading of stored numbers.

`tests/data/reference` holds a few small cases and the key lists, so that every checkout can be checked.  The full
collection (not distributed) is used as well where the folder that the environment variable CLEANPLATE_SHARED names, or
../shared beside the repository, has it.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

BUNDLED = Path(__file__).parents[1] / "data" / "reference"
FULL = Path(os.environ.get("CLEANPLATE_SHARED", Path(__file__).parents[3] / "shared")) / "reference"
torch.set_num_threads(1)  # as the stored numbers were computed; for pictures this small it is also the fastest
Rules = Sequence[tuple[str, float, float | list[float]]]


def hash_u(name: str, count: int) -> np.ndarray:
    """`count` reproducible float64 in 0..1 for a name: murmur3's finaliser over CRC-32(name) + i * 2654435761."""
    h = (np.arange(count, dtype=np.uint64) * 2654435761 + zlib.crc32(name.encode())).astype(np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return h / 2.0**32


def hashed(name: str, *shape: int) -> Tensor:
    """`hash_u` as a float32 tensor of the given shape."""
    return torch.from_numpy(hash_u(name, int(np.prod(shape))).astype(np.float32).reshape(shape))


def _value(key: str, shape: tuple[int, ...], gain: float) -> np.ndarray:
    u = hash_u(key, int(np.prod(shape))).reshape(shape)
    last = key.rpartition(".")[2]
    if last in ("running_mean", "bias"):
        return (2 * u - 1) * 0.1
    if last == "running_var":
        return 0.5 + u
    if key.endswith("box_filter.weight"):
        return (0.5 + u) / 9
    if last == "weight" and len(shape) in (1, 3):
        return 0.5 + u
    if last in ("weight", "weight_orig"):
        return (2 * u - 1) * np.sqrt(3 / np.prod(shape[1:])) * gain
    if last == "weight_v":
        return (2 * u - 1) / np.linalg.norm(2 * u - 1)
    raise ValueError(f"The fill has no rule for {key!r}.")


def fill(module: nn.Module, gain: float = 1.0, rules: Rules = ()) -> nn.Module:
    """Fill every parameter and buffer of the state dict from its name alone (README of the collection, section 1)."""
    state: dict[str, Tensor] = {}
    own = module.state_dict()
    for key, tensor in own.items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(1)
        elif not key.endswith("weight_u"):
            value = _value(key, tuple(tensor.shape), gain)
            for pattern, mul, add in rules:
                if key == pattern or (pattern[0] == "*" and key.endswith(pattern[1:])):
                    offset = np.asarray(add).reshape(-1, *[1] * (value.ndim - 1)) if isinstance(add, list) else add
                    value = value * mul + offset
            state[key] = torch.from_numpy(value.astype(np.float32))
    for key in own:
        if key.endswith("weight_u"):
            weight = state[key.replace("weight_u", "weight_orig")].double()
            u = weight.flatten(1) @ state[key.replace("weight_u", "weight_v")].double()
            state[key] = (u / u.norm()).float()
    module.load_state_dict(state)
    return module


def fill_checksum(module: nn.Module) -> tuple[int, float, int]:
    """(number of values, sum of magnitudes, CRC-32) over all float tensors in sorted key order."""
    floats = [v.numpy() for _, v in sorted(module.state_dict().items()) if v.is_floating_point()]
    crc = 0
    for array in floats:
        crc = zlib.crc32(array.astype("<f4").tobytes(), crc)
    return sum(a.size for a in floats), float(sum(np.abs(a.astype(np.float64)).sum() for a in floats)), crc


class Case:
    """One stored case: `meta`, arrays by name as tensors, and pictures (uint8 codes) as float 0..1."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as archive:
            self.arrays: dict[str, np.ndarray] = {key: archive[key] for key in archive.files}
        self.meta: dict[str, Any] = json.loads(str(self.arrays.pop("meta")))

    def __getitem__(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name])

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def image(self, name: str) -> Tensor:
        return self[name].float() / 255

    def fill(self, module: nn.Module, which: int = 0) -> nn.Module:
        """Fill the module as the case says and check that the parameters are the intended ones."""
        fill(module, self.meta.get("gain", 1.0), self.meta.get("rules", []))
        count, total, crc = fill_checksum(module)
        stored = self.meta["fill_checks"][which]
        assert count == stored["n_float_values"]
        assert (
            crc == stored["crc32_of_float32_le_bytes_sorted_keys"] or abs(total / stored["sum_abs_float64"] - 1) < 1e-9
        )
        return module


def cases(pattern: str) -> list[Any]:
    """Test parameters, one per case that matches: the bundled ones, then the full collection or why it is left out."""
    found = [pytest.param(path, id=path.stem) for path in sorted(BUNDLED.glob(f"{pattern}.npz"))]
    if FULL.is_dir():
        more = sorted((FULL / "goldens").glob(f"{pattern}.npz"))
        return found + [pytest.param(path, id=f"full:{path.stem}") for path in more]
    reason = f"the full reference collection is not at {FULL}"
    return [*found, pytest.param(FULL, id="full", marks=pytest.mark.skip(reason=reason))]


def key_list(name: str) -> list[tuple[str, tuple[int, ...], str]]:
    """(key, shape, dtype) of a published state dict, in its order, from one of the files keys_*.json.gz."""
    for path in sorted(BUNDLED.glob("keys_*.json.gz")):
        lists = json.loads(gzip.decompress(path.read_bytes()))
        if name in lists:
            return [(key, tuple(shape), dtype) for key, shape, dtype in lists[name]]
    raise KeyError(f"No key list {name} in {BUNDLED}.")


def assert_close(case: Case, results: dict[str, Tensor], prefix: str = "out_", least: float = 1e-6) -> None:
    """Compare with the stored arrays `prefix + name` at 10 x the float32 error of the official code, `least` at least;
    what the official code computes exactly must be equal.  Names without a stored array are passed over."""
    compared = 0
    for name, result in results.items():
        if prefix + name not in case:
            continue
        error = case.meta["diff"][name]["max_abs_f32_minus_f64"]
        tolerance = max(10 * error, least) if error else 0
        difference = (result - case[prefix + name]).abs().max().item()
        assert difference <= tolerance, f"{prefix}{name} is off by {difference:.2g}, allowed {tolerance:.2g}"
        compared += 1
    assert compared, f"The case has no arrays {prefix}*"


def keys_of(module: nn.Module) -> list[tuple[str, tuple[int, ...], str]]:
    return [(k, tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in module.state_dict().items()]
