"""Errors on their way over the wire: the class becomes a kind, the sentence stays."""

from __future__ import annotations

import logging

from models.weights.errors import WeightsError
from nodes.errors import Cancelled, CleanplateError, FootageError, FrameError, ParameterError, WorkerError
from plugin.worker.protocol.fitting import fitted

log = logging.getLogger(__name__)


class Unusable(WorkerError):
    """The device cannot be used on this machine."""


class FrameFailed(WorkerError, FrameError):
    """The worker could not compute a frame: the memory was too small for it, or the engine broke on it."""


_CLASSES: dict[str, type[Exception]] = {
    "footage": FootageError,
    "frame": FrameError,
    "parameter": ParameterError,
    "weights": WeightsError,
    "worker": WorkerError,
    "user": CleanplateError,
    "internal": FrameFailed,
    "memory": FrameFailed,
    "cancelled": Cancelled,
}


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that the host's or the device's memory ran out."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in reason_of(error))
    )


def kind_and_sentence(error: BaseException, what: str, device: str, log_file: str) -> tuple[str, str]:
    """Kind and sentence of an error while doing `what`, such as `BackgroundMatte on frame 12`; logs surprises."""
    if isinstance(error, Cancelled):
        return "cancelled", fitted(f"{what} was cancelled")
    if isinstance(error, CleanplateError):
        return kind_of(error), fitted(error)
    if out_of_memory(error):
        log.warning("%s: out of memory", what, exc_info=error)
        return "memory", fitted(
            f"{what} needs more memory than {device} has left; render smaller pictures, choose a smaller model "
            "or close other programs"
        )
    log.error("%s failed", what, exc_info=error)
    reason = reason_of(error)
    name = type(error).__name__
    return "internal", fitted(f"{what} failed ({name}{': ' if reason else ''}{reason}); the details are in {log_file}")


def reason_of(error: BaseException) -> str:
    """What an exception that was not made for users says, in a line; empty where it says nothing."""
    try:
        return fitted(" ".join(str(error).split()), 300)
    except Exception:
        return ""


def kind_of(error: CleanplateError) -> str:
    """The kind a user's error has on the wire."""
    return next(kind for parent in type(error).__mro__ for kind, cls in _CLASSES.items() if parent is cls)


def exception(kind: str, sentence: str) -> Exception:
    """The error a kind and sentence stand for."""
    return _CLASSES[kind](sentence)
