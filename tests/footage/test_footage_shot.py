"""Reading a shot: missing frames, files that are no pictures, headers, identities, threads."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from footage_files import noise, write

from nodes.errors import FootageError, ParameterError
from nodes.footage import exr_attributes
from nodes.footage.linearise import linearised
from nodes.footage.reader import Footage
from nodes.footage.window import Window


@pytest.fixture
def shot(tmp_path: Path) -> str:
    """Frames 1001, 1002, 1005 of a shot; 1002 has another window."""
    for number, origin in ((1001, (0, 0)), (1002, (3, -2)), (1005, (0, 0))):
        write(tmp_path / f"a.{number}.exr", noise(seed=number), origin=origin, display=(0, 0, 20, 10))
    return str(tmp_path / "a.####.exr")


def test_missing_frames_are_errors(shot: str) -> None:
    footage = Footage(shot)
    assert footage.range() == (1001, 1005)
    assert footage.frames() == [1001, 1002, 1005]
    with pytest.raises(
        FootageError, match=r"Frame 1003 is missing: .*1003\.exr does not exist \(there are 1001-1002,1005\)"
    ):
        footage.frame(1003)


@pytest.mark.parametrize(("frame", "held"), [(1003, 1002), (1004, 1002), (1002, 1002), (1000, 1001), (2000, 1005)])
def test_missing_frames_are_held(shot: str, frame: int, held: int) -> None:
    got = Footage(shot, missing="hold").frame(frame)
    np.testing.assert_array_equal(got.pixels, noise(seed=held))
    assert (got.metadata.frame, got.metadata.read_frame) == (frame, held)
    assert bool(got.metadata.notes) == (frame != held)


def test_missing_frames_are_black(shot: str) -> None:
    footage = Footage(shot, missing="black")
    got = footage.frame(1003)
    assert not got.pixels.any()
    assert got.data_window == footage.frame(1002).data_window == footage.header(1003).data_window
    assert got.metadata.notes == ("Frame 1003 is missing; it is black.",)


def timecoded(folder: Path, numbers: dict[int, int], **attributes: Any) -> str:
    """A shot whose frames say their number and count 24 frames a second; `numbers` maps frames to timecode's frames."""
    for number, count in numbers.items():
        word = (count // 24 // 10 << 4 | count // 24 % 10) << 8 | count % 24 // 10 << 4 | count % 24 % 10
        said = {"smpte:TimeCode": (oiio.TypeTimeCode, (word, 0)), "nuke/input/frame": number, **attributes}
        write(folder / f"t.{number}.exr", noise(seed=number), attributes=said)
    return str(folder / "t.####.exr")


@pytest.mark.parametrize("missing", ["hold", "black"])
def test_a_frame_that_stands_in_says_the_frame_that_is_shown(tmp_path: Path, missing: Any) -> None:
    """The rate is not stated: the shot's first and last frame tell it."""
    footage = Footage(timecoded(tmp_path, {n: n - 1000 for n in (1001, 1022, 1023, 1026, 1060)}), missing=missing)
    frame = footage.frame(1025)
    attributes = {name: exr_attributes.decode(value) for name, value in frame.metadata.attributes.items()}
    assert attributes["timeCode"] == (0x0101, 0)
    assert attributes["nuke/input/frame"] == 1025
    assert [note.startswith("Frame 1025 is missing") for note in frame.metadata.notes] == [True]
    moved = Footage(str(tmp_path / "t.####.exr"), missing=missing, offset=1000).frame(25)
    assert moved.metadata.attributes == frame.metadata.attributes


def test_a_timecode_that_cannot_be_known_is_left_out(tmp_path: Path) -> None:
    footage = Footage(timecoded(tmp_path, {1001: 22, 1002: 23}), missing="hold")
    frame = footage.frame(1003)
    assert "timeCode" not in frame.metadata.attributes
    assert "has no timecode" in frame.metadata.notes[1]


@pytest.mark.parametrize("alpha", ["auto", "straight", "premultiplied"])
def test_association_can_be_named(tmp_path: Path, alpha: Any) -> None:
    values = np.float32([[[0.5, 0.25, 1.0, 0.5], [0.5, 0.5, 0.5, 0.0]]])
    path = str(write(tmp_path / "a.exr", values, "RGBA"))
    frame = linearised(Footage(path, alpha=alpha).frame(1))
    expected = values * [[[0.5, 0.5, 0.5, 1], [0, 0, 0, 1]]] if alpha == "straight" else values
    np.testing.assert_array_equal(frame.pixels, expected.astype(np.float32))
    assert Footage(path, alpha=alpha).identity(1, 1) == Footage(path, alpha=alpha).identity(1, 1)
    assert (Footage(path).way() == Footage(path, alpha=alpha).way()) == (alpha == "auto")
    with pytest.raises(ParameterError, match="not 'both'"):
        Footage(path, alpha="both")  # type: ignore[arg-type]


def test_nothing_matches(tmp_path: Path) -> None:
    write(tmp_path / "a.0001.exr", noise())
    for missing in ("error", "hold", "black"):
        footage = Footage(str(tmp_path / "a.#####.exr"), missing=missing)  # type: ignore[arg-type]
        with pytest.raises(FootageError, match=r"No file matches .*a\.#####\.exr\. Did you mean .*a\.####\.exr\?"):
            footage.frame(1)
    with pytest.raises(FootageError, match=r"b\.exr does not exist"):
        Footage(str(tmp_path / "b.exr")).range()
    with pytest.raises(ParameterError, match="not 'skip'"):
        Footage(str(tmp_path / "b.exr"), missing="skip")  # type: ignore[arg-type]


def test_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.exr").write_text("hello")
    (tmp_path / "empty.exr").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.exr")
    for name, reason in (("a", "is not a picture"), ("empty", "is empty"), ("pipe", "is not an ordinary file")):
        with pytest.raises(FootageError, match=reason):
            Footage(str(tmp_path / f"{name}.exr")).frame(1)


def test_a_damaged_frame_is_an_error_whatever_missing_says(shot: str) -> None:
    path = shot.replace("####", "1002")
    data = Path(path).read_bytes()
    for end in (3, 40, len(data) // 2, len(data) - 5):
        Path(path).write_bytes(data[:end])
        with pytest.raises(FootageError, match=r"Frame 1002: .*a\.1002\.exr") as error:
            Footage(shot, missing="hold").frame(1002)
        assert "\n" not in str(error.value)


def test_header(shot: str) -> None:
    header = Footage(shot).header(1002)
    assert (header.channels, header.data_window) == (("R", "G", "B"), Window(3, -2, 8, 6))
    assert header.attributes["screenWindowWidth"] == 1.0


def test_identity_changes_with_every_file_of_the_range(shot: str) -> None:
    footage = Footage(shot, missing="hold")
    before = {span: footage.identity(*span) for span in ((1001, 1001), (1001, 1005), (1003, 1003), (1005, 1005))}
    assert len(set(before.values())) == 4
    write(Path(shot.replace("####", "1002")), noise(seed=7), display=(0, 0, 20, 10))
    after = {span: footage.identity(*span) for span in before}
    assert after[1001, 1001] == before[1001, 1001]
    assert after[1005, 1005] == before[1005, 1005]
    assert after[1001, 1005] != before[1001, 1005]
    assert after[1003, 1003] != before[1003, 1003]  # 1002 is held there
    assert after == {span: Footage(shot, missing="hold").identity(*span) for span in before}


def test_identity_of_picked_frames(shot: str) -> None:
    footage = Footage(shot)
    before = {frames: footage.identity_of(frames) for frames in ((1001,), (1001, 1005), (1002, 1005), (1003,))}
    assert len(set(before.values())) == 4
    write(Path(shot.replace("####", "1002")), noise(seed=7), display=(0, 0, 20, 10))
    assert [frames for frames, digest in before.items() if footage.identity_of(frames) != digest] == [(1002, 1005)]


def test_a_still_counts_once(shot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    still = Footage(shot.replace("####", "1001"))
    monkeypatch.setattr("nodes.footage.files.identity._digest", lambda before, stamp: stamp)
    assert still.identity(1, 20_240_131) == still.identity(-5, 1) == still.identity_of([7, 9])


def test_identity_depends_on_how_it_is_read(shot: str) -> None:
    ways = [Footage(shot), Footage(shot, "fg"), Footage(shot, missing="hold"), Footage(shot, input_space="ACEScg")]
    assert len({way.identity(1001, 1002) for way in ways}) == 4
    assert Footage(shot).identity(1001, 1000) == Footage(shot).identity(5, 4)


def test_identity_of_growing_ranges_costs_a_step_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.0001.exr", noise())
    for number in range(2, 1201):
        os.link(path, tmp_path / f"a.{number:04d}.exr")
    footage = Footage(str(tmp_path / "a.####.exr"))
    calls = 0
    plain = os.stat

    def counted(*args: Any, **kwargs: Any) -> os.stat_result:
        nonlocal calls
        calls += 1
        return plain(*args, **kwargs)

    monkeypatch.setattr(os, "stat", counted)
    for last in range(1, 1201):
        footage.identity(1, last)
    assert calls < 60_000  # 720,000 if every range were looked at anew


def test_several_threads(shot: str) -> None:
    footage = Footage(shot)
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            if not np.array_equal(footage.frame(number).pixels, noise(seed=number)):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in (1001, 1002, 1005, 1001)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
