"""Writes passes: one EXR file per frame with layers, or one file per pass, carrying everything the source carried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nodes.errors import FrameError
from nodes.footage.atomic_file import write_file
from nodes.footage.colour.space import ColourSpace
from nodes.footage.exr import compression as compressions
from nodes.footage.exr.encoder import encode_exr, fill_half, to_half
from nodes.footage.frame import Frame, Pixels
from nodes.footage.metadata import Attribute, SourceMetadata
from nodes.footage.pass_attributes import attributes_of
from nodes.footage.window import Window

USUAL_LEVEL = 4
DataType = Literal["half", "float"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One pass as it goes into a file.

    `name` is empty for the main layer (channels `R`, `G`, `B`, `A`); otherwise channels are called `name.channel`.
    `pixels` is float `[height, width, len(channels)]`. `dtype` overrides the file's, for ids that half cannot hold.
    """

    name: str
    channels: tuple[str, ...]
    pixels: Pixels
    dtype: DataType | None = None


def write_frame(
    path: str,
    layers: Sequence[Layer | tuple[str, Sequence[str], Pixels]],
    source: Frame,
    window: Window | None = None,
    *,
    dtype: DataType = "half",
    compression: str = "zip",
    level: int | None = None,
    provenance: Mapping[str, str | int | float] | None = None,
    key: str = "",
    colour: ColourSpace | None = None,
    check: Callable[[str], None] | None = None,
) -> None:
    """Writes one EXR file with all layers; it appears under `path` only when it is whole.

    `source` gives attributes, display window and pixel aspect; attributes that describe the source file's encoding
    (`exr_encoder.STRUCTURAL`) are left out, as is its preview image; `pass_attributes` says what becomes of the rest.
    `window` is what the pixels cover, the source's data window where it is None. `provenance` values go into attributes
    `cleanplate/<name>` as text, `key` into `cleanplate/key` for `making.read_making`. `colour` is the space of the
    pixels where it is not the source's: `chromaticities` and `colorInteropID` are then written anew. Finite values
    beyond half's range become ±65504; Inf and NaN stay. `compression` is one of `compression.KNOWN`, with a level where
    it has some (`zip:9`, or `level`), or `source` for that of the source's file. `check` is asked about the path before
    the file appears there.
    Raises OutputError where the file cannot be written, FrameError where the pixels cannot be, ParameterError for an
    unknown compression or level, ValueError where pixels and window disagree.
    """
    whole = [layer if isinstance(layer, Layer) else Layer(layer[0], tuple(layer[1]), layer[2]) for layer in layers]
    window = window or source.data_window
    attributes = attributes_of(source, provenance or {}, key, colour)
    try:
        data = _encode(whole, source, window, dtype, _compression(compression, level, source), attributes)
    except FrameError as error:
        raise FrameError(f"{path}: {error}") from error
    write_file(path, data, check)


def pass_layer(layer: Layer, grey: bool = False) -> Layer:
    """The layer as the picture of its file: its channels go without the layer's name, as programs show at once.

    An alpha alone, which many show as black, becomes R, G, B and A where it is to be looked at as `grey`.
    """
    if grey and tuple(layer.channels) == ("A",):
        return Layer("", tuple("RGBA"), np.broadcast_to(layer.pixels, (*layer.pixels.shape[:2], 4)), layer.dtype)
    return Layer("", layer.channels, layer.pixels, layer.dtype)


def _encode(
    layers: Sequence[Layer],
    source: Frame,
    window: Window,
    dtype: DataType,
    compression: str,
    attributes: Mapping[str, Attribute],
) -> bytes:
    names: list[str] = []
    is_float: list[bool] = []
    for layer in layers:
        if layer.pixels.shape != (window.height, window.width, len(layer.channels)):
            raise ValueError(
                f"layer {layer.name!r}: pixels {layer.pixels.shape} do not cover {window} {layer.channels}"
            )
        names += [f"{layer.name}.{channel}" if layer.name else channel for channel in layer.channels]
        is_float += [(layer.dtype or dtype) == "float"] * len(layer.channels)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"channel names must be there and differ: {names}")
    if window.empty:
        raise FrameError("there is not one pixel to write.")
    pixels = np.empty((window.height, window.width, len(names)), np.float32 if any(is_float) else np.float16)
    position = 0
    for layer in layers:
        end = position + len(layer.channels)
        block = pixels[:, :, position:end]
        if any(is_float):
            block[:] = layer.pixels if is_float[position] else to_half(layer.pixels)
        else:
            fill_half(block, layer.pixels)
        position = end
    return encode_exr(
        pixels, names, is_float, window, source.display_window, source.pixel_aspect, compression, attributes
    )


def _compression(text: str, level: int | None, source: Frame) -> str:
    """What OpenImageIO calls the compression, with its level."""
    name, own_level = compressions.parse(text if level is None else f"{text}:{level}")
    if name == compressions.SOURCE:
        attributes = source.metadata.attributes if isinstance(source.metadata, SourceMetadata) else {}
        found, own_level = compressions.of_source(attributes)
        name = found.name
    if not compressions.BY_NAME[name].levels:
        return name
    return f"{name}:{USUAL_LEVEL if own_level is None else own_level}"
