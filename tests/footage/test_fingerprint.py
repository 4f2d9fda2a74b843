"""Fingerprints of the files behind a result: equal for equal contents, wherever they lie and however old they are."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.footage import fingerprint
from nodes.footage.fingerprint import Fingerprint, Fingerprints
from nodes.footage.reader import Footage

OLD = 1_600_000_000_123_456_789
FRAMES = range(1, 7)


def put(path: Path, content: bytes, when: int = OLD) -> None:
    path.write_bytes(content)
    os.utime(path, ns=(when, when))


def shot(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for frame in FRAMES:
        put(folder / f"a.{frame}.exr", b"content %d" % frame)
    return folder


def prints(folder: Path, **how: str) -> Fingerprints:
    return Fingerprints(Footage(str(folder / "a.#.exr"), **how), FRAMES)  # type: ignore[arg-type]


def unread(*_: object) -> bytes:
    raise AssertionError("a file was read although size and time settle it")


CHANGES = {
    "touch": lambda path: os.utime(path),
    "another time": lambda path: os.utime(path, ns=(OLD + 1, OLD + 1)),
    "rights": lambda path: path.chmod(0o400),
    "copied onto itself": lambda path: (path.rename(f"{path}~"), shutil.copyfile(f"{path}~", path)),
    "same size": lambda path: put(path, path.read_bytes()[::-1], OLD + 1),
    "longer": lambda path: put(path, path.read_bytes() + b"!", OLD),
    "gone": lambda path: path.unlink(),
}
HARMLESS = ("touch", "another time", "rights", "copied onto itself")


@given(
    st.dictionaries(st.sampled_from(FRAMES), st.sampled_from(sorted(CHANGES)), max_size=3),
    st.sampled_from(FRAMES),
    st.sampled_from(FRAMES),
    st.sampled_from(["error", "hold", "black"]),
)
@settings(max_examples=120, deadline=None)
def test_a_range_agrees_until_one_of_its_files_holds_something_else(changes, one, other, missing) -> None:
    first, last = sorted((one, other))
    with tempfile.TemporaryDirectory() as place:
        folder = shot(Path(place) / "shot")
        known = prints(folder, missing=missing).read(first, last)
        for frame, change in changes.items():
            CHANGES[change](folder / f"a.{frame}.exr")
        changed = any(change not in HARMLESS and first <= frame <= last for frame, change in changes.items())
        assert prints(folder, missing=missing).agrees(first, last, known) is not changed


def test_a_copy_agrees_with_the_shot_and_is_read_only_where_it_must_be(tmp_path: Path, monkeypatch) -> None:
    folder = shot(tmp_path / "shot")
    known = [prints(folder).read(first, 6) for first in FRAMES]
    shutil.copytree(folder, tmp_path / "cold", copy_function=shutil.copyfile)
    assert [prints(tmp_path / "cold").agrees(n, 6, one) for n, one in zip(FRAMES, known, strict=True)] == [True] * 6
    shutil.copytree(folder, tmp_path / "mount")
    monkeypatch.setattr(fingerprint, "_hash_of", unread)
    assert [prints(tmp_path / "mount").agrees(n, 6, one) for n, one in zip(FRAMES, known, strict=True)] == [True] * 6
    put(folder / "a.6.exr", b"another size")
    assert not prints(folder).agrees(1, 6, known[0])


def test_contents_that_are_vouched_for_are_not_read_again(tmp_path: Path, monkeypatch) -> None:
    """A long shot is taken up again: what frame 5 was made from was fingerprinted, frame 6 needs one file more."""
    folder = shot(tmp_path / "shot")
    before = prints(folder)
    known, longer = before.read(1, 5), before.read(1, 6)
    read = []
    plain = fingerprint._hash_of
    monkeypatch.setattr(fingerprint, "_hash_of", lambda path, seen: read.append(path) or plain(path, seen))
    again = prints(folder)
    assert again.agrees(1, 5, known)
    assert again.read(1, 6) == longer
    assert read == [str(folder / "a.6.exr")]


def test_a_file_that_changes_while_it_is_used_is_not_vouched_for(tmp_path: Path) -> None:
    folder = shot(tmp_path / "shot")
    one = prints(folder)
    one.look(1, 2)
    put(folder / "a.2.exr", b"content X", OLD + 1)
    assert one.read(1, 2).contents == ""
    assert not prints(folder).agrees(1, 2, one.read(1, 2))


def test_little_is_read_that_is_not_rendered(tmp_path: Path, monkeypatch) -> None:
    folder = shot(tmp_path / "shot")
    monkeypatch.setattr(fingerprint, "MOST_EXTRA", 20)
    one = Fingerprints(Footage(str(folder / "a.#.exr")), {5, 6})
    assert one.read(3, 6).contents
    assert one.read(1, 6).contents == ""
    assert prints(folder).agrees(1, 6, one.read(1, 6))  # by its times


@pytest.mark.parametrize(("age", "settled"), [(0.0, False), (1.0, True), (10.0, True)])
def test_times_settle_nothing_while_a_file_could_change_within_them(tmp_path: Path, monkeypatch, age, settled) -> None:
    folder = shot(tmp_path / "shot")
    monkeypatch.setattr(fingerprint.time, "time", lambda: OLD / 1e9 + age)
    assert bool(prints(folder).look(1, 2).times) is settled
    assert bool(prints(folder).read(1, 2).contents)
    for frame in FRAMES:
        os.utime(folder / f"a.{frame}.exr", ns=(OLD // 10**9 * 10**9,) * 2)
    assert bool(prints(folder).look(1, 2).times) is (age > 2)  # a file system that counts seconds


def test_a_still_is_one_file_at_every_frame(tmp_path: Path) -> None:
    folder = shot(tmp_path / "shot")
    still = Fingerprints(Footage(str(folder / "a.1.exr")), FRAMES)
    assert still.read(1, 1) == still.read(3, 2_000_000)
    assert isinstance(still.look(7, 9), Fingerprint)
