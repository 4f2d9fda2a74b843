"""What computes for long gives way while a worker has an interactive render under way, whoever dies meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from plugin.worker.protocol.courtesy import LOOK_SECONDS, QUIET_SECONDS, Busy, GiveWay
from plugin.worker.server.turns import Turns


class Time:
    """Passes when somebody sleeps; `after` is called with the time."""

    def __init__(self, after=lambda now: None) -> None:
        self.now, self.after = 0.0, after

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.after(self.now)


def test_interactive_renders_are_told_and_batch_renders_are_not(tmp_path: Path) -> None:
    path = tmp_path / "busy.lock"
    turns, learner = Turns(Busy(path)), GiveWay(path)
    batch = turns.queue("farm", interactive=False)
    assert not learner.busy()
    first, second = (turns.queue("host", interactive=True) for _ in range(2))
    assert learner.busy()
    first.leave()
    first.leave()
    assert learner.busy()
    second.leave()
    assert not learner.busy()
    batch.leave()


def test_it_waits_until_it_has_been_quiet_for_a_moment(tmp_path: Path) -> None:
    busy = Busy(tmp_path / "busy.lock")
    busy.begin()
    told: list[str] = []

    def after(now: float) -> None:
        # A frame until 1 s, and the next one a moment later: somebody scrubs.
        if 1 <= now < 1.1 and busy._under_way:
            busy.end()
        if 1.2 <= now < 1.3 and not busy._under_way:
            busy.begin()
        if now >= 2 and busy._under_way:
            busy.end()

    time = Time(after)
    waited = GiveWay(tmp_path / "busy.lock", time.sleep, time).wait(lambda: False, lambda: told.append("waits"))
    assert waited > 2 + QUIET_SECONDS - 2 * LOOK_SECONDS
    assert waited < 2.1 + QUIET_SECONDS
    assert told == ["waits"]
    assert GiveWay(tmp_path / "busy.lock", time.sleep, time).wait(lambda: False) == 0


def test_whoever_stops_does_not_wait(tmp_path: Path) -> None:
    busy = Busy(tmp_path / "busy.lock")
    busy.begin()
    time = Time()
    GiveWay(tmp_path / "busy.lock", time.sleep, time).wait(lambda: time.now > 0.5)
    assert time.now < 0.6


def test_a_worker_that_dies_leaves_nobody_waiting(tmp_path: Path) -> None:
    code = "import sys, pathlib; from plugin.worker.protocol.courtesy import Busy; b = Busy(pathlib.Path(sys.argv[1]))"
    code += "; b.begin(); print('held', flush=True); sys.stdin.read()"
    path = tmp_path / "busy.lock"
    folder = os.fspath(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", code, path], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert GiveWay(path).busy()
    process.kill()
    process.communicate()
    assert not GiveWay(path).busy()
