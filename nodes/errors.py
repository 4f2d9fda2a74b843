"""The one kind of error an artist sees: a sentence that names the file, frame or parameter and what to do."""

from __future__ import annotations


class CleanplateError(Exception):
    """Something the user can mend; `str(error)` is the whole message, one sentence or two."""


class FootageError(CleanplateError):
    """A file, a frame or a sequence is missing, unreadable or unwritable."""


class ParameterError(CleanplateError):
    """A parameter or input of a node is unknown, out of range or contradicts another."""


class WorkerError(CleanplateError):
    """The worker process could not be started, does not answer or speaks another version."""


class Cancelled(Exception):
    """The render was cancelled by whoever asked for it; not a failure."""
