"""Which channels of a file make a picture: layers, parts and views by the names compositors and renderers give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nodes.errors import FootageError

_COMPONENTS = {
    "r": "R", "red": "R", "g": "G", "green": "G", "b": "B", "blue": "B", "a": "A", "alpha": "A",
    "y": "Y", "luma": "Y", "luminance": "Y", "ry": "RY", "by": "BY",
}  # fmt: skip
_COLOUR_ORDER = ("R", "G", "B", "Y", "RY", "BY", "A")
_MAIN_PARTS = {"", "rgba", "rgb", "main", "beauty", "default"}


@dataclass(frozen=True, slots=True)
class FilePart:
    """What naming needs to know of one part of a file (a subimage of OpenImageIO)."""

    name: str
    view: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChannelSource:
    """One channel of a layer: its component (`R`, `G`, `B`, `A`, `Y`, `RY`, `BY` or its own name) and where it is."""

    component: str
    part: int
    index: int


@dataclass(frozen=True, slots=True)
class _Named:
    layer: str
    view: str
    component: str
    name: str
    part: int
    index: int
    bare: bool  # the channel's own name has no layer in it


def pick_layer(
    parts: Sequence[FilePart], layer: str, view: str, views: Sequence[str], part: str | int | None, path: str
) -> tuple[ChannelSource, ...]:
    """The channels of a layer, in the order R, G, B, Y, A; other channels only where they are asked for by name.

    `layer` is empty for the main picture: R, G, B (and A), else Y (and A), else those of the first part that has
    colour, of all parts together, of the first layer that has colour; else a lone channel. Otherwise it is a layer
    (`fg` of `fg.R`), a part's name, or one channel's full name (`matte.A`). `views` are the views of a file that keeps
    several in one part, the first being the default. `part` limits the search to one part, by name or number.
    Raises FootageError, listing what there is.
    """
    named = _named(parts, views)
    if part is not None:
        named = _of_part(named, parts, part, path)
    named = _of_view(named, view, views, parts, path)
    if layer:
        found = _layer(named, parts, layer)
        if not found:
            raise FootageError(f"{path} has no layer {layer!r}; it has {_list(named)}.")
        return found
    found = _main(named, parts)
    if not found:
        raise FootageError(
            f"{path} has no main picture (channels R, G, B or Y); name one of its layers: {_list(named)}."
        )
    return found


def layer_names(parts: Sequence[FilePart], views: Sequence[str] = ()) -> list[str]:
    """The layers of a file; the main one is empty."""
    return list(dict.fromkeys(channel.layer for channel in _named(parts, views)))


def _named(parts: Sequence[FilePart], views: Sequence[str]) -> list[_Named]:
    named = []
    for number, part in enumerate(parts):
        part_layer = _part_layer(part)
        for index, name in enumerate(part.channels):
            layer, _, last = name.rpartition(".")
            pieces = layer.split(".") if layer else []
            channel_view = part.view or (views[0] if views else "")
            for candidate in views:
                if candidate in pieces:
                    channel_view = candidate
                    pieces = [piece for piece in pieces if piece != candidate]
                    break
            layer = ".".join(pieces) or part_layer
            component = _COMPONENTS.get(last.lower(), last)
            named.append(_Named(layer, channel_view, component, name, number, index, bare=not pieces))
    return named


def _part_layer(part: FilePart) -> str:
    """The layer a part's name stands for, if its channels bear no layer of their own: Nuke writes `character.left`."""
    name = part.name
    for ending in (part.view, "main", "left", "right"):
        if ending and name.lower().endswith((f".{ending.lower()}", f"_{ending.lower()}")):
            name = name[: -len(ending) - 1]
            break
    if name.lower() in _MAIN_PARTS or name == part.view:
        return ""
    return name


def _of_part(named: list[_Named], parts: Sequence[FilePart], part: str | int, path: str) -> list[_Named]:
    numbers = [n for n, one in enumerate(parts) if one.name == part] or ([int(part)] if str(part).isdigit() else [])
    found = [channel for channel in named if channel.part in numbers]
    if not found:
        names = ", ".join(repr(one.name) if one.name else str(n) for n, one in enumerate(parts))
        raise FootageError(f"{path} has no part {part!r}; it has {names}.")
    return found


def _of_view(
    named: list[_Named], view: str, views: Sequence[str], parts: Sequence[FilePart], path: str
) -> list[_Named]:
    there = list(dict.fromkeys([*views, *(channel.view for channel in named if channel.view)]))
    if not there:
        return named
    if view and view not in there:
        raise FootageError(f"{path} has no view {view!r}; it has {', '.join(there)}.")
    if not view:
        view = "left" if "left" in there and not views else there[0]
    return [channel for channel in named if channel.view in (view, "")]


def _layer(named: list[_Named], parts: Sequence[FilePart], layer: str) -> tuple[ChannelSource, ...]:
    exact = [c for c in named if c.layer == layer]
    if not exact:
        exact = [c for c in named if c.layer.lower() == layer.lower()]
    if not exact:
        numbers = {n for n, part in enumerate(parts) if part.name == layer}
        exact = [c for c in named if c.part in numbers]
    found = _picture(exact)
    if found:
        return found
    alone = [c for c in named if c.name == layer] or exact[:1]
    return (ChannelSource(alone[0].component, alone[0].part, alone[0].index),) if alone else ()


def _main(named: list[_Named], parts: Sequence[FilePart]) -> tuple[ChannelSource, ...]:
    main = [c for c in named if c.layer == ""]
    bare = [c for c in named if c.bare]
    by_part = [[c for c in bare if c.part == number] for number in range(len(parts))]
    layers = dict.fromkeys(c.layer for c in named if "crypto" not in c.layer.lower())
    by_layer = [[c for c in named if c.layer == layer] for layer in layers]
    for channels in (main, *by_part, bare, *by_layer):
        if found := _picture(channels, needs_colour=True):
            return found
    if found := _picture(main):
        return found
    if len(named) == 1:
        return (ChannelSource(named[0].component, named[0].part, named[0].index),)
    return ()


def _picture(channels: list[_Named], needs_colour: bool = False) -> tuple[ChannelSource, ...]:
    """The colour channels among some, each component once: the part that has most of them goes first."""
    counts: dict[int, int] = {}
    for channel in channels:
        if channel.component in ("R", "G", "B"):
            counts[channel.part] = counts.get(channel.part, 0) + 1
    ranked = sorted(channels, key=lambda channel: -counts.get(channel.part, 0))
    first: dict[str, _Named] = {}
    for channel in ranked:
        if channel.component in _COLOUR_ORDER:
            first.setdefault(channel.component, channel)
    rgb = [name for name in ("R", "G", "B") if name in first]
    if len(rgb) >= 2:
        wanted: Sequence[str] = (*rgb, "A")
    elif "Y" in first:
        wanted = ("Y", "RY", "BY", "A") if "RY" in first and "BY" in first else ("Y", "A")
    elif needs_colour:
        return ()
    else:
        wanted = rgb or ["A"]
    return tuple(ChannelSource(name, first[name].part, first[name].index) for name in wanted if name in first)


def _list(named: list[_Named]) -> str:
    layers = [layer or "the main picture" for layer in dict.fromkeys(c.layer for c in named if _is_colour(c))]
    others = [c.name for c in named if not _is_colour(c)]
    names = list(dict.fromkeys(layers + others))
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _is_colour(channel: _Named) -> bool:
    return channel.component in _COLOUR_ORDER
