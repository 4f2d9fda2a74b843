"""The root of all errors that a user can mend; `nodes.errors` and `models.weights.errors` have the branches."""

from __future__ import annotations

from models.wording import said


class CleanplateError(Exception):
    """Something the user can mend; `str(error)` is the whole message, one sentence or two."""

    def __str__(self) -> str:
        """The sentence in the words of the door that shows it; see `models.wording`."""
        return said(super().__str__())
