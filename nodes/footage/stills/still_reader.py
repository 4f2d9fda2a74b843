"""Decodes one picture that is not an EXR: PNG, TIFF, DPX, JPEG and whatever else OpenImageIO knows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from nodes.errors import FootageError
from nodes.footage import exr_attributes, oiio_input
from nodes.footage.channel_names import FilePart
from nodes.footage.colour.stills import bits_of, colour_of, is_integer
from nodes.footage.layers import pick_layer
from nodes.footage.metadata import Attribute
from nodes.footage.picture import Choice, Picture, check_size
from nodes.footage.stills import iptc_check, png_check
from nodes.footage.stills.orientation import UPRIGHT, swaps_sides, turned, turned_window
from nodes.footage.window import Window

_FORMATS = frozenset(
    {
        *("dpx", "cineon", "png", "tiff", "jpeg", "targa", "bmp", "hdr", "sgi", "jpeg2000", "jpegxl", "webp", "pnm"),
        "openexr",
    }
)
# Formats whose alpha is straight by custom, which OpenImageIO does not say of them.
_STRAIGHT = frozenset({"bmp", "jpeg2000"})
# Integers of up to so many bits are told apart by half floats, in light as well.
_HALF_HOLDS = 10
# Attributes that have a standard name and type in EXR files.
_STANDARD = {
    "smpte:TimeCode": ("timeCode", "timecode"),
    "smpte:KeyCode": ("keyCode", "keycode"),
    "DateTime": ("capDate", "string"),
    "ImageDescription": ("comments", "string"),
    "Copyright": ("owner", "string"),
    "ExposureTime": ("expTime", "float"),
    "FNumber": ("aperture", "float"),
    "FramesPerSecond": ("framesPerSecond", "rational"),
    "XResolution": ("xDensity", "float"),
}
# What describes the file's own encoding, and the profile of an encoding that the passes do not have.
_ENCODING = (
    "oiio:",
    "png:",
    "jpeg:",
    "tiff:",
    "ICCProfile",
    "ResolutionUnit",
    "YResolution",
    "compression",
    "planarconfig",
)
# What does not hold of the upright, scene-linear picture that is handed on.
_UNTRUE = (
    *("dpx:Transfer", "dpx:Colorimetric", "dpx:ImageDescriptor", "dpx:Packing", "dpx:BitDepth"),
    *("Orientation", "PixelAspectRatio", "Exif:ColorSpace", "CICP"),
)


def read_still(path: str, choice: Choice, pixels: bool = True) -> Picture:
    """The first picture of a file, or the part asked for; integers become 0..1, alpha stays as stored.

    The picture is turned upright, its Orientation with it. With `pixels` off the pixels are None. The attribute
    `oiio:ColorSpace` says what the file says about colour. Raises FootageError.
    """
    if reason := png_check.damage(path) or iptc_check.damage(path):
        raise FootageError(f"{path} is damaged: {reason}.")
    with oiio_input.opened(path) as image:
        if image.format_name() not in _FORMATS:
            raise FootageError(f"{path} is not in a format for footage; use EXR, PNG, TIFF, DPX or JPEG.")
        number = int(choice.part) if choice.part is not None and str(choice.part).isdigit() else 0
        spec = oiio_input.spec_of(image, number, path)
        if spec.width < 1 or spec.height < 1 or spec.depth > 1 or spec.deep:
            raise FootageError(f"{path} is no flat picture ({spec.width}x{spec.height}, depth {spec.depth}).")
        # Two samples of a pixel are grey and alpha, even where the file does not say what the second is.
        names = ("Y", "A") if spec.nchannels == 2 else tuple(spec.channelnames)
        part = FilePart("", "", names)
        picked = pick_layer([part], dataclasses.replace(choice, part=None), (), path)
        sources = picked.sources
        orientation = spec.get_int_attribute("Orientation", UPRIGHT)
        window = Window(spec.x, spec.y, spec.width, spec.height)
        full = Window(spec.full_x, spec.full_y, spec.full_width, spec.full_height)
        display = window if full.empty else full
        check_size(path, window, display, spec.nchannels)
        out = None
        if pixels:
            block = oiio_input.read_channels(image, number, 0, spec.nchannels, path)
            if image.format_name() == "dpx" and swaps_sides(orientation):
                # OpenImageIO states the upright size of a lying DPX, and fills it with the rows as they are stored.
                block = block.reshape(spec.width, spec.height, spec.nchannels)
            wanted = [source.index for source in sources]
            out = block if wanted == list(range(spec.nchannels)) else np.ascontiguousarray(block[:, :, wanted])
        if image.format_name() == "dpx" and swaps_sides(orientation):
            window = display = Window(0, 0, spec.height, spec.width)
        colour = colour_of(spec, image.format_name())
        return Picture(
            pixels=out if out is None or orientation == UPRIGHT else turned(out, orientation),
            channels=tuple(source.component for source in sources),
            data_window=turned_window(window, display, orientation),
            display_window=turned_window(display, display, orientation),
            pixel_aspect=1 / _aspect(spec) if swaps_sides(orientation) else _aspect(spec),
            file_format=image.format_name(),
            attributes={"oiio:ColorSpace": exr_attributes.encode(colour.name), **_attributes(spec)},
            straight_alpha=_is_straight(spec, image.format_name()),
            view=picked.view,
            notes=picked.notes,
            pixel_type="half" if bits_of(spec) <= (_HALF_HOLDS if is_integer(spec) else 16) else "float",
            colour=colour.space,
            colour_note=colour.note,
        )


def _is_straight(spec: Any, file_format: str) -> bool:
    """By the file's own word, such as TIFF's ExtraSamples, or else by the format's custom."""
    stated = bool(spec.get_int_attribute("oiio:UnassociatedAlpha")) or file_format in _STRAIGHT
    return stated and spec.alpha_channel >= 0


def _aspect(spec: Any) -> float:
    aspect = float(spec.get_float_attribute("PixelAspectRatio", 1.0))
    return aspect if 1e-3 < aspect < 1e3 else 1.0


def _attributes(spec: Any) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {}
    for parameter in spec.extra_attribs:
        name, kind = _STANDARD.get(parameter.name, (parameter.name, ""))
        if name.startswith(_ENCODING) or name in _UNTRUE:
            continue
        value = parameter.value
        if isinstance(value, np.ndarray):
            value = tuple(value.tolist())
        try:
            attributes[name] = exr_attributes.encode(value, kind)
        except (ValueError, TypeError):
            continue  # a blob that has no counterpart in an EXR header
    return attributes
