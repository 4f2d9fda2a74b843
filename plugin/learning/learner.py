"""Learning as it goes: step after step until the time is over, what is known saved now and then, artists first."""

from __future__ import annotations

import datetime
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.learning import Teacher
from models.learning.lesson import Lesson, TaughtKind
from nodes.errors import CleanplateError
from nodes.learning.card import Card, TaughtShot
from nodes.learning.region import Region
from plugin.learning.files import Files, LearningState
from plugin.learning.losses import Losses
from plugin.learning.pace import Pace
from plugin.learning.preview import Preview
from plugin.learning.reports import Report
from plugin.worker.protocol.courtesy import GiveWay

# Seconds from one to the next, and the most of the time that it may take.
STATUS_SECONDS = 1.0
FIRST_WEIGHTS_SECONDS, WEIGHTS_SECONDS = 5.0, 20.0
STATE_SECONDS, LOOK_SECONDS, SHARE = 60.0, 60.0, 0.05
# Of learning, until the first picture after the start; each next one takes twice as long.
FIRST_MOMENT = 10.0


class Stopped(Exception):
    """Somebody asked it to stop."""


@dataclass(frozen=True)
class Task:
    """What is learned, and until when: `seconds` and `steps` are those of all processes together; None is no limit.

    `digest` tells what is taught, `settings` are for the card, `shown` are the frames of the preview, each behind the
    number of its lesson. `fresh` says that nothing was known of the shots before.
    """

    lessons: Sequence[Lesson]
    regions: Sequence[Region]
    kind: TaughtKind
    digest: str
    settings: Mapping[str, Any]
    shown: Sequence[tuple[int, int]]
    seconds: float | None
    steps: int | None
    fresh: bool = True


class Learner:
    """One process's part of learning. `stop` is set by whoever wants it to stop; `clock` is time.monotonic."""

    def __init__(
        self,
        task: Task,
        teacher: Teacher,
        files: Files,
        report: Report,
        give_way: GiveWay,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.task, self.teacher, self.files, self.report = task, teacher, files, report
        self._give_way, self._stop, self._clock = give_way, stop, clock
        self.step, self.seconds, self._losses = 0, 0.0, Losses()
        self._since = clock()
        self.weights = ""
        self.next_keys: list[list[int]] = [[] for _ in task.lessons]
        self._confidence: list[dict[int, float]] = [{} for _ in task.lessons]
        self._status = Pace(clock, 0.0, STATUS_SECONDS, 1.0)
        self._saving = Pace(clock, FIRST_WEIGHTS_SECONDS, WEIGHTS_SECONDS, SHARE)
        self._keeping = Pace(clock, STATE_SECONDS, STATE_SECONDS, SHARE)
        self._looking = Pace(clock, LOOK_SECONDS, LOOK_SECONDS, SHARE)
        self._moment = 0.0

    def run(self, before: LearningState | None) -> bool:
        """Learns, from where `before` left it; whether it is done, and not stopped. Raises CleanplateError.

        What was learned is on disk in the end, however it ends.
        """
        self._prepare()
        if before is None:
            # Weights that are there are overwritten soon: what began with them can always begin again.
            self._trying(self._keep)
        else:
            self._restore(before)
        preview, first = self._preview(), self.step
        while not self._over() and not self._stop.is_set():
            self._learn(preview)
        if self.step > first:
            # Who stops it a second time loses no more than a look at what was learned.
            self._save()
            self._keep()
            self.report.event("preparing", what="looking where another key frame would help", share=1.0)
            self._look()
            self._show(preview)
            self._save()
        return self._over()

    def tell(self, state: str, text: str = "") -> None:
        """Writes down how it stands: `preparing`, `learning`, `waiting`, `finished` or `stopped`."""
        self.files.write_status(
            {
                "state": state,
                "text": text,
                "kind": self.task.kind,
                "step": self.step,
                "loss": self._losses.latest,
                "share": round(self._share(), 4),
                "minutes_left": self._minutes_left(),
                "seconds": round(self.seconds, 1),
                "keys": [list(lesson.keys) for lesson in self.task.lessons],
                "next_keys": self.next_keys,
                "weights": self.weights,
            }
        )

    def _prepare(self) -> None:
        def progress(what: str, share: float) -> None:
            if self._stop.is_set():
                raise Stopped
            self._make_way()
            self.report.event("preparing", what=what, share=round(share, 4))
            if self._status.due():
                with self._status.doing():
                    self.tell("preparing", what)

        self.teacher.prepare(progress)
        self._count()

    def _restore(self, before: LearningState) -> None:
        self.teacher.restore(before.tensors)
        # What was prepared once more is no learning.
        self.step, self.seconds, self._since = before.step, before.seconds, self._clock()
        self._losses = Losses(before.losses)

    def _learn(self, preview: Preview) -> None:
        self._make_way()
        loss = self.teacher.step()
        if not math.isfinite(loss):
            raise CleanplateError(
                f"learning came apart at step {self.step + 1} (its loss is no number); what was saved before is "
                "kept: delete it to begin anew, with another --seed"
            )
        self.step += 1
        self._losses.add(self.step, loss)
        self._count()
        if self.seconds >= self._moment:
            self._show(preview)
            self._moment = max(FIRST_MOMENT, 2 * self._moment, self.seconds)
        if self._looking.due():
            with self._looking.doing():
                self._look()
        if self._saving.due():
            with self._saving.doing():
                self._trying(self._save)
        if self._keeping.due():
            with self._keeping.doing():
                self._trying(self._keep)
        if self._status.due():
            with self._status.doing():
                self.tell("learning")
            left = self._minutes_left()
            loss_now = self._losses.latest
            self.report.event(
                "learning", step=self.step, loss=loss_now, share=round(self._share(), 4), minutes_left=left
            )

    def _make_way(self) -> None:
        """Waits while an artist waits for a frame; that is no time to learn in."""
        self._count()
        if self._give_way.wait(self._stop.is_set, lambda: self.tell("waiting", "an interactive render goes first")):
            self._since = self._clock()

    def _count(self) -> None:
        now = self._clock()
        self.seconds, self._since = self.seconds + now - self._since, now

    def _over(self) -> bool:
        seconds, steps = self.task.seconds, self.task.steps
        return (seconds is not None and self.seconds >= seconds) or (steps is not None and self.step >= steps)

    def _share(self) -> float:
        of_time = self.seconds / self.task.seconds if self.task.seconds else 0.0
        of_steps = self.step / self.task.steps if self.task.steps else 0.0
        return min(1.0, max(of_time, of_steps))

    def _minutes_left(self) -> float | None:
        if self.task.seconds is None and not self.step:
            return None
        by_time = math.inf if self.task.seconds is None else self.task.seconds - self.seconds
        rest = math.inf if self.task.steps is None else self.task.steps - self.step
        by_steps = rest * self.seconds / self.step if self.step else math.inf
        left = min(by_time, by_steps)
        return round(max(0.0, left) / 60, 2) if math.isfinite(left) else None

    def _preview(self) -> Preview:
        pictures = [self.task.lessons[lesson].picture(frame) for lesson, frame in self.task.shown]
        return Preview(self.files.preview, pictures)

    def _show(self, preview: Preview) -> None:
        preview.add([self.teacher.predict(lesson, frame) for lesson, frame in self.task.shown])

    def _look(self) -> None:
        """Which frames are sure and which are not."""
        for lesson in range(len(self.task.lessons)):
            self._confidence[lesson] = self.teacher.confidence(lesson)
            self.next_keys[lesson] = list(self.teacher.next_keys(lesson))

    def _trying(self, save: Callable[[], None]) -> None:
        """A disk that is full now may not be in the end."""
        try:
            save()
        except CleanplateError as error:
            self.report.event("note", text=str(error))

    def _save(self) -> None:
        self.weights = self.files.write_weights(self.teacher.weights(), self._card())
        self.report.event("saved", path=self.files.weights, weights=self.weights, next_keys=self.next_keys)

    def _keep(self) -> None:
        tensors = self.teacher.state()
        start, fresh = str(self.task.settings["start"]), self.task.fresh
        self.files.write_state(
            LearningState(tensors, self.task.digest, self.step, self.seconds, self._losses.means, start, fresh)
        )

    def _card(self) -> Card:
        shots = [
            TaughtShot(lesson.name, list(lesson.keys), lesson.plate is not None, region, confidence, following)
            for lesson, region, confidence, following in zip(
                self.task.lessons, self.task.regions, self._confidence, self.next_keys, strict=True
            )
        ]
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return Card(self.task.kind, shots, self.task.settings, now, self.seconds, self.step, self._losses.means)
