"""The one kind of error an artist sees: a sentence that names the file, frame or parameter and what to do."""

from __future__ import annotations

from models.errors import CleanplateError as CleanplateError


class FrameError(CleanplateError):
    """A frame cannot be made, for a reason that lies in what it holds: it fails alone, others may be fine."""


class FootageError(FrameError):
    """A file, a frame or a sequence is missing or unreadable."""


class OutputError(CleanplateError):
    """A result cannot be written, or must not be: no other frame would fare better."""


class ParameterError(CleanplateError):
    """A parameter or input of a node is unknown, out of range or contradicts another: wrong for every frame."""


class FaceError(ParameterError):
    """A node's face, or the engine beside it, is not what it has to be; names the file."""


class WorkerError(CleanplateError):
    """The worker process could not be started, does not answer or speaks another version."""


class Cancelled(Exception):
    """The render was cancelled by whoever asked for it; not a failure."""
