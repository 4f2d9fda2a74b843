"""The lessons that a plan asks for: the shots with their key frames, read and found to be teachable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.learning.lesson import Lesson
from nodes.errors import ParameterError
from nodes.footage.files.frame_list import format_frames
from nodes.learning.keys import TaughtKind
from nodes.learning.region import Region
from nodes.learning.shot import LearningShot, digest_of, refuse_empty
from plugin.learning.reports import Report
from plugin.learning.request import LearnPlan, name_of


@dataclass(frozen=True)
class Lessons:
    """What is taught, the part of each shot's format that is seen, and a digest of what was painted on what."""

    lessons: Sequence[Lesson]
    regions: Sequence[Region]
    kind: TaughtKind
    digest: str


def lessons_of(plan: LearnPlan, report: Report) -> Lessons:
    """Reads the key frames. Raises FootageError, FrameError or ParameterError where they cannot be taught."""
    shots = []
    for pair, inputs in zip(plan.request.pairs, plan.footage, strict=True):
        plate = inputs.get("C")
        named = name_of(pair)
        shot = LearningShot(named, inputs["Source"], inputs["Keys"], plate, plan.exposure, plan.key_frames)
        if shot.outside:
            outside = format_frames(shot.outside)[:120]
            report.event("note", text=f"{shot.named}: key frames outside the shot are left out: {outside}")
        shot.check_sizes()
        shots.append(shot)
    kind = _kind(plan, shots, report)
    lessons = [shot.lesson(kind) for shot in shots]
    refuse_empty(lessons, kind)
    digest = f"{digest_of(lessons, kind)} {plan.request.seed} {plan.start.sha256}"
    return Lessons(lessons, [shot.region for shot in shots], kind, digest)


def _kind(plan: LearnPlan, shots: Sequence[LearningShot], report: Report) -> TaughtKind:
    """What the keys teach. Raises ParameterError where those of several shots are not the same."""
    asked = plan.request.teach
    if asked != "auto":
        return asked
    kinds = {shot.taught.kind: shot.named for shot in shots}
    if len(kinds) > 1:
        raise ParameterError(
            f"the key frames of {kinds['matte']} are mattes and those of {kinds['picture']} are pictures: name both "
            "with --teach matte or --teach picture, or teach them apart"
        )
    for note in dict.fromkeys(shot.taught.note for shot in shots):
        if note:
            report.event("note", text=f"{note} (--teach names the other)")
    return shots[0].taught.kind
