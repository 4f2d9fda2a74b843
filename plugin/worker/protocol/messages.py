"""The messages between a client and the worker, and their bytes: a msgpack map per message, every field checked.

Client to worker: Hello, Render, FrameAnswer, IdentityAnswer, Missing, Cancel, AskStatus, Stop.
Worker to client: Welcome, Refused, Need, NeedIdentity, Started, Result, Failed, Note, Status.
Both ways: Release, Forget (buffers, see `buffers.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from models.weights.facts import WeightsFacts
from plugin.worker.protocol.fields import (
    MOST_CLIENTS,
    MOST_FACTS,
    MOST_MODELS,
    MOST_NOTES,
    MOST_PASSES,
    MOST_QUEUED,
    MOST_WEIGHTS,
    NAME_TEXT,
    SENTENCE_TEXT,
    Box,
    BufferRef,
    Bytes,
    ClientStatus,
    Colour,
    FailureKind,
    FrameNumber,
    Id,
    IdOrNone,
    Image,
    JobStatus,
    ModelStatus,
    Name,
    Names,
    Number,
    Priority,
    Span,
    Text,
    Truth,
)
from plugin.worker.protocol.schema import blob, integer, listed, mapped, record, scalar, text


@dataclass(frozen=True, slots=True)
class Hello:
    """First word of a client.

    An empty `build` accepts any worker that speaks this version, `current` one that runs the software that is on disk.
    A client with `marks` spells itself what sentences name (`models.wording`); others get the words of a compositor.
    """

    code: ClassVar[int] = 1
    release: Name
    build: Name
    pid: Id
    name: Name
    marks: Truth = False


@dataclass(frozen=True, slots=True)
class Welcome:
    """`max_jobs` renders of this client may be under way at once."""

    code: ClassVar[int] = 2
    release: Name
    build: Name
    pid: Id
    device: Name
    log: Text
    max_jobs: Annotated[int, integer(1, 1024)]


@dataclass(frozen=True, slots=True)
class Refused:
    """The worker takes no client of this kind; with `retired` another worker may be started in its place."""

    code: ClassVar[int] = 3
    sentence: Text
    retired: Truth


@dataclass(frozen=True, slots=True)
class Render:
    """One frame of one node; `inputs` are the connected ones. Empty `passes` means all."""

    code: ClassVar[int] = 4
    job: Id
    node: Name
    frame: FrameNumber
    params: Annotated[dict[str, Any], mapped(scalar, 512)]
    inputs: Annotated[dict[str, Span], mapped(record(Span), 16)]
    priority: Priority
    passes: Names


@dataclass(frozen=True, slots=True)
class Need:
    """The worker asks for a frame; answered with FrameAnswer or Missing of the same `job` and `need`."""

    code: ClassVar[int] = 5
    job: Id
    need: Id
    input: Name
    frame: FrameNumber


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """A frame: `image` lies in `buffer`, whose descriptor is attached when it is new."""

    code: ClassVar[int] = 6
    job: Id
    need: Id
    buffer: BufferRef
    image: Image
    channels: Annotated[tuple[str, ...], listed(text(NAME_TEXT), 64, 1)]
    data_window: Box
    display_window: Box
    pixel_aspect: Number
    colour: Colour


@dataclass(frozen=True, slots=True)
class NeedIdentity:
    """The worker asks for a digest of frames; answered with IdentityAnswer or Missing.

    Of `frames` alone where there are any, else of all from `first` to `last`.
    """

    code: ClassVar[int] = 7
    job: Id
    need: Id
    input: Name
    first: FrameNumber
    last: FrameNumber
    frames: Annotated[tuple[int, ...], listed(integer(-(2**31), 2**31 - 1), 4096)] = ()


@dataclass(frozen=True, slots=True)
class IdentityAnswer:
    code: ClassVar[int] = 8
    job: Id
    need: Id
    digest: Annotated[bytes, blob(64)]


@dataclass(frozen=True, slots=True)
class Missing:
    """What was needed cannot be had; `sentence` tells the user why."""

    code: ClassVar[int] = 9
    job: Id
    need: Id
    kind: FailureKind
    sentence: Text


@dataclass(frozen=True, slots=True)
class Started:
    """The job has its frames and its turn; it computes now."""

    code: ClassVar[int] = 10
    job: Id


@dataclass(frozen=True, slots=True)
class Result:
    """The passes wanted, each of the size of `window`, and the weights they were computed with."""

    code: ClassVar[int] = 11
    job: Id
    buffer: BufferRef
    images: Annotated[tuple[Image, ...], listed(record(Image), MOST_PASSES)]
    window: Box
    info: Annotated[dict[str, str | int | float], mapped(scalar, MOST_FACTS)]
    notes: Annotated[tuple[str, ...], listed(text(SENTENCE_TEXT), MOST_NOTES)]
    milliseconds: Number
    weights: Annotated[tuple[WeightsFacts, ...], listed(record(WeightsFacts), MOST_WEIGHTS)] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    code: ClassVar[int] = 12
    job: Id
    kind: FailureKind
    sentence: Text


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody wants the job any more; answered with Failed of kind `cancelled` unless it was already answered."""

    code: ClassVar[int] = 13
    job: Id


@dataclass(frozen=True, slots=True)
class Release:
    """The receiver of a buffer no longer looks at it; its sender may fill it anew."""

    code: ClassVar[int] = 14
    buffer: Id


@dataclass(frozen=True, slots=True)
class Forget:
    """The sender of a released buffer will not use it again; the receiver unmaps it."""

    code: ClassVar[int] = 15
    buffer: Id


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for the user about a job (0: about the worker), such as `loading weights`."""

    code: ClassVar[int] = 16
    job: IdOrNone
    sentence: Text


@dataclass(frozen=True, slots=True)
class AskStatus:
    code: ClassVar[int] = 17


@dataclass(frozen=True, slots=True)
class Status:
    """What `cleanplate worker status` says; sizes in bytes, times in seconds."""

    code: ClassVar[int] = 18
    pid: Id
    release: Name
    device: Name
    device_name: Text
    torch: Name
    threads: Annotated[int, integer(1, 1 << 16)]
    uptime: Number
    frames: Bytes
    models: Annotated[tuple[ModelStatus, ...], listed(record(ModelStatus), MOST_MODELS)]
    kept_bytes: Bytes
    budget_bytes: Bytes
    resident_bytes: Bytes
    device_bytes: Bytes
    buffer_bytes: Bytes
    clients: Annotated[tuple[ClientStatus, ...], listed(record(ClientStatus), MOST_CLIENTS)]
    queue: Annotated[tuple[JobStatus, ...], listed(record(JobStatus), MOST_QUEUED)]
    log: Text


@dataclass(frozen=True, slots=True)
class Stop:
    """The worker ends at once, whatever it does; clients that still want something start another."""

    code: ClassVar[int] = 19


Message = (
    Hello
    | Welcome
    | Refused
    | Render
    | Need
    | FrameAnswer
    | NeedIdentity
    | IdentityAnswer
    | Missing
    | Started
    | Result
    | Failed
    | Cancel
    | Release
    | Forget
    | Note
    | AskStatus
    | Status
    | Stop
)
