"""Encodes an EXR file in memory: OpenImageIO compresses the pixels, the header is put together here.

That way every attribute of the source survives bit by bit, whatever its type and name, nothing is added behind our
back (OpenImageIO would stamp the time of day, so equal renders would differ), and the file reaches the disk in one go.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio

from nodes.errors import FootageError
from nodes.footage import exr_attributes
from nodes.footage.exr.header import LONG_NAMES, MAGIC, ExrHeader, parse_header
from nodes.footage.exr.making import KEY
from nodes.footage.exr.seal import SEAL, seal_of
from nodes.footage.metadata import Attribute
from nodes.footage.window import Window

# Attributes that say how the pixels are stored, and those that only hold for other pixels than these: the encoder's own
# are used, or none.
STRUCTURAL = frozenset(
    {
        *("channels", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio"),
        *("tiles", "type", "name", "version", "chunkCount", "maxSamplesPerPixel", "deepImageState"),
        *("dwaCompressionLevel", "preview", "multiView", "oiio:RowsPerChunk"),
    }
)
_OWN = ("channels", "compression", "dataWindow", "displayWindow", "lineOrder", "pixelAspectRatio")
_HALF_MAX = np.float32(65504)


def to_half(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Half floats as a compositor expects them: finite values beyond the range become ±65504, Inf and NaN stay.

    A plain conversion would turn a highlight of 70000 into Inf, which a blur then spreads over the frame.
    """
    half = np.empty(pixels.shape, np.float16)
    fill_half(half, pixels)
    return half


def fill_half(out: npt.NDArray[np.float16], pixels: npt.NDArray[np.float32]) -> None:
    """`to_half` into an array of the same shape, which may be a slice of another."""
    with np.errstate(over="ignore", invalid="ignore"):
        np.copyto(out, pixels, casting="same_kind")
    infinite = np.isinf(out)
    if infinite.any():
        overflow = infinite & np.isfinite(pixels)
        out[overflow] = np.copysign(_HALF_MAX, pixels[overflow])


def encode_exr(
    pixels: npt.NDArray[Any],
    channels: Sequence[str],
    float_channels: Sequence[bool],
    data_window: Window,
    display_window: Window,
    pixel_aspect: float,
    compression: str,
    attributes: Mapping[str, Attribute],
) -> bytes:
    """The bytes of a scanline EXR file.

    `pixels` is `[height, width, channels]` and covers `data_window`: float16 where no channel is float, else float32.
    `compression` is OpenImageIO's text (`zip:4`). Raises FootageError where OpenImageIO refuses.
    """
    spec = oiio.ImageSpec(data_window.width, data_window.height, len(channels), oiio.HALF)
    spec.x, spec.y = data_window.x, data_window.y
    spec.full_x, spec.full_y = display_window.x, display_window.y
    spec.full_width, spec.full_height = display_window.width, display_window.height
    spec.channelnames = tuple(channels)
    if any(float_channels):
        spec.format = oiio.FLOAT
        if not all(float_channels):
            spec.channelformats = tuple(oiio.FLOAT if one else oiio.HALF for one in float_channels)
    spec.attribute("compression", compression)
    spec.attribute("PixelAspectRatio", float(pixel_aspect))
    with scratch_file() as (path, descriptor):
        output = oiio.ImageOutput.create("openexr")
        if output is None or not output.open(path, spec):
            raise FootageError(f"The picture cannot be encoded as EXR: {_error(output)}.")
        written = output.write_image(np.ascontiguousarray(pixels))
        if not output.close() or not written:
            raise FootageError(f"The picture cannot be encoded as EXR: {_error(output)}.")
        data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    return _with_header(data, attributes)


def _with_header(data: bytes, attributes: Mapping[str, Attribute]) -> bytes:
    """The file with only its structural attributes kept and the given ones added; the chunk offsets are moved along."""
    header = parse_header(BytesIO(data), len(data))
    part = header.parts[0]
    merged = {name: value for name, value in part.attributes.items() if name in _OWN}
    for name in ("screenWindowCenter", "screenWindowWidth"):
        merged[name] = attributes.get(name, part.attributes[name])
    merged.update(
        (name, value) for name, value in attributes.items() if name not in STRUCTURAL and _writable(name, value)
    )
    count = part.chunks
    offsets = np.frombuffer(data, "<i8", count, header.end)
    if KEY in merged:
        seal = seal_of(merged, offsets.tolist(), len(data), lambda first, last: data[first:last])
        merged[SEAL] = exr_attributes.encode(seal)
    start = _header_bytes(header, merged)
    offsets = offsets + (len(start) - header.end)
    return b"".join((start, offsets.astype("<i8").tobytes(), memoryview(data)[header.end + 8 * count :]))


def _header_bytes(header: ExrHeader, attributes: Mapping[str, Attribute]) -> bytes:
    pieces = []
    longest = max((len(channel.name.encode()) for channel in header.parts[0].channels), default=0)
    for name, attribute in sorted(attributes.items()):
        name_bytes, type_bytes = _bytes(name), _bytes(attribute.type)
        longest = max(longest, len(name_bytes), len(type_bytes))
        pieces.append(name_bytes + b"\0" + type_bytes + b"\0" + struct.pack("<i", len(attribute.data)) + attribute.data)
    flags = header.flags | (LONG_NAMES if longest > 31 else 0)
    return MAGIC + struct.pack("<I", flags) + b"".join(pieces) + b"\0"


def _writable(name: str, attribute: Attribute) -> bool:
    return all(0 < len(_bytes(text)) < 256 and "\0" not in text for text in (name, attribute.type))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _error(output: Any) -> str:
    return (output.geterror() if output is not None else oiio.geterror()).strip() or "no reason is known"


@contextmanager
def scratch_file() -> Iterator[tuple[str, int]]:
    """A file in memory that has a path, so that OpenImageIO can write it; on disk where the system has none such."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("cleanplate")
        try:
            yield f"/proc/self/fd/{descriptor}", descriptor
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile(suffix=".exr") as file:
            yield file.name, file.fileno()
