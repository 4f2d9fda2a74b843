"""The mode `motion`: real pixels carried along the motion of the background, from before and after."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nodes.aligning.grid import Floats
from nodes.engine import Device
from nodes.filling.fill import Filler
from nodes.filling.filled import ELSEWHERE, FILLING, REVEALED, Filled, origin_of, paint_rest
from nodes.filling.follow import references_of, revealed
from nodes.filling.mask import Hole, hidden
from nodes.filling.moving.gathering import gain_for, gather, pieces, sampled
from nodes.filling.moving.meeting import meet
from nodes.filling.moving.patch import Patch, empty_patch, without_specks
from nodes.filling.moving.surroundings import Band, Surroundings
from nodes.filling.moving.trails import Walk, reveal
from nodes.filling.moving.views import MotionView, full_places, full_window, part, small_window
from nodes.filling.seen import Seen, nothing
from nodes.filling.shot import HoledShot, Look
from nodes.filling.view import widened
from nodes.footage.window import Window

# Pixels around the holes in which what before and after show is compared.
AROUND = 16
# The last part of the way between two references on which one fades into the other.
FADE = 0.25
# How far what a perspective shows is trusted.
BY_PERSPECTIVE = 0.5


class _Carried:
    """What other frames show of a frame's holes."""

    def __init__(self, look: Look, own: MotionView, land: Surroundings) -> None:
        self.look, self.own, self.land = look, own, land
        self.shrink = land.shrink
        self.window = widened(own.core, AROUND, own.window)
        self.walks = {step: Walk(own, self.window, step, land.next_view, land.step) for step in (-1, 1)}

    def patches(self) -> list[Patch]:
        """One for each hole."""
        full = full_window(self.window, self.shrink)
        share = hidden(self.look.holes, full).reshape(self.window.height, self.shrink, self.window.width, self.shrink)
        hole = np.asarray(share.any(axis=(1, 3)))
        reach = self.land.shot.params["reach"]
        before, after = (reveal(self.walks[step], hole, reach) for step in (-1, 1))
        met = meet(self.own, self.window, hole, before, after)
        found = [(piece, gain_for(self.own, piece, self.window)) for piece in pieces(met, self.window)]
        patches = []
        for one in self.look.holes:
            self.land.shot.inputs.check_cancelled()
            got = gather(found, met.differ, self.window, self.shrink, one.box, self.land.light_around)
            patch = Patch(got.seen, origin_of(REVEALED, got.seen.where), got.found, got.trust)
            patches.append(without_specks(patch, one, self.shrink))
        return patches

    def from_reference(self, reference: Completed, box: Window) -> tuple[Seen, Floats] | None:
        """What a completed frame shows of a full `box` along the motion, and its origin; None where no way leads."""
        step = 1 if reference.frame > self.own.frame else -1
        number, walk = 1, self.walks[step]
        while (station := walk.station(number)) is not None and (station.view.frame - reference.frame) * step < 0:
            number += 1
        if station is None or station.view.frame != reference.frame:
            return None
        small = small_window(box, self.shrink)
        places = full_places(part(station.places, self.window, small), small, self.shrink)
        places = places[box.slices_in(full_window(small, self.shrink))]
        light, where = sampled(reference.band, places)
        facts, _ = sampled(Band(reference.band.window, reference.facts, reference.band.real), places)
        return Seen(light, where, facts[..., 2] * where), facts[..., :2]


@dataclass(frozen=True, eq=False)
class Completed:
    """A completed frame around its holes; `facts` `[h,w,3]`: painted, real, and the share of grain it has."""

    frame: int
    band: Band
    facts: Floats


def motion(look: Look, shot: HoledShot, filler: Filler, device: Device) -> list[Filled]:
    land = Surroundings(look, shot, device)
    own = land.view(look.frame)
    if own is None:
        return [_finished(look, hole, None, shot, filler) for hole in look.holes]
    carried = _Carried(look, own, land)
    patches = carried.patches()
    if all(_whole(hole, patch) for hole, patch in zip(look.holes, patches, strict=True)):
        return [_finished(look, hole, patch, shot, filler) for hole, patch in zip(look.holes, patches, strict=True)]
    references = []
    for place, share in references_of(look.frame, shot, FADE):
        if shot.frames[place] == look.frame:
            return _as_reference(look, patches, shot, filler)
        found = _kept_reference(shot.frames[place], land, filler)
        if found is not None:
            references.append((share, found))
    return [
        _finished(look, hole, _held(carried, hole, patch, references), shot, filler)
        for hole, patch in zip(look.holes, patches, strict=True)
    ]


def _whole(hole: Hole, patch: Patch) -> bool:
    return bool(patch.seen.where[hole.support].all())


def _finished(look: Look, hole: Hole, patch: Patch | None, shot: HoledShot, filler: Filler) -> Filled:
    patch = patch or empty_patch(hole.box)
    filled = paint_rest(look, hole, patch.seen, patch.origin, shot, filler)
    return replace(filled, found=patch.found, trust=patch.trust)


def _as_reference(look: Look, patches: list[Patch], shot: HoledShot, filler: Filler) -> list[Filled]:
    """The holes of a reference frame: what no motion brings is laid under by perspective, the rest is painted once."""
    shown = revealed(look, HoledShot(shot.params, shot.inputs))  # where that cannot help another way may
    fills = []
    for hole, patch in zip(look.holes, patches, strict=True):
        where = hole.box.slices_in(shown.window)
        laid = Seen(shown.light[where], shown.known[where] & hole.support, shown.grain[where])
        elsewhere = origin_of(REVEALED, laid.where)
        trust = np.float32(BY_PERSPECTIVE) * laid.where
        patch = patch.with_more(Patch(laid, elsewhere, elsewhere, trust), hole.support)
        filled = _finished(look, hole, patch, shot, filler)
        painted = hole.support & ~patch.seen.where
        fills.append(replace(filled, origin=np.where(painted[..., None], origin_of(ELSEWHERE, painted), filled.origin)))
    return fills


def _kept_reference(frame: int, land: Surroundings, filler: Filler) -> Completed | None:
    """A completed frame, whichever frame asked first."""
    place, shot = land.shot.place(frame), land.shot
    reach = shot.params["reach"]
    around = shot.frames[max(0, place - reach) : place + reach + 1]
    key = " ".join(["reference", shot.key("", [], land.like, FILLING), *map(land.digest, [frame, *around])])
    kept: dict[str, tuple[Completed | None, list[str]]] = land.device.kept(key, dict)
    if filler.identity not in kept:
        alone = HoledShot(shot.params, shot.inputs)
        kept[filler.identity] = _completed(frame, alone, land, filler), alone.notes
    reference, notes = kept[filler.identity]
    for note in notes:
        shot.note(note)
    return reference


def _completed(frame: int, alone: HoledShot, asking: Surroundings, filler: Filler) -> Completed | None:
    look = alone.look_aside(frame, asking.like)
    if look is None or not look.holes:
        return None
    land = asking.around(look, alone)
    own = land.view(frame)
    if own is None:
        return None
    fills = _as_reference(look, _Carried(look, own, land).patches(), alone, filler)
    window = look.holes[0].box
    for hole in look.holes:
        window = window.union(hole.box)
    window = window.intersect(look.source.data_window)
    light, real = look.background(window)
    facts = np.zeros((window.height, window.width, 3), np.float32)
    facts[..., 1] = facts[..., 2] = real
    for hole, filled in zip(look.holes, fills, strict=True):
        where = hole.box.slices_in(window)
        support = hole.support
        light[where][support] = filled.light[support]
        facts[where][support] = np.dstack([filled.origin[..., ELSEWHERE], filled.origin[..., REVEALED], filled.grain])[
            support
        ]
        real[where] |= support
    return Completed(frame, Band(window, light, real), facts)


def _held(carried: _Carried, hole: Hole, patch: Patch, references: list[tuple[float, Completed]]) -> Patch:
    """A patch with what references show of the rest, which fades from one to the next."""
    light, _, grain = nothing(hole.box)
    origin, total = np.zeros_like(light), np.zeros_like(grain)
    for share, reference in references:
        found = carried.from_reference(reference, hole.box)
        if found is None:
            continue
        seen, kinds = found
        weight = seen.where * np.float32(share)
        light += weight[..., None] * seen.light
        grain += np.square(weight) * seen.grain
        total += weight
        origin[..., ELSEWHERE] += weight * kinds[..., 0]
        origin[..., REVEALED] += weight * kinds[..., 1]
    scale = np.where(total > 0, total, 1).astype(np.float32)
    seen = Seen(light / scale[..., None], total > 0, np.divide(grain, np.square(scale)))
    elsewhere = np.divide(origin, scale[..., None])
    real = elsewhere * np.array([0, 0, 1], np.float32)
    held = Patch(seen, elsewhere, real, np.float32(BY_PERSPECTIVE) * real[..., REVEALED])
    return patch.with_more(held, hole.support)
