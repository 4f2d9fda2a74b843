"""Decodes one picture that is not an EXR: PNG, TIFF, DPX, JPEG and whatever else OpenImageIO knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import OpenImageIO as oiio

from nodes.errors import FootageError
from nodes.footage import exr_attributes, oiio_input, png_check
from nodes.footage.layers import FilePart, pick_layer
from nodes.footage.metadata import Attribute
from nodes.footage.picture import Choice, Picture, check_size
from nodes.footage.window import Window

_FILM = frozenset({"dpx", "cineon"})
_FORMATS = _FILM | frozenset(
    {"png", "tiff", "jpeg", "targa", "bmp", "hdr", "sgi", "jpeg2000", "jpegxl", "webp", "pnm", "openexr"}
)
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
_ENCODING_DPX = ("dpx:Transfer", "dpx:Colorimetric", "dpx:ImageDescriptor", "dpx:Packing", "dpx:BitDepth")


def read_still(path: str, choice: Choice, pixels: bool = True) -> Picture:
    """The first picture of a file, or the part asked for; integers become 0..1, alpha stays as stored.

    With `pixels` off the pixels are None. The attribute `oiio:ColorSpace` says what the format says about colour.
    Raises FootageError.
    """
    if reason := png_check.damage(path):
        raise FootageError(f"{path} is damaged: {reason}.")
    with oiio_input.opened(path) as image:
        if image.format_name() not in _FORMATS:
            raise FootageError(f"{path} is not in a format for footage; use EXR, PNG, TIFF, DPX or JPEG.")
        number = int(choice.part) if choice.part is not None and str(choice.part).isdigit() else 0
        spec = oiio_input.spec_of(image, number, path)
        if spec.width < 1 or spec.height < 1 or spec.depth > 1 or spec.deep:
            raise FootageError(f"{path} is no flat picture ({spec.width}x{spec.height}, depth {spec.depth}).")
        part = FilePart("", "", tuple(spec.channelnames))
        sources = pick_layer([part], choice.layer, choice.view, (), None, path)
        check_size(path, spec.width, spec.height, spec.nchannels)
        out = None
        if pixels:
            block = oiio_input.read_channels(image, number, 0, spec.nchannels, path)
            wanted = [source.index for source in sources]
            out = block if wanted == list(range(spec.nchannels)) else np.ascontiguousarray(block[:, :, wanted])
        window = Window(spec.x, spec.y, spec.width, spec.height)
        full = Window(spec.full_x, spec.full_y, spec.full_width, spec.full_height)
        return Picture(
            pixels=out,
            channels=tuple(source.component for source in sources),
            data_window=window,
            display_window=window if full.empty else full,
            pixel_aspect=_aspect(spec),
            file_format=image.format_name(),
            attributes=_attributes(spec, image.format_name()),
            straight_alpha=bool(spec.get_int_attribute("oiio:UnassociatedAlpha")) and spec.alpha_channel >= 0,
            view=choice.view,
        )


def is_integer(spec: Any) -> bool:
    return spec.format.basetype not in (oiio.HALF, oiio.FLOAT, oiio.DOUBLE)


def _aspect(spec: Any) -> float:
    aspect = float(spec.get_float_attribute("PixelAspectRatio", 1.0))
    return aspect if 1e-3 < aspect < 1e3 else 1.0


def _attributes(spec: Any, file_format: str) -> dict[str, Attribute]:
    attributes = {"oiio:ColorSpace": exr_attributes.encode(_colour_name(spec, file_format in _FILM))}
    for parameter in spec.extra_attribs:
        name, kind = _STANDARD.get(parameter.name, (parameter.name, ""))
        if name.startswith(_ENCODING) or name in _ENCODING_DPX or name == "PixelAspectRatio":
            continue
        value = parameter.value
        if isinstance(value, np.ndarray):
            value = tuple(value.tolist())
        try:
            attributes[name] = exr_attributes.encode(value, kind)
        except (ValueError, TypeError):
            continue  # a blob that has no counterpart in an EXR header
    return attributes


def _colour_name(spec: Any, log_formats_may_say: bool) -> str:
    """What the file says about its colour; only DPX and Cineon files are believed to be anything but linear or sRGB."""
    name = str(spec.get_string_attribute("oiio:ColorSpace"))
    if not is_integer(spec):
        return name if name.startswith("lin_") else "lin_rec709_scene"
    if log_formats_may_say or name.startswith(("lin_", "srgb_")):
        return name or "srgb_rec709_scene"
    return "srgb_rec709_scene"  # a PNG's gamma of 2.2 too: its writers meant sRGB
