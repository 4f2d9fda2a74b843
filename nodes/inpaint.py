"""Inpaint: fills holes where rigs, wires and marks were, and leaves every other pixel bit for bit as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nodes.aligning.grid import Floats
from nodes.engine import Device, Inputs, Params, Passes
from nodes.filling import grain
from nodes.filling.fill import make_filler
from nodes.filling.filled import ELSEWHERE, HERE, REVEALED, Filled
from nodes.filling.mask import Hole, hidden
from nodes.filling.modes import MODES
from nodes.filling.regions import ring_of
from nodes.filling.relighting import relit
from nodes.filling.shot import HoledShot, Look
from nodes.filling.view import light_of, stored
from nodes.footage.association import mixed, multiplied
from nodes.footage.frame import Pixels
from nodes.matting.matte import empty_mask
from nodes.picture import colour_pixels


class Inpaint:
    """Engine of the node; see `inpaint.yaml` for inputs, parameters and passes."""

    def needs(self, frame: int, params: Params, inputs: Inputs) -> Sequence[tuple[str, int]]:
        # What else the steady modes look at is mostly kept from earlier frames, so it is asked for when it is needed.
        return [("Source", frame), *((name, frame) for name in ("Mask", "Shadow") if inputs.connected(name))]

    def render(self, frame: int, params: Params, inputs: Inputs, device: Device) -> Passes:
        shot = HoledShot(params, inputs)
        look = shot.look(frame)
        filler = make_filler(params, inputs, device)
        result = _Result(look, params)
        if look.holes:
            fills = MODES[params["mode"]](look, shot, filler, device)
            for hole, filled in zip(look.holes, fills, strict=True):
                result.add(hole, filled)
        info: dict[str, str | int | float] = {"mode": params["mode"], "holes": len(look.holes)}
        if result.painted_here or result.painted_elsewhere:
            info["model"] = filler.name
        notes = [*shot.notes, *filler.notes, *result.notes]
        if not look.holes:
            mask = "mask" if inputs.connected("Mask") else "source's alpha, which is the mask,"
            notes.append(f"{empty_mask(mask, frame)}, so nothing is filled")
        return Passes(result.images(), look.source.data_window, info, notes)


class _Result:
    """The passes of a frame while its holes are filled."""

    def __init__(self, look: Look, params: Params) -> None:
        self.look, self.params = look, params
        source = look.source
        shape = source.data_window.height, source.data_window.width
        self.clean = np.empty((*shape, 4), np.float32)
        self.clean[..., :3] = colour_pixels(source)
        self.clean[..., 3] = source.pixels[..., source.channels.index("A")] if "A" in source.channels else 1
        self.filled = np.zeros((*shape, 1), np.float32)
        self.patch = np.zeros((*shape, 4), np.float32)
        self.patch[..., :3] = stored(np.zeros((1, 1, 3), np.float32), source)  # no light
        self.origin = np.zeros((*shape, 3), np.float32)
        self.found = np.zeros((*shape, 3), np.float32)
        self.confidence = np.ones((*shape, 1), np.float32)
        self.notes: list[str] = []
        self.painted_here = self.painted_elsewhere = False

    def add(self, hole: Hole, filled: Filled) -> None:
        """Lays a fill over the picture; a pixel of weight 0 is not touched."""
        source = self.look.source
        light = self._relit(hole, filled) if hole.relit else self._grained(hole, filled)
        weight = hole.weight[..., None]
        new = stored(light, source)
        where = hole.box.slices_in(source.data_window)
        old = self.clean[where][..., :3]
        with np.errstate(invalid="ignore", over="ignore"):
            between = mixed(new, old, weight, source.colour)
            blended = np.where(weight == 1, new, between)
        # What cannot be blended with is replaced.
        blended = np.where(np.isfinite(old), blended, new)
        self.clean[where][..., :3] = np.where(weight > 0, blended, old)
        self.filled[where] = weight
        self.patch[where] = np.concatenate([multiplied(new, weight, source.colour), weight], axis=2)
        self.origin[where] = filled.origin * weight
        real = filled.origin[..., REVEALED:]
        elsewhere = np.concatenate([np.zeros_like(filled.origin[..., :REVEALED]), real], axis=2)
        self.found[where] = (elsewhere if filled.found is None else filled.found) * weight
        self.confidence[where] = 1 - weight + weight * (real if filled.trust is None else filled.trust[..., None])
        self.painted_here |= bool(filled.origin[..., HERE].any())
        self.painted_elsewhere |= bool(filled.origin[..., ELSEWHERE].any())

    def _relit(self, hole: Hole, filled: Filled) -> Floats:
        source = self.look.source
        light, finite = light_of(source, hole.box)
        replaced = hidden([other for other in self.look.holes if not other.relit], hole.box)
        return relit(light, filled.light, hole.support & finite & ~replaced, source.display_window.height)

    def _grained(self, hole: Hole, filled: Filled) -> Floats:
        amount = self.params["grain"]
        if amount == 0:
            return filled.light
        source = self.look.source
        around, known = self.look.background(ring_of(hole, source.data_window, grain.GRAIN_RING))
        alone = grain.measure_grain(around, known)
        measured = [*filled.measured, *([] if alone is None else [alone])]
        if not measured:
            return filled.light
        # What is too much was texture.
        plate = min(measured, key=lambda one: one.strength)
        return grain.grained(filled.light, plate, filled.grain, amount, hole.box, self.look.frame)

    def images(self) -> dict[str, Pixels]:
        return {
            "clean": self.clean,
            "filled": self.filled,
            "patch": self.patch,
            "origin": self.origin,
            "found": self.found,
            "confidence": self.confidence,
        }


def engine() -> Any:
    """The node's engine, for the catalogue."""
    return Inpaint()
