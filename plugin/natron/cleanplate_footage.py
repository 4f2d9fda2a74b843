"""What goes into a group as files that a command of ours can read. Runs in Natron's own Python."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READ, DOT = "fr.inria.built-in.Read", "fr.inria.built-in.Dot"
# So far above the Keys input a Roto is looked for: a blur or a premultiplication may come after it.
FARTHEST = 20
# Natron's `before` and `after` of a Read do not matter: a command reads the files that are there.
AS_STORED = {"timeOffset": 0, "outputLayer": 0, "disableNode": False}
# What Read calls a file and its output where it multiplies by alpha.
STRAIGHT, PREMULTIPLIED = 2, 1


@dataclass(frozen=True)
class Strip:
    """Frames of an Input `node` inside the group, to be written to the files `pattern` by a Write with `settings`."""

    node: str
    first: int
    last: int
    pattern: str
    settings: Mapping[str, Any]

    def files(self) -> list[Path]:
        return [Path(self.pattern.replace("####", f"{frame:04d}")) for frame in range(self.first, self.last + 1)]


def upstream(node: Any) -> Any:
    """The node itself, or what comes into it if it is a dot."""
    while node is not None and node.getPluginID() == DOT:
        node = node.getInput(0)
    return node


def files_of(node: Any) -> str:
    """The EXR files that a Read node delivers as they are, else nothing.

    Where it shifts frames, converts colours or takes a layer that was chosen, what it delivers is not what a command
    finds in its files.
    """
    node = upstream(node)
    if node is None or node.getPluginID() != READ:
        return ""
    name = str(value_of(node, "filename") or "")
    changed = any(value_of(node, parameter) not in (None, wanted) for parameter, wanted in AS_STORED.items())
    converted = value_of(node, "ocioInputSpace") != value_of(node, "ocioOutputSpace")
    multiplied = (value_of(node, "filePremult"), value_of(node, "outputPremult")) == (STRAIGHT, PREMULTIPLIED)
    retimed = value_of(node, "startingTime") != value_of(node, "firstFrame")
    return "" if changed or converted or multiplied or retimed or not name.lower().endswith(".exr") else name


def value_of(node: Any, name: str) -> Any:
    """A parameter's value; None where there is no such parameter."""
    parameter = node.getParam(name)
    return None if parameter is None else parameter.getValue()


def roto_frames(node: Any) -> list[int]:
    """The frames at which the shapes of the nearest Roto or RotoPaint above have keys; none without one."""
    for _ in range(FARTHEST):
        if node is None:
            break
        context = node.getRotoContext()
        if context is not None:
            shapes = _shapes(context, context.getBaseLayer())
            return sorted({round(frame) for shape in shapes for frame in shape.getKeyframes()})
        node = node.getInput(0)
    return []


def _shapes(context: Any, layer: Any) -> Iterator[Any]:
    """The shapes in a layer and in the layers in it. What a layer lists knows its name only."""
    for listed in layer.getChildren():
        item = context.getItemByName(listed.getScriptName())
        if hasattr(item, "getChildren"):
            yield from _shapes(context, item)
        elif hasattr(item, "getKeyframes"):
            yield item


def frames_named(text: str) -> list[int]:
    """The whole numbers of a list such as `1001, 1025-1027, 1030-1050x10`. Raises ValueError."""
    frames: set[int] = set()
    for part in re.split(r"[,;\s]+", text.strip()):
        if not part:
            continue
        ends = re.fullmatch(r"(-?\d+)(?:-(-?\d+)(?:x(\d+))?)?", part)
        if ends is None:
            raise ValueError(part)
        first = int(ends[1])
        frames.update(range(first, int(ends[2] or first) + 1, int(ends[3] or 1)))
    return sorted(frames)
