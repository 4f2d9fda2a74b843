"""`cleanplate learn` behind its command line: from a plan to a process that learns."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from models import weights
from nodes.errors import CleanplateError, ParameterError
from nodes.footage.files.frame_list import format_frames
from nodes.ladder import is_out_of_memory
from plugin.learning.files import NETWORK, LearningState
from plugin.learning.reports import Report
from plugin.learning.request import LearnPlan
from plugin.learning.stopping import stopping
from plugin.rendering.claims import Claims
from plugin.worker.protocol import paths
from plugin.worker.protocol.courtesy import GiveWay, lock_path

if TYPE_CHECKING:
    from torch import Tensor

    from models.learning.lesson import Lesson
    from plugin.learning.learner import Learner, Task
    from plugin.learning.lessons import Lessons

# Minutes where nobody says how many: for the first time, and to go on with other keys from what is known.
MINUTES = {"cpu": (8.0, 3.0), "cuda": (1.5, 0.7)}
# Above that of everything else, so that hosts and workers go first.
NICE = 10
SHOWN = 3


class _Elsewhere(ParameterError):
    """Another process has the files."""


def learn(plan: LearnPlan, report: Report) -> bool:
    """Learns until the time is over or somebody stops it; whether it is done. Raises CleanplateError."""
    claims = Claims()
    try:
        if not claims.take([plan.files.weights]):
            raise _Elsewhere(
                f"another cleanplate learn is at work on {plan.files.weights}: wait for it, stop it, or choose another "
                "--out"
            )
        plan.files.write_status({"state": "preparing", "text": "reading the key frames"})
        with stopping() as stop:
            return _learn(plan, report, stop)
    except Exception as error:
        if not isinstance(error, _Elsewhere):
            plan.files.write_status({"state": "failed", "text": str(error)})
        raise
    finally:
        claims.close()


def _learn(plan: LearnPlan, report: Report, stop: threading.Event) -> bool:
    device = paths.resolve(plan.request.device)
    os.nice(NICE)
    _prepare_torch(device)
    from plugin.learning.lessons import lessons_of

    taught = lessons_of(plan, report)
    beginning = _begin(plan, taught)
    task = _task(plan, taught, beginning, device)
    if beginning.before is not None and _is_over(task, beginning.before):
        _say_learned(plan, beginning.before, report)
        return True
    learner = _learner(plan, task, beginning, device, report, stop)
    return _run(learner, beginning.before, plan, report, device)


def _run(learner: Learner, before: LearningState | None, plan: LearnPlan, report: Report, device: str) -> bool:
    from plugin.learning.learner import Stopped

    try:
        done = learner.run(before)
    except Stopped:
        done = False
    except Exception as error:
        if isinstance(error, CleanplateError) or not is_out_of_memory(error):
            raise
        raise CleanplateError(
            f"the memory of {device} does not suffice to learn this shot: close other programs, or choose another "
            "--device"
        ) from error
    out = plan.files.weights
    if done:
        text = f"learned in {learner.step} steps: {out}"
    elif learner.step:
        text = f"stopped at step {learner.step}: {out} holds what was learned, the same command goes on"
    else:
        text = "stopped before it began to learn; the same command begins again"
    if learner.weights and (following := _next_keys(learner)):
        text += f"; another key frame would help most at {following}"
    learner.tell("finished" if done else "stopped", text)
    report.event("finished", text=text, done=done, step=learner.step, weights=learner.weights)
    return done


@dataclass(frozen=True)
class _Beginning:
    """Where learning begins: with a state, or with tensors; `fresh` is what knows nothing yet, `licence` a word."""

    before: LearningState | None
    tensors: dict[str, Tensor] | None
    fresh: bool
    start: str
    licence: str


def _prepare_torch(device: str) -> None:
    from plugin.worker.device.setup import prepare

    prepare(device)
    import torch

    # The same bits every time, as far as the device can.
    warnings.filterwarnings("ignore", ".*does not have a deterministic implementation.*")
    torch.use_deterministic_algorithms(True, warn_only=True)


def _begin(plan: LearnPlan, taught: Lessons) -> _Beginning:
    """What is known already. Raises ParameterError where weights that are there were taught something else."""
    before = plan.files.read_state(taught.digest)
    card = plan.files.known()
    if card is not None and card.kind != taught.kind:
        raise ParameterError(
            f"{plan.files.weights} was taught a {card.kind} and these key frames are a {taught.kind}: choose another "
            "--out"
        )
    found = weights.complete(weights.resolve(plan.files.weights, "Learned")) if card is not None else plan.start
    # What is made of somebody's weights stays under their terms; ours and the artist's own ask for nothing.
    licence = "yours" if found.state == "bundled" else found.licence
    if before is not None:
        return _Beginning(before, None, before.fresh, before.start, licence)
    if found.network == NETWORK:
        tensors = weights.load_model_weights(found, NETWORK, {"kind": taught.kind})
    else:
        from models.learning.network import from_video_matte

        tensors = from_video_matte(weights.load_model_weights(found, found.network, found.options), taught.kind)
    return _Beginning(None, tensors, card is None, found.sha256, licence)


def _task(plan: LearnPlan, taught: Lessons, beginning: _Beginning, device: str) -> Task:
    from plugin.learning.learner import Task

    request = plan.request
    usual = MINUTES[device.partition(":")[0]][0 if beginning.fresh else 1]
    # Whoever counts steps wants no clock to decide.
    minutes = request.minutes if request.minutes or request.steps else usual
    settings: dict[str, Any] = {
        "minutes": minutes,
        "steps": request.steps,
        "seed": request.seed,
        "device": device,
        "exposure": plan.exposure,
        "teach": request.teach,
        "start": beginning.start,
        "licence": beginning.licence,
        **{name: value for name, value in request.settings.items() if name != "exposure"},
    }
    return Task(
        taught.lessons,
        taught.regions,
        taught.kind,
        taught.digest,
        settings,
        _shown(taught.lessons, request.preview),
        None if minutes is None else 60 * minutes,
        request.steps,
        beginning.fresh,
    )


def _learner(
    plan: LearnPlan, task: Task, beginning: _Beginning, device: str, report: Report, stop: threading.Event
) -> Learner:
    import torch

    from models.learning import Teacher
    from plugin.learning.learner import Learner

    teacher = Teacher(task.lessons, task.kind, plan.request.seed, torch.device(device), beginning.tensors)
    return Learner(task, teacher, plan.files, report, GiveWay(lock_path(device)), stop)


def _shown(lessons: Sequence[Lesson], asked: Sequence[int]) -> list[tuple[int, int]]:
    """The frames of the preview: those asked for, else in the middle of the widest gaps between keys."""
    if asked:
        found = [(at, frame) for frame in asked for at, lesson in enumerate(lessons) if frame in lesson.frames]
        if not found:
            raise ParameterError(f"--preview {format_frames(asked)[:120]} is outside the shot")
        return found
    gaps = []
    for at, lesson in enumerate(lessons):
        ends = sorted({lesson.frames[0], *lesson.keys, lesson.frames[-1]})
        for first, last in pairwise(ends):
            between = [frame for frame in lesson.frames if first < frame < last]
            if between:
                gaps.append((len(between), at, between[len(between) // 2]))
    widest = sorted(gaps, key=lambda gap: (-gap[0], gap[1:]))[:SHOWN]
    return sorted((at, frame) for _, at, frame in widest) or [(0, next(iter(lessons[0].keys)))]


def _is_over(task: Task, before: LearningState) -> bool:
    by_time = task.seconds is not None and before.seconds >= task.seconds
    return by_time or (task.steps is not None and before.step >= task.steps)


def _say_learned(plan: LearnPlan, before: LearningState, report: Report) -> None:
    text = (
        f"{plan.files.weights} has learned these key frames already, {before.step} steps in {before.seconds / 60:.1f} "
        "minutes: paint another one, or go on with more --minutes"
    )
    report.event("finished", text=text, done=True, step=before.step)


def _next_keys(learner: Learner) -> str:
    """Where another key would help, in words."""
    several = len(learner.task.lessons) > 1
    told = []
    for lesson, frames in zip(learner.task.lessons, learner.next_keys, strict=True):
        if frames:
            told.append((f"{lesson.name} " if several else "") + ", then ".join(map(str, frames[:3])))
    return "; ".join(told)
