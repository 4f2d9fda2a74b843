"""Opening files with OpenImageIO: one place that knows its settings, its locks and how it words its errors."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio

from nodes.errors import FootageError
from nodes.footage.frame import Pixels
from nodes.footage.window import WIDEST

_open_lock = threading.Lock()
_MOST_THREADS = 8


def _configure() -> None:
    if "OPENIMAGEIO_THREADS" not in os.environ and "CUE_THREADS" not in os.environ:
        threads = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, _MOST_THREADS)
        oiio.attribute("threads", threads)
        oiio.attribute("exr_threads", threads)
    oiio.attribute("openexr:core", 1)  # its C++ reader writes about damaged files to stderr
    oiio.attribute("limits:imagesize_MB", 4096)
    oiio.attribute("limits:resolution", WIDEST)


_configure()


def check_is_file(path: str) -> os.stat_result:
    """Raises FootageError, in a sentence, for what is not a readable file with something in it."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise FootageError(f"{path} does not exist.") from None
    except (OSError, ValueError) as error:
        raise FootageError(f"{path!r} cannot be read: {_reason_of(error)}.") from error
    if stat.S_ISDIR(status.st_mode):
        raise FootageError(f"{path} is a folder, not a picture.")
    if not stat.S_ISREG(status.st_mode):
        raise FootageError(f"{path} is not an ordinary file.")
    if not os.access(path, os.R_OK):
        raise FootageError(f"{path} cannot be read: you lack the permission.")
    if status.st_size == 0:
        raise FootageError(f"{path} is empty (0 bytes).")
    return status


@contextmanager
def opened(path: str, classic_exr: bool = False) -> Iterator[Any]:
    """An open OpenImageIO input, closed afterwards.

    `classic_exr` takes OpenEXR's C++ reader, the only one that rebuilds colour from luminance and chroma of reduced
    resolution. Raises FootageError.
    """
    settings = oiio.ImageSpec()
    settings.attribute("oiio:UnassociatedAlpha", 1)
    image = None
    try:
        with _open_lock:  # which EXR reader is taken is a setting of the whole process
            oiio.attribute("openexr:core", 0 if classic_exr else 1)
            image = oiio.ImageInput.open(path, settings)
            oiio.attribute("openexr:core", 1)
        if image is None:
            raise FootageError(f"{path} is not a picture that can be read: {_reason(None, path)}.")
        yield image
    finally:
        if image is not None:
            image.close()
            _reason(image, path)  # an error left behind would be printed when the object goes


def spec_of(image: Any, subimage: int, path: str) -> Any:
    """The full description of a subimage. Raises FootageError where the file does not have it."""
    if not image.seek_subimage(subimage, 0):
        raise FootageError(f"{path} is damaged: its part {subimage} cannot be found.")
    return image.spec()


def float_type(channels: Sequence[tuple[Any, int]]) -> str:
    """`half` where half floats hold what channels, given as (spec, index), store; else `float`."""
    formats = [(spec.channelformats or (spec.format,) * spec.nchannels)[index] for spec, index in channels]
    return "half" if all(one.basetype == oiio.HALF for one in formats) else "float"


def read_channels(image: Any, subimage: int, first: int, end: int, path: str) -> Pixels:
    """Channels first..end-1 of a subimage as float32 `[height, width, end - first]`, largest mip level.

    8 and 16 bit integers become 0..1; 32-bit integers keep their value. Raises FootageError.
    """
    spec = spec_of(image, subimage, path)
    formats = spec.channelformats or (spec.format,) * spec.nchannels
    out: Pixels | None = None
    position = first
    while position < end:
        wide = formats[position].basetype in (oiio.UINT32, oiio.INT32)
        stop = position + 1
        while stop < end and (formats[stop].basetype in (oiio.UINT32, oiio.INT32)) == wide:
            stop += 1
        part = _read(image, subimage, position, stop, formats[position].basetype if wide else oiio.FLOAT, path)
        if part.shape != (spec.height, spec.width, stop - position):
            raise FootageError(f"{path} is damaged: its picture is not of the size its header states.")
        if stop - position == end - first:
            return np.asarray(part, dtype=np.float32)
        if out is None:
            out = np.empty((spec.height, spec.width, end - first), dtype=np.float32)
        out[:, :, position - first : stop - first] = part
        position = stop
    assert out is not None
    return out


def _read(image: Any, subimage: int, first: int, end: int, kind: Any, path: str) -> npt.NDArray[Any]:
    try:
        pixels = image.read_image(subimage, 0, first, end, kind)
    except MemoryError:
        raise FootageError(f"{path} does not fit into memory.") from None
    if pixels is None:
        raise FootageError(f"{path} is damaged or cut off: {_reason(image, path)}.")
    array: npt.NDArray[Any] = pixels
    return array


def _reason(image: Any, path: str) -> str:
    """The last error of OpenImageIO in a few words; its texts name the file again, have codes, repeat themselves."""
    try:
        text = image.geterror() if image is not None else oiio.geterror()
    except UnicodeDecodeError:  # it quotes garbage from the file
        return "its header makes no sense"
    lines = [line.strip() for line in str(text or "").splitlines() if line.strip()]
    if not lines:
        return "no reason is known"
    if "missing or corrupted" in lines[0]:
        return "a part of its picture is missing"
    if "limits:resolution" in lines[0]:
        return f"it, or its display window, is more than {WIDEST} pixels wide or high; crop it"
    line = re.sub(r"^EXR Error \(.*?\): |EXR_ERR_\w+ |[Oo]penEXR exception: ", "", lines[0])
    if "could not find a format reader" in line:
        return "its format is unknown"
    line = "".join(char for char in line.replace(path, "it") if char.isprintable()).strip(" .")
    return line[:1].lower() + line[1:200] or "no reason is known"


def _reason_of(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
