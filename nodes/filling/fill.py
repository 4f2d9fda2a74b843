"""Fills what is not known of a region, by a network or by a membrane."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from models.membrane import membrane
from nodes.aligning.grid import Floats, Mask
from nodes.engine import Device, Inputs, Params
from nodes.filling import detail
from nodes.filling.choosing import choose_network
from nodes.filling.exposure import Encoding, choose_encoding
from nodes.filling.networks import Chosen
from nodes.filling.regions import scale_for, tiles
from nodes.footage.colour.transfer import decode, encode
from nodes.ladder import descend
from nodes.network import run_guarded

SMALLEST_TILE = 128
LADDER = (1.0, 0.75, 0.5, 0.25)


class Painted(NamedTuple):
    """Light `[h,w,3]`, and the share of the surroundings' grain, as a variance, that the painted part has."""

    light: Floats
    grain: float


class Filler(Protocol):
    """Fills holes of any region; `identity` is equal for two that give the same pixels."""

    notes: list[str]

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str: ...

    def fill(self, light: Floats, known: Mask) -> Painted:
        """`light` `[h,w,3]`, scene-linear of any range, with new light where `known` `[h,w]` is False.

        At least one pixel is known.
        """
        ...


class SmoothFiller:
    """A membrane through the surroundings, as for dust and small marks; needs no weights."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @property
    def name(self) -> str:
        return "smooth"

    @property
    def identity(self) -> str:
        return "smooth"

    def fill(self, light: Floats, known: Mask) -> Painted:
        # Display-encoded without bounds, so that lamps and shadows count alike.
        return Painted(decode(membrane(encode(light, "srgb"), known), "srgb"), 0.0)


@dataclass
class NetworkFiller:
    """One of the networks, at a working size, in tiles where needed."""

    params: Params
    inputs: Inputs
    device: Device
    notes: list[str] = field(default_factory=list)

    @cached_property
    def chosen(self) -> Chosen:
        """Looked for when a hole really needs a network. Raises as `choose_network`."""
        return choose_network(self.params, self.device)

    @property
    def name(self) -> str:
        return self.chosen.model

    @property
    def identity(self) -> str:
        settings = [self.params[name] for name in ("workingSize", "exposure", "execution")]
        return repr((self.chosen.model, sorted(self.chosen.digests.items()), settings, str(self.device.dtype)))

    def fill(self, light: Floats, known: Mask) -> Painted:
        encoding = choose_encoding(light, known, self.params["exposure"])
        shown = encoding.shown(light)
        side = self.params["workingSize"] or max(known.shape)
        sides = dict.fromkeys(max(min(SMALLEST_TILE, side), round(step * side)) for step in LADDER)
        steps = [(f"parts of {one} pixels", one) for one in sides]
        (answer, share), notes = descend(steps, lambda one: self._at_scale(shown, known, one), self.device)
        self._note(notes)
        filled = np.where(known[..., None], light, encoding.light(answer) + _beyond(encoding, light, known))
        return Painted(np.asarray(filled, np.float32), share)

    def _at_scale(self, shown: Floats, known: Mask, side: int) -> Painted:
        """The picture `[h,w,3]` 0..1 with its hole filled, computed in parts of `side` pixels."""
        scale = scale_for(known.shape, ~known, side)
        if scale == 1:
            return Painted(self._in_tiles(shown, ~known, side), 0.0)
        height, width = known.shape
        size = max(1, round(height * scale)), max(1, round(width * scale))
        small, hole = detail.reduce(shown, known, size)
        small = self._in_tiles(small, hole, side)
        self.inputs.check_cancelled()
        fine = detail.enlarge(small, (height, width)) + detail.missing_detail(shown, known, small, hole)
        # Detail from elsewhere brings its grain; what a smaller scale cannot show is all but scale^2 of it.
        return Painted(np.clip(np.where(known[..., None], shown, fine), 0, 1).astype(np.float32), 1 - scale**2)

    def _in_tiles(self, shown: Floats, hole: Mask, side: int) -> Floats:
        """Each tile sees what those before it filled, so that they continue each other."""
        filled = np.where(hole[..., None], np.float32(0), shown)
        left = hole.copy()
        waiting = list(tiles(hole, side))
        while waiting:
            self.inputs.check_cancelled()
            # One that knows nothing yet waits until its neighbours are filled.
            ready = next((tile for tile in waiting if not left[tile[0]].all()), waiting[0])
            waiting.remove(ready)
            seen, kept = ready
            answer = self._run(filled[seen], left[seen])
            inside = tuple(slice(k.start - s.start, k.stop - s.start) for k, s in zip(kept, seen, strict=True))
            wanted = left[kept]
            filled[kept][wanted] = answer[inside][wanted]
            left[kept] = False
        return filled

    def _run(self, shown: Floats, hole: Mask) -> Floats:
        chosen, where = self.chosen, self.device.torch_device
        picture = membrane(shown, ~hole) if chosen.network.rough else shown

        def run(dtype: torch.dtype) -> torch.Tensor:
            def load(part: str) -> nn.Module:
                return self.device.model(chosen.names[part], part, chosen.options[part], dtype)

            image = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))[None]).to(where, dtype)
            mask = torch.from_numpy(hole[None, None].astype(np.float32)).to(where, dtype)
            return chosen.network.fill(load, image, mask)

        with torch.inference_mode():
            answer, notes = run_guarded(run, lambda image: [image], self.device.dtype)
        self._note(notes)
        return answer[0].float().permute(1, 2, 0).contiguous().cpu().numpy()

    def _note(self, notes: list[str]) -> None:
        self.notes += [note for note in notes if note not in self.notes]


def make_filler(params: Params, inputs: Inputs, device: Device) -> Filler:
    """The filler that the parameters ask for; missing weights show when it is first used."""
    return SmoothFiller() if params["model"] == "smooth" else NetworkFiller(params, inputs, device)


def _beyond(encoding: Encoding, light: Floats, known: Mask) -> Floats:
    """What of the light around a hole the network cannot see (colours outside Rec.709, the brightest lamps), carried
    into the hole as a membrane; 0 where it sees everything."""
    unseen = np.where(known[..., None], light - encoding.light(encoding.shown(light)), 0).astype(np.float32)
    # The way there and back costs a few roundings.
    unseen[np.abs(unseen) <= 1e-4 * np.abs(light) + 1e-5 / encoding.gain] = 0
    if not unseen.any():
        return np.zeros_like(light)
    return membrane(unseen, known)
