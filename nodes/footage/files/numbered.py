"""A file whose name carries a frame's number, and the sequence that it may be one frame of."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from models.wording import setting
from nodes.errors import FootageError
from nodes.footage.files.sequence import Sequence

# A number between the usual marks, or three and more digits behind a letter; v012 is a version.
_NUMBER = re.compile(r"(?:(?<=[._-])|^)(?:(?<=[._])-)?\d+(?=[._-]|$)|(?<=[A-Za-uw-z])(?<![._-][vV])\d{3,}(?=[._-]|$)")


@dataclass(frozen=True, slots=True)
class Numbered:
    """`pattern` stands for the file and its `others`: how many more files on disk differ in the number alone."""

    pattern: str
    frame: int
    others: int


def sequence_of(path: str) -> str:
    """What a source that is named by one file means: the sequence whose only frame it is, else the file itself.

    Raises FootageError where it is one of several, which are hardly all the same.
    """
    one = numbered(path) if os.path.isfile(path) else None
    if one is None:
        return path
    if one.others:
        raise FootageError(
            f"{path} is one of {one.others + 1} numbered files: write {one.pattern} for all of them, or "
            f"{setting('stillSource', 'on')} to use this one at every frame."
        )
    return one.pattern if Sequence.parse(one.pattern).frames() == [one.frame] else path


def numbered(path: str) -> Numbered | None:
    """What the number in the name of a file says; None where there is none.

    Of several numbers the last counts that other files differ in, else the last. Raises FootageError for a folder that
    cannot be read.

    >>> numbered("shot_v012.1001.exr"), numbered("clean_v012.exr")
    (Numbered(pattern='shot_v012.####.exr', frame=1001, others=0), None)
    """
    folder, name = os.path.split(path)
    stem = name.rpartition(".")[0] or name
    places = [match.span() for match in _NUMBER.finditer(stem)]
    if not places:
        return None
    try:
        names = os.listdir(folder or ".")
    except OSError as error:
        raise FootageError(f"{folder or '.'} cannot be read ({error.strerror}); it holds {name}.") from error
    found = [_at(folder, name, place, names) for place in reversed(places)]
    return next((one for one in found if one.others), found[0])


def _at(folder: str, name: str, place: tuple[int, int], names: list[str]) -> Numbered:
    before, digits, after = name[: place[0]], name[slice(*place)], name[place[1] :]
    sibling = re.compile(re.escape(before) + r"(-?\d+)" + re.escape(after))
    numbers = [match[1] for entry in names if (match := sibling.fullmatch(entry))]
    shortest = min(map(len, [digits, *numbers]))
    pattern = os.path.join(folder, f"{before}{'#' * shortest}{after}")
    return Numbered(pattern, int(digits), len({number for number in numbers if number != digits}))
