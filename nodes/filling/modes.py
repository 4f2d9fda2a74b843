"""The ways to fill the holes of a frame: by itself, from the still plate, from reference frames, along the motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nodes.aligning.grid import Floats
from nodes.engine import Device
from nodes.filling.fill import Filler
from nodes.filling.filled import ELSEWHERE, FILLING, HERE, REVEALED, Filled, origin_of, paint_rest
from nodes.filling.follow import (
    Laid,
    Reference,
    lay_under,
    make_reference,
    places_near,
    references_of,
    revealed,
    revealing_frames,
)
from nodes.filling.grain import Grain, measure_grain
from nodes.filling.moving.mode import motion
from nodes.filling.regions import ring_of
from nodes.filling.seen import Seen, nothing
from nodes.filling.shot import HoledShot, Look
from nodes.filling.still_plate import StillPlate, match_gain
from nodes.filling.survey import Survey, left_out, narrowed
from nodes.frame_runs import spread

# Pixels around a hole by which the plate's exposure is matched to the frame's.
MATCH_RING = 48


def per_frame(look: Look, shot: HoledShot, filler: Filler, device: Device) -> list[Filled]:
    fills = []
    for hole in look.holes:
        shot.inputs.check_cancelled()
        fills.append(paint_rest(look, hole, nothing(hole.box), origin_of(HERE, hole.support), shot, filler))
    return fills


def still_plate(look: Look, shot: HoledShot, filler: Filler, device: Device) -> list[Filled]:
    plate = _kept_plate(look, shot, filler, device)
    if plate is None:
        return per_frame(look, shot, filler, device)
    fills = []
    for hole in look.holes:
        shot.inputs.check_cancelled()
        around = ring_of(hole, look.source.data_window, MATCH_RING)
        shown = plate.part(around, shot, look.source)
        ours, known = look.background(around)
        gain = np.array(match_gain(ours, shown.light, known & shown.where) or (1, 1, 1), np.float32)
        revealed = shown.part(hole.box.slices_in(around))
        held = plate.paint_unseen(hole.box, shot, look.source, filler)
        have = Seen(
            np.where(revealed.where[..., None], revealed.light, held.light) * gain,
            revealed.where | held.where,
            np.where(revealed.where, revealed.grain, held.grain),
        )
        origin = origin_of(REVEALED, revealed.where) + origin_of(ELSEWHERE, held.where & ~revealed.where)
        measured = measure_grain(ours, known, Seen(shown.light * gain, shown.where, shown.grain))
        filled = paint_rest(look, hole, have, origin, shot, filler)
        fills.append(replace(filled, measured=() if measured is None else (measured,)))
    return fills


def _kept_plate(look: Look, shot: HoledShot, filler: Filler, device: Device) -> StillPlate | None:
    """The plate of a frame's shot; None where no other frame shows its background."""
    frames = shot.frames
    left: set[int] = set()
    while True:
        picked = spread(frames, shot.params["samples"])
        survey = device.kept(shot.key("still plate", picked, look.source, FILLING), Survey)
        survey.look(picked, shot, look.source)
        index = survey.shot_of(look)
        others = survey.others(index)
        left.update(others)
        nearer = narrowed(frames, others, look.frame)
        if 2 * len(others) <= len(survey.views) or not 0 < len(nearer) < len(frames):
            break
        frames = nearer
    plate = None if index is None else survey.plates[index]
    for note in [*survey.notes, *(plate.notes if plate else []), *([left_out(sorted(left))] if left else [])]:
        shot.note(note)
    return plate


def follow(look: Look, shot: HoledShot, filler: Filler, device: Device) -> list[Filled]:
    laid: list[tuple[float, Laid]] = []
    measured: list[Grain] = []
    for place, share in references_of(look.frame, shot, fade=1.0):
        reference = _nearest_reference(place, look, shot, filler, device)
        if reference is None:
            continue
        shot.inputs.check_cancelled()
        measured += reference.measured
        one = lay_under(look, reference)
        if one.registration.reliable:
            laid.append((share, one))
        else:
            shot.note(
                f"frame {look.frame} cannot be lined up with its reference frame {reference.frame}: "
                f"{one.registration.reason}; set referenceEvery lower"
            )
    if not laid:
        # As after a cut: its neighbours are of its own shot.
        own = revealed(look, shot)
        laid.append((1.0, lay_under(look, own)))
        measured += own.measured
    fills = []
    for hole in look.holes:
        light, _, grain_share = nothing(hole.box)
        origin, total = np.zeros_like(light), np.zeros_like(grain_share)
        for share, one in laid:
            part, painted = one.part(hole.box)
            weight = part.where * np.float32(share)
            light += weight[..., None] * part.light
            grain_share += np.square(weight) * part.grain
            origin += weight[..., None] * (origin_of(REVEALED, part.where & ~painted) + origin_of(ELSEWHERE, painted))
            total += weight
        scale: Floats = np.asarray(np.where(total > 0, total, 1), np.float32)
        have = Seen(np.divide(light, scale[..., None]), total > 0, np.divide(grain_share, np.square(scale)))
        filled = paint_rest(look, hole, have, origin / scale[..., None], shot, filler)
        fills.append(replace(filled, measured=tuple(measured)))
    return fills


MODES = {"per frame": per_frame, "still plate": still_plate, "follow": follow, "motion": motion}


def _nearest_reference(place: int, look: Look, shot: HoledShot, filler: Filler, device: Device) -> Reference | None:
    """The reference meant by a place: the nearest frame that can be looked at. None where there is none near."""
    for near in places_near(place, len(shot.frames), shot.params["referenceEvery"]):
        reference, notes = _kept_reference(shot.frames[near], look, shot, filler, device)
        for note in notes:
            shot.note(note)
        if reference is not None:
            return reference
    return None


def _kept_reference(
    frame: int, look: Look, shot: HoledShot, filler: Filler, device: Device
) -> tuple[Reference | None, list[str]]:
    """The reference at a frame, if there is one, and what went wrong on the way, whichever frame asked first."""
    key = shot.key("reference", [frame, *revealing_frames(frame, shot)], look.source, FILLING)
    holder: dict[str, tuple[Reference | None, list[str]]] = device.kept(key, dict)
    for painter, kept in holder.items():
        if painter in ("", filler.identity):
            return kept
    alone = HoledShot(shot.params, shot.inputs)
    reference = make_reference(frame, alone, filler, look.source)
    # Weights matter only where something was painted; where nothing was, there may be none.
    painter = filler.identity if reference is not None and reference.painted.any() else ""
    holder[painter] = reference, alone.notes
    return holder[painter]
