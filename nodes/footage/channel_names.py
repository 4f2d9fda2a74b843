"""What channels are called: components, layers, parts and views, and which layers are data instead of pictures."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_COMPONENTS = {
    "r": "R", "red": "R", "g": "G", "green": "G", "b": "B", "blue": "B", "a": "A", "alpha": "A",
    "y": "Y", "luma": "Y", "luminance": "Y", "ry": "RY", "by": "BY",
}  # fmt: skip
# Beside one of these a Y is a direction.
_DIRECTIONS = frozenset("xzuv")
# The last word of a layer's name that holds the finished picture, and of one that holds a mask; the likeliest first.
MAIN = ("rgba", "rgb", "beauty", "combined", "c", "ci", "color", "colour", "main", "default")
MASKS = ("mask", "matte", "roto", "alpha")
# A part that is called like this has no layer of its own.
_PARTS_WITHOUT_LAYER = frozenset({"", "rgba", "rgb", "main", "beauty", "default"})
# Words in the name of a layer that holds numbers which are no colours.
_DATA = frozenset({
    "crypto", "cryptomatte", "depth", "zdepth", "z", "deepz", "mist", "normal", "normals", "n", "nn", "ng", "ns",
    "nworld", "position", "positions", "p", "pworld", "pref", "motion", "motionvector", "motionvectors", "velocity",
    "speed", "vector", "vectors", "mv", "flow", "uv", "uvs", "st", "id", "ids", "objectid", "materialid", "index",
    "indexob", "indexma",
})  # fmt: skip
STEREO = ("left", "right")


@dataclass(frozen=True, slots=True)
class FilePart:
    """What naming needs to know of one part of a file (a subimage of OpenImageIO)."""

    name: str
    view: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChannelName:
    """One channel: its layer, view and component, its full name, and where it is in the file.

    `bare` says that the channel's own name has no layer in it, `direction` that a component Y is none of luminance.
    """

    layer: str
    view: str
    component: str
    name: str
    part: int
    index: int
    bare: bool
    direction: bool = False


def component_of(name: str) -> str:
    """`R`, `G`, `B`, `A`, `Y`, `RY`, `BY`, or the last word of the channel's name where it is none of these."""
    last = name.rpartition(".")[2]
    return _COMPONENTS.get(last.lower(), last)


def named_channels(parts: Sequence[FilePart], views: Sequence[str] = ()) -> list[ChannelName]:
    """All channels of a file. `views` are those that it declares; left and right layers are views as well."""
    views = views or _stereo_layers(parts)
    named = []
    for number, part in enumerate(parts):
        part_layer = _part_layer(part)
        for index, name in enumerate(part.channels):
            pieces = name.split(".")[:-1]
            view = part.view or (views[0] if views else "")
            if found := next((one for one in views if one in pieces), ""):
                view = found
                pieces.remove(found)
            layer = ".".join(pieces) or part_layer
            named.append(ChannelName(layer, view, component_of(name), name, number, index, bare=not pieces))
    directed = {(c.part, c.layer, c.view) for c in named if c.component.lower() in _DIRECTIONS}
    return [
        replace(c, direction=True) if last_word(c.name) == "y" and (c.part, c.layer, c.view) in directed else c
        for c in named
    ]


@functools.lru_cache(4096)
def is_data(layer: str) -> bool:
    """Whether a layer's name says that it holds no colours: cryptomattes, depth, normals, positions, vectors, ids."""
    words = [*re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", layer), *layer.split(".")]
    return any(word.lower() in _DATA or word.lower().startswith("crypto") for word in words)


def last_word(layer: str) -> str:
    return layer.rpartition(".")[2].lower()


def ranked(layers: Iterable[str], words: Sequence[str]) -> list[str]:
    """The layers whose last word is one of these: short names first, a composite before what it is made of, then in
    the order of the words and of the file."""
    named = [layer for layer in layers if last_word(layer) in words]
    return sorted(
        named,
        key=lambda layer: (
            layer.count("."),
            not layer.lower().startswith("composite"),
            words.index(last_word(layer)),
        ),
    )


def _stereo_layers(parts: Sequence[FilePart]) -> tuple[str, ...]:
    """The names of both eyes where channels bear them though the file does not say that it has views."""
    if any(part.view for part in parts):
        return ()
    names = [name for part in parts for name in part.channels]
    if any("." not in name and component_of(name) in ("R", "Y") for name in names):
        return ()
    pieces = {piece for name in names for piece in name.split(".")[:-1]}
    eyes = tuple(next((piece for piece in sorted(pieces) if piece.lower() == eye), "") for eye in STEREO)
    return eyes if all(eyes) else ()


def _part_layer(part: FilePart) -> str:
    """The layer a part's name stands for, if its channels bear no layer of their own: Nuke writes `character.left`."""
    name = part.name
    for ending in (part.view, "main", *STEREO):
        if ending and name.lower().endswith((f".{ending.lower()}", f"_{ending.lower()}")):
            name = name[: -len(ending) - 1]
            break
    if name.lower() in _PARTS_WITHOUT_LAYER or name == part.view:
        return ""
    return name
