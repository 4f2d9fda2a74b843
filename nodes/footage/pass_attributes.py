"""What the header of a pass says: what the source's said, which colour space its pixels are in, how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping

from nodes.footage import exr_attributes
from nodes.footage.colour.output import with_colour
from nodes.footage.colour.space import ColourSpace
from nodes.footage.colour.spaces import identify_space
from nodes.footage.exr.making import INPUTS, KEY
from nodes.footage.exr.seal import SEAL
from nodes.footage.frame import Frame
from nodes.footage.metadata import Attribute, SourceMetadata

OURS = "cleanplate/"
HISTORY = OURS + "history"
# Of the chain of makings, at most so many and so many bytes are kept, the latest.
MOST_MAKINGS = 16
MOST_BYTES = 32 << 10
# What serves to recognise a finished frame says nothing once the pass is another's source.
_NOT_TOLD = {KEY, INPUTS, SEAL, HISTORY}


def attributes_of(
    source: Frame, provenance: Mapping[str, str | int | float], key: str, colour: ColourSpace | None = None
) -> dict[str, Attribute]:
    """The attributes of a pass that was made from `source`.

    What describes the making of the source, where it was a pass itself, moves into `cleanplate/history`: a line of JSON
    for each making, the first one first. `colour` is the space of the pixels, the source's where it is None; what
    attributes say about colour is written anew where it is something else. A file of ours is no ACES container.
    """
    metadata = source.metadata
    found = dict(metadata.attributes) if isinstance(metadata, SourceMetadata) else {}
    attributes = {name: value for name, value in found.items() if not name.startswith(OURS)}
    attributes.pop("acesImageContainerFlag", None)
    if isinstance(metadata, SourceMetadata) and metadata.view:
        attributes["view"] = exr_attributes.encode(metadata.view)
    target = colour or source.colour
    is_exr = isinstance(metadata, SourceMetadata) and metadata.file_format == "openexr"
    if not is_exr or identify_space(attributes, "openexr") != target:
        attributes = with_colour(attributes, target)
    if history := _history(found):
        attributes[HISTORY] = exr_attributes.encode(history)
    for name, text in {**provenance, **({"key": key} if key else {})}.items():
        attributes[name if name.startswith(OURS) else OURS + name] = exr_attributes.encode(str(text))
    return attributes


def _history(found: Mapping[str, Attribute]) -> str:
    """The makings that the source's attributes tell, its own last; those that are too many are counted."""
    texts = {name: exr_attributes.decode(value) for name, value in found.items() if name.startswith(OURS)}
    making = {
        name.removeprefix(OURS): text for name, text in texts.items() if name not in _NOT_TOLD and isinstance(text, str)
    }
    lines = [line for line in str(texts.get(HISTORY, "")).splitlines() if line.strip()]
    earlier = _left_out(lines[0]) if lines else 0
    lines = lines[1:] if earlier else lines
    lines += [json.dumps(making, sort_keys=True)] if making else []
    while len(lines) > MOST_MAKINGS or sum(map(len, lines)) > MOST_BYTES:
        del lines[0]
        earlier += 1
    return "\n".join([json.dumps({"earlier": earlier}), *lines] if earlier else lines)


def _left_out(line: str) -> int:
    try:
        found = json.loads(line)
    except ValueError:
        return 0
    count = found.get("earlier") if isinstance(found, dict) and len(found) == 1 else 0
    return count if isinstance(count, int) and count > 0 else 0
