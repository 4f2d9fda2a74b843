"""What an examination found wrong."""

from __future__ import annotations


class Finding(Exception):
    """Something is wrong; the text says what and what to do."""
