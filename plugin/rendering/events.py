"""How a render talks: a bar on a terminal, a line per frame in a log, a line of JSON per event for a farm."""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any, Protocol

from tqdm import tqdm

from models.weights.facts import WeightsFacts
from models.wording import said
from nodes.plain_text import one_line
from plugin.rendering.course import Course, current, spoken

OVER = ("frame", "skipped", "failed")
_NUMBER = re.compile(r"-?\d+")


class Progress(Protocol):
    """What a render reports. Every event has a name and plain fields."""

    def event(self, name: str, /, **fields: Any) -> None: ...

    def close(self) -> None: ...


def progress(as_json: bool, total: int) -> Progress:
    """The reporter that fits where the output goes, for a render of `total` frames."""
    course = current()
    course.begin(total)
    if as_json:
        return Folded(JsonLines(course), ("note",))
    return Folded(Bar(course) if sys.stderr.isatty() else LogLines(course), ("note", "failed"))


class Folded:
    """Says what differs from frame to frame in nothing but numbers once, and in the end how often it was so.

    Only events with the field `frame` are of a frame; the others always pass.
    """

    def __init__(self, reporter: Progress, names: tuple[str, ...]) -> None:
        self._reporter, self._names = reporter, names
        self._kin: dict[tuple[str, str], list[int]] = {}
        self._texts: dict[tuple[str, str], str] = {}

    def event(self, name: str, /, **fields: Any) -> None:
        if name == "finished":
            self._sum_up()
        if name not in self._names or "frame" not in fields:
            self._reporter.event(name, **fields)
            return
        text = said(str(fields["text"]))
        kin = (name, _NUMBER.sub("0", text))
        frames = self._kin.setdefault(kin, [])
        frames.append(fields["frame"])
        if len(frames) == 1:
            self._texts[kin] = text
            self._reporter.event(name, **fields)
        elif name == "failed":
            self._reporter.event("counted", **fields)

    def close(self) -> None:
        self._sum_up()
        self._reporter.close()

    def _sum_up(self) -> None:
        for kin, frames in self._kin.items():
            if len(frames) > 1:
                text = f"{self._texts[kin]} ({len(frames)} frames like this, first {min(frames)})"
                self._reporter.event("note", text=text)
        self._kin.clear()


class JsonLines:
    """One JSON object per line on standard output, with `event` and `time` (seconds since the epoch).

    What is over says how many of the command's frames are (`done` of `total`), and the seconds left.
    """

    def __init__(self, course: Course) -> None:
        self.course = course

    def event(self, name: str, /, **fields: Any) -> None:
        if name in OVER:
            self.course.count(name == "frame")
            left = self.course.seconds_left()
            fields |= {"done": self.course.done, "total": self.course.total}
            fields |= {} if left is None else {"seconds_left": round(left, 1)}
        fields = {key: said(value) if isinstance(value, str) else value for key, value in fields.items()}
        print(json.dumps({"event": name, "time": round(time.time(), 3), **fields}), flush=True)

    def close(self) -> None:
        pass


class LogLines:
    """One line per finished frame and per fact, on standard output; notes and failures on standard error."""

    def __init__(self, course: Course) -> None:
        self.course = course

    def event(self, name: str, /, **fields: Any) -> None:
        if name in (*OVER, "counted"):
            self.course.count(name == "frame")
        if line := event_sentence(name, fields):
            wrong = name in ("note", "failed")
            print(line if wrong else self._counted(name, line), file=sys.stderr if wrong else sys.stdout, flush=True)

    def close(self) -> None:
        pass

    def _counted(self, name: str, line: str) -> str:
        if name not in OVER:
            return line
        left = self.course.seconds_left()
        rest = f", {spoken(left)} left" if name == "frame" and left else ""
        return f"[{self.course.done}/{self.course.total}] {line}{rest}"


class Bar:
    """A bar with frames per second and the time left; notes stand above it."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.bar = tqdm(total=course.total, initial=course.done, unit="frame", dynamic_ncols=True, smoothing=0.1)

    def event(self, name: str, /, **fields: Any) -> None:
        if name in (*OVER, "counted"):
            self.course.count(name == "frame")
            self.bar.update()
        if name in ("frame", "skipped"):
            self.bar.set_postfix_str(f"frame {fields['frame']}", refresh=False)
        elif line := event_sentence(name, fields):
            self.bar.write(line, file=sys.stderr)

    def close(self) -> None:
        self.bar.close()


def event_sentence(name: str, fields: dict[str, Any]) -> str:
    """An event as a sentence on one line; empty for events that only machines want."""
    return one_line(said(_sentence(name, fields)))


def _sentence(name: str, fields: dict[str, Any]) -> str:
    match name:
        case "frame":
            return f"frame {fields['frame']}: {fields['path']} ({fields['milliseconds']:.0f} ms)"
        case "skipped":
            meanwhile = "was made by another render" if fields.get("elsewhere") else "is finished already"
            return f"frame {fields['frame']}: {fields['path']} {meanwhile}"
        case "weights":
            return f"weights: {WeightsFacts(**fields).sentence}"
        case "note":
            return str(fields["text"])
        case "failed":
            return f"frame {fields['frame']} failed: {fields['text']}"
        case "finished":
            return (
                f"{_frames(fields['rendered'])} rendered, {fields['skipped']} were finished already, "
                f"{fields['failed']} failed, {fields['seconds']:.1f} s ({fields['fps']:.2f} frames per second)"
            )
    return ""


def _frames(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"
