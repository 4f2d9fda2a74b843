"""A pattern's places: which letters of a path stand for the frame number, the view or the pass, and which are a name.

`####`, `%04d` and `%d` stand for the frame, `%V` and `%v` for the view, `%P` and `{pass}` for the pass. A file's name
without any place for the frame may have one in the way of another program: `@@@@`, `$F4`, `%04i`, `<F4>`, `{frame}`.
In folders `#` counts only where the file's name has no place, and a folder that is there under its literal name is that
folder. Letters that only look like a place are a name: `%20`, `%done`, `%Private`, me@work.
"""

from __future__ import annotations

import os
import re

from nodes.errors import FootageError

PatternPart = tuple[str, str, int]  # (kind, text, padding): kind is text, frame, view, initial or pass

_HERE_IT_ENDS = r"(?![A-Za-z0-9])"
_OWN = re.compile(
    rf"(?P<hashes>#+)|%0(?P<zeros>\d+)d|(?P<plain>%[1-9]?d){_HERE_IT_ENDS}"
    rf"|(?P<view>%V){_HERE_IT_ENDS}|(?P<initial>%v){_HERE_IT_ENDS}|(?P<pass>%P{_HERE_IT_ENDS}|\{{pass\}})"
)
# The frame's number as other programs write it; a group that took part holds its digits.
_FOREIGN = re.compile(
    rf"%0(?P<zeros>\d+)i|(?P<plain>%[1-9]?i{_HERE_IT_ENDS})|(?P<ats>@@+|(?<=[._-])@(?=[._-]))"
    rf"|\$F(?P<houdini>\d*){_HERE_IT_ENDS}|\$\{{F(?P<braces>\d*)\}}|<(?:f|F|frame|FRAME)(?P<angle>\d*)>"
    r"|\{frame(?::0?(?P<format>\d*)d?)?\}"
)
_WILD = re.compile(r"\*+|\?+|\[\d+-\d+\]")
_UNKNOWN = re.compile(
    r"<\w+>|\{:?[A-Za-z_]\w*(?::\w*)?\}|\{\d*:0?\d*d\}|%\(\w+\)0?\d*[a-z]|\$\{?[A-Za-z_]\w*\}?|%0\d+[A-Za-z]"
)


def places(text: str) -> tuple[PatternPart, ...]:
    """The parts of a pattern. Raises FootageError for a way of writing the frame that has no meaning here.

    >>> places("shot.####.%V.exr")
    (('text', 'shot.', 0), ('frame', '####', 4), ('text', '.', 0), ('view', '%V', 0), ('text', '.exr', 0))
    """
    start = text.rfind("/") + 1
    name = text[start:]
    own = _found(_OWN, name)
    counts = any(kind == "frame" for kind, _, _ in own)
    folders = _folders(text[:start], hashes=not counts)
    if not counts and not any(kind == "frame" for kind, _, _ in folders):
        own = _foreign(text[:start], name, own)
    return _joined([*folders, *own])


def _found(expression: re.Pattern[str], text: str) -> list[PatternPart]:
    parts: list[PatternPart] = []
    position = 0
    for match in expression.finditer(text):
        parts += [("text", text[position : match.start()], 0), _place(match)]
        position = match.end()
    return [*parts, ("text", text[position:], 0)]


def _place(match: re.Match[str]) -> PatternPart:
    kind = match.lastgroup or "plain"
    if kind in ("view", "initial", "pass"):
        return (kind, match[0], 0)
    if kind in ("hashes", "ats"):
        return ("frame", match[0], len(match[0]))
    return ("frame", match[0], 1 if kind == "plain" else int(match[kind] or 1))


def _folders(text: str, hashes: bool) -> list[PatternPart]:
    """The parts of the folders of a path, which end in slashes."""
    parts: list[PatternPart] = []
    for folder in re.findall(r"[^/]*/", text):
        found = _found(_OWN, folder)
        if not hashes:
            found = [("text", t, 0) if kind == "frame" and t[0] == "#" else (kind, t, n) for kind, t, n in found]
        before = "".join(part[1] for part in parts)
        literal = all(part[0] == "text" for part in parts) and os.path.isdir(before + folder)
        parts += [("text", folder, 0)] if literal else found
    return parts


def _foreign(folder: str, name: str, own: list[PatternPart]) -> list[PatternPart]:
    parts: list[PatternPart] = []
    for kind, text, padding in own:
        parts += _found(_FOREIGN, text) if kind == "text" else [(kind, text, padding)]
    if any(kind == "frame" for kind, _, _ in parts):
        return parts
    if wild := _WILD.search(name):
        raise FootageError(f"{folder}{name} is no pattern of ours; write {folder}{_usual(folder, name, wild)}.")
    if unknown := _UNKNOWN.search("".join(text for kind, text, _ in own if kind == "text")):
        raise FootageError(
            f"{folder}{name}: {unknown[0]} has no meaning here; #### stands for the frame's number, %V for the view, "
            "%P for the pass."
        )
    return own


def _usual(folder: str, name: str, wild: re.Match[str]) -> str:
    """The name with # in the place of a wildcard, as many as the files have digits."""
    before, after = name[: wild.start()], name[wild.end() :]
    digits = len(wild[0]) if wild[0].startswith("?") else 0
    if not digits:
        sibling = re.compile(re.escape(before) + r"-?(\d+)" + re.escape(after))
        try:
            found = [match[1] for entry in os.listdir(folder or ".") if (match := sibling.fullmatch(entry))]
        except OSError:
            found = []
        digits = min(map(len, found), default=4)
    return f"{before}{'#' * digits}{after}"


def _joined(parts: list[PatternPart]) -> tuple[PatternPart, ...]:
    joined: list[PatternPart] = []
    for kind, text, padding in parts:
        if kind == "text" and joined and joined[-1][0] == "text":
            joined[-1] = ("text", joined[-1][1] + text, 0)
        elif text:
            joined.append((kind, text, padding))
    return tuple(joined)
