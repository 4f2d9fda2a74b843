"""The background of a shot whose camera moves: clean reference frames, laid under the frames between them.

A reference is cleaned with what its neighbours reveal, the rest is painted once; the frames around it get it warped by
the homography that registers a clean plate to a shot (`nodes.aligning.align`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nodes.aligning.align import Registration, estimate_registration, warp_part
from nodes.aligning.gain import NO_GAIN
from nodes.aligning.grid import Floats, Mask
from nodes.filling.fill import Filler
from nodes.filling.grain import GRAIN_RING, Grain, measure_grain
from nodes.filling.mask import hidden
from nodes.filling.regions import region_of, ring_of
from nodes.filling.seen import Seen, median_of_seen
from nodes.filling.shot import HoledShot, Look
from nodes.footage.colour.transfer import encode
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from nodes.frame_runs import spread
from nodes.picture import place

# Views of a pixel that are taken, the nearest in time first: parallax grows with the distance.
NEAREST_VIEWS = 5
# Share of the grain's variance that the alignment's cubic interpolation leaves, on average over all shifts.
KEPT_GRAIN = 0.7


@dataclass(frozen=True, eq=False)
class Reference:
    """A cleaned frame over `window`: light `[h,w,3]`, where it is known, where that was painted and not shot, and the
    share `[h,w]` of a frame's grain, as a variance, that it has.

    `measured` is the shot's grain as seen by comparing frames.
    """

    frame: int
    window: Window
    light: Floats
    known: Mask
    painted: Mask
    grain: Floats
    measured: list[Grain]


@dataclass(frozen=True, eq=False)
class Laid:
    """A reference on a frame's window before it is moved: light, NaN where it is not known; painted mask and grain."""

    registration: Registration
    window: Window
    light: Floats
    painted: Mask
    grain: Floats

    def part(self, window: Window) -> tuple[Seen, Mask]:
        """What the reference shows under `window` of the frame, and where that was painted."""
        where = window.slices_in(self.window)
        light, known = warp_part(self.light, self.registration, *where)
        maps = np.stack([self.painted.astype(np.float32), self.grain, self.grain], axis=2)
        moved, _ = warp_part(maps, replace(self.registration, gain=NO_GAIN), *where)
        kept = 1.0 if self.registration.in_place else KEPT_GRAIN
        seen = Seen(np.where(known[..., None], light, np.float32(0)), known, moved[..., 1] * np.float32(kept) * known)
        return seen, known & (moved[..., 0] > 0.5)


def reference_places(place: int, count: int, every: int) -> list[int]:
    """The references before and after a place among `count` frames, or one of them: 0, every, ... up to the last."""
    before = place // every * every
    return [before, before + every] if before != place and before + every < count else [before]


def references_of(frame: int, shot: HoledShot, fade: float) -> list[tuple[int, float]]:
    """The places of a frame's references and their shares: over the last part, `fade`, of the way from one to the next
    the one gives way to the other."""
    place, every = shot.place(frame), shot.params["referenceEvery"]
    found = reference_places(place, len(shot.frames), every)
    if len(found) == 1:
        return [(found[0], 1.0)]
    later = max(0.0, ((place - found[0]) / every - (1 - fade)) / fade)
    return [(one, share) for one, share in zip(found, (1 - later, later), strict=True) if share]


def places_near(place: int, count: int, every: int) -> list[int]:
    """Where the reference of a place can be, should there be no picture: the nearest first."""
    around = [place + sign * distance for distance in range((every + 1) // 2) for sign in (1, -1)]
    return [near for near in dict.fromkeys(around) if 0 <= near < count]


def revealing_frames(frame: int, shot: HoledShot) -> list[int]:
    """Frames that may reveal what this one hides, the nearest first."""
    place, reach = shot.place(frame), shot.params["reach"]
    around = shot.frames[max(0, place - reach) : place + reach + 1]
    found = spread(around, shot.params["samples"] + 1)
    return sorted((one for one in found if one != frame), key=lambda one: (abs(one - frame), one))


def make_reference(frame: int, shot: HoledShot, filler: Filler, like: Frame) -> Reference | None:
    """The reference at a frame; None, with a note, where that cannot be looked at."""
    look = shot.look_aside(frame, like)
    if look is None:
        return None
    reference = revealed(look, shot)
    _paint(look, reference, shot, filler)
    return reference


def revealed(look: Look, shot: HoledShot) -> Reference:
    """A frame as its own reference: cleaned with what its neighbours reveal, nothing painted."""
    window = look.source.data_window
    light, known = look.background(window)
    painted, grain = np.zeros(known.shape, bool), known.astype(np.float32)
    reference = Reference(look.frame, window, light, known, painted, grain, [])
    if look.holes:
        _reveal(look, reference, shot)
    return reference


def lay_under(look: Look, reference: Reference) -> Laid:
    """Finds how a reference lies under a frame."""
    window = look.source.data_window
    light = _placed(reference.light, reference.window, window)
    known = _placed(reference.known, reference.window, window)
    painted = _placed(reference.painted, reference.window, window)
    grain = _placed(reference.grain, reference.window, window)
    return Laid(
        _Registrar(look).register(light), window, np.where(known[..., None], light, np.float32(np.nan)), painted, grain
    )


def _reveal(look: Look, reference: Reference, shot: HoledShot) -> None:
    """Fills in what other frames show of a frame's holes."""
    window = look.source.data_window
    registrar = _Registrar(look)
    views: list[list[tuple[Floats, Mask]]] = [[] for _ in look.holes]
    for frame in revealing_frames(look.frame, shot):
        other = shot.look_aside(frame, look.source)
        if other is None:
            continue
        other_light, other_known = other.background(window)
        registration = registrar.register(other_light)
        if not registration.reliable:
            shot.note(
                f"frame {frame} does not help to find the background of frame {look.frame}: {registration.reason}"
            )
            continue
        there = np.where(other_known[..., None], other_light, np.float32(np.nan))
        if not reference.measured:
            reference.measured.extend(_grain_between(look, there, registration))
        for hole, found in zip(look.holes, views, strict=True):
            found.append(warp_part(there, registration, *hole.box.slices_in(window)))
        shot.forget(frame)
    for hole, found in zip(look.holes, views, strict=True):
        if found:
            lights, seen = (np.stack(parts) for parts in zip(*found, strict=True))
            revealed = median_of_seen(lights, seen, NEAREST_VIEWS)
            where = hole.box.slices_in(window)
            new = revealed.where & ~reference.known[where]
            reference.light[where][new] = revealed.light[new]
            reference.grain[where][new] = KEPT_GRAIN * revealed.grain[new]
            reference.known[where] |= new


def _grain_between(look: Look, there: Floats, registration: Registration) -> list[Grain]:
    """The grain around a frame's first hole, by comparing it with another frame laid under it."""
    around = ring_of(look.holes[0], look.source.data_window, GRAIN_RING)
    light, known = look.background(around)
    other, seen = warp_part(there, registration, *around.slices_in(look.source.data_window))
    share = np.full(seen.shape, 1.0 if registration.in_place else KEPT_GRAIN, np.float32)
    found = measure_grain(light, known, Seen(np.where(seen[..., None], other, np.float32(0)), seen, share))
    return [] if found is None else [found]


def _paint(look: Look, reference: Reference, shot: HoledShot, filler: Filler) -> None:
    """Paints what of a frame's holes nothing reveals."""
    window = look.source.data_window
    before = reference.known.copy()
    for hole in look.holes:
        where = hole.box.slices_in(window)
        left = hole.support & ~before[where]
        if not left.any():
            continue
        region = region_of(hole, window, shot.params["context"])
        inside = region.slices_in(window)
        if not before[inside].any():
            continue
        around = np.where(before[inside][..., None], reference.light[inside], np.float32(0))
        painted = filler.fill(around, before[inside])
        reference.light[where][left] = painted.light[hole.box.slices_in(region)][left]
        reference.grain[where][left] = painted.grain
        reference.known[where] |= left
        reference.painted[where] |= left


class _Registrar:
    """Registers other frames to one, judged by what is not in that one's holes."""

    def __init__(self, look: Look) -> None:
        window = look.source.data_window
        self.shown = _shown(look.background(window)[0])
        self.exclude = hidden(look.holes, window).astype(np.float32)

    def register(self, light: Floats) -> Registration:
        """How another frame's light `[h,w,3]`, over the same window, lies under it."""
        return estimate_registration(self.shown, _shown(light), exclude=self.exclude)


def _shown(light: Floats) -> Floats:
    return encode(np.clip(light, 0, 1), "srgb")


def _placed(image: Any, have: Window, want: Window) -> Any:
    """A picture or mask that covers `have`, cut or continued by 0 to `want`."""
    if have == want:
        return image
    flat = image.reshape(*image.shape[:2], -1).astype(np.float32)
    return place(flat, have, want, edge=False).reshape(want.height, want.width, *image.shape[2:]).astype(image.dtype)
