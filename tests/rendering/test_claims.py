"""Several renders into one folder: each frame is made once, whoever dies meanwhile, and nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_render import Events, LocalWorker, shot, write_shot
from local_render import render as rendered

from nodes.errors import FrameError, OutputError
from plugin.rendering import claims, render
from plugin.rendering.claims import Claims

FRAMES = range(1, 25)


@pytest.fixture
def claim(tmp_path) -> Iterator[Claims]:
    one = Claims()
    yield one
    one.close()


def paths(folder: Path, frame: int = 1) -> list[str]:
    return [str(folder / f"o/alpha.{frame}.exr"), str(folder / f"o/clean.{frame}.exr")]


def forged(folder: Path, **said: object) -> Path:
    """The claim of another render, with what it says of itself changed."""
    other = Claims()
    assert other.take(paths(folder))
    (path,) = folder.glob("o/.*.claim")
    path.write_text(json.dumps({**json.loads(path.read_text()), "token": "another", **said}))
    other.close()
    return path


def test_a_frame_is_claimed_once(tmp_path, claim) -> None:
    other = Claims()
    assert other.take(paths(tmp_path))
    assert not claim.take(paths(tmp_path))
    assert claim.take(paths(tmp_path, 2))
    claim.release(paths(tmp_path)[0])  # not its own
    assert not claim.take(paths(tmp_path))
    other.release(paths(tmp_path)[0])
    assert claim.take(paths(tmp_path))
    claim.close()
    assert os.listdir(tmp_path / "o") == []


def test_the_claim_of_a_process_that_ended_is_taken_over_with_its_litter(tmp_path, claim) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    path = forged(tmp_path, pid=process.pid)
    litter = [tmp_path / "o" / name for name in (".alpha.1.exr.77.0a.tmp", ".clean.1.exr.77.0a.tmp")]
    kept = [tmp_path / "o" / name for name in (".alpha.11.exr.77.0a.tmp", "alpha.1.exr.tmp", ".alpha.1.exr")]
    for one in (*litter, *kept):
        one.touch()
    assert claim.take(paths(tmp_path))
    assert sorted(tmp_path.glob("o/.*")) == sorted([path, *(one for one in kept if one.name.startswith("."))])
    assert not any(one.exists() for one in litter)


@pytest.mark.parametrize("said", [{"started": 1.0}, {"pid": 2**40}, {"pid": "x"}, {"pid": None}])
def test_a_process_number_that_is_another_one_by_now_claims_nothing(tmp_path, claim, said) -> None:
    forged(tmp_path, **said)
    assert claim.take(paths(tmp_path))


@pytest.mark.parametrize("text", [None, "", "[1]", '{"machine": "elsewhere"', '{"machine": 7}'])
def test_a_claim_of_another_machine_lasts_while_its_time_goes_on(tmp_path, claim, monkeypatch, text) -> None:
    path = forged(tmp_path, machine="elsewhere")
    if text is not None:
        path.write_text(text)
    now = 1000.0
    monkeypatch.setattr(claims.time, "monotonic", lambda: now)
    for _ in range(3):
        assert not claim.take(paths(tmp_path))
        now += claims.STALE_SECONDS - 1
        os.utime(path, ns=(0, int(now)))
    assert not claim.take(paths(tmp_path))
    now += claims.STALE_SECONDS + 1
    assert claim.take(paths(tmp_path))


def test_a_claim_is_kept_alive(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.01)
    one = Claims()
    assert one.take(paths(tmp_path))
    (path,) = tmp_path.glob("o/.*.claim")
    os.utime(path, ns=(0, 0))
    deadline = time.monotonic() + 10
    while path.stat().st_mtime_ns == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.stat().st_mtime_ns
    one.close()


def test_long_names_have_claims_of_their_own(tmp_path, claim) -> None:
    names = [str(tmp_path / "o" / ("\u65e5" * 78 + f".{frame}.exr")) for frame in (1, 2)]
    assert claim.take([names[0]])
    assert claim.take([names[1]])


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path, claim) -> None:
    (tmp_path / "o").write_text("no folder")
    with pytest.raises(OutputError, match=r"o/alpha\.1\.exr cannot be written"):
        claim.take(paths(tmp_path))


def test_three_renders_share_the_work(tmp_path, monkeypatch) -> None:
    """Each frame is made once, all three end with the whole shot on disk, and no claim is left."""
    monkeypatch.setattr(render, "LOOK_AGAIN_SECONDS", 0.01)
    source = write_shot(tmp_path / "s.####.exr", FRAMES)
    workers = [LocalWorker(lambda frame: time.sleep(0.02)) for _ in range(3)]
    summaries = []

    def one(worker: LocalWorker) -> None:
        summaries.append(rendered(shot(source, str(tmp_path / "o/a.####.exr"), FRAMES), worker))

    threads = [threading.Thread(target=one, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = [frame for worker in workers for frame in worker.asked]
    assert sorted(asked) == list(FRAMES)
    assert all(worker.asked for worker in workers)
    assert [summary.rendered + summary.skipped for summary in summaries] == [24] * 3
    assert sorted(os.listdir(tmp_path / "o")) == [f"a.{frame:04d}.exr" for frame in FRAMES]


def test_what_another_render_gives_up_is_made_here(tmp_path, monkeypatch) -> None:
    """Frames of others are waited for: one is finished by its maker, one fails there, of one the maker dies."""
    source = write_shot(tmp_path / "s.####.exr", FRAMES)
    what = shot(source, str(tmp_path / "o/a.####.exr"), range(1, 6))
    other = Claims()
    for frame in (2, 3):
        assert other.take(what.paths(frame))
    write_shot(tmp_path / "made.####.exr", [2])

    def sleep(seconds: float) -> None:
        alone = shot(source, str(tmp_path / "o/a.####.exr"), [2])
        other.close()
        rendered(alone)

    monkeypatch.setattr(render.time, "sleep", sleep)
    events, worker = Events(), LocalWorker()
    summary = rendered(what, worker, events)
    assert (summary.rendered, summary.skipped) == (4, 1)
    assert worker.asked == [1, 4, 5, 3]
    assert [fields["frame"] for name, fields in events.told if name == "skipped" and fields["elsewhere"]] == [2]
    assert ("note", {"text": "waiting for frames that other renders work on: 2-3"}) in events.told


@pytest.mark.parametrize("error", [None, FrameError("odd"), OutputError("full"), KeyboardInterrupt()])
def test_nothing_is_left_behind_however_a_render_ends(tmp_path, error) -> None:
    def before(frame: int) -> None:
        assert list(tmp_path.glob("o/.*.claim"))
        if error is not None and frame == 2:
            raise error

    source = write_shot(tmp_path / "s.####.exr", FRAMES)
    with contextlib.suppress(OutputError, KeyboardInterrupt):
        rendered(shot(source, str(tmp_path / "o/a.####.exr"), FRAMES), LocalWorker(before))
    assert not list(tmp_path.glob("o/.*"))


def test_what_a_killed_render_left_is_swept(tmp_path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    source = write_shot(tmp_path / "s.####.exr", FRAMES)
    what = shot(source, str(tmp_path / "o/a.####.exr"), FRAMES)
    rendered(what)
    left = tmp_path / "o/.a.0007.exr.claim"
    left.write_text(json.dumps({"machine": claims._machine(), "pid": process.pid, "started": 1.0, "token": "x"}))
    (tmp_path / "o/.a.0007.exr.1.2.tmp").touch()
    assert rendered(what).skipped == 24
    assert not list(tmp_path.glob("o/.*"))
