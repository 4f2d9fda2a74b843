"""The deterministic fill itself: without it no reference case means anything."""

import json
import zlib

import numpy as np
import pytest
import reference
import torch
from torch import nn

CHECK = json.loads((reference.BUNDLED / "fill_check.json").read_text())


class Entry(nn.Module):
    """A module whose state dict has one entry of any name."""

    def __init__(self, key: str, shape: list[int]) -> None:
        super().__init__()
        *path, last = key.split(".")
        owner: nn.Module = self
        for name in path:
            owner.add_module(name, nn.Module())
            owner = owner.get_submodule(name)
        owner.register_buffer(last, torch.zeros(shape))


def test_hash() -> None:
    np.testing.assert_array_equal(reference.hash_u("abc", 6), CHECK['hash_u("abc",6)'])


@pytest.mark.parametrize("vector", CHECK["vectors_gain1_no_rules"], ids=lambda v: v["key"])
def test_vector(vector: dict) -> None:
    module = reference.fill(Entry(vector["key"], vector["shape"]))
    value = module.state_dict()[vector["key"]].numpy()
    np.testing.assert_array_equal(value.ravel()[:8], np.float32(vector["first8_float32"]))
    assert value.ravel()[-1] == np.float32(vector["last"])
    assert zlib.crc32(value.astype("<f4").tobytes()) == vector["crc32_float32_le"]


def test_gain_and_rules() -> None:
    plain = reference.fill(nn.Conv2d(2, 3, 1)).state_dict()
    ruled = reference.fill(nn.Conv2d(2, 3, 1), 2.0, [("weight", 1.5, 0.0), ("*ias", 1.0, [1.0, 2.0, 3.0])]).state_dict()
    torch.testing.assert_close(ruled["weight"], plain["weight"] * 3)
    torch.testing.assert_close(ruled["bias"], plain["bias"] + torch.tensor([1.0, 2.0, 3.0]))
