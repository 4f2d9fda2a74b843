"""What the fields of messages may hold, and the records that messages share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from models.weights.facts import WeightsFacts
from nodes.footage.files.frame_list import FIRST_FRAME, LAST_FRAME
from nodes.footage.window import FARTHEST, WIDEST
from plugin.worker.protocol.schema import boolean, integer, listed, matching, number, text, word

VERSION = 1
MAX_PAYLOAD = 1 << 20
MAX_BUFFER = 1 << 36
SENTENCE_TEXT, NAME_TEXT = 4096, 128
# A layer for each class of any data set.
MOST_PASSES = 4096
MOST_NOTES, MOST_FACTS = 64, 256
MOST_WEIGHTS, MOST_MODELS = 8, 256
MOST_CLIENTS, MOST_QUEUED = 1024, 1024
MAX_STEPS = 1 << 14
KINDS = ("footage", "frame", "parameter", "weights", "worker", "user", "memory", "cancelled", "internal")
PRIORITIES = ("interactive", "batch")
_TRANSFERS = r"linear|srgb|rec709|cineon|ocio|named|gamma:[0-9]{1,2}(\.[0-9]{1,6})?"

Id = Annotated[int, integer(1, 2**32 - 1)]
IdOrNone = Annotated[int, integer(0, 2**32 - 1)]
FrameNumber = Annotated[int, integer(FIRST_FRAME, LAST_FRAME)]
Coordinate = Annotated[int, integer(-FARTHEST, FARTHEST)]
Extent = Annotated[int, integer(0, WIDEST)]
Offset = Annotated[int, integer(0, MAX_BUFFER)]
Bytes = Annotated[int, integer(0, 2**53)]
Channels = Annotated[int, integer(1, 64)]
Count = Annotated[int, integer(0, 2**20)]
Number = Annotated[float, number]
Truth = Annotated[bool, boolean]
Name = Annotated[str, text(NAME_TEXT)]
Text = Annotated[str, text(SENTENCE_TEXT)]
FailureKind = Annotated[str, word(*KINDS)]
Priority = Annotated[str, word(*PRIORITIES)]
Names = Annotated[tuple[str, ...], listed(text(NAME_TEXT), MOST_PASSES)]


@dataclass(frozen=True, slots=True)
class Box:
    """A window in pixels, y downwards."""

    x: Coordinate
    y: Coordinate
    width: Extent
    height: Extent


@dataclass(frozen=True, slots=True)
class Span:
    """First and last frame of an input, inclusive.

    `steps` says which of them there are: from `first` on a distance and how often it is made, and so on. Without them
    the client does not know, or has a picture for every frame.
    """

    first: FrameNumber
    last: FrameNumber
    steps: Annotated[tuple[int, ...], listed(integer(1, 2**32 - 1), MAX_STEPS)] = ()


@dataclass(frozen=True, slots=True)
class Colour:
    """A ColourSpace; `to_rec709` row by row.

    With the transfer `named`, which clients use that know nothing of colour, only `name` counts: that of any space an
    artist can name.
    """

    name: Text
    transfer: Annotated[str, matching(_TRANSFERS)]
    to_rec709: Annotated[tuple[float, ...], listed(number, 9, 9)]
    ocio_config: Text


@dataclass(frozen=True, slots=True)
class BufferRef:
    """Shared memory of `size` bytes.

    The descriptor travels with the first message that names `id` and is not sent again; the receiver answers with
    Release when it no longer looks at the pixels. With `id` 0 the descriptor always comes along, the sender never
    reuses the memory and no Release is wanted.
    """

    id: IdOrNone
    size: Offset


@dataclass(frozen=True, slots=True)
class Image:
    """float32 `[height, width, channels]`, rows from the top without padding, `offset` bytes into the buffer."""

    name: Name
    offset: Offset
    height: Extent
    width: Extent
    channels: Channels


@dataclass(frozen=True)
class ModelStatus(WeightsFacts):
    """A network that is loaded, and the weights in it."""

    precision: Name = ""
    bytes: Bytes = 0


@dataclass(frozen=True, slots=True)
class ClientStatus:
    pid: Id
    name: Name
    jobs: Count


@dataclass(frozen=True, slots=True)
class JobStatus:
    """`state` is `fetching` (frames), `queued`, `computing` or `sending`; `seconds` since it was submitted."""

    pid: Id
    node: Name
    frame: FrameNumber
    priority: Priority
    state: Name
    seconds: Number
