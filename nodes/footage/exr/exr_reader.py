"""Decodes one EXR file: its header is checked first, then the chosen layer's channels are read, and nothing else."""

from __future__ import annotations

import struct

import numpy as np

from nodes.errors import FootageError
from nodes.footage import exr_attributes, oiio_input
from nodes.footage.channel_names import FilePart
from nodes.footage.exr.compression import BY_NAME
from nodes.footage.exr.header import DamagedHeader, ExrHeader, Part, read_header
from nodes.footage.exr.luminance_chroma import to_rgb
from nodes.footage.frame import Pixels
from nodes.footage.layers import ChannelSource, pick_layer, view_names
from nodes.footage.metadata import Attribute
from nodes.footage.picture import Choice, Picture, check_size
from nodes.footage.window import Window

_DEEP = "{} is a deep image; flatten it first (DeepToImage), then use the flat picture."
_LARGEST_CHUNK = 600_000_000


def read_exr(path: str, choice: Choice, pixels: bool = True) -> Picture:
    """The chosen layer of an EXR file; with `pixels` off only the header is read and the pixels are empty.

    Raises FootageError.
    """
    header = _header(path)
    if all(part.deep for part in header.parts):
        raise FootageError(_DEEP.format(path))
    for part in header.parts:
        check_size(path, part.data_window, part.display_window, channels=0)
    classic = _is_subsampled_chroma(header)
    with oiio_input.opened(path, classic) as image:
        specs = [oiio_input.spec_of(image, n, path) for n in range(len(header.parts))]
        names = [
            FilePart(part.name, part.view, tuple(spec.channelnames))
            for part, spec in zip(header.parts, specs, strict=True)
        ]
        picked = pick_layer(names, choice, _views(header.parts[0]), path)
        sources = picked.sources
        used = {source.part: header.parts[source.part] for source in sources}
        for part in used.values():
            _check(path, header, part, classic)
        window = _union([part.data_window for part in used.values()])
        main = header.parts[sources[0].part]
        check_size(path, window, main.display_window, len(sources))
        out = _decode(image, path, sources, used, window) if pixels else None
    channels, out = _finish(sources, main, out)
    return Picture(
        pixels=out,
        channels=channels,
        data_window=window,
        display_window=main.display_window,
        pixel_aspect=_aspect(main),
        file_format="openexr",
        attributes={**_without_view(header.parts[0].attributes), **main.attributes},
        straight_alpha=False,
        view=picked.view,
        notes=picked.notes,
        pixel_type=oiio_input.float_type([(specs[source.part], source.index) for source in sources]),
    )


def views_of(path: str) -> list[str]:
    """The views of an EXR file, from its header; empty where it has none. Raises FootageError."""
    parts = _header(path).parts
    names = [FilePart(part.name, part.view, tuple(channel.name for channel in part.channels)) for part in parts]
    return view_names(names, _views(parts[0]))


def _header(path: str) -> ExrHeader:
    try:
        return read_header(path)
    except DamagedHeader as error:
        raise FootageError(f"{path} is damaged: {error}.") from error
    except OSError as error:
        raise FootageError(f"{path} cannot be read: {error.strerror}.") from error


def _check(path: str, header: ExrHeader, part: Part, classic: bool) -> None:
    if part.deep:
        raise FootageError(_DEEP.format(path))
    window = part.data_window
    ratio = BY_NAME[part.compression].ratio if part.compression in BY_NAME else 0
    if ratio and part.raw_bytes > ratio * header.file_size:
        raise FootageError(
            f"{path} is damaged or cut off: its {header.file_size} bytes cannot hold "
            f"{window.width}x{window.height} pixels."
        )
    if part.chunk_bytes > _LARGEST_CHUNK:
        raise FootageError(
            f"{path} keeps its pixels in blocks of {part.chunk_bytes / 1e9:.1f} GB; write it again in scanlines."
        )
    odd = [channel for channel in part.channels if (channel.x_sampling, channel.y_sampling) != (1, 1)]
    if odd and not classic:
        raise FootageError(
            f"{path} stores the channel {odd[0].name} at a reduced resolution "
            f"({odd[0].x_sampling}x{odd[0].y_sampling}); write it again with full-size channels."
        )


def _decode(
    image: object, path: str, sources: tuple[ChannelSource, ...], parts: dict[int, Part], window: Window
) -> Pixels:
    single = len(parts) == 1
    indices = [source.index for source in sources]
    first, end = min(indices), max(indices) + 1
    if single and end - first <= 2 * len(sources):
        block = oiio_input.read_channels(image, sources[0].part, first, end, path)
        wanted = [index - first for index in indices]
        return block if wanted == list(range(end - first)) else np.ascontiguousarray(block[:, :, wanted])
    out = np.zeros((window.height, window.width, len(sources)), dtype=np.float32)
    for position, source in enumerate(sources):
        rows, columns = parts[source.part].data_window.slices_in(window)
        block = oiio_input.read_channels(image, source.part, source.index, source.index + 1, path)
        out[rows, columns, position] = block[:, :, 0]
    return out


def _finish(
    sources: tuple[ChannelSource, ...], part: Part, pixels: Pixels | None
) -> tuple[tuple[str, ...], Pixels | None]:
    """Colour of luminance and chroma; a channel missing of R, G and B is black, as everywhere in compositing."""
    channels = tuple(source.component for source in sources)
    if "RY" in channels:
        alpha = ("A",) if "A" in channels else ()
        if pixels is not None:
            chromaticities = part.attributes.get("chromaticities")
            value = exr_attributes.decode(chromaticities) if chromaticities else None
            pixels = to_rgb(pixels, value if isinstance(value, tuple) else None)
        return ("R", "G", "B", *alpha), pixels
    rgb = [name for name in channels if name in ("R", "G", "B")]
    if len(rgb) == 2:
        full = ("R", "G", "B", *channels[2:])
        if pixels is not None:
            wider = np.zeros((*pixels.shape[:2], len(full)), dtype=np.float32)
            for index, name in enumerate(channels):
                wider[:, :, full.index(name)] = pixels[:, :, index]
            pixels = wider
        return full, pixels
    return channels, pixels


def _is_subsampled_chroma(header: ExrHeader) -> bool:
    sampled = {c.name for c in header.parts[0].channels if (c.x_sampling, c.y_sampling) != (1, 1)}
    return len(header.parts) == 1 and bool(sampled) and sampled <= {"RY", "BY"}


def _without_view(attributes: dict[str, Attribute]) -> dict[str, Attribute]:
    return {name: value for name, value in attributes.items() if name != "view"}


def _views(part: Part) -> tuple[str, ...]:
    attribute = part.attributes.get("multiView")
    value = exr_attributes.decode(attribute) if attribute else ()
    return tuple(value) if isinstance(value, list) else ()


def _aspect(part: Part) -> float:
    attribute = part.attributes.get("pixelAspectRatio")
    if attribute is None or len(attribute.data) != 4:
        return 1.0
    (aspect,) = struct.unpack("<f", attribute.data)
    return float(aspect) if 1e-3 < aspect < 1e3 else 1.0


def _union(windows: list[Window]) -> Window:
    union = windows[0]
    for window in windows[1:]:
        union = union.union(window)
    return union
