"""Cleanplate from Python: mattes and clean plates, from files to files or from arrays to arrays.

    import cleanplate

    summary = cleanplate.render("background-matte", source="shot.####.exr", plate="clean.exr", out="matte.####.exr")
    passes = cleanplate.run("background-matte", Source=shot, C=plate)

Networks run in the worker process, which all programs of a user share and which starts by itself; importing this
module imports no torch. What is listed in `__all__` is documented and stays; everything else may move.

Everything that a user can mend is raised as one of these, `str(error)` being the whole sentence:

    CleanplateError
    +-- FrameError           a frame cannot be made, for a reason that lies in what it holds; others may be fine
    |   +-- FootageError     a file, a frame or a sequence is missing or unreadable
    +-- OutputError          a result cannot be written, or must not be
    +-- ParameterError       a parameter or an input is unknown, out of range or contradicts another
    +-- WeightsError         trained weights are missing, damaged or of another network
    +-- WorkerError          the worker cannot be started, does not answer, or ran out of memory
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from models import create, weights
from models.weights.errors import WeightsError
from nodes import catalogue
from nodes.errors import CleanplateError, FootageError, FrameError, OutputError, ParameterError, WorkerError
from nodes.faces.face import Face
from nodes.footage.files.frame_list import format_frames
from nodes.footage.frame import Frame, Pixels
from plugin.rendering.arrays import run_pictures
from plugin.rendering.plan import Request, plan
from plugin.rendering.render import render_shots
from plugin.rendering.summary import Summary
from plugin.worker.client.worker import Worker
from plugin.worker.protocol.paths import resolve

__all__ = [
    "CleanplateError",
    "FootageError",
    "Frame",
    "FrameError",
    "OutputError",
    "ParameterError",
    "Summary",
    "WeightsError",
    "WorkerError",
    "create",
    "nodes",
    "render",
    "run",
    "weights",
    "worker",
]
_open: ContextVar[Worker | None] = ContextVar("cleanplate_worker", default=None)


def nodes() -> list[Face]:
    """The nodes there are, with their inputs, parameters and passes as `cleanplate nodes NODE` prints them.

    Example:
        >>> [face.command for face in nodes()][:2]
        ['background-matte', 'inpaint']
    """
    return catalogue.all_faces()


@contextlib.contextmanager
def worker(device: str = "auto") -> Iterator[Worker]:
    """Keeps one connection to the worker of a device open for all calls in the block; without it each call opens one.

    `device` is `auto`, `cpu` or `cuda:N`. Raises WorkerError where it cannot be started.

    Example:
        >>> with worker("cpu") as opened:
        ...     opened.status()["device"]
        'cpu'
    """
    with Worker(device, on_note=_silent, name="python") as opened:
        token = _open.set(opened)
        try:
            yield opened
        finally:
            _open.reset(token)


def render(
    node: str,
    *,
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    frames: str | Iterable[int] | None = None,
    passes: Iterable[str] | None = None,
    on_event: Callable[[str, Mapping[str, Any]], None] | None = None,
    **settings: Any,
) -> Summary:
    """Renders the passes of a shot from files to files, as `cleanplate render` does; finished frames are skipped.

    node: such as `background-matte`. source, out: patterns such as `shot.####.exr`. frames: `"1001-1100x2"`, numbers,
    or None for all of the source. passes: those to write, None for all. on_event: called with a name and fields for
    every frame and note. settings: the other inputs by their options (`plate="clean.exr"`, `mask=...`), the other
    options of `cleanplate render` (`bit_depth="float"`, `plate_space="ACEScg"`), and parameters of the node by their
    script names (`alphaBlack=0.02`).

    The summary counts what was `rendered` and `skipped`, maps frames that `failed` to sentences, and iterates over what
    became of each frame. Raises CleanplateError where nothing can be rendered at all.

    Example:
        >>> render("inpaint", source="shot.####.exr", mask="rig.exr", out="clean.####.exr", model="smooth").rendered
        3
    """
    planned = plan(_request(node, {"source": source, **settings}, out, frames, passes))
    with _reached(planned.device) as opened:
        return render_shots(planned.shots, opened, _Events(on_event))


def run(node: str, *, passes: Iterable[str] | None = None, **inputs_and_settings: Any) -> dict[str, Pixels]:
    """The passes of pictures in memory; no file is read or written, but for weights.

    inputs: by their names in the face (`Source`, `C`, `Mask`, ...) as float arrays `[height, width, channels]`,
    scene-linear, 0..1 being black to white and more allowed; as `[frames, height, width, channels]` for a clip; or as
    `Frame`, which carries windows and a colour space. 3 channels are R, G and B, 4 R, G, B and A; a mask has 1. An
    input with a single picture is the same at every frame. settings: parameters of the node (`weights="FILE"`,
    `device="cpu"`). passes: those wanted, None for all.

    Returns float32 arrays by the names of the passes, of the leading shape of the input: `[height, width, channels]`
    or `[frames, height, width, channels]`; `alpha` is 0..1, `foreground` straight and in the source's own space.
    Raises CleanplateError.

    Example:
        >>> import numpy as np
        >>> shot = np.full((64, 96, 3), 0.18, np.float32)
        >>> mask = np.zeros((64, 96, 1), np.float32)
        >>> mask[20:30, 40:50] = 1
        >>> clean = run("inpaint", Source=shot, Mask=mask, model="smooth")
        >>> clean["clean"].shape
        (64, 96, 4)
    """
    face = catalogue.find(node)
    names = {key: entry.name for entry in face.inputs for key in (entry.name, entry.option)}
    given = {names[key]: value for key, value in inputs_and_settings.items() if key in names}
    params = face.parse({key: value for key, value in inputs_and_settings.items() if key not in names})
    wanted = [result.name for result in face.choose_passes(params, passes)]
    with _reached(params["device"]) as opened:
        return run_pictures(opened, face, given, params, wanted)


def _request(
    node: str,
    settings: Mapping[str, Any],
    out: str | os.PathLike[str],
    frames: str | Iterable[int] | None,
    passes: Iterable[str] | None,
) -> Request:
    face = catalogue.find(node)
    inputs = {entry.option for entry in face.inputs}
    how = {field.name for field in dataclasses.fields(Request)}
    spelled = {name: name.replace("_", "-") for name in settings if face.has_option(name.replace("_", "-"))}
    named = {name: value for name, value in settings.items() if name not in {*inputs, *how, *spelled}}
    named |= face.settings_of({option: settings[name] for name, option in spelled.items()}, named)
    return Request(
        node=node,
        footage={name: os.fspath(value) for name, value in settings.items() if name in inputs and value is not None},
        out=os.fspath(out),
        frames=frames if isinstance(frames, str) or frames is None else format_frames(frames),
        settings=named,
        passes=None if passes is None else list(passes),
        **{name: value for name, value in settings.items() if name in how - inputs},
    )


@contextlib.contextmanager
def _reached(device: str) -> Iterator[Worker]:
    """The worker of the block around the call, or one for this call alone where that is of another device."""
    opened = _open.get()
    if opened is not None and (device == "auto" or resolve(device) == opened.device):
        yield opened
    else:
        with worker(device) as own:
            yield own


class _Events:
    """Hands what a render reports to a function of the caller's."""

    def __init__(self, on_event: Callable[[str, Mapping[str, Any]], None] | None) -> None:
        self._on_event = on_event or _silent

    def event(self, name: str, /, **fields: Any) -> None:
        self._on_event(name, fields)

    def close(self) -> None:
        pass


def _silent(*_: object) -> None:
    pass
