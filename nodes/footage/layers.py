"""Which channels of a file are taken for a picture or for a mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nodes.errors import FootageError
from nodes.footage.channel_names import (
    MAIN,
    MASKS,
    ChannelName,
    FilePart,
    component_of,
    is_data,
    last_word,
    named_channels,
    ranked,
)
from nodes.footage.picture import Choice

_COLOUR_ORDER = ("R", "G", "B", "Y", "RY", "BY", "A")
_LISTED = 20


@dataclass(frozen=True, slots=True)
class ChannelSource:
    """One channel of a layer: its component (`R`, `G`, `B`, `A`, `Y`, `RY`, `BY` or its own name) and where it is."""

    component: str
    part: int
    index: int


@dataclass(frozen=True, slots=True)
class Picked:
    """The chosen channels, in the order R, G, B, Y, A, the view they are of, and what was not obvious in choosing."""

    sources: tuple[ChannelSource, ...]
    view: str = ""
    notes: tuple[str, ...] = ()


def pick_layer(parts: Sequence[FilePart], choice: Choice, views: Sequence[str], path: str) -> Picked:
    """The channels of the main picture, of the mask, or of the layer that `choice` names.

    The main picture is R, G, B (and A) without a layer; else the layer whose last word is rgba, rgb, beauty, combined,
    C, Ci, color, main or default in any case (of several the one with the shortest path, a composite before its
    layers, then in this order, then the first in the file); else the first layer with colour. Layers of R, G, B go
    before luminance, and Y is luminance only where no X, Z, U or V stands beside it. Cryptomattes, depth, normals,
    positions, vectors and ids are never taken unless they are named; nor is a lone alpha, unless it is all there is.

    A mask is the layer whose last word is mask, matte, roto or alpha; else the main picture; else a lone alpha; else
    the first channel that is no data. Which channel of a picture counts is decided by its pixels (`mask_channel`).

    A layer that is named is a layer (`fg` of `fg.R`), a part, or one channel (`matte.A`, `matte.alpha`; for a channel
    without a layer `A`, `alpha` or `rgba.alpha`). `views` are those of a file that declares several in one part, the
    first being the default. Raises FootageError, listing what there is.
    """
    named = named_channels(parts, views)
    if choice.part is not None:
        named = _of_part(named, parts, choice.part, path)
    named, view, others = _of_view(named, views, choice, path)
    notes = [view_note(view, others)] if others and not choice.view else []
    if choice.layer:
        found = _layer(named, parts, choice.layer)
        if not found:
            raise FootageError(f"{path} has no layer {choice.layer!r}; it has {_list(named)}.")
        return Picked(_sources(found), view, tuple(notes))
    found, obvious = (_mask if choice.kind == "mask" else _main)(named)
    if not found and choice.kind == "either":
        found, obvious = _mask(named)
    if not found:
        raise FootageError(
            f"{path} has no main picture (channels R, G, B or Y); name one of its layers: {_list(named)}."
            if choice.kind != "mask"
            else f"{path} has no channel that could be the mask; name one of its channels: {_list(named)}."
        )
    if not obvious and (rest := _labels(c for c in named if c not in found)):
        taken = _and(_labels(found))
        notes.append(f"the {'mask' if choice.kind == 'mask' else 'picture'} is {taken}; there is {_and(rest)} as well")
    return Picked(_sources(found), view, tuple(notes))


def view_note(view: str, others: Sequence[str]) -> str:
    """What to say of a view that was taken because none was named."""
    return f"the view {view} is taken; there is {_and(others)} as well"


def layer_names(parts: Sequence[FilePart], views: Sequence[str] = ()) -> list[str]:
    """The layers of a file; the main one is empty."""
    return list(dict.fromkeys(channel.layer for channel in named_channels(parts, views)))


def view_names(parts: Sequence[FilePart], views: Sequence[str] = ()) -> list[str]:
    """The views of a file, left and right first; empty where it has none."""
    return list(dict.fromkeys([*views, *(c.view for c in named_channels(parts, views) if c.view)]))


def _of_part(named: list[ChannelName], parts: Sequence[FilePart], part: str | int, path: str) -> list[ChannelName]:
    numbers = [n for n, one in enumerate(parts) if one.name == part] or ([int(part)] if str(part).isdigit() else [])
    found = [channel for channel in named if channel.part in numbers]
    if not found:
        names = ", ".join(repr(one.name) if one.name else str(n) for n, one in enumerate(parts))
        raise FootageError(f"{path} has no part {part!r}; it has {names}.")
    return found


def _of_view(
    named: list[ChannelName], views: Sequence[str], choice: Choice, path: str
) -> tuple[list[ChannelName], str, tuple[str, ...]]:
    """The channels of the view that is asked for, its name, and the other views."""
    there = list(dict.fromkeys([*views, *(channel.view for channel in named if channel.view)]))
    view = next((one for one in there if one.lower() == choice.view.lower()), choice.view)
    if view and view not in there:
        if choice.needs_view or len(there) > 1:
            has = f"it has {', '.join(there)}" if there else "it has none"
            raise FootageError(f"{path} has no view {view!r}; {has}.")
        view = ""
    if not there:
        return named, "", ()
    if not view:
        view = "left" if "left" in there and not views else there[0]
    return [c for c in named if c.view in (view, "")], view, tuple(one for one in there if one != view)


def _layer(named: list[ChannelName], parts: Sequence[FilePart], asked: str) -> list[ChannelName]:
    """The channels of a layer, a part or a channel of that name; a case that differs is the second choice."""
    exact = [c for c in named if c.layer == asked] or [c for c in named if c.layer.lower() == asked.lower()]
    if not exact:
        numbers = {n for n, part in enumerate(parts) if part.name == asked}
        exact = [c for c in named if c.part in numbers]
    if found := _picture(exact):
        return found
    layer, _, last = asked.rpartition(".")
    alone = [c for c in named if c.name == asked] or [c for c in named if c.name.lower() == asked.lower()]
    alone = alone or [c for c in named if (c.layer.lower(), c.component) == (layer.lower(), component_of(last))]
    if alone or exact:
        return alone[:1] or exact[:1]
    bare = [c for c in named if not c.layer]
    if layer.lower() in ("rgba", "rgb"):
        return [c for c in bare if c.component == component_of(last)][:1]
    return _picture(bare) if asked.lower() in ("rgba", "rgb") else []


def _main(named: list[ChannelName]) -> tuple[list[ChannelName], bool]:
    """The channels of the main picture, and whether it was obvious that it is these."""
    bare = [c for c in named if c.layer == ""]
    of: dict[str, list[ChannelName]] = {}
    # A part's name is less of a layer than one in the channels' names.
    for c in sorted(named, key=lambda c: not c.bare):
        if c.layer and not is_data(c.layer):
            of.setdefault(c.layer, []).append(c)
    best = [of[layer] for layer in ranked(of, MAIN)]
    for wanted in (_colour, _grey):
        if found := wanted(bare):
            return found, True
        if pictures := [found for channels in best if (found := wanted(channels))]:
            return pictures[0], len(pictures) == 1
        if found := _spread(wanted([c for c in named if c.bare and not is_data(c.layer)])):
            return found, True
        if pictures := [found for channels in of.values() if (found := wanted(channels))]:
            return pictures[0], False
    if (found := _picture(bare)) and found[0].component != "A":
        return found, True
    return (named, True) if len(named) == 1 else ([], False)


def _mask(named: list[ChannelName]) -> tuple[list[ChannelName], bool]:
    """The channels of the mask, and whether it was obvious that it is these."""
    groups: dict[str, list[ChannelName]] = {}
    for c in named:
        # A channel can be called mask without being in a layer.
        alone = not c.layer and c.component != "A" and c.component.lower() in MASKS
        name = c.name if alone else c.layer
        if last_word(name) in MASKS:
            groups.setdefault(name, []).append(c)
    if groups:
        first = groups[ranked(groups, MASKS)[0]]
        found = _picture(first)
        return found or first[:1], len(groups) == 1 and (bool(found) or len(first) == 1)
    found, obvious = _main(named)
    if found:
        return found, obvious
    alphas = [c for c in named if c.component == "A" and not is_data(c.layer)]
    others = [c for c in named if not is_data(c.name) and not c.direction and c.component.lower() not in "xyzuv"]
    lone = alphas or others
    return lone[:1], len(lone) == 1


def _colour(channels: list[ChannelName]) -> list[ChannelName]:
    """R, G and B (at least two of them), or luminance and chroma, with alpha where there is one."""
    found = _picture(channels)
    return found if found and found[0].component != "A" and len({c.component for c in found} - {"A"}) > 1 else []


def _grey(channels: list[ChannelName]) -> list[ChannelName]:
    found = _picture(channels)
    return found if found and found[0].component == "Y" else []


def _spread(found: list[ChannelName]) -> list[ChannelName]:
    """Some channels, if no two are in one part."""
    return found if len({c.part for c in found}) == len(found) > 1 else []


def _picture(channels: list[ChannelName]) -> list[ChannelName]:
    """The colour channels among some, each component once: the part that has most of them goes first."""
    counts: dict[int, int] = {}
    for channel in channels:
        if channel.component in ("R", "G", "B"):
            counts[channel.part] = counts.get(channel.part, 0) + 1
    ordered = sorted(channels, key=lambda channel: -counts.get(channel.part, 0))
    first: dict[str, ChannelName] = {}
    for channel in ordered:
        if channel.component in _COLOUR_ORDER and not channel.direction:
            first.setdefault(channel.component, channel)
    rgb = [name for name in ("R", "G", "B") if name in first]
    if len(rgb) >= 2:
        wanted: Sequence[str] = (*rgb, "A")
    elif "Y" in first:
        wanted = ("Y", "RY", "BY", "A") if "RY" in first and "BY" in first else ("Y", "A")
    else:
        wanted = (*rgb, "A") if rgb else ("A",)
    return [first[name] for name in wanted if name in first]


def _sources(channels: Iterable[ChannelName]) -> tuple[ChannelSource, ...]:
    return tuple(ChannelSource(c.component, c.part, c.index) for c in channels)


def _labels(channels: Iterable[ChannelName]) -> list[str]:
    """Layers with colour by their names, other channels by theirs, each once."""
    channels = list(channels)
    pictured = any(_is_colour(c) and c.component != "A" for c in channels if not c.layer)
    main = "the main picture" if pictured else ""
    return list(dict.fromkeys((c.layer or main or c.name) if _is_colour(c) else c.name for c in channels))


def _list(named: list[ChannelName]) -> str:
    names = _labels(sorted(named, key=lambda c: not _is_colour(c)))
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


def _and(names: Sequence[str]) -> str:
    shown = [*names[:_LISTED], *([f"{len(names) - _LISTED} more"] if len(names) > _LISTED else [])]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _is_colour(channel: ChannelName) -> bool:
    return channel.component in _COLOUR_ORDER and not channel.direction
