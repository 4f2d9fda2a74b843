"""Learning as it goes, with a teacher that learns nothing and a clock that is set: what is saved and said, and when."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learning_shot import FRAMES, HEIGHT, KEYS, WIDTH, disc
from local_render import Events

import models
from models.learning.lesson import Lesson, Predicted
from nodes.errors import CleanplateError
from nodes.footage.reader import Footage
from nodes.learning.region import Region
from plugin.learning.files import Files
from plugin.learning.learner import Learner, Stopped, Task
from plugin.learning.losses import MOST, Losses
from plugin.worker.protocol.courtesy import Busy, GiveWay

STEP_SECONDS = 0.5
LESSON = Lesson(
    "shot.####.exr", list(FRAMES), lambda frame: np.zeros((HEIGHT, WIDTH, 3), np.uint8), {k: disc(k) for k in KEYS}
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Teacher:
    """Each step takes its time; `at` may do something in a step."""

    def __init__(self, clock: Clock, at: Callable[[int], Any] = lambda step: None, loss: float = 0.5) -> None:
        self.clock, self.at, self.loss, self.steps = clock, at, loss, 0
        self.network = models.create("learned", kind="matte")

    def prepare(self, progress: Callable[[str, float], None]) -> None:
        progress("looking", 0.0)
        self.clock.now += 2

    def step(self) -> float:
        self.at(self.steps)
        self.clock.now += STEP_SECONDS
        self.steps += 1
        return self.loss

    def state(self) -> dict[str, torch.Tensor]:
        return {"steps": torch.tensor(self.steps)}

    def restore(self, state: Any) -> None:
        self.steps = int(state["steps"])

    def weights(self) -> dict[str, torch.Tensor]:
        return {**self.network.state_dict(), "shot.steps": torch.tensor([self.steps])}

    def predict(self, lesson: int, frame: int) -> Predicted:
        return Predicted(disc(frame), np.ones((HEIGHT, WIDTH), np.float32))

    def confidence(self, lesson: int) -> dict[int, float]:
        return dict.fromkeys(FRAMES, 0.5)

    def next_keys(self, lesson: int) -> list[int]:
        return [1009, 1003]


class Trial:
    """A learner with all that it needs; `seconds` and `steps` are its limits."""

    def __init__(self, folder: Path, seconds: float | None = None, steps: int | None = None, **teaching: Any) -> None:
        self.files, self.clock, self.events = Files(f"{folder}/out.safetensors"), Clock(), Events()
        self.stop, self.busy = threading.Event(), Busy(folder / "busy.lock")
        self.teacher = Teacher(self.clock, **teaching)
        settings = {"exposure": 0.0, "start": ""}
        region = Region(0, 0, WIDTH, HEIGHT, WIDTH, HEIGHT)
        task = Task([LESSON], [region], "matte", "digest", settings, [(0, 1003)], seconds, steps)
        give_way = GiveWay(folder / "busy.lock", self.clock.sleep, self.clock)
        self.learner = Learner(task, self.teacher, self.files, self.events, give_way, self.stop, self.clock)  # type: ignore[arg-type]

    def run(self) -> bool:
        return self.learner.run(self.files.read_state("digest"))

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(Path(self.files.status).read_text())
        return status


def test_it_learns_until_its_time_is_over_and_saves_meanwhile(tmp_path) -> None:
    trial = Trial(tmp_path, seconds=62.0)
    assert trial.run()
    # What was prepared took two seconds.
    assert (trial.teacher.steps, trial.learner.seconds) == (120, 62.0)
    saved = [fields for name, fields in trial.events.told if name == "saved"]
    assert len(saved) == 5
    told = [fields for name, fields in trial.events.told if name == "learning"]
    assert 55 <= len(told) <= 62
    assert (told[0]["share"], told[0]["loss"]) == (pytest.approx(2.5 / 62, abs=1e-4), 0.5)
    known = trial.files.known()
    assert known is not None
    assert (known.steps, known.shots[0].next_keys, known.losses[0]) == (120, [1009, 1003], [1, 0.5])
    # The source and, at 2.5, 10, 20, 40 seconds and in the end, what it made of it.
    assert Footage(trial.files.preview).frame(1).pixels.shape[1] == 6 * 244


def test_it_goes_on_where_it_was_and_what_is_done_is_done(tmp_path) -> None:
    first = Trial(tmp_path, steps=7)
    assert first.run()
    second = Trial(tmp_path, steps=9)
    assert second.run()
    assert (second.teacher.steps, second.learner.step) == (9, 9)
    assert second.learner.seconds == first.learner.seconds + 2 * STEP_SECONDS
    third = Trial(tmp_path, steps=9)
    assert third.run()
    assert [name for name, _ in third.events.told if name in ("learning", "saved")] == []


def test_a_state_of_other_lessons_or_a_damaged_one_is_none(tmp_path) -> None:
    trial = Trial(tmp_path, steps=1)
    trial.run()
    assert trial.files.read_state("digest") is not None
    assert trial.files.read_state("other") is None
    Path(trial.files.state).write_bytes(Path(trial.files.state).read_bytes()[:-3])
    assert trial.files.read_state("digest") is None


def test_a_stop_between_two_steps_saves_and_one_while_it_prepares_changes_nothing(tmp_path) -> None:
    trial = Trial(tmp_path, steps=100, at=lambda step: step == 3 and trial.stop.set())
    assert not trial.run()
    assert (trial.learner.step, trial.files.known().steps) == (4, 4)  # type: ignore[union-attr]
    before = Path(trial.files.weights).read_bytes()
    again = Trial(tmp_path, steps=100)
    again.stop.set()
    with pytest.raises(Stopped):
        again.run()
    assert Path(trial.files.weights).read_bytes() == before


def test_an_interactive_render_goes_first_and_costs_no_time_to_learn(tmp_path) -> None:
    trial = Trial(tmp_path, steps=4, at=lambda step: step == 1 and trial.busy.begin())
    seen: list[str] = []

    def sleep(seconds: float) -> None:
        trial.clock.now += seconds
        seen.append(trial.status()["state"])
        if trial.clock.now > 10 and trial.busy._under_way:
            trial.busy.end()

    trial.learner._give_way._sleep = sleep
    assert trial.run()
    assert set(seen) == {"waiting"}
    assert trial.clock.now > 10
    assert trial.learner.seconds == pytest.approx(2 + 4 * STEP_SECONDS)


def test_a_full_disk_is_said_and_learning_goes_on_until_the_end(tmp_path, monkeypatch) -> None:
    trial = Trial(tmp_path, seconds=32.0)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("models.weights.store.os.fsync", full)
    with pytest.raises(CleanplateError, match=r"the disk of .* is full; nothing was changed"):
        trial.run()
    assert trial.teacher.steps == 60
    assert any("is full" in fields["text"] for name, fields in trial.events.told if name == "note")
    assert not Path(trial.files.weights).exists()
    assert not list(tmp_path.glob(".*tmp"))


def test_a_loss_that_is_no_number_ends_it_with_what_was_good(tmp_path) -> None:
    assert Trial(tmp_path, steps=2).run()
    with pytest.raises(CleanplateError, match=r"learning came apart at step 3 .* with another --seed"):
        Trial(tmp_path, steps=5, loss=float("nan")).run()
    assert Files(f"{tmp_path}/out.safetensors").known().steps == 2  # type: ignore[union-attr]


def test_a_curve_of_any_length_is_short() -> None:
    curve = Losses()
    for step in range(1, 100 * MOST):
        curve.add(step, float(step))
    assert MOST <= len(curve.means) < 2 * MOST
    assert [after[0] - before[0] for before, after in zip(curve.means, curve.means[1:], strict=False)] == [64] * (
        len(curve.means) - 1
    )
    assert curve.means[0] == [64, 32.5]
