"""Whatever the bytes: weights, or one sentence. Never another error, never a file that grows in memory."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path

import pytest
import weights_files as files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_weights_damage import GOOD, f32, header, torch_pickle
from test_weights_hostile import commands

from models import weights
from models.weights import WeightsError
from models.weights.errors import BadFile
from models.weights.formats.legacy_reader import MAGIC
from models.weights.formats.pickle_reader import read_pickle

_SAMPLES = {
    "zip": GOOD,
    "stored": files.zipped({"archive/data.pkl": torch_pickle(4, (2, 2)), "archive/data/0": bytes(16)}),
    "before 1.6": files.saved({"state_dict": files.tiny_state(), "epoch": 3}, legacy=True),
    "safetensors": header(a=f32([2, 2], 0, 16), b={"dtype": "I64", "shape": [], "data_offsets": [16, 24]}),
}
_FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("layout", _SAMPLES)
@_FUZZ
@given(data=st.data())
def test_flipped_and_cut_files_load_or_say_why(layout: str, data: st.DataObject, tmp_path: Path) -> None:
    content = bytearray(_SAMPLES[layout])
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    path = tmp_path / "fuzzed.pth"
    path.write_bytes(bytes(content[:cut] if data.draw(st.booleans()) else content))
    try:
        loaded, said = weights.load_state_dict(path), "fuzzed.pth is good"
    except WeightsError as error:
        loaded, said = {}, str(error)
    assert "fuzzed.pth" in said
    assert said.isprintable()
    assert sum(value.numel() for value in loaded.values()) < 10_000


_PICKLED = [zipfile.ZipFile(io.BytesIO(GOOD)).read("archive/data.pkl"), *commands(Path("/nonexistent/x")).values()]


@settings(max_examples=600, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.sampled_from([bytes([code]) for code in b"().0123NRbcdeghijlopqrstu]}IJKLMGSTUVXQP"] + [
            b"\x80\x02", b"\x81", b"\x85", b"\x86", b"\x87", b"\x88", b"\x90", b"\x92", b"\x93", b"\x94", b"K\x01",
            b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n", b"X\x01\0\0\0a", b"\x8c\x07storage",
            b"ctorch\nFloatStorage\n", b"ctorch._tensor\n_rebuild_from_type_v2\n", b"q\x00", b"h\x00",
        ]), max_size=60).map(b"".join),
        st.tuples(st.sampled_from(_PICKLED), st.integers(0, 5000), st.binary(max_size=6)).map(
            lambda t: t[0][: t[1] % len(t[0])] + t[2] + t[0][t[1] % len(t[0]) + len(t[2]) :]
        ),
    )
)  # fmt: skip
def test_any_bytes_are_a_tree_or_a_sentence(data: bytes) -> None:
    with contextlib.suppress(BadFile):
        _, end = read_pickle(data)
        assert 0 < end <= len(data)


def test_the_magic_number_is_what_old_files_begin_with() -> None:
    assert files.saved({}, legacy=True).startswith(MAGIC)
