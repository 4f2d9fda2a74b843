"""Names of frames: patterns, views, scanning, and frame lists as typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.errors import FootageError, ParameterError
from nodes.footage.frame_list import format_frames, parse_frames
from nodes.footage.sequence import Sequence


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("pattern", "frame", "path"),
    [
        ("a.####.exr", 7, "a.0007.exr"),
        ("a.####.exr", 12345, "a.12345.exr"),
        ("a.####.exr", -7, "a.-007.exr"),
        ("a.%04d.exr", 1001, "a.1001.exr"),
        ("a.%d.exr", 12, "a.12.exr"),
        ("a.#.exr", 12, "a.12.exr"),
        ("a_%06d/a_%06d.exr", 3, "a_000003/a_000003.exr"),
        ("take#2/a.####.exr", 1, "take#2/a.0001.exr"),
        ("a.####/beauty.exr", 1, "a.0001/beauty.exr"),
        ("100%_done.####.exr", 1, "100%_done.0001.exr"),
        ("still.exr", 55, "still.exr"),
        ("a.%V.####.exr", 1, "a.left.0001.exr"),
        ("a_%v.####.exr", 1, "a_l.0001.exr"),
    ],
)
def test_path(pattern: str, frame: int, path: str) -> None:
    assert Sequence.parse(pattern).path(frame) == path


def test_views_and_passes_in_the_path() -> None:
    sequence = Sequence.parse("%V/a_%v.{pass}.####.exr")
    assert sequence.path(1, "right", "matte") == "right/a_r.matte.0001.exr"
    assert Sequence.parse("%P/a.####.exr").path(1, pass_name="fg") == "fg/a.0001.exr"
    with pytest.raises(FootageError, match="place for the pass"):
        sequence.path(1)


def test_scan_finds_frames_range_and_holes(tmp_path: Path) -> None:
    touch(tmp_path, *(f"a.{n:04d}.exr" for n in (1003, 1001, 1002, 1006, 10000)))
    touch(tmp_path, "a.01001.exr", "a.12.exr", "a.1001.exr.tmp", ".a.1009.exr", "b.1007.exr", "a.x.exr")
    sequence = Sequence.parse(tmp_path / "a.####.exr")
    assert sequence.frames() == [1001, 1002, 1003, 1006, 10000]
    assert sequence.range() == (1001, 10000)
    assert sequence.holes()[:2] == [1004, 1005]


def test_scan_of_negative_frames(tmp_path: Path) -> None:
    sequence = Sequence.parse(tmp_path / "a.####.exr")
    touch(tmp_path, *(Path(sequence.path(n)).name for n in (-2, -1, 0, 1)))
    assert sequence.frames() == [-2, -1, 0, 1]


def test_scan_of_views(tmp_path: Path) -> None:
    touch(tmp_path, "right/a_r.0001.exr", "left/a_l.0001.exr", "left/a_l.0002.exr", "mono/a_m.0001.exr")
    sequence = Sequence.parse(tmp_path / "%V/a_%v.####.exr")
    assert sequence.views() == ["left", "right", "mono"]
    assert sequence.frames("left") == [1, 2]
    assert sequence.frames("right") == [1]
    assert Sequence.parse(tmp_path / "left/a_%v.####.exr").views() == ["left"]


def test_scan_of_numbered_folders(tmp_path: Path) -> None:
    touch(tmp_path, "f0001/beauty.exr", "f0002/beauty.exr", "f0003/other.exr")
    assert Sequence.parse(tmp_path / "f####/beauty.exr").frames() == [1, 2]


def test_a_file_called_like_the_pattern_is_a_still(tmp_path: Path) -> None:
    touch(tmp_path, "a.####.exr")
    sequence = Sequence.parse(tmp_path / "a.####.exr")
    assert sequence.is_still
    assert sequence.path(1) == sequence.path(99) == str(tmp_path / "a.####.exr")
    assert sequence.range() == (1, 1)


def test_nothing_there(tmp_path: Path) -> None:
    assert Sequence.parse(tmp_path / "none/a.####.exr").frames() == []
    assert Sequence.parse(tmp_path / "a.####.exr").range() is None
    assert Sequence.parse(tmp_path / "a.exr").range() is None


def test_what_is_no_pattern(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match="is a folder"):
        Sequence.parse(tmp_path)
    with pytest.raises(FootageError, match="No file is named"):
        Sequence.parse(" ")


def test_other_paddings_are_suggested(tmp_path: Path) -> None:
    touch(tmp_path, "a.0001.exr")
    assert Sequence.parse(tmp_path / "a.######.exr").suggestion() == str(tmp_path / "a.####.exr")
    assert Sequence.parse(tmp_path / "b.####.exr").suggestion() == ""


@given(
    frame=st.integers(-(10**7), 10**7),
    token=st.sampled_from(["#", "####", "######", "%d", "%04d", "%08d"]),
    before=st.text("abc.-_9", max_size=4),
    after=st.text("abc.-_9", max_size=4),
)
def test_paths_are_read_back(frame: int, token: str, before: str, after: str) -> None:
    sequence = Sequence.parse(f"/x/{before}.{token}.{after}.exr")
    path = sequence.path(frame)
    assert sequence.frame_of(path) == frame


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("1001", [1001]),
        ("1001-1003", [1001, 1002, 1003]),
        ("1001-1010x4,1200", [1001, 1005, 1009, 1200]),
        ("-5--3", [-5, -4, -3]),
        ("-2-2x2", [-2, 0, 2]),
        ("3-1", [3, 2, 1]),
        (" 1 - 3 x 2 , 2", [1, 3, 2]),
        ("1-3,2-4", [1, 2, 3, 4]),
    ],
)
def test_parse_frames(text: str, frames: list[int]) -> None:
    assert parse_frames(text) == frames


@pytest.mark.parametrize("text", ["", "a", "1-", "1,,2", "1-5x", "1x2", "1.5", "1-5x-1"])
def test_frames_that_cannot_be_understood(text: str) -> None:
    with pytest.raises(ParameterError, match=r"cannot be understood.*1001-1100"):
        parse_frames(text)


def test_frames_beyond_reason() -> None:
    with pytest.raises(ParameterError, match="step 0"):
        parse_frames("1-5x0")
    with pytest.raises(ParameterError, match="check the numbers"):
        parse_frames("1-99999999999")


@given(st.lists(st.integers(-50, 50), min_size=1))
def test_format_frames_is_read_back(frames: list[int]) -> None:
    assert parse_frames(format_frames(frames)) == sorted(set(frames))
