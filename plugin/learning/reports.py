"""How learning talks: a bar on a terminal, a line now and then in a log, a line of JSON per event for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from tqdm import tqdm

from models.wording import said
from nodes.plain_text import one_line
from plugin.rendering.course import spoken

LINE_SECONDS = 15.0


class Report(Protocol):
    """What is reported: `preparing` (what, share), `learning` (step, loss, share, minutes_left), and sentences."""

    def event(self, name: str, /, **fields: Any) -> None: ...

    def close(self) -> None: ...


def report(as_json: bool) -> Report:
    """The reporter that fits where the output goes."""
    if as_json:
        return EventLines()
    return LearningBar() if sys.stderr.isatty() else Lines()


class EventLines:
    """One JSON object per line on standard output, with `event` and `time`, seconds since the epoch."""

    def event(self, name: str, /, **fields: Any) -> None:
        fields = {key: said(value) if isinstance(value, str) else value for key, value in fields.items()}
        print(json.dumps({"event": name, "time": round(time.time(), 3), **fields}), flush=True)

    def close(self) -> None:
        pass


class Lines:
    """For logs; notes go to standard error."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = 0.0

    def event(self, name: str, /, **fields: Any) -> None:
        if name in ("preparing", "learning"):
            if self._clock() < self._next:
                return
            self._next = self._clock() + LINE_SECONDS
        if line := describe(name, fields):
            print(line, file=sys.stderr if name == "note" else sys.stdout, flush=True)

    def close(self) -> None:
        pass


class LearningBar:
    """A bar that is full when the time is over; sentences stand above it."""

    def __init__(self) -> None:
        layout = "{desc} {percentage:3.0f}%|{bar}|{postfix}"
        self._bar = tqdm(total=1.0, bar_format=layout, dynamic_ncols=True, leave=False)

    def event(self, name: str, /, **fields: Any) -> None:
        if name in ("preparing", "learning"):
            self._bar.set_description_str("learning" if name == "learning" else one_line(fields["what"]), refresh=False)
            self._bar.n = min(1.0, fields["share"])
            self._bar.set_postfix_str(_standing(fields) if name == "learning" else "", refresh=False)
            self._bar.refresh()
        elif line := describe(name, fields):
            self._bar.write(line, file=sys.stderr if name == "note" else sys.stdout)

    def close(self) -> None:
        self._bar.close()


def describe(name: str, fields: dict[str, Any]) -> str:
    """An event as a line; empty for those that only machines want."""
    match name:
        case "preparing":
            line = f"{fields['what']}: {fields['share']:.0%}"
        case "learning":
            line = f"learning: {fields['share']:.0%}, {_standing(fields)}"
        case "note" | "finished":
            line = str(fields["text"])
        case _:
            line = ""
    return one_line(said(line))


def _standing(fields: dict[str, Any]) -> str:
    loss = "" if fields["loss"] is None else f", loss {fields['loss']:.4f}"
    left = "" if fields["minutes_left"] is None else f", {spoken(60 * fields['minutes_left'])} left"
    return f"step {fields['step']}{loss}{left}"
