"""Names of frames: patterns, views, scanning, and frame lists as typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodes.errors import FootageError, ParameterError
from nodes.footage.files.frame_list import format_frames, parse_frames
from nodes.footage.files.sequence import Sequence


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
        ("a.@@@@.exr", 7, "a.0007.exr"),
        ("a.@.exr", 7, "a.7.exr"),
        ("a.$F4.exr", 7, "a.0007.exr"),
        ("a.${F4}.exr", 7, "a.0007.exr"),
        ("a.$F.exr", 7, "a.7.exr"),
        ("a.%04i.exr", 7, "a.0007.exr"),
        ("a.%i.exr", 7, "a.7.exr"),
        ("a.<F4>.exr", 7, "a.0007.exr"),
        ("a.<frame>.exr", 7, "a.7.exr"),
        ("a.{frame}.exr", 7, "a.7.exr"),
        ("a.{frame:04d}.exr", 7, "a.0007.exr"),
        ("a.{frame:04}.%V.exr", 7, "a.0007.left.exr"),
        # What only looks like a place is a name.
        ("my%20dir/a.####.exr", 1, "my%20dir/a.0001.exr"),
        ("my%20done.####.exr", 1, "my%20done.0001.exr"),
        ("100%done.####.exr", 1, "100%done.0001.exr"),
        ("50%dir/a.%04d.exr", 1, "50%dir/a.0001.exr"),
        ("a%2Db%2db.%d.exr", 1, "a%2Db%2db.1.exr"),
        ("100%Private/%view/a.####.exr", 1, "100%Private/%view/a.0001.exr"),
        ("me@work/take@@2.####.exr", 1, "me@work/take@@2.0001.exr"),
        ("me@work.exr", 1, "me@work.exr"),
        ("$FX/a.####.exr", 1, "$FX/a.0001.exr"),
        ("a.<UDIM>.####.exr", 1, "a.<UDIM>.0001.exr"),
        ("{a}*/a[1].%03d.exr", 1, "{a}*/a[1].001.exr"),
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


@pytest.mark.parametrize(
    ("pattern", "answer"),
    [
        ("a.*.exr", r"a\.\*\.exr is no pattern of ours; write a\.####\.exr"),
        ("a.?????.exr", r"write a\.#####\.exr"),
        ("a.[1001-1004].exr", r"write a\.####\.exr"),
        ("b/a.<UDIM>.exr", r"<UDIM> has no meaning here; #### stands for the frame's number"),
        ("a.{number}.exr", r"\{number\} has no meaning here"),
        ("a.{:04d}.exr", r"\{:04d\} has no meaning here"),
        ("a.$N.exr", r"\$N has no meaning here"),
        ("a.%04x.exr", r"%04x has no meaning here"),
        ("a.%(frame)04d.exr", r"has no meaning here"),
        ("caf\udce9/a.####.exr", r"'caf\\udce9/a\.####\.exr' is not UTF-8 text.*rename it"),
        ("a\0b.exr", r"is not UTF-8 text"),
    ],
)
def test_patterns_of_others_are_answered(pattern: str, answer: str) -> None:
    with pytest.raises(FootageError, match=answer):
        Sequence.parse(pattern)


def test_a_wildcard_is_answered_with_the_digits_on_disk(tmp_path: Path) -> None:
    touch(tmp_path, "a.00001.exr", "a.00002.exr", "a.x.exr")
    with pytest.raises(FootageError, match=r"write .*/a\.#####\.exr\."):
        Sequence.parse(tmp_path / "a.*.exr")


@pytest.mark.parametrize("name", ["%P", "%V", "f%04d", "%d", "{pass}", "my%20dir", "a####"])
def test_a_folder_that_is_there_is_that_folder(tmp_path: Path, name: str) -> None:
    touch(tmp_path, f"{name}/a.0001.exr")
    sequence = Sequence.parse(tmp_path / name / "a.####.exr")
    assert (sequence.frames(), sequence.has_pass, sequence.has_view) == ([1], False, False)
    assert sequence.path(2) == f"{tmp_path}/{name}/a.0002.exr"


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
    token=st.sampled_from(
        ["#", "####", "######", "%d", "%04d", "%08d", "@@@@", "$F4", "${F}", "%04i", "<F4>", "{frame:05d}"]
    ),
    before=st.text("abc.-_9 é+", max_size=4),
    after=st.text("abc.-_9 é+", max_size=4),
)
def test_paths_are_read_back(frame: int, token: str, before: str, after: str) -> None:
    sequence = Sequence.parse(f"/x/{before}.{token}.{after}.exr")
    path = sequence.path(frame)
    assert sequence.frame_of(path) == frame


@given(st.text("ad0149%#@$F{}<>*?[]VPv./é\udce9", min_size=1, max_size=12), st.integers(-999, 99999))
@example("#%d", 10)
@example("#0#", 900)
@example("#-#", -1)
def test_any_path_is_a_pattern_or_a_sentence(text: str, frame: int) -> None:
    """And the file of a frame is the frame's file."""
    try:
        sequence = Sequence.parse("/nowhere/" + text)
    except FootageError:
        return
    path = sequence.path(frame, pass_name="p")
    if sequence.is_still or sequence.has_pass:
        assert sequence.frame_of(path) is None or not sequence.is_still
    else:
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
        ("1 3-5  7", [1, 3, 4, 5, 7]),
        ("1-5X2", [1, 3, 5]),
        ("-3--1", [-3, -2, -1]),
        ("-3,-1", [-3, -1]),
        ("-1010", [-1010]),
    ],
)
def test_parse_frames(text: str, frames: list[int]) -> None:
    assert parse_frames(text) == frames


@pytest.mark.parametrize(
    ("text", "frames"),
    [("8-", [8, 9, 10]), ("-2,9-", [-2, 9, 10]), ("5-x2", [5, 7, 9]), ("1,8 - ", [1, 8, 9, 10])],
)
def test_a_range_without_an_end_goes_to_the_last_frame(text: str, frames: list[int]) -> None:
    assert parse_frames(text, (1, 10)) == frames
    with pytest.raises(ParameterError, match="have no end; write for instance"):
        parse_frames(text)
    with pytest.raises(ParameterError, match="begin behind the last frame, 7"):
        parse_frames("8-", (1, 7))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1-10:3", "1-10x3 for every 3rd frame"),
        ("1-10/11", "1-10x11 for every 11th frame"),
        ("1-10@22", "1-10x22 for every 22nd frame"),
        ("5,1-10 by 2", "1-10x2 for every 2nd frame"),
        ("1-10 step 2", "1-10x2"),
        ("1..10", "1-10"),
        ("1:10", "1-10"),
        ("1 to 10", "1-10"),
        ("1\u201310", "1-10"),
        ("10-1x-3", "10-1x3"),
        ("-5:-1", "-5--1"),
    ],
)
def test_other_programs_spellings_are_answered_with_ours(text: str, meant: str) -> None:
    with pytest.raises(ParameterError, match=f"; write {meant}"):
        parse_frames(text)
    assert parse_frames(meant.split()[0])


@pytest.mark.parametrize("text", ["", "a", "1,,2", "1-5x", "1x2", "1.5", "1-5-9", "1,", "--1", "1-5y2", "1001#", "1/0"])
def test_frames_that_cannot_be_understood(text: str) -> None:
    with pytest.raises(ParameterError, match=r"cannot be understood.*1001-1100"):
        parse_frames(text)


@pytest.mark.parametrize("text", ["3000000000", "1-2147483648", "-2147483649", "1-5x3000000000"])
def test_numbers_no_frame_can_have(text: str) -> None:
    with pytest.raises(ParameterError, match="go beyond what a frame's number can be, -2147483648 to 2147483647"):
        parse_frames(text)


def test_a_file_with_a_number_no_frame_can_have_is_named(tmp_path: Path) -> None:
    for number in (7, 20240131120000):
        (tmp_path / f"a.{number}.exr").touch()
    with pytest.raises(FootageError, match=r"a\.20240131120000\.exr has the number 20240131120000, .*rename the files"):
        Sequence.parse(tmp_path / "a.%d.exr").frames()


def test_frames_beyond_reason() -> None:
    with pytest.raises(ParameterError, match="step 0"):
        parse_frames("1-5x0")
    with pytest.raises(ParameterError, match="check the numbers"):
        parse_frames("1-20000000")
    with pytest.raises(ParameterError, match="cannot be understood"):
        parse_frames("9" * 5000)


@settings(deadline=None)
@given(st.text(alphabet="-0123456789x:,. ", max_size=8))
def test_any_text_is_frames_or_a_sentence(text: str) -> None:
    try:
        frames = parse_frames(text, (-5, 5))
    except ParameterError:
        return
    assert len(set(frames)) == len(frames) > 0


def test_frames_with_a_step_are_written_as_such() -> None:
    assert format_frames(range(1001, 1102, 10)) == "1001-1101x10"
    assert format_frames([1, 2, 3, 5, 7, 9, 11, 12, 20]) == "1-3,5-11x2,12,20"


@given(st.lists(st.integers(-50, 50), min_size=1))
def test_format_frames_is_read_back(frames: list[int]) -> None:
    assert parse_frames(format_frames(frames)) == sorted(set(frames))
