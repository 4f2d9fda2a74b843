"""A shot to learn from: the source's frames as the network sees them, and the key frames that were painted for it."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np

from models.learning.lesson import Lesson
from models.wording import parameter
from nodes.errors import FootageError, FrameError, ParameterError
from nodes.footage.colour.spaces import is_named
from nodes.footage.files.frame_list import format_frames
from nodes.footage.frame import Frame, Pixels
from nodes.footage.linearise import linearised
from nodes.footage.reader import Footage, Header
from nodes.learning.keys import (
    Taught,
    TaughtKind,
    as_matte,
    is_black,
    is_source,
    is_white,
    key_matte,
    key_picture,
    what_is_taught,
)
from nodes.learning.region import EightBit, Region, as_bytes, seen_small
from nodes.picture import laid_on, light_pixels

# Small pictures that stay in memory; at 960x540 these are a thousand.
KEPT_BYTES = 1_600_000_000


class LearningShot:
    """`named` is what sentences call it; `keys` are opened as they are stored, and `only` some count if any are named.

    Frames are read one at a time and kept small. Usable from several threads. Raises FootageError where there are no
    files, ParameterError for key frames that are not there or that none of its frames belongs to.
    """

    def __init__(
        self,
        named: str,
        source: Footage,
        keys: Footage,
        plate: Footage | None,
        exposure: float,
        only: Collection[int] = (),
    ) -> None:
        self.named, self.exposure = named, exposure
        self._source, self._keys, self._plate = source, keys, plate
        self.frames = source.frames()
        if not self.frames:
            raise ParameterError(f"{named} is one picture: name a shot such as shot.####.exr to learn from")
        painted = _frames_of(keys)
        if missing := set(only).difference(painted):
            raise ParameterError(
                f"{parameter('keyFrames')} names {_some(missing)}, of which {keys.sequence.pattern} has no file: "
                f"it has {_some(painted)}"
            )
        painted = [frame for frame in painted if not only or frame in only]
        there = set(self.frames)
        self.key_frames = [frame for frame in painted if frame in there]
        self.outside = [frame for frame in painted if frame not in there]
        if not self.key_frames:
            raise ParameterError(
                f"no key frame lies in the shot: {keys.sequence.pattern} has the frames {_some(painted)}, "
                f"{source.sequence.pattern} has {_some(self.frames)}"
            )
        self._lock = threading.Lock()
        self._pictures: OrderedDict[tuple[str, int], EightBit] = OrderedDict()

    @functools.cached_property
    def taught(self) -> Taught:
        """What the key frames teach."""
        return what_is_taught(self._keys.frame(frame) for frame in self.key_frames)

    @functools.cached_property
    def region(self) -> Region:
        """The format, and the overscan that both the source and its key frames have."""
        shared = []
        for frame in self.key_frames:
            source = _outline(self._source.header(frame))
            key = self._laid(frame, _outline(self._keys.header(frame)))
            shared.append(key.data_window.intersect(source.data_window))
        return Region.around(self._format, shared)

    def check_sizes(self) -> None:
        """Looks at every frame's header. Raises FrameError for the first whose format is of another size."""
        want = self._format.display_window
        for frame in self.frames:
            have = self._source.header(frame).display_window
            if (have.width, have.height) != (want.width, want.height):
                raise FrameError(
                    f"frame {frame} of {self._source.sequence.pattern} is {have.width}x{have.height} and frame "
                    f"{self.key_frames[0]} is {want.width}x{want.height}: a shot to learn from has one size"
                )

    def lesson(self, kind: TaughtKind) -> Lesson:
        """The shot as it is taught. Raises FrameError for a key frame that does not fit its source."""
        plate = None if self._plate is None else self._reader("plate", self._plate)
        values = {frame: self._value(frame, kind) for frame in self.key_frames}
        return Lesson(self.named, self.frames, self._reader("source", self._source), values, plate)

    def _value(self, frame: int, kind: TaughtKind) -> Pixels:
        key = self._laid(frame, self._keys.frame(frame))
        if kind == "matte":
            window = self.region.window_in(_outline(self._source.header(frame)))
            return key_matte(as_matte(key, is_named(self._keys.input_space)), window)
        source = linearised(self._source.frame(frame))
        return key_picture(key, self._small(source), self.region.window_in(source), self.exposure)

    @functools.cached_property
    def _format(self) -> Frame:
        """The first frame with a key, without its picture."""
        return _outline(self._source.header(self.key_frames[0]))

    def _laid(self, frame: int, key: Frame) -> Frame:
        """A key frame on its source."""
        try:
            return laid_on("key frame", key, _outline(self._source.header(frame)))
        except FrameError as error:
            raise FrameError(f"frame {frame}: {error}") from None

    def _reader(self, name: str, footage: Footage) -> Callable[[int], EightBit]:
        return functools.partial(self._picture, name, footage)

    def _picture(self, name: str, footage: Footage, frame: int) -> EightBit:
        key = name, 0 if footage.sequence.is_still else frame
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
                return self._pictures[key]
        decoded = linearised(footage.frame(frame))
        if name == "plate":
            decoded = laid_on("clean plate", decoded, self._format)
        made = as_bytes(self._small(decoded))
        with self._lock:
            self._pictures[key] = made
            while len(self._pictures) > 1 and sum(one.nbytes for one in self._pictures.values()) > KEPT_BYTES:
                self._pictures.popitem(last=False)
        return made

    def _small(self, frame: Frame) -> Pixels:
        return seen_small(light_pixels(frame), 2.0**self.exposure, frame.data_window, self.region.window_in(frame))


def digest_of(lessons: Sequence[Lesson], kind: TaughtKind) -> str:
    """Tells whether the same is taught: what was painted, over which pictures, among which frames."""
    digest = hashlib.sha256(kind.encode())
    for lesson in lessons:
        digest.update(repr((lesson.name, list(lesson.frames), lesson.plate is not None)).encode())
        for frame, key in lesson.keys.items():
            digest.update(repr((frame, key.shape)).encode())
            digest.update(np.ascontiguousarray(key).data)
            digest.update(lesson.picture(frame).data)
    return digest.hexdigest()


def refuse_empty(lessons: Sequence[Lesson], kind: TaughtKind) -> None:
    """Raises ParameterError where no key frame of any shot tells anything apart."""
    frames = format_frames(frame for lesson in lessons for frame in lesson.keys)[:120]
    keys = [(key, lesson.picture(frame)) for lesson in lessons for frame, key in lesson.keys.items()]
    found = ""
    if all(is_black(key) for key, _ in keys):
        found = "are all black: there is nothing to learn from them"
    elif kind == "matte" and all(is_white(key) for key, _ in keys):
        found = "are white everywhere: the alpha of a roto over a picture may be the picture's, so draw it on its own"
    elif kind == "picture" and all(is_source(key, picture) for key, picture in keys):
        found = "show the source as it is: there is nothing to learn from them"
    if found:
        raise ParameterError(f"the key frames ({frames}) {found}")


def _outline(header: Header) -> Frame:
    """A frame where a file's is, without a picture."""
    data = header.data_window
    nothing = np.broadcast_to(np.float32(0), (data.height, data.width, 1))
    return Frame(nothing, ("Y",), data, header.display_window)


def _frames_of(keys: Footage) -> list[int]:
    if keys.sequence.is_still:
        raise ParameterError(
            f"{keys.sequence.pattern} has no frame number in its name: call it such as roto.1001.exr, after the frame "
            "that it is painted for"
        )
    frames = keys.frames()
    if not frames:
        keys.range()  # raises the sentence that names what is there
        raise FootageError(f"No file matches {keys.sequence.pattern}.")
    return frames


def _some(frames: Iterable[int]) -> str:
    return format_frames(frames)[:120]
