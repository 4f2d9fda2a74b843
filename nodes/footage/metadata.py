"""What survives with a frame: the attributes of its file, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Attribute:
    """One header attribute as an EXR file stores it: the name of its type and its little-endian bytes.

    Keeping the bytes lets every attribute survive untouched, those of unknown types too. `exr_attributes.decode`
    makes Python values of it, `exr_attributes.encode` makes an attribute of a Python value.
    """

    type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class SourceMetadata:
    """Where a frame's pixels came from and what was written beside them; the writer puts it into every pass.

    `path` is the file that was read; it is empty for a black frame in place of a missing one. `frame` is the number
    asked for and `read_frame` the one that was read, which differs for a held frame. `file_format` is OpenImageIO's
    name (`openexr`, `png`, ...). `straight_alpha` says that colour is not multiplied by alpha, as PNG stores it.
    `layer` and `view` are what was chosen in the file; `notes` are sentences the user should read. `pixel_type`
    (`half`, `float`) holds what the file stores. `footage` is the pattern that the file belongs to, for notes.
    """

    path: str
    frame: int
    read_frame: int
    file_format: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    straight_alpha: bool = False
    layer: str = ""
    view: str = ""
    notes: tuple[str, ...] = ()
    pixel_type: str = "half"
    footage: str = ""
