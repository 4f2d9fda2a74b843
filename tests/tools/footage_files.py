"""Small picture files for the footage tests, and where the shared test files are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio
import pytest

from nodes.footage.colour.space import LINEAR_REC709
from nodes.footage.frame import Frame
from nodes.footage.window import Window

SHARED = Path(os.environ.get("CLEANPLATE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
Array = npt.NDArray[Any]


def needs_shared(folder: str) -> pytest.MarkDecorator:
    """Skips a test where the shared test files are not there."""
    path = SHARED / folder
    return pytest.mark.skipif(not path.is_dir(), reason=f"{path} is not there; CLEANPLATE_SHARED names another place")


def shared_files(folder: str) -> list[Path]:
    return sorted(path for path in (SHARED / folder).rglob("*") if path.is_file())


def name_of(path: Path) -> str:
    return path.name[:40]


def noise(height: int = 6, width: int = 8, channels: int = 3, seed: int = 0) -> npt.NDArray[np.float32]:
    """Values that half floats hold exactly, some above 1 and below 0."""
    values = np.random.default_rng(seed).normal(0.5, 1, (height, width, channels))
    return values.astype(np.float16).astype(np.float32)


def write(
    path: Path,
    pixels: Array,
    channels: Sequence[str] = ("R", "G", "B"),
    kind: Any = oiio.HALF,
    origin: tuple[int, int] = (0, 0),
    display: tuple[int, int, int, int] | None = None,
    attributes: dict[str, Any] | None = None,
    kinds: Sequence[Any] = (),
    tile: int = 0,
) -> Path:
    """Writes one picture with OpenImageIO; `attributes` values are plain or (type, value)."""
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], kind)
    spec.channelnames = tuple(channels)
    spec.channelformats = tuple(kinds)
    spec.x, spec.y = origin
    x, y, width, height = display or (*origin, pixels.shape[1], pixels.shape[0])
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = x, y, width, height
    spec.tile_width = spec.tile_height = tile
    for name, value in (attributes or {}).items():
        if isinstance(value, tuple) and isinstance(value[0], (str, oiio.TypeDesc)):
            spec.attribute(name, oiio.TypeDesc(value[0]) if isinstance(value[0], str) else value[0], value[1])
        else:
            spec.attribute(name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    output = oiio.ImageOutput.create(str(path))
    assert output is not None, oiio.geterror()
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(np.ascontiguousarray(pixels)), output.geterror()
    assert output.close()
    return path


def write_parts(path: Path, parts: Sequence[tuple[str, Sequence[str], Array, dict[str, Any]]]) -> Path:
    """Writes a multi-part EXR: (name, channels, pixels, attributes) for each part."""
    specs = []
    for name, channels, pixels, attributes in parts:
        spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], pixels.shape[2], oiio.HALF)
        spec.channelnames = tuple(channels)
        spec.attribute("oiio:subimagename", name)
        spec.x, spec.y = attributes.get("origin", (0, 0))
        spec.full_x, spec.full_y, spec.full_width, spec.full_height = 0, 0, 20, 10
        if "view" in attributes:
            spec.attribute("view", attributes["view"])
        specs.append(spec)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), tuple(specs)), output.geterror()
    for index, (_, _, pixels, _) in enumerate(parts):
        if index:
            assert output.open(str(path), specs[index], "AppendSubimage"), output.geterror()
        assert output.write_image(np.ascontiguousarray(pixels)), output.geterror()
    assert output.close()
    return path


def frame_of(pixels: npt.NDArray[np.float32], origin: tuple[int, int] = (0, 0), metadata: Any = None) -> Frame:
    """A frame as a host would deliver it."""
    window = Window(*origin, pixels.shape[1], pixels.shape[0])
    names = ("R", "G", "B", "A")[: pixels.shape[2]]
    return Frame(pixels, names, window, Window(0, 0, 20, 10), 1.0, LINEAR_REC709, metadata)
