"""Clips, and what is connected to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ofx_host import standard
from ofx_host.images import CHANNELS, COMPONENTS, Buffer, Image, Layout, Picture, buffer_of
from ofx_host.properties import PropertySet

COLOUR = "uk.co.thefoundry.OfxImagePlaneColour"
PLANE, CHANNEL = "NatronOfxImageComponentsPlaneName_", "_Channel_"


@dataclass
class Footage:
    """What a clip is connected to: a still, frames by number (held outside their range), or a function of time.

    `format` is EXR's display window, which only Natron tells; else the format is that of the pixels.
    """

    pictures: Picture | Mapping[int, Picture] | Callable[[float], Picture | None]
    frames: tuple[int, int] = (1, 1)
    pixel_aspect: float = 1.0
    format: tuple[int, int, int, int] | None = None
    field: str = "OfxFieldNone"

    def at(self, time: float) -> Picture | None:
        if isinstance(self.pictures, Picture):
            return self.pictures
        if callable(self.pictures):
            return self.pictures(time)
        known = sorted(self.pictures)
        return self.pictures[max([t for t in known if t <= time], default=known[0])]


def scaled(picture: Picture, scale: tuple[float, float]) -> Picture:
    """The picture at a smaller render scale, as a host makes it: every n-th pixel."""
    if scale == (1.0, 1.0):
        return picture
    x1, y1, x2, y2 = picture.bounds
    columns = np.arange(int(np.floor(x1 * scale[0])), int(np.ceil(x2 * scale[0])))
    rows = np.arange(int(np.ceil(y2 * scale[1])) - 1, int(np.floor(y1 * scale[1])) - 1, -1)
    across = np.clip(np.round(columns / scale[0]).astype(int), x1, x2 - 1) - x1
    down = (y2 - 1) - np.clip(np.round(rows / scale[1]).astype(int), y1, y2 - 1)
    corner = (int(columns[0]), int(rows[-1]))
    return Picture(picture.pixels[down][:, across], corner, picture.premultiplication, picture.identifier)


def converted(picture: Picture, components: str) -> Picture:
    """The picture with other components; alpha that was not there is 1."""
    have, want = picture.pixels.shape[2], CHANNELS[components]
    if have == want:
        return picture
    ones = np.ones((*picture.pixels.shape[:2], 1), np.float32)
    colour = picture.pixels[..., :3] if have >= 3 else np.repeat(picture.pixels[..., :1] * 0, 3, axis=2)
    alpha = picture.pixels[..., -1:] if have in (1, 4) else ones
    pixels = {1: alpha, 3: colour, 4: np.concatenate([colour, alpha], axis=2)}[want]
    return Picture(np.ascontiguousarray(pixels), picture.corner, picture.premultiplication, picture.identifier)


def plane_channels(plane: str, colour: str) -> int:
    """How many channels a plane has that is named as Natron names planes; `colour` are the clip's own components."""
    if plane == COLOUR:
        return CHANNELS[colour]
    return plane.count(CHANNEL) if plane.startswith(PLANE) else 2


class ClipDescriptor:
    def __init__(self, host: Any, name: str) -> None:
        self.host, self.name = host, name
        self.properties = PropertySet(host, f"clip {name}", standard.CLIP_DESCRIPTOR, OfxPropName=name)
        for label in ("OfxPropLabel", "OfxPropShortLabel", "OfxPropLongLabel"):
            self.properties.put(label, name)

    def let_go(self) -> None:
        self.properties.let_go()


class Clip:
    """A clip of an instance."""

    def __init__(self, host: Any, descriptor: ClipDescriptor, effect: Any) -> None:
        self.host, self.name, self.effect = host, descriptor.name, effect
        self.is_output = self.name == "Output"
        definitions = dict(standard.CLIP_INSTANCE)
        if host.profile.extensions:
            definitions |= standard.EXTENSIONS["clip"]
        self.properties = PropertySet(host, f"clip {self.name}", definitions)
        self.properties.values |= {name: list(values) for name, values in descriptor.properties.values.items()}
        self.footage: Footage | None = None
        self.handle: int = host.handles.new(self)

    def let_go(self) -> None:
        self.properties.let_go()
        self.host.handles.drop(self.handle)

    @property
    def supported(self) -> list[str]:
        return self.properties["OfxImageEffectPropSupportedComponents"]

    @property
    def connected(self) -> bool:
        return self.footage is not None

    def connect(self, footage: Footage | None) -> None:
        """Connects, or with None disconnects; the effect asks for its preferences afterwards."""
        self.footage = footage
        if footage is not None and isinstance(footage.pictures, Mapping) and not self.host.careful:
            for picture in footage.pictures.values():
                self._buffer(picture)
        values = {"OfxImageClipPropConnected": int(footage is not None or self.is_output)}
        if footage is not None:
            picture = footage.at(footage.frames[0])
            own = picture.components if picture is not None else COMPONENTS[4]
            span = [float(frame) for frame in footage.frames]
            values |= {
                "OfxImageClipPropUnmappedComponents": own,
                "OfxImageEffectPropComponents": self.mapped(own),
                "OfxImagePropPixelAspectRatio": footage.pixel_aspect,
                "OfxImageEffectPropFrameRange": span,
                "OfxImageEffectPropUnmappedFrameRange": span,
                "OfxImageEffectPropPreMultiplication": "OfxImageOpaque"
                if own == COMPONENTS[3]
                else "OfxImageAlphaPremultiplied",
                "uk.co.thefoundry.OfxImageEffectClipPropPlanesPresent": [COLOUR],
                "OfxImageClipPropFormat": list(footage.format or (picture.bounds if picture else (0, 0, 0, 0))),
            }
        for name, value in values.items():
            if name in self.properties.definitions:
                self.properties.put(name, value)

    def mapped(self, components: str) -> str:
        """What the host delivers for a source of these components."""
        if components in self.supported:
            return components
        return next((c for c in (COMPONENTS[4], COMPONENTS[3], COMPONENTS[1]) if c in self.supported), components)

    def region_of_definition(self, time: float) -> tuple[float, float, float, float] | None:
        """In canonical coordinates; the output's is what is rendered now."""
        if self.is_output and self.effect.now.outputs:
            aspect = self.properties["OfxImagePropPixelAspectRatio"]
            x1, y1, x2, y2 = self.effect.now.window
            across, down = self.effect.now.scale
            return (x1 * aspect / across, y1 / down, x2 * aspect / across, y2 / down)
        picture = self.footage.at(time) if self.footage else None
        if picture is None:
            return None
        x1, y1, x2, y2 = picture.bounds
        aspect = self.footage.pixel_aspect
        return (x1 * aspect, float(y1), x2 * aspect, float(y2))

    def image(self, time: float, scale: tuple[float, float], plane: str = COLOUR) -> Image | None:
        """The image of an input, or the one to fill; None where there is none."""
        values = {
            "OfxImageEffectPropRenderScale": list(scale),
            "OfxImagePropPixelAspectRatio": self.properties["OfxImagePropPixelAspectRatio"],
            "OfxImageEffectPropPreMultiplication": self.properties["OfxImageEffectPropPreMultiplication"],
        }
        if self.is_output:
            now = self.effect.now
            if plane not in now.outputs:
                self.host.journal.wrong(f"the output plane {plane} was not asked for")
                return None
            return Image(self.host, self, now.outputs[plane], now.window[:2], time, **values)
        picture = self.footage.at(time) if self.footage and plane == COLOUR else None
        if picture is None:
            return None
        picture = scaled(converted(picture, self.properties["OfxImageEffectPropComponents"]), scale)
        values["OfxImagePropUniqueIdentifier"] = picture.identifier or f"{self.name} {time} {id(self.footage)}"
        values["OfxImagePropField"] = self.footage.field
        return Image(self.host, self, self._buffer(picture), picture.corner, time, **values)

    def _buffer(self, picture: Picture) -> Buffer:
        layout: Layout = self.host.profile.layout
        if self.host.careful:
            return buffer_of(picture, layout)
        kept: dict[int, tuple[Picture, Buffer]] = self.host.kept
        if id(picture) not in kept:
            kept[id(picture)] = (picture, buffer_of(picture, layout))
        return kept[id(picture)][1]
