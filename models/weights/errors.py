"""What goes wrong with a weights file, in words for the person who has to act on it."""

from __future__ import annotations

from models.errors import CleanplateError


class WeightsError(CleanplateError):
    """A weights file, name or download cannot be used; `str(error)` is the whole message, one sentence or two."""


class BadFile(WeightsError):
    """What is wrong with a file, said by a reader that does not know the file's name.

    The text starts with a verb ("is empty", "is cut short"); whoever opened the file puts the name in front.
    """
