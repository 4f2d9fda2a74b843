"""File names of a shot: a pattern, its frames and views, and which of them are on disk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nodes.errors import FootageError
from nodes.footage.files.frame_list import FIRST_FRAME, LAST_FRAME
from nodes.footage.files.pattern import PatternPart, places

_STEREO = ("left", "right")


@dataclass(frozen=True, slots=True)
class Sequence:
    """A path with places for the frame number (`####`, `%04d`), view (`%V`: left, `%v`: l) and pass (`%P`).

    A path without a place for the frame number is a still: the same file at every frame. A file that is called exactly
    like the pattern is a still as well. `pattern.places` says what counts as a place.
    """

    pattern: str
    parts: tuple[PatternPart, ...]

    @classmethod
    def parse(cls, pattern: str | os.PathLike[str]) -> Sequence:
        """Raises FootageError for an empty pattern, for a folder and for a path that is no text."""
        text = os.fspath(pattern)
        if not text.strip():
            raise FootageError("No file is named; give a file or a pattern such as plate.####.exr.")
        if not text.isprintable() and not _is_text(text):
            raise FootageError(f"The name {text!a} is not UTF-8 text, so its file cannot be opened: rename it.")
        if os.path.isdir(text):
            raise FootageError(f"{text} is a folder; give a file in it or a pattern such as plate.####.exr.")
        if os.path.isfile(text):
            return cls(text, (("text", text, 0),))
        return cls(text, places(text))

    @property
    def is_still(self) -> bool:
        return not self._has("frame")

    @property
    def has_view(self) -> bool:
        return self._has("view") or self._has("initial")

    @property
    def has_pass(self) -> bool:
        return self._has("pass")

    def of_view(self, view: str) -> Sequence:
        """The files of one view: its name stands where there was a place for it."""
        names = {"view": view, "initial": view[:1]}
        parts = tuple(("text", names[part[0]], 0) if part[0] in names else part for part in self.parts)
        return Sequence("".join(text for _, text, _ in parts), parts)

    def path(self, frame: int, view: str | None = None, pass_name: str | None = None) -> str:
        """The file of a frame. `view` is a name such as `left`; without one, `left` fills a place for the view.

        Raises FootageError when the pattern has a place for the pass and none is named.
        """
        if self.has_pass and pass_name is None:
            raise FootageError(f"{self.pattern} has a place for the pass, but no pass is named here.")
        view = view or _STEREO[0]
        values = {"view": view, "initial": view[:1], "pass": pass_name or ""}
        return "".join(
            text if kind == "text" else _number(frame, padding) if kind == "frame" else values[kind]
            for kind, text, padding in self.parts
        )

    def frames(self, view: str | None = None) -> list[int]:
        """The frames on disk, in order; empty for a still. Raises FootageError where a folder cannot be read."""
        if self.is_still:
            return []
        found = {self.frame_of(path, view) for path in self._walk(view or _STEREO[0])}
        frames = sorted(frame for frame in found if frame is not None)
        for frame in frames[:1] + frames[-1:]:
            if not FIRST_FRAME <= frame <= LAST_FRAME:
                raise FootageError(
                    f"{self.path(frame, view)} has the number {frame}, and those of frames are "
                    f"{FIRST_FRAME} to {LAST_FRAME}: rename the files."
                )
        return frames

    def frame_of(self, path: str, view: str | None = None) -> int | None:
        """The number of the frame whose file this is; None where it is no frame of this sequence, or of a still."""
        match = re.fullmatch(_regex_of(self.parts, view or _STEREO[0]), path)
        if not match or self.is_still:
            return None
        # Where a second place for the number follows, its digits may have been taken for the first one's.
        digits = match["frame"]
        numbers = (int(text) for end in range(len(digits), 0, -1) if (text := digits[:end]) != "-")
        return next((one for one in numbers if self.path(one, view, "" if self.has_pass else None) == path), None)

    def suggestion(self) -> str:
        """The pattern that differs only in its number of digits and has files; empty where there is none."""
        regex = _regex_of(self.parts, None)
        numbers = [match["frame"] for path in self._walk(None) if (match := re.fullmatch(regex, path))]
        if not numbers or self.is_still:
            return ""
        digits = "#" * min(map(len, numbers))
        return "".join(digits if kind == "frame" else text for kind, text, _ in self.parts)

    def range(self, view: str | None = None) -> tuple[int, int] | None:
        """First and last frame on disk; None when there is none. A still has the range 1..1."""
        if self.is_still:
            return (1, 1) if os.path.exists(self.path(1, view)) else None
        frames = self.frames(view)
        return (frames[0], frames[-1]) if frames else None

    def holes(self, view: str | None = None) -> list[int]:
        """Frames missing between the first and the last on disk."""
        frames = self.frames(view)
        return sorted(set(range(frames[0], frames[-1] + 1)).difference(frames)) if frames else []

    def views(self) -> list[str]:
        """The views on disk, left and right first; empty when the pattern has no place for a view."""
        if not self.has_view:
            return []
        regex = _regex_of(self.parts, None)
        names = {match["view"] for path in self._walk(None) if (match := re.fullmatch(regex, path))}
        if self._has("initial") and not self._has("view"):
            names = {next((name for name in _STEREO if name[0] == initial), initial) for initial in names}
        return sorted(names, key=lambda name: (_STEREO.index(name) if name in _STEREO else len(_STEREO), name))

    def _has(self, kind: str) -> bool:
        return kind in [part[0] for part in self.parts]

    def _walk(self, view: str | None) -> Iterator[str]:
        """Files that could be of the sequence; a folder whose name has a place for nothing is not listed."""
        yield from _matches("", _components(self.parts), view, self.pattern)


def _is_text(text: str) -> bool:
    try:
        return "\0" not in text and bool(text.encode())
    except UnicodeEncodeError:
        return False


def _number(frame: int, padding: int) -> str:
    return f"{frame:0{padding}d}"


def _regex_of(parts: tuple[PatternPart, ...], view: str | None) -> str:
    expressions = []
    named: set[str] = set()
    for kind, text, _padding in parts:
        group = "view" if kind == "initial" else kind
        if kind in ("text", "pass"):
            expressions.append(re.escape(text) if kind == "text" else "")
        elif kind in ("view", "initial") and view is not None:
            expressions.append(re.escape(view if kind == "view" else view[:1]))
        elif group in named:
            expressions.append(r"-?\d+" if kind == "frame" else r"\w+?")
        else:
            named.add(group)
            expressions.append(
                r"(?P<frame>-?\d+)" if kind == "frame" else r"(?P<view>\w)" if kind == "initial" else r"(?P<view>\w+?)"
            )
    return "".join(expressions)


def _components(parts: tuple[PatternPart, ...]) -> list[tuple[PatternPart, ...]]:
    """The parts of the pattern, split at the slashes; each slash stays at the end of its component."""
    components: list[list[PatternPart]] = [[]]
    for kind, text, padding in parts:
        if kind != "text":
            components[-1].append((kind, text, padding))
            continue
        pieces = re.split(r"(?<=/)", text)
        for index, piece in enumerate(pieces):
            if index:
                components.append([])
            if piece:
                components[-1].append(("text", piece, 0))
    return [tuple(component) for component in components if component]


def _matches(folder: str, components: list[tuple[PatternPart, ...]], view: str | None, pattern: str) -> Iterator[str]:
    if not components:
        yield folder
        return
    first, rest = components[0], components[1:]
    if all(kind == "text" for kind, _, _ in first):
        path = folder + "".join(text for _, text, _ in first)
        if rest or os.path.exists(path):
            yield from _matches(path, rest, view, pattern)
        return
    regex = re.compile(_regex_of(first, view))
    try:
        names = os.listdir(folder or ".")
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise FootageError(f"{folder or '.'} cannot be read ({error.strerror}); it holds {pattern}.") from error
    for name in names:
        candidate = name + "/" if rest else name
        if regex.fullmatch(candidate):
            yield from _matches(folder + candidate, rest, view, pattern)
