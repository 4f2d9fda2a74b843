"""Commands that wait until Natron has written the files they read. Runs in Natron's own Python.

In the window Natron renders in the background, and `go_on` is called again and again; without one it renders at once.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cleanplate_process as process  # type: ignore[import-not-found]
import NatronEngine  # type: ignore[import-not-found]
from cleanplate_footage import Strip  # type: ignore[import-not-found]
from cleanplate_process import Trouble

# Natron's preference "Render in a separate process".
APART = "renderNewProcess"
WRITER = "CleanplateWrite"


@dataclass
class Errand:
    """A command with its words, what it learns into, the group that asks for it, and the strips that it waits for."""

    weights: Path
    group: str
    words: list[str]
    strips: deque[Strip] = field(default_factory=deque)
    writer: str = ""
    running: Any = None
    trouble: str = ""


jobs: dict[Path, Errand] = {}
# Write nodes that are done, by their names; Natron says so in another thread.
_done: set[str] = set()
_numbers = itertools.count(os.getpid())


def note_written(name: str) -> None:
    """A Write node has ended, well or not."""
    _done.add(name)


def busy(weights: Path) -> bool:
    """Whether a job for these weights is on its way."""
    return weights in jobs and not jobs[weights].trouble


def begin(job: Errand, group: Any, app: Any) -> None:
    """Starts a job, in the place of one that has ended badly."""
    for strip in job.strips:
        _clear(strip)
    jobs[job.weights] = job
    go_on(job.weights, group, app)


def go_on(weights: Path, group: Any, app: Any) -> None:
    """Does what can be done for a job without waiting; what goes wrong becomes its trouble."""
    job = jobs.get(weights)
    if job is None or job.trouble or job.group != group.getScriptName():
        return
    try:
        if job.running is not None:
            _look_after(job)
            return
        while job.strips:
            if job.writer and not _is_written(job, group):
                return
            if job.strips:
                _write(job, group, app)
        job.running = process.start(job.words, process.said(weights))
    except Trouble as error:
        job.trouble = str(error)
    except OSError as error:
        job.trouble = f"{error.filename} cannot be written: {error.strerror}."


def give_up(weights: Path, group: Any) -> bool:
    """Drops a job that still waits for its files; whether there was one."""
    job = jobs.get(weights)
    if job is None or job.trouble or job.running is not None:
        return False
    _remove_writer(job, group)
    del jobs[weights]
    return True


def sweep(group: Any) -> None:
    """Takes away Write nodes of a job that is no more: a project that was saved meanwhile has kept them."""
    at_work = {job.writer for job in jobs.values()}
    for node in group.getChildren():
        if node.getScriptName().startswith(WRITER) and node.getScriptName() not in at_work:
            node.destroy(False)


def state(weights: Path) -> str:
    """What to say of a job before its command says something itself, and of one that ended badly."""
    job = jobs.get(weights)
    if job is None or job.trouble:
        return job.trouble if job else ""
    if job.running is not None:
        return "" if process.read_status(weights).get("pid") == job.running.pid else "Learning begins."
    left = sum(len(strip.files()) for strip in job.strips)
    return f"Natron writes what is learned from: {left} frame{'s'[: left > 1]} left."


def _look_after(job: Errand) -> None:
    status = job.running.poll()
    if status is None:
        return
    if status == 0 or process.read_status(job.weights).get("pid") == job.running.pid:
        del jobs[job.weights]
    else:
        raise Trouble(process.last_sentence(process.said(job.weights)))


def _write(job: Errand, group: Any, app: Any) -> None:
    strip = job.strips[0]
    Path(strip.pattern).parent.mkdir(parents=True, exist_ok=True)
    writer = app.createWriter(strip.pattern, group)
    if writer is None:
        raise Trouble("Natron has no node that writes EXR: its own plug-in openfx-io is needed.")
    job.writer = f"{WRITER}{next(_numbers)}"
    writer.setScriptName(job.writer)
    # Natron's list of renders names it so.
    writer.setLabel(f"{job.group} {strip.node}")
    writer.connectInput(0, group.getNode(strip.node))
    for name, value in {"afterRender": "CleanplateLearn.written", **strip.settings}.items():
        writer.getParam(name).set(value)
    with _within_natron():
        app.render(writer, strip.first, strip.last)
    if NatronEngine.natron.isBackground():
        note_written(job.writer)


@contextlib.contextmanager
def _within_natron() -> Iterator[None]:
    """Has Natron render itself, whatever it prefers.

    A process that it starts for a render finds no Write in a group, takes no frames, and says nothing when it is done.
    """
    preference = NatronEngine.natron.getSettings().getParam(APART)
    apart = preference is not None and preference.getValue()
    if apart:
        preference.setValue(False)
    try:
        yield
    finally:
        if apart:
            preference.setValue(True)


def _is_written(job: Errand, group: Any) -> bool:
    strip = job.strips[0]
    if job.writer not in _done:
        return False
    _remove_writer(job, group)
    missing = [file for file in strip.files() if not file.exists()]
    if missing:
        raise Trouble(f"Natron could not write {missing[0]}: look at what comes into {strip.node}.")
    job.strips.popleft()
    return True


def _remove_writer(job: Errand, group: Any) -> None:
    _done.discard(job.writer)
    node = group.getNode(job.writer)
    job.writer = ""
    if node is not None:
        # Without its window Natron destroys a node that has rendered only when the script is over.
        node.getParam("disableNode").set(True)
        node.destroy(False)


def _clear(strip: Strip) -> None:
    """Takes away what an earlier job wrote there."""
    folder = Path(strip.pattern).parent
    for file in folder.glob(Path(strip.pattern).name.replace("####", "*[0-9]")):
        with contextlib.suppress(OSError):
            file.unlink()
