"""Frame lists as compositors type them: `1001-1100x2,1200`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nodes.errors import ParameterError

_NUMBER = r"(-?\d{1,18})"
_ITEM = re.compile(rf"{_NUMBER}(\s*-(?:\s*{_NUMBER})?(?:\s*[xX]\s*{_NUMBER})?)?")
_SEPARATOR = re.compile(r"\s*,\s*|\s+")
_RANGE = rf"{_NUMBER}\s*(?:-|\.\.\.?|:|to|\u2013|\u2014|\u2212)\s*{_NUMBER}"
# How other programs write ranges and steps; what they mean differs, so they are answered, not understood.
_FOREIGN = re.compile(rf"{_RANGE}(?:\s*(?:[x:/@%,]|by|step)\s*-?(\d+))?")
_MOST = 10_000_000
# What every host and file can number.
FIRST_FRAME, LAST_FRAME = -(2**31), 2**31 - 1


def parse_frames(text: str, whole: tuple[int, int] | None = None) -> list[int]:
    """The frames of `text`, in the order named, none twice.

    Items are separated by commas or spaces: `1001`, `1001-1100`, `1001-1100x10` (every tenth); numbers may be negative
    (`-5--1`), a range may run backwards (`1100-1001`), and with `whole`, the first and last frame there is, one without
    an end (`1001-`) goes to the last. Raises ParameterError, with the right spelling where it can be guessed.

    >>> parse_frames("1001-1005x2,1200")
    [1001, 1003, 1005, 1200]
    >>> parse_frames("1098-", (1001, 1100))
    [1098, 1099, 1100]
    """
    frames: dict[int, None] = {}
    position = 0
    given, text = text, text.strip()
    while True:
        match = _ITEM.match(text, position)
        separator = _SEPARATOR.match(text, match.end()) if match else None
        if match is None or (separator is None and match.end() < len(text)):
            raise ParameterError(_misspelt(given, text[position:]))
        chosen = _range(match, whole)
        if len(frames) + len(chosen) > _MOST:
            raise ParameterError(f"The frames {match[0].strip()!r} are more than {_MOST:,}; check the numbers.")
        frames.update(dict.fromkeys(chosen))
        if separator is None:
            return list(frames)
        position = separator.end()


def _range(item: re.Match[str], whole: tuple[int, int] | None) -> range:
    text = item[0].strip()
    for number in (item[1], item[3], item[4]):
        if number and not FIRST_FRAME <= int(number) <= LAST_FRAME:
            raise ParameterError(
                f"The frames {text[:40]!r} go beyond what a frame's number can be, {FIRST_FRAME} to {LAST_FRAME}."
            )
    first, step = int(item[1]), int(item[4] or 1)
    if item[3] or not item[2]:
        last = int(item[3] or item[1])
    elif whole is None:
        raise ParameterError(f"The frames {text!r} have no end; write for instance {first}-{first + 99}.")
    elif whole[1] < first:
        raise ParameterError(f"The frames {text!r} begin behind the last frame, {whole[1]}.")
    else:
        last = whole[1]
    if step < 1:
        ways = f"; write {first}-{last}x{-step}" if step else "; the smallest step is 1"
        raise ParameterError(f"The frames {text!r} have the step {step}{ways}.")
    return range(first, last + 1, step) if first <= last else range(first, last - 1, -step)


def _misspelt(text: str, rest: str) -> str:
    """What is wrong with frames of which `rest` cannot be understood."""
    for item in map(str.strip, text.split(",")):
        meant = _FOREIGN.fullmatch(item)
        if not meant or _ITEM.fullmatch(item):
            continue
        spelled = f"{meant[1]}-{meant[2]}" + (f"x{meant[3]}" if meant[3] else "")
        every = f" for every {_ordinal(int(meant[3]))} frame" if meant[3] else ""
        return f"The frames {text!r} cannot be understood at {item!r}; write {spelled}{every}."
    wrong = rest.split(",")[0].strip()
    return (
        f"The frames {text!r} cannot be understood at {wrong!r}; write for instance 1001-1100, 1001-1100x2 or "
        "1001,1005,1010-1020."
    )


def _ordinal(number: int) -> str:
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def format_frames(frames: Iterable[int]) -> str:
    """The shortest usual text for some frames, in order: `1001-1003,1011-1101x10`; the counterpart of parse_frames."""
    left = sorted(set(frames))
    items: list[str] = []
    at = 0
    while at < len(left):
        step = left[at + 1] - left[at] if at + 1 < len(left) else 1
        end = at
        while end + 1 < len(left) and left[end + 1] - left[end] == step:
            end += 1
        if step > 1 and end - at < 3:
            end = at
        first, last = left[at], left[end]
        items.append(str(first) if end == at else f"{first}-{last}" + (f"x{step}" if step > 1 else ""))
        at = end + 1
    return ",".join(items)
