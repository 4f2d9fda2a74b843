"""Segment: where the things of named classes are (HRNet with OCR, arXiv:1908.07919, arXiv:1909.11065)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from models.hrnet_ocr import HRNetOCR
from models.hrnet_ocr.classify import probabilities
from models.tiles import GRID, OVERLAP, Tile, blended, side_at, summed
from models.weights import WeightsError, WeightsRef, classes
from models.weights.classes import ClassList
from nodes.engine import Device, Inputs, Params, Passes
from nodes.errors import FootageError, ParameterError
from nodes.faces.face import comma_separated, layer_names
from nodes.footage.frame import Frame
from nodes.frame_runs import closeness, frames_there, neighbours
from nodes.ladder import descend
from nodes.network import choose_weights, run_guarded
from nodes.picture import Proxy, laid_on, make_proxy, placed_on, premultiply, same_size, settle, to_pixels
from nodes.segmenting.mattes import MOST_CLASSES, Maps, levels, snapped
from nodes.segmenting.views import View, laid_over, scales

# Side of a tile for networks of up to so many classes, when the size is automatic and the weights do not say from
# which they learned: what is blended grows with the classes.
AUTOMATIC_TILES = ((32, 1024), (80, 768), (MOST_CLASSES, 512))
SMALLEST_TILE = 256
# Published networks answer for cells of four pixels: where edges are snapped automatically.
PUBLISHED_CELL = 4


@dataclass(frozen=True)
class ChosenNetwork:
    """The weights, what they are called at the device, and what their classes are."""

    asked: str
    weights: WeightsRef
    names: ClassList
    chosen: list[int]

    @property
    def cell(self) -> int:
        """Pixels across for which the network gives one answer."""
        options = self.weights.options
        return max(1, int(options.get("stem_stride", PUBLISHED_CELL)) // int(options.get("magnify", 1)))

    @property
    def tile(self) -> int:
        """Side of a tile when the size is automatic."""
        count = len(self.names.names)
        return int(self.weights.options.get("window", 0)) or next(s for most, s in AUTOMATIC_TILES if count <= most)

    def sides(self, tile: int, views: Sequence[View]) -> dict[int, list[View]]:
        """Sides of tiles and the views that are seen in them.

        Weights that say from what size they learned see as much at small scales, and so more of a thing's surroundings.
        """
        found: dict[int, list[View]] = {}
        for view in views:
            side = side_at(tile, view.scale) if self.weights.options.get("window") else tile
            found.setdefault(side, []).append(view)
        return found


class Segment:
    """Engine of the node; see `segment.yaml` for inputs, parameters and passes."""

    def needs(self, frame: int, params: Params, inputs: Inputs) -> Sequence[tuple[str, int]]:
        around = neighbours(frame, params["smoothFrames"], frames_there(inputs, "Source"))
        return [("Source", n) for n in (frame, *around)]

    def render(self, frame: int, params: Params, inputs: Inputs, device: Device) -> Passes:
        network = choose_network(params, device)
        sizes = scales(params["scales"], network.weights.options.get("scales", (1.0,)))
        source = inputs.frame("Source", frame)
        proxy = make_proxy(source, params["exposure"], device.torch_device)
        pictures, notes = self._pictures(frame, source, proxy, params, inputs, device)
        flips = (False, True) if params["flip"] else (False,)
        views = [View(p, scale, flip, weight) for p, weight in pictures for scale in sizes for flip in flips]
        maps, tile, more = self._maps(views, network, params, inputs, device)
        notes += more
        if params["dropShort"] and network.names.shortest:
            maps.drop_short(network.chosen, network.names.shortest, network.names.rest[0], params["threshold"])
        alpha, layers = self._mattes(maps, proxy, network, params)
        if proxy.broken:
            notes.append(f"{proxy.broken} pixels of the source are NaN or infinite; the network saw them as black")
        names = network.names.names
        return Passes(
            images={
                "premultiplied": to_pixels(premultiply(proxy.stored, alpha, proxy.colour)),
                "alpha": to_pixels(alpha),
                "ids": to_pixels(maps.ids[None]),
                "confidence": to_pixels(maps.confidence[None]),
                **{name: to_pixels(matte) for name, matte in layers.items()},
            },
            window=source.data_window,
            info={
                "classes": ", ".join(names[i] for i in network.chosen),
                "classIds": ", ".join(f"{i} {name}" for i, name in enumerate(names)),
                "tile": tile,
            },
            notes=notes,
        )

    def _pictures(
        self, frame: int, source: Frame, proxy: Proxy, params: Params, inputs: Inputs, device: Device
    ) -> tuple[list[tuple[Tensor, float]], list[str]]:
        """The frame and its neighbours as the network sees them, each with its weight."""
        reach = params["smoothFrames"]
        pictures, notes = [(proxy.shown, 1.0)], []
        for n, distance in neighbours(frame, reach, frames_there(inputs, "Source")).items():
            inputs.check_cancelled()
            try:
                other = inputs.frame("Source", n)
            except FootageError as error:
                notes.append(f"smoothed without frame {n}: {error}")
                continue
            if not same_size(other, source):
                notes.append(f"smoothed without frame {n}: its picture is of another size")
                continue
            other = placed_on(source, laid_on("frame", other, source))
            shown = make_proxy(other, params["exposure"], device.torch_device).shown
            inputs.forget("Source", n)
            if params["followMotion"]:
                shown = laid_over(shown, proxy.shown)
            pictures.append((shown, closeness(distance, reach)))
        return pictures, notes

    def _maps(
        self, views: list[View], network: ChosenNetwork, params: Params, inputs: Inputs, device: Device
    ) -> tuple[Maps, int, list[str]]:
        height, width = views[0].picture.shape[-2:]
        total = sum(view.weight for view in views)
        mirrored = network.names.flipped()

        def attempt(tile: int) -> tuple[Maps, int, list[str]]:
            def run(dtype: torch.dtype) -> Maps:
                model = cast(HRNetOCR, device.model(network.asked, "hrnet_ocr", network.weights.options, dtype))

                def answer(together: Sequence[View], where: Tile) -> Tensor:
                    said: Tensor | None = None
                    for view in together:
                        inputs.check_cancelled()
                        one = probabilities(model, where.of(view.picture), view.scale, view.flipped, mirrored)
                        one = one * (view.weight / total)
                        said = one if said is None else said + one
                    assert said is not None
                    return said

                maps = Maps.empty((height, width), len(network.chosen), device.torch_device)
                with torch.inference_mode():
                    parts = [
                        blended((height, width), side, int(OVERLAP * side), partial(answer, together))
                        for side, together in network.sides(tile, views).items()
                    ]
                    for top, rows in summed(parts):
                        maps.take(top, rows, network.chosen, network.names.rest)
                return maps

            maps, notes = run_guarded(run, lambda maps: [maps.confidence], device.dtype)
            return maps, tile, notes

        first = params["tile"] or network.tile
        sizes = [first, *(first // k for k in (2, 4) if first // k >= SMALLEST_TILE)]
        steps = [(f"tiles of {side} pixels", max(GRID, side // GRID * GRID)) for side in sizes]
        (maps, tile, guard_notes), ladder_notes = descend(steps, attempt, device)
        return maps, tile, [*ladder_notes, *guard_notes]

    def _mattes(
        self, maps: Maps, proxy: Proxy, network: ChosenNetwork, params: Params
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Alpha of all chosen classes together and, on request, of each; [1,1,H,W]."""
        edges = params["edges"]
        snap = edges == "snap" or (edges == "auto" and network.cell > 1)

        def matte(probability: Tensor) -> Tensor:
            found = probability[None, None].clamp(0, 1)
            if snap:
                found = snapped(found, proxy.shown, params["edgeReach"])
            return settle(levels(found, params["threshold"], params["softness"]))

        layers = {}
        if params["classLayers"]:
            # By the names that were asked for, as the face has it: `trafficlight` finds the class `traffic light`.
            asked = comma_separated(params["classes"]) or [network.names.names[i] for i in network.chosen]
            for name, layer in layer_names(asked).items():
                place = network.chosen.index(network.names.index(name))
                layers[f"class {layer}"] = matte(maps.chosen[place])
        return matte(maps.chosen.sum(0)), layers


def choose_network(params: Params, device: Device) -> ChosenNetwork:
    """The weights, their class list and the chosen classes. Raises ParameterError for names that do not fit."""
    asked, weights = choose_weights(params, device, "hrnet_ocr")
    count = int(weights.options.get("classes", 19))
    if count > MOST_CLASSES:
        raise ParameterError(f"the weights '{weights.name}' have {count} classes: Segment can number {MOST_CLASSES}")
    try:
        names = classes.of_weights(weights.name, asked, count, params["classList"])
        return ChosenNetwork(asked, weights, names, names.choose(params["classes"]))
    except WeightsError as error:
        raise ParameterError(str(error)) from None


def engine() -> Any:
    """The node's engine, for the catalogue."""
    return Segment()
