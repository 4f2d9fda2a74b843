"""Python values to and from the attribute types of EXR files ("OpenEXR File Layout", predefined attribute types)."""

from __future__ import annotations

import struct
from typing import Any

from nodes.footage.metadata import Attribute

# EXR type -> struct format of its value.
_FORMATS = {
    "int": "<i", "float": "<f", "double": "<d", "v2i": "<2i", "v3i": "<3i", "v4i": "<4i", "v2f": "<2f", "v3f": "<3f",
    "v4f": "<4f", "v2d": "<2d", "v3d": "<3d", "v4d": "<4d", "m33f": "<9f", "m44f": "<16f", "m33d": "<9d",
    "m44d": "<16d", "box2i": "<4i", "box2f": "<4f", "chromaticities": "<8f", "rational": "<iI", "timecode": "<2I",
    "keycode": "<7i", "compression": "<B", "lineOrder": "<B", "envmap": "<B", "deepImageState": "<B",
    "tiledesc": "<IIB",
}  # fmt: skip


def decode(attribute: Attribute) -> Any:
    """The value as a Python number, string, tuple or list of strings; the bytes themselves where the type is unknown.

    A value that does not fit its type is given as bytes too.
    """
    kind, data = attribute.type, attribute.data
    if kind == "string":
        return data.decode("utf-8", "replace")
    try:
        if kind == "stringvector":
            return _strings(data)
        if kind == "floatvector":
            return struct.unpack(f"<{len(data) // 4}f", data)
        if kind in _FORMATS:
            values = struct.unpack(_FORMATS[kind], data)
            return values[0] if len(values) == 1 else values
    except struct.error:
        pass
    return data


def encode(value: Any, kind: str = "") -> Attribute:
    """The attribute for a Python value; `kind` names the EXR type where the value leaves it open.

    Without `kind`: bool and int become int (or string where too large), float becomes float, str becomes string, a list
    of strings stringvector, tuples of 2 or 3 (or 4) numbers v2i, v3f and so on, 9 and 16 numbers m33f and m44f, other
    numbers floatvector. Raises ValueError for anything else.
    """
    if not kind:
        kind = _kind(value)
    if kind == "string":
        return Attribute(kind, str(value).encode("utf-8", "surrogateescape"))
    if kind == "stringvector":
        encoded = [str(item).encode("utf-8", "surrogateescape") for item in value]
        return Attribute(kind, b"".join(struct.pack("<i", len(item)) + item for item in encoded))
    if kind == "floatvector":
        return Attribute(kind, struct.pack(f"<{len(value)}f", *value))
    if kind not in _FORMATS:
        raise ValueError(f"no EXR attribute type {kind!r}")
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    try:
        return Attribute(kind, struct.pack(_FORMATS[kind], *values))
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{value!r} does not fit the EXR attribute type {kind}") from error


def _kind(value: Any) -> str:
    if isinstance(value, (bool, int)):
        return "int" if -(2**31) <= value < 2**31 else "string"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (tuple, list)) and value:
        if all(isinstance(item, str) for item in value):
            return "stringvector"
        if all(isinstance(item, int) for item in value) and len(value) in (2, 3):
            return f"v{len(value)}i"
        if all(isinstance(item, (int, float)) for item in value):
            return {2: "v2f", 3: "v3f", 4: "v4f", 9: "m33f", 16: "m44f"}.get(len(value), "floatvector")
    raise ValueError(f"{value!r} fits no EXR attribute type")


def _strings(data: bytes) -> list[str]:
    strings, position = [], 0
    while position < len(data):
        (length,) = struct.unpack_from("<i", data, position)
        if not 0 <= length <= len(data) - position - 4:
            raise struct.error("a string runs past the end")
        strings.append(data[position + 4 : position + 4 + length].decode("utf-8", "replace"))
        position += 4 + length
    return strings
