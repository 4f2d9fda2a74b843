"""How a render talks: a bar on a terminal, a line per frame in a log, a line of JSON per event for a farm."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Protocol

from tqdm import tqdm

from nodes.plain_text import one_line
from plugin.rendering.used_weights import sentence


class Progress(Protocol):
    """What a render reports. Every event has a name and plain fields."""

    def event(self, name: str, /, **fields: Any) -> None: ...

    def close(self) -> None: ...


def progress(as_json: bool, total: int) -> Progress:
    """The reporter that fits where the output goes."""
    if as_json:
        return JsonLines()
    return Bar(total) if sys.stderr.isatty() else LogLines(total)


class JsonLines:
    """One JSON object per line on standard output, with `event` and `time` (seconds since the epoch)."""

    def event(self, name: str, /, **fields: Any) -> None:
        print(json.dumps({"event": name, "time": round(time.time(), 3), **fields}), flush=True)

    def close(self) -> None:
        pass


class LogLines:
    """One line per finished frame and per fact, on standard output; notes and failures on standard error."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.began = time.monotonic()

    def event(self, name: str, /, **fields: Any) -> None:
        if name in ("frame", "skipped"):
            self.done += 1
        sentence = describe(name, fields)
        if sentence:
            count = f"[{self.done}/{self.total}] " if name in ("frame", "skipped") else ""
            print(count + sentence, file=sys.stderr if name in ("note", "failed") else sys.stdout, flush=True)

    def close(self) -> None:
        pass


class Bar:
    """A bar with frames per second and the time left; notes stand above it."""

    def __init__(self, total: int) -> None:
        self.bar = tqdm(total=total, unit="frame", dynamic_ncols=True, smoothing=0.1)

    def event(self, name: str, /, **fields: Any) -> None:
        if name in ("frame", "skipped"):
            self.bar.update()
            self.bar.set_postfix_str(f"frame {fields['frame']}", refresh=False)
        elif sentence := describe(name, fields):
            self.bar.write(sentence, file=sys.stderr)

    def close(self) -> None:
        self.bar.close()


def describe(name: str, fields: dict[str, Any]) -> str:
    """An event as a line that is safe to print; empty for events that only machines want."""
    return one_line(_sentence(name, fields))


def _sentence(name: str, fields: dict[str, Any]) -> str:
    match name:
        case "frame":
            return f"frame {fields['frame']}: {fields['path']} ({fields['milliseconds']:.0f} ms)"
        case "skipped":
            return f"frame {fields['frame']}: {fields['path']} is finished already"
        case "weights":
            return sentence(fields)
        case "note":
            return str(fields["text"])
        case "failed":
            return f"frame {fields['frame']} failed: {fields['text']}"
        case "finished":
            return (
                f"{fields['rendered']} frames rendered, {fields['skipped']} were finished already, "
                f"{fields['failed']} failed, {fields['seconds']:.1f} s ({fields['fps']:.2f} frames per second)"
            )
    return ""
