"""Words that come from files, made harmless where they are shown: on a terminal, in a log, in a host's message."""

from __future__ import annotations

import unicodedata

# Control characters, bidirectional overrides and the like, halves of characters, unassigned ones, line separators.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def one_line(text: str) -> str:
    """`text` on one line, with what would move a cursor, forge a line or cannot be encoded spelled out.

    Bytes that were not UTF-8 (surrogates of `surrogateescape`) are shown as the bytes they were. Text that was treated
    before stays as it is.

    >>> one_line("a\\x1b[31m\\nb" + chr(0xDCFF))
    'a\\\\x1b[31m\\\\nb\\\\xff'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(char) if unicodedata.category(char) in _HARMFUL else char for char in text)


def _spelled(char: str) -> str:
    if 0xDC80 <= ord(char) <= 0xDCFF:
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
