"""The root of all errors that a user can mend; `nodes.errors` and `models.weights.errors` have the branches."""

from __future__ import annotations


class CleanplateError(Exception):
    """Something the user can mend; `str(error)` is the whole message, one sentence or two."""
