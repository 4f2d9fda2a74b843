"""Damaged files end in right pixels or one sentence that names the file: no crash, no hang, no hunger, no noise."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest

from nodes.errors import FootageError
from nodes.footage.exr_header import DamagedHeader, read_header
from nodes.footage.reader import Footage
from tests.footage_files import SHARED, needs_shared, noise, shared_files, write

READ_ALL = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from nodes.errors import FootageError
from nodes.footage.reader import Footage
for path in sys.stdin.read().splitlines():
    start = time.monotonic()
    try:
        text = "pixels " + str(Footage(path).frame(1).pixels.shape)
    except FootageError as error:
        text = str(error)
    print(json.dumps([path, text, time.monotonic() - start]), flush=True)
# Not ru_maxrss: a child begins with its parent's, and the parent is a whole test suite.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps(int(peak.split()[1]) >> 10))
"""
# Of the shared files, these have pixels: their damage is in a tag, or is none by today's rules.
READABLE = {
    "b44_overly_restrictive_assert.exr",
    "comp_b44.exr",
    *(f"scanline_with_{kind}_type.exr" for kind in ("deepscanline", "deeptiled", "tiledimage")),
    *(f"tiled_with_{kind}_type.exr" for kind in ("deepscanline", "deeptile", "scanlineimage")),
    *("v1.7.test.interleaved.exr", "v1.7.test.tiled.exr"),
}


def read_all(paths: list[Path]) -> tuple[list[tuple[str, str, float]], int]:
    """What became of each file in a process of its own, and the largest memory in MB."""
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    *rows, peak = [json.loads(line) for line in done.stdout.splitlines()]
    return rows, peak


def check(rows: list[tuple[str, str, float]]) -> None:
    for path, text, seconds in rows:
        assert seconds < 10, path
        assert "\n" not in text
        assert text.startswith("pixels") or (path in text and text.endswith("."))


@needs_shared("exr/bad")
def test_shared_files() -> None:
    rows, peak = read_all(shared_files("exr/bad"))
    check(rows)
    assert peak < 1000
    assert {Path(path).name for path, text, _ in rows if text.startswith("pixels")} == READABLE


@needs_shared("exr/bad")
def test_types_that_lie_do_not_change_pixels() -> None:
    folder = SHARED / "exr/bad/exrs/invalid/openexr/IlmlfmlflmTest"
    frames = [Footage(str(path)).frame(1).pixels for path in folder.glob("*_with_*_type.exr")]
    assert len(frames) == 6
    for pixels in frames[1:]:
        np.testing.assert_array_equal(pixels, frames[0])


def test_random_damage(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    paths = []
    for number in range(120):
        compression = ("none", "rle", "zip", "piz", "pxr24", "b44", "dwaa", "dwab")[number % 8]
        path = write(
            tmp_path / f"{number}.exr", noise(40, 50, 4), "RGBA", attributes={"compression": compression},
            tile=(0, 16)[number // 8 % 2],
        )  # fmt: skip
        data = bytearray(path.read_bytes())
        end = min(len(data), 900) if number % 3 else len(data)
        for position in random.integers(0, end - 4, 1 + number % 5):
            struct.pack_into("<I", data, position, int(random.integers(0, 2**32)))
        path.write_bytes(data[: int(random.integers(10, len(data)))] if number % 7 == 0 else data)
        paths.append(path)
    still = (noise(40, 50).clip(0, 1) * 255).astype(np.uint8)
    for number, ending in enumerate(("png", "tif", "dpx", "jpg") * 8):
        path = write(tmp_path / f"s{number}.{ending}", still, kind=oiio.UINT8)
        data = bytearray(path.read_bytes())
        data[int(random.integers(0, len(data)))] ^= 0xFF
        path.write_bytes(data[: int(random.integers(10, len(data)))] if number % 2 else data)
        paths.append(path)
    rows, peak = read_all(paths)
    check(rows)
    assert peak < 1500


def damaged(path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """A small EXR whose attribute `name` has other bytes."""
    write(path, noise())
    data = path.read_bytes()
    before = read_header(path).parts[0].attributes[name].data
    position = data.index(name.encode() + b"\0")
    start = data.index(before, position)
    path.write_bytes(data[:start] + change(before) + data[start + len(before) :])
    return path


def window(*numbers: int) -> Callable[[bytes], bytes]:
    return lambda _: struct.pack("<4i", *numbers)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        (
            "dataWindow",
            window(0, 0, 99999, 99999),
            "before its picture begins",
        ),
        ("dataWindow", window(0, 0, 200000, 15), "cannot hold"),
        ("dataWindow", window(5, 5, 4, 4), "'dataWindow' goes from 5,5 to 4,4"),
        ("dataWindow", window(-(2**31), 0, 2**31 - 1, 4), "'dataWindow' goes from"),
        ("displayWindow", window(0, 0, -5, 4), "'displayWindow' goes from"),
        ("channels", lambda data: b"\0" + data[1:], "no channels"),
    ],
)
def test_headers_that_lie(tmp_path: Path, name: str, change: Callable[[bytes], bytes], reason: str) -> None:
    path = damaged(tmp_path / "a.exr", name, change)
    with pytest.raises(FootageError, match=reason) as error:
        Footage(str(path)).frame(1)
    assert str(path) in str(error.value)


def test_pictures_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodes.footage.picture.MAX_FRAME_BYTES", 500)
    for name in ("a.exr", "a.tif"):
        path = write(tmp_path / name, noise(), kind=oiio.FLOAT)
        with pytest.raises(FootageError, match=r"measures 8x6 pixels, which takes .* the limit is"):
            Footage(str(path)).frame(1)


@pytest.mark.parametrize("end", [0, 4, 8, 9, 20, 300])
def test_cut_off_headers(tmp_path: Path, end: int) -> None:
    path = write(tmp_path / "a.exr", noise())
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DamagedHeader):
        read_header(path)


def test_png_that_is_damaged_is_refused_without_noise(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.png", (noise(40, 50).clip(0, 1) * 255).astype(np.uint8), kind=oiio.UINT8)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(FootageError, match=r"a\.png is damaged: a checksum does not fit"):
        Footage(str(path)).frame(1)
    path.write_bytes(data[:60])
    with pytest.raises(FootageError, match=r"a\.png is damaged: it is cut off"):
        Footage(str(path)).frame(1)
    assert capfd.readouterr().err == ""
