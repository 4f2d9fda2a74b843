"""Footage: a shot on disk as frames, whatever its files are."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from models.wording import setting
from nodes.errors import FootageError, ParameterError
from nodes.footage import exr_attributes, oiio_input
from nodes.footage.colour.space import LINEAR_REC709, ColourSpace
from nodes.footage.colour.spaces import by_name, identify_space, is_named
from nodes.footage.exr.exr_reader import read_exr, views_of
from nodes.footage.exr.header import is_exr
from nodes.footage.files.frame_list import format_frames
from nodes.footage.files.identity import Identity, Listing, StandIn
from nodes.footage.files.sequence import Sequence
from nodes.footage.frame import Frame
from nodes.footage.layers import view_note
from nodes.footage.mask_channel import as_mask
from nodes.footage.metadata import Attribute, SourceMetadata
from nodes.footage.picture import Choice, Kind, Picture
from nodes.footage.standing_in import standing_in
from nodes.footage.stills.still_reader import read_still
from nodes.footage.window import Window

MissingRule = Literal["error", "hold", "black"]
Alpha = Literal["auto", "premultiplied", "straight"]


@dataclass(frozen=True, slots=True)
class Header:
    """What a frame is, without its pixels. `attributes` are plain Python values (bytes where the type is unknown)."""

    path: str
    channels: tuple[str, ...]
    data_window: Window
    display_window: Window
    pixel_aspect: float
    colour: ColourSpace
    attributes: dict[str, Any]


class Footage:
    """The frames of a shot.

    `pattern`: a path as `Sequence` describes it. `layer`, `view`, `part`: what to take of files that hold several
    pictures (`layers.pick_layer`); a pattern with `%V` takes the view from there. `needs_view`: a file without views
    is an error where one is asked for; otherwise it is the same for every view. `missing`: what a frame that is not
    on disk is: an error, the nearest earlier frame (else the first), or black. `input_space`: see `colour.identify`,
    which is told `unsaid_space` as well. `kind`: a `mask` is one channel, A (`mask_channel.as_mask`); its numbers are
    no colours unless `input_space` names a space, from which they are decoded; `either` is handed on as it is stored,
    and who uses it decides which it is. `alpha`: whether colour is multiplied by
    it: `premultiplied`, `straight`, or `auto`, as the file says. `offset`: the frame n is the file's frame n + offset,
    wherever frames are counted here.

    May be used from several threads; nothing of a frame is kept. A frame that is there but damaged is always an error.
    Raises FootageError for a pattern that cannot be one, ParameterError for a wrong `missing` or `input_space`.
    """

    def __init__(
        self,
        pattern: str,
        layer: str = "",
        missing: MissingRule = "error",
        input_space: str = "auto",
        *,
        view: str = "",
        part: str | int | None = None,
        kind: Kind = "plate",
        needs_view: bool = True,
        offset: int = 0,
        unsaid_space: str = "auto",
        alpha: Alpha = "auto",
    ) -> None:
        if missing not in get_args(MissingRule):
            raise ParameterError(f"Missing frames can be an error, hold or black, not {missing!r}.")
        if alpha not in get_args(Alpha):
            raise ParameterError(f"Alpha can be auto, premultiplied or straight, not {alpha!r}.")
        for space in filter(is_named, (input_space, unsaid_space)):
            by_name(space)
        self.sequence = Sequence.parse(pattern)
        self.missing = missing
        self.input_space, self.unsaid_space = input_space, unsaid_space
        self.kind = kind
        self.offset = offset
        self.alpha = alpha
        self._notes: tuple[str, ...] = ()
        if self.sequence.has_view and not view and (views := self.sequence.views()):
            view, *others = views
            self._notes = (view_note(view, others),) if others else ()
        self._choice = Choice(layer, "" if self.sequence.has_view else view, part, kind, needs_view)
        self._view = view or None
        self._listing = Listing(self.sequence, self._view)
        how = (missing, input_space, unsaid_space, layer, view, part, kind, alpha)
        self._identity = Identity(self._stamp_of, repr(how).encode())
        self._lock = threading.Lock()

    def frame(self, frame: int) -> Frame:
        """The frame, pixels as stored; of a mask its one channel. Raises FootageError, naming file and frame."""
        number, path = self._locate(frame)
        if number is None:
            return self._black(frame)
        picture = self._read(frame, path, pixels=True)
        return self._as_frame(picture, frame, number, path, f"frame {number - self.offset} is held in its place")

    def header(self, frame: int) -> Header:
        """What the frame is; only the file's header is read. Raises FootageError like frame()."""
        number, path = self._locate(frame)
        if number is None:
            path = self._neighbour(frame)[1]
        picture = self._read(frame, path, pixels=False)
        attributes = {name: exr_attributes.decode(value) for name, value in picture.attributes.items()}
        return Header(
            path,
            picture.channels,
            picture.data_window,
            picture.display_window,
            picture.pixel_aspect,
            self._colour(picture),
            attributes,
        )

    def range(self) -> tuple[int, int]:
        """First and last frame on disk. A still, which has the same picture at every frame, says 1..1.

        Raises FootageError where no file matches.
        """
        if self.sequence.is_still:
            oiio_input.check_is_file(self.sequence.path(1, self._view))
            return (1, 1)
        frames = self._frames()
        return frames[0] - self.offset, frames[-1] - self.offset

    def frames(self) -> list[int]:
        """The frames on disk; empty for a still."""
        return [] if self.sequence.is_still else [frame - self.offset for frame in self._listing.frames()]

    def views(self) -> list[str]:
        """The views that can be asked for, left and right first; empty where the shot has none. Raises FootageError."""
        if self.sequence.has_view:
            return self.sequence.views()
        number = 1 if self.sequence.is_still else self._frames()[0]
        path = self.sequence.path(number)
        return views_of(path) if is_exr(path) else []

    def identity(self, first: int, last: int) -> bytes:
        """A digest of the files behind frames first..last: their paths, sizes and times, and how they are read.

        Equal digests mean equal pixels. Asking for ever longer ranges from one first frame costs a step each; the files
        of ranges beyond 200 frames are looked at again about once a second only.
        """
        # A still is the same file at every frame.
        return self._identity.of(1, 1) if self.sequence.is_still else self._identity.of(first, last)

    def identity_of(self, frames: Iterable[int]) -> bytes:
        """The same for picked frames, at the cost of these alone."""
        return self._identity.of_each([1] if self.sequence.is_still else list(frames))

    @property
    def folder(self) -> str:
        """The folder of the files; of those of the first frame on disk where folders have numbers."""
        frames = self._listing.frames() if not self.sequence.is_still else []
        return os.path.dirname(self.sequence.path(frames[0] if frames else 0, self._view))

    def has_frame(self, path: str) -> bool:
        """Whether a file of this name is a frame of the footage, or would be one if it were there."""
        if self.sequence.is_still:
            return path == self.sequence.path(1, self._view)
        return self.sequence.frame_of(path, self._view) is not None

    def way(self) -> bytes:
        """How the files are read: what besides their contents decides the pixels."""
        return self._identity.salt

    def file(self, frame: int) -> StandIn:
        """The file behind a frame, as it is now."""
        return self._listing.file(frame + self.offset, self.missing)

    def _frames(self) -> list[int]:
        frames = self._listing.frames()
        if not frames:
            other = self.sequence.suggestion()
            hint = f" Did you mean {other}?" if other else ""
            raise FootageError(f"No file matches {self.sequence.pattern}.{hint}")
        return frames

    def _locate(self, frame: int) -> tuple[int | None, str]:
        """The number that is read for `frame`, and its file; None where the picture is to be black."""
        number = frame + self.offset
        path = self.sequence.path(number, self._view)
        try:
            oiio_input.check_is_file(path)
            return number, path
        except FootageError as error:
            if not str(error).endswith("does not exist."):
                raise FootageError(f"Frame {frame}: {error}") from error
        if self.sequence.is_still:
            raise FootageError(f"{path} does not exist.")
        if self.missing == "error":
            frames = self._frames()
            raise FootageError(
                f"Frame {frame} is missing: {path} does not exist (there are {format_frames(frames)[:120]}); "
                f"{setting('missingFrames', 'hold', 'black')} to go on without it."
            )
        if self.missing == "black":
            return None, path
        return self._neighbour(frame)

    def _neighbour(self, frame: int) -> tuple[int, str]:
        """The number of the nearest earlier frame on disk, else of the first, and its file."""
        frames = self._frames()
        number = max((one for one in frames if one <= frame + self.offset), default=frames[0])
        return number, self.sequence.path(number, self._view)

    def _read(self, frame: int, path: str, pixels: bool) -> Picture:
        try:
            oiio_input.check_is_file(path)
            return (read_exr if is_exr(path) else read_still)(path, self._choice, pixels)
        except FootageError as error:
            raise FootageError(f"Frame {frame}: {error}" if not self.sequence.is_still else str(error)) from error
        except OSError as error:
            raise FootageError(f"Frame {frame}: {path} cannot be read: {error.strerror}.") from error

    def _as_frame(self, picture: Picture, frame: int, number: int, path: str, instead: str) -> Frame:
        """`instead` says what stands in for the frame where `number` is not its own."""
        assert picture.pixels is not None
        attributes, notes = picture.attributes, self._said(picture)
        if number != frame + self.offset:
            attributes, left_out = standing_in(attributes, number, frame + self.offset, self._ends)
            notes += (f"Frame {frame} is missing; {instead}.", *([left_out] if left_out else []))
        straight = picture.straight_alpha if self.alpha == "auto" else self.alpha == "straight"
        metadata = SourceMetadata(
            path, frame, number - self.offset, picture.file_format, attributes, straight and "A" in picture.channels,
            self._choice.layer, picture.view or self._view or "", notes, picture.pixel_type, self.sequence.pattern,
        )  # fmt: skip
        made = Frame(
            picture.pixels,
            picture.channels,
            picture.data_window,
            picture.display_window,
            picture.pixel_aspect,
            self._colour(picture),
            metadata,
        )
        return self._as_mask(made) if self.kind == "mask" else made

    def _as_mask(self, picture: Frame) -> Frame:
        mask, note = as_mask(picture)
        if not note:
            return mask
        notes = (*mask.metadata.notes, f"{self.sequence.pattern}: {note}")
        return replace(mask, metadata=replace(mask.metadata, notes=notes))

    def _black(self, frame: int) -> Frame:
        number, path = self._neighbour(frame)
        picture = self._read(frame, path, pixels=False)
        shape = (picture.data_window.height, picture.data_window.width, len(picture.channels))
        black = replace(picture, pixels=np.zeros(shape, np.float32), notes=(), colour_note="")
        like = self._as_frame(black, frame, number, path, "it is black")
        return replace(like, metadata=replace(like.metadata, path=""))

    def _said(self, picture: Picture) -> tuple[str, ...]:
        guessed = picture.colour_note and self.kind == "plate" and not is_named(self.input_space)
        said = (*self._notes, *picture.notes, *((picture.colour_note,) if guessed else ()))
        return tuple(f"{self.sequence.pattern}: {note}" for note in said)

    def _ends(self) -> Iterator[tuple[int, Mapping[str, Attribute]]]:
        """The numbers and attributes of the first and the last frame on disk."""
        frames = self._frames()
        for number in dict.fromkeys((frames[0], frames[-1])):
            with contextlib.suppress(FootageError):
                picture = self._read(number, self.sequence.path(number, self._view), pixels=False)
                yield number, picture.attributes

    def _colour(self, picture: Picture) -> ColourSpace:
        if self.kind == "mask" and not is_named(self.input_space):
            return LINEAR_REC709
        if picture.colour and not is_named(self.input_space):
            return picture.colour
        return identify_space(picture.attributes, picture.file_format, self.input_space, self.unsaid_space)

    def _stamp_of(self, frame: int) -> bytes:
        return self._listing.stamp(frame + self.offset, self.missing)
