"""From a face to its engine: imports the node's module, and with it torch, and looks at what the engine gives."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import operator
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from nodes.engine import Engine, Passes
from nodes.errors import CleanplateError, FaceError, ParameterError
from nodes.faces.face import Face
from nodes.footage.window import Window

log = logging.getLogger(__name__)


def create_engine(face: Face) -> Engine:
    """A new engine of the node. Raises FaceError, naming the file, where there is none to be had."""
    name = f"{face.module}.py"
    if face.module.startswith("nodes."):
        with _told(face, name):
            module = importlib.import_module(face.module)
    else:
        path = Path(face.file).with_name(name)
        name = str(path)
        if not path.is_file():
            raise FaceError(f"{face.file}: its engine {path} is not there: write it, or name another with 'module'")
        with _told(face, name):
            module = _import_file(path)
    make = getattr(module, "engine", None)
    if not callable(make):
        raise FaceError(f"{name} has no function engine(), which makes the engine of {face.id}")
    with _told(face, name):
        engine: Engine = make()
    for method in ("needs", "render"):
        if not callable(getattr(engine, method, None)):
            raise FaceError(f"{name}: what engine() returns has no method {method}, see nodes/engine.py")
    return engine


def asked(needs: Any, face: Face) -> Sequence[tuple[str, int]]:
    """What an engine's `needs` returned, if it is frames of the face's inputs. Raises FaceError."""
    names = [entry.name for entry in face.inputs]
    try:
        pairs = [(name, operator.index(frame)) for name, frame in needs]
    except (TypeError, ValueError):
        raise FaceError(
            f"the engine of {face.label} must say in needs() which frames of which inputs it wants, "
            f"such as [('{names[0]}', frame)]"
        ) from None
    if unknown := [name for name, _ in pairs if name not in names]:
        raise FaceError(f"the engine of {face.label} needs an input '{unknown[0]}': its face has {', '.join(names)}")
    return pairs


def checked(passes: Passes, face: Face, wanted: Iterable[str], channels: dict[str, int]) -> Passes:
    """What an engine's `render` returned, if it is what the face promises: the `wanted` passes, of the window's size.

    `channels` says how many each pass has, as far as the face says it. Raises FaceError, and ParameterError for a
    pass that nobody promised.
    """
    engine = f"the engine of {face.label}"
    if not isinstance(passes, Passes):
        raise FaceError(f"{engine} must return Passes, not {type(passes).__name__}")
    if not isinstance(passes.images, dict) or not isinstance(passes.window, Window):
        raise FaceError(f"{engine} must return Passes whose images are a dict and whose window is a Window")
    window = passes.window
    for name in wanted:
        image = passes.images.get(name)
        if image is None:
            there = ", ".join(map(str, passes.images)) or "none"
            if name in channels:
                raise FaceError(f"{engine} gave no pass '{name}', only {there}")
            raise ParameterError(f"{face.label} has no pass '{name}': it has {there}")
        if not isinstance(image, np.ndarray) or image.dtype != np.float32:
            kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
            raise FaceError(f"{engine} gave the pass '{name}' as {kind}: it must be an array of float32")
        count = channels.get(name, image.shape[-1] if image.ndim == 3 else 1)
        if image.shape != (window.height, window.width, count):
            shape, right = (" x ".join(map(str, s)) for s in (image.shape, (window.height, window.width, count)))
            raise FaceError(f"{engine} gave the pass '{name}' with the shape {shape}: the window and face say {right}")
    return passes


@contextmanager
def _told(face: Face, name: str) -> Iterator[None]:
    """Turns what a studio's code does wrong into a sentence; the details go to the log."""
    try:
        yield
    except CleanplateError:
        raise
    except SyntaxError as error:
        where = error.filename or name
        raise FaceError(
            f"{where}, line {error.lineno}: Python cannot read the engine of {face.id}: {error.msg}"
        ) from None
    except (Exception, SystemExit) as error:
        log.error("%s cannot be imported", name, exc_info=error)
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise FaceError(f"{name}: the engine of {face.id} cannot be loaded: {reason}") from error


def _import_file(path: Path) -> ModuleType:
    # By the whole path, so that modules of the same name in two folders are two.
    name = "cleanplate_node_" + "".join(c if c.isalnum() else "_" for c in str(path))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module
