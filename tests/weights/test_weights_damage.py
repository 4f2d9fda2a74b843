"""Files that came to harm, or were made to do some: one sentence that names the file and what is wrong with it."""

from __future__ import annotations

import json
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import weights_files as files

from models import weights
from models.weights import WeightsError


def archive(pickled: bytes, **parts: bytes) -> bytes:
    return files.zipped({"archive/data.pkl": pickled, **{f"archive/{name}": data for name, data in parts.items()}})


def torch_pickle(count: int, shape: tuple[int, ...], stride: tuple[int, ...] | None = None) -> bytes:
    """data.pkl of {"a": tensor} over a storage "0" of `count` floats, whatever the shape."""
    strides = stride if stride is not None else tuple([1] * len(shape))
    numbers = lambda values: b"(" + b"".join(b"L%dL\n" % value for value in values) + b"t"  # noqa: E731
    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuL%dL\ntQ" % count
    return (
        b"\x80\x02}X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + numbers(shape)
        + numbers(strides) + b"\x89}tRs."
    )  # fmt: skip


def _overlapping(parts: int, size: int) -> bytes:
    """A zip whose index has many entries for the same bytes."""
    data = bytearray(files.zipped({f"archive/{at:06}": b"" for at in range(parts)} | {"archive/data": bytes(size)}))
    target = data.rindex(b"PK\x03\x04")
    crc = zlib.crc32(bytes(size))
    at = data.index(b"PK\x01\x02")
    while data[at : at + 4] == b"PK\x01\x02":
        struct.pack_into("<III", data, at + 16, crc, size, size)
        struct.pack_into("<I", data, at + 42, target)
        name, extra, comment = struct.unpack_from("<HHH", data, at + 28)
        at += 46 + name + extra + comment
    return bytes(data)


def _bomb() -> bytes:
    return files.zipped({"archive/data.pkl": b"N.", "archive/data/0": bytes(100 << 20)}, zipfile.ZIP_DEFLATED)


def _lying_bomb() -> bytes:
    """As `_bomb`, but the index states a harmless size."""
    data = bytearray(files.zipped({"archive/data.pkl": torch_pickle(4, (4,)), "archive/data/0": bytes(64 << 20)},
                                  zipfile.ZIP_DEFLATED))  # fmt: skip
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.rindex(signature) + offset, 16)
    return bytes(data)


def header(**arrays: Any) -> bytes:
    return files.safetensors(json.dumps(arrays).encode(), bytes(64))


def f32(shape: list[Any], begin: Any, end: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


GOOD = files.saved(files.tiny_state())
_NEST = 600_000
_CHAIN = b"".join(b"h%ch%c\x86q%c" % (at, at, at + 1) for at in range(200))  # every tuple holds the one before twice
DAMAGE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"weights go here\n" * 9, "is a text file, not a weights file"),
    "web page": (lambda: b"<!DOCTYPE html><html><body>Too many downloads", "is a web page, not a weights file"),
    "git lfs": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "is a Git LFS pointer"),
    "picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(50), "is not a weights file of a kind Cleanplate knows"),
    "gzip": (lambda: b"\x1f\x8b\x08" + bytes(50), "is a gzip archive; unpack it"),
    "tar": (lambda: bytes(257) + b"ustar" + bytes(300), "is a tar archive; unpack it"),
    "zeros": (lambda: bytes(5000), "is not a weights file of a kind Cleanplate knows"),
    "half a file": (lambda: _half(GOOD), "is cut short or damaged"),
    "half a legacy file": (lambda: _half(files.saved(files.tiny_state(), legacy=True)), "is cut short"),
    "half a legacy array": (lambda: files.saved({"a": torch.ones(999)}, legacy=True)[:-700], "is cut short"),
    "zip of text": (lambda: files.zipped({"readme.txt": b"hello"}), "is a zip archive without a weights file inside"),
    "zip of two": (lambda: files.zipped({"a.pth": b"x", "b/b.ckpt": b"y"}),
                   "holds several weights files; choose one with --member: a.pth, b/b.ckpt"),
    "zip in zip": (lambda: files.zipped({"a.pth": files.zipped({"b.pth": GOOD})}), "is an archive within an archive"),
    "zip bomb": (_bomb, "unpacks to 105 MB from 0.1 MB, which no weights file does"),
    "lying zip bomb": (_lying_bomb, "is cut short or damaged: a part fails its checksum"),
    "overlapping zip": (lambda: _overlapping(3000, 1 << 20), "unpacks to 3,147 MB from"),
    "huge zip index": (lambda: files.zipped({f"{at:060}": b"" for at in range(100_000)}), "its index alone is larger"),
    "large zip index": (lambda: files.zipped({f"{at:060}": b"" for at in range(74_000)}), "without a weights file"),
    "bzip2 in zip": (lambda: files.zipped({"archive/data.pkl": b"N."}, zipfile.ZIP_BZIP2), "packed in an unusual way"),
    "missing array": (lambda: archive(torch_pickle(4, (4,))), "is incomplete: its part 'archive/data/0' is missing"),
    "short array": (lambda: files.zipped({"archive/data.pkl": torch_pickle(4, (4,)), "archive/data/0": b"1234"}),
                    "its arrays are not as long as it says"),
    "huge array": (lambda: archive(torch_pickle(1, (1 << 40,))), "an array larger than its own data"),
    "repeated element": (lambda: archive(torch_pickle(1, (1 << 40,), (0,))), "an array larger than its own data"),
    "huge storage": (lambda: archive(torch_pickle(1 << 50, (4,))), "its list of contents cannot be read"),
    "negative": (lambda: archive(torch_pickle(4, (-4,))), "an array of an impossible shape"),
    "50 axes": (lambda: archive(torch_pickle(4, (1,) * 50)), "an array of an impossible shape"),
    "big endian": (lambda: files.zipped({"a/data.pkl": torch_pickle(4, (4,)), "a/byteorder": b"big"}),
                   "was written on a machine of another kind"),
    "deep pickle": (lambda: archive(b")" + b"\x85" * _NEST + b"."), "its list of contents has no end"),
    "deep key": (lambda: archive(b"})" + b"\x85" * 400_000 + b"K\x01s."), "holds no weights"),
    "deep records": (lambda: archive(b"cos\nx\n)R" * 80_001 + b"b" * 80_000 + b"."), "holds no weights"),
    "endless pickle": (lambda: archive(b"]" * (8 << 20)), "its list of contents has no end"),
    "pickle of dicts": (lambda: archive(b"(" + b"}" * 490_000 + b"t."), "holds no weights"),
    "pickle of text": (lambda: archive(b"X\0\0\0\x01" + "\U0001f600".encode() + b"a" * ((16 << 20) - 4) + b"."),
                       "holds no weights"),
    "shared pickle": (lambda: archive(b"N\x85q\x00" + _CHAIN + b"."), "holds no weights"),
    "copied lists": (lambda: archive(b"](" + b"K\x01" * 400_000 + b"eq\x00" + b"ccollections\nOrderedDict\nq\x01"
                                      + b"h\x01h\x00\x85R" * 100_000 + b"."), "cannot be read"),
    "huge memo": (lambda: archive(b"Nr\xff\xff\xff\xff."), "holds no weights"),
    "huge string": (lambda: archive(b"\x8d" + b"\xff" * 7 + b"\x7f."), "its list of contents ends too early"),
    "huge number": (lambda: archive(b"\x8b\xff\xff\xff\x7f."), "its list of contents cannot be read"),
    "pickle of digits": (lambda: archive(b"L" + b"9" * 4000 + b"L\n."), "holds no weights"),
    "huge pickle": (lambda: archive(bytes(40 << 20)), "is larger than it can be"),
    "no stop": (lambda: archive(b"N"), "its list of contents cannot be read"),
    "unprintable name": (lambda: files.saved({"a\x1b[2J": torch.ones(1)}), "its arrays have unreadable names"),
    "4 GB header": (lambda: files.safetensors(b'{"a":1}', length=4 << 30), "its header claims 4,294,967,296 bytes"),
    "5 MB header": (lambda: files.safetensors(b'{"a":' + b" " * (5 << 20) + b"1}"), "its header is larger than 4 MB"),
    "deep header": (lambda: files.safetensors(b'{"a":' + b"[" * 100_000), "its header cannot be read"),
    "header of lists": (lambda: files.safetensors(b'{"a":[' + b"[]," * 1_390_000 + b"1]}"), "does not describe"),
    "header of a list": (lambda: files.safetensors(b'{} '[:2] + b" "), "holds no weights"),
    "no shape": (lambda: header(a={"dtype": "F32"}), "does not describe its arrays"),
    "odd type": (lambda: header(a={"dtype": "F4", "shape": [1], "data_offsets": [0, 4]}), "of a kind Cleanplate"),
    "type of types": (lambda: header(a={"dtype": [], "shape": [1], "data_offsets": [0, 4]}), "of a kind Cleanplate"),
    "text shape": (lambda: header(a=f32("12", 0, 8)), "an impossible shape"),  # type: ignore[arg-type]
    "fractional shape": (lambda: header(a=f32([1.5], 0, 4)), "an impossible shape"),
    "huge shape": (lambda: header(a=f32([1 << 40, 1 << 40], 0, 64)), "an array larger than its own data"),
    "small shape": (lambda: header(a=f32([1], 0, 64)), "an array is not as long as its shape says"),
    "text offsets": (lambda: header(a=f32([1], "0", "4")), "does not describe its arrays"),
    "negative offsets": (lambda: header(a=f32([1], -4, 0)), "does not describe its arrays"),
    "beyond the end": (lambda: header(a=f32([99], 0, 396)), "is cut short: its last arrays are missing"),
    "overlap": (lambda: header(a=f32([2], 0, 8), b=f32([2], 4, 12)), "its arrays overlap"),
    "many views": (lambda: files.saved({str(at): torch.ones(90_000).as_strided((1,), (1,), at) for at in range(1)}
                                       | _views(200)), "add up to far more than the file holds"),
}  # fmt: skip


def _views(count: int) -> dict[str, torch.Tensor]:
    block = torch.ones(300_000)
    return {f"view {at}": block[at:] for at in range(count)}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_ends_in_one_sentence(case: str, tmp_path: Path) -> None:
    make, sentence = DAMAGE[case]
    path = tmp_path / "w.pth"
    path.write_bytes(make())
    began = time.process_time()
    with pytest.raises(WeightsError) as caught:
        weights.load_state_dict(path)
    assert time.process_time() - began < 10
    assert str(caught.value).startswith("w.pth ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"is a folder; name a weights file in it$"):
        weights.load_state_dict(tmp_path)
    with pytest.raises(WeightsError, match=r"^there is no file .*/gone\.pth$"):
        weights.load_state_dict(tmp_path / "gone.pth")
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(WeightsError, match=r"is not a regular file$"):
        weights.load_state_dict(tmp_path / "pipe.pth")
