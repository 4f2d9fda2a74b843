"""Damaged files end in right pixels or one sentence that names the file: no crash, no hang, no hunger, no noise."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from footage_files import SHARED, needs_shared, noise, shared_files, write

from nodes.errors import FootageError
from nodes.footage.exr.header import MAGIC, MULTIPART, DamagedHeader, parse_header, read_header
from nodes.footage.reader import Footage
from plugin.worker.protocol.buffers import Outgoing
from plugin.worker.protocol.codec import encode_message
from plugin.worker.protocol.frames import frame_answer

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
        cwd=Path(__file__).parents[2],
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


@pytest.mark.parametrize(
    ("origin", "display"),
    [
        ((2**24 + 1, 0), None),
        ((0, -(2**24) - 1), None),
        ((2**26, 2**28), None),
        ((0, 0), (0, 0, 2**20 + 1, 4)),
        ((0, 0), (2**25, 0, 8, 6)),
    ],
)
@pytest.mark.parametrize("ending", ["exr", "tif"])
def test_windows_that_nothing_here_can_hold_name_the_file(
    tmp_path: Path, ending: str, origin: tuple[int, int], display: tuple[int, int, int, int] | None
) -> None:
    path = write(tmp_path / f"a.{ending}", noise(), kind=oiio.FLOAT, origin=origin, display=display)
    with pytest.raises(
        FootageError,
        match=rf"{path} (has the (data|display) window|is not a picture that can be read: )",
    ):
        Footage(str(path)).frame(1)


def test_windows_at_the_edge_of_what_can_be_held_are_read_and_sent(tmp_path: Path) -> None:
    for origin in ((2**24, -(2**24)), (-(2**24), 2**24)):
        path = write(tmp_path / "a.exr", noise(), origin=origin, display=(0, 0, 2**20, 2**20))
        frame = Footage(str(path)).frame(1)
        encode_message(frame_answer(Outgoing(lambda number: None), 1, 1, frame)[0])


def test_parts_that_lie_far_apart_take_no_memory(tmp_path: Path) -> None:
    """Colours in three parts: the picture would be as large as what lies between them."""
    specs = []
    for number, name in enumerate("RGB"):
        spec = oiio.ImageSpec(4, 4, 1, oiio.HALF)
        spec.channelnames, spec.x, spec.y = (name,), number * 400_000, number * 400_000
        spec.full_width = spec.full_height = 4
        spec.attribute("oiio:subimagename", f"part{name}")
        specs.append(spec)
    path = str(tmp_path / "a.exr")
    out = oiio.ImageOutput.create(path)
    assert out.open(path, tuple(specs))
    for number, spec in enumerate(specs):
        assert not number or out.open(path, spec, "AppendSubimage")
        assert out.write_image(np.zeros((4, 4, 1), np.float32))
    out.close()
    with pytest.raises(FootageError, match="GB of memory"):
        Footage(path).frame(1)


@pytest.mark.parametrize("same", [False, True], ids=["different names", "one name"])
def test_a_flood_of_attributes_is_refused_before_it_costs_time(tmp_path: Path, same: bool) -> None:
    path = write(tmp_path / "a.exr", noise())
    data = path.read_bytes()
    flood = b"".join(b"a%d\0string\0\1\0\0\0x" % (0 if same else number) for number in range(50_000))
    path.write_bytes(data[:8] + flood + data[8:])
    began = time.process_time()
    with pytest.raises(FootageError, match="more than 4096 attributes"):
        Footage(str(path)).frame(1)
    assert time.process_time() - began < 5


def test_a_flood_of_parts_with_attributes_is_refused() -> None:
    def part(number: int) -> bytes:
        box = struct.pack("<4i", 0, 0, 1, 1)
        fields = [(b"channels", b"chlist", b"R\0" + struct.pack("<iB3xii", 1, 0, 1, 1) + b"\0")]
        fields += [(b"compression", b"compression", b"\0"), (b"dataWindow", b"box2i", box)]
        fields += [(b"displayWindow", b"box2i", box), *((b"a%d" % n, b"int", b"\0" * 4) for n in range(2000))]
        return b"".join(b"%s\0%s\0%s%s" % (n, t, struct.pack("<i", len(d)), d) for n, t, d in fields) + b"\0"

    data = MAGIC + struct.pack("<I", 2 | MULTIPART) + b"".join(map(part, range(20))) + b"\0" * 1000
    with pytest.raises(DamagedHeader, match="more than 32768 attributes"):
        parse_header(io.BytesIO(data), len(data))


def iptc(count: int) -> bytes:
    return b"".join(b"\x1c\x02\x19\0\x05%05d" % number for number in range(count))


def jpeg_with(entries: bytes, path: Path) -> Path:
    resource = b"Photoshop 3.0\0008BIM\x04\x04\0\0" + struct.pack(">I", len(entries)) + entries
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xed" + struct.pack(">H", len(resource) + 2) + resource + data[2:])
    return path


def tiff_with(entries: bytes, path: Path) -> Path:
    """The tag is added to a copy of the first page's at the end of the file."""
    data = path.read_bytes()
    (page,) = struct.unpack_from("<I", data, 4)
    (tags,) = struct.unpack_from("<H", data, page)
    table = data[page + 2 : page + 2 + 12 * tags]
    rows = [table[at : at + 12] for at in range(0, len(table), 12)]
    rows = sorted([*rows, struct.pack("<HHII", 33723, 1, len(entries), len(data))])
    rows.sort(key=lambda row: struct.unpack_from("<H", row))
    directory = struct.pack("<H", len(rows)) + b"".join(rows) + b"\0" * 4
    data = data[:4] + struct.pack("<I", len(data) + len(entries)) + data[8:] + entries + directory
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("ending", "add"), [("jpg", jpeg_with), ("tif", tiff_with)])
def test_a_flood_of_keywords_is_refused_before_it_costs_memory(
    tmp_path: Path, ending: str, add: Callable[[bytes, Path], Path]
) -> None:
    still = (noise(40, 50).clip(0, 1) * 255).astype(np.uint8)
    few = add(iptc(100), write(tmp_path / f"few.{ending}", still, kind=oiio.UINT8))
    assert Footage(str(few)).frame(1).pixels.shape == (40, 50, 3)
    many = add(iptc(5000), write(tmp_path / f"many.{ending}", still, kind=oiio.UINT8))
    with pytest.raises(FootageError, match="more than 1000 IPTC entries"):
        Footage(str(many)).frame(1)


def test_a_flood_of_packed_texts_in_a_png_is_refused(tmp_path: Path) -> None:
    still = (noise(40, 50).clip(0, 1) * 255).astype(np.uint8)
    path = write(tmp_path / "a.png", still, kind=oiio.UINT8)
    text = b"zTXtk\0\0" + zlib.compress(b"x" * 100)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    data = path.read_bytes()
    path.write_bytes(data[:33] + 65 * chunk + data[33:])
    with pytest.raises(FootageError, match="more than 64 compressed texts"):
        Footage(str(path)).frame(1)


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
