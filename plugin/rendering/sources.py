"""The client's side of a render: decodes a shot's inputs ahead of the worker and hands the frames over."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from nodes.errors import CleanplateError, FootageError
from nodes.footage.frame import Frame
from nodes.footage.linearise import linearised
from nodes.footage.metadata import SourceMetadata
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.frame_runs import FrameRuns

log = logging.getLogger(__name__)
MAIN = "Source"
DECODERS = 2
# Frames that are announced before they are submitted.
AHEAD = 3
# Decoded frames of a moving input that may wait to be fetched: those ahead, and those of the jobs under way.
WAITING = 8
NOT_YET = Frame(np.empty((0, 0, 1), np.float32), ("Y",), Window(0, 0, 0, 0), Window(0, 0, 0, 0))


class FrameSource:
    """Frames of several inputs, decoded in the background.

    A moving input keeps only the frames that were announced and not fetched yet, so memory does not grow with the
    shot; a still stays decoded.
    """

    def __init__(
        self, footage: Mapping[str, Footage], stored: Collection[str] = (), labels: Mapping[str, str] | None = None
    ) -> None:
        """`stored` names the inputs that are handed on as files hold them; `labels` are what notes call inputs."""
        self._stored = frozenset(stored)
        self._labels = labels or {}
        self._footage = dict(footage)
        self._pool = ThreadPoolExecutor(DECODERS, "decode")
        self._lock = threading.Lock()
        self._decoded: OrderedDict[tuple[str, int], Future[Frame]] = OrderedDict()
        self._delivered: dict[int, Frame] = {}
        self._notes: dict[int, list[str]] = {}
        self._runs: dict[str, tuple[list[int], FrameRuns | None]] = {}

    def connected(self) -> list[str]:
        return list(self._footage)

    def range(self, name: str) -> tuple[int, int]:
        return self._footage[name].range()

    def frames(self, name: str) -> FrameRuns | None:
        there = self._footage[name].frames()
        known, runs = self._runs.get(name, ([], None))
        if known != there:
            runs = FrameRuns.of(there) if there else None
            self._runs[name] = there, runs
        return runs

    def identity(self, name: str, first: int, last: int) -> bytes:
        return self._footage[name].identity(first, last)

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        return self._footage[name].identity_of(frames)

    def announce(self, frame: int) -> None:
        """Begins to decode a frame of every input that will be fetched soon."""
        for name in self._footage:
            self._future(name, frame)

    def frame(self, name: str, frame: int) -> Frame:
        """The decoded frame. Raises FootageError where there is none."""
        future = self._future(name, frame)
        try:
            result = future.result()
        finally:
            with self._lock:
                self._drop(name, frame)
        with self._lock:
            if frame in self._delivered:
                self._notes.setdefault(frame, []).extend(self._said(name, result))
                if name == MAIN:
                    self._delivered[frame] = result
        return result

    def expect(self, frame: int) -> None:
        """Keeps the main input's frame, once it was fetched, until `take`."""
        with self._lock:
            self._delivered[frame] = NOT_YET

    def take(self, frame: int) -> Frame:
        """The main input's frame that a result was computed from: its attributes go into the passes."""
        with self._lock:
            delivered = self._delivered.pop(frame, NOT_YET)
        return delivered if delivered is not NOT_YET else self.frame(MAIN, frame)

    def notes(self, frame: int) -> list[str]:
        """What was said about the files that were read for a frame, until it is released."""
        with self._lock:
            return list(dict.fromkeys(self._notes.get(frame, [])))

    def release(self, frame: int) -> None:
        """Lets go of all that is kept for a frame, which is over: rendered, failed or given up."""
        with self._lock:
            self._delivered.pop(frame, None)
            self._notes.pop(frame, None)
            for name in self._footage:
                self._drop(name, frame)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _decode(self, name: str, frame: int) -> Frame:
        try:
            decoded = self._footage[name].frame(frame)
            return decoded if name in self._stored else linearised(decoded)
        except CleanplateError:
            raise
        except Exception as error:
            # What a decoder stumbles over lies in the file: the next one may be well.
            log.debug("frame %d of %s cannot be decoded", frame, name, exc_info=error)
            raise FootageError(
                f"Frame {frame} of {name} cannot be decoded ({type(error).__name__}: {error})."
            ) from error

    def _said(self, name: str, frame: Frame) -> list[str]:
        notes = frame.metadata.notes if isinstance(frame.metadata, SourceMetadata) else ()
        return [note if name == MAIN else f"{self._labels.get(name, name)}: {note}" for note in notes]

    def _key(self, name: str, frame: int) -> tuple[str, int]:
        return (name, 0 if self._is_still(name) else frame)

    def _is_still(self, name: str) -> bool:
        return self._footage[name].sequence.is_still

    def _future(self, name: str, frame: int) -> Future[Frame]:
        key = self._key(name, frame)
        with self._lock:
            future = self._decoded.get(key)
            if future is None:
                future = self._pool.submit(self._decode, name, frame)
                self._decoded[key] = future
                self._drop_surplus(name)
            return future

    def _drop(self, name: str, frame: int) -> None:
        """Forgets a decoded frame of a moving input. Called with the lock held."""
        if not self._is_still(name):
            self._decoded.pop((name, frame), None)

    def _drop_surplus(self, name: str) -> None:
        """Forgets the oldest frames that were announced and never fetched."""
        if self._is_still(name):
            return
        idle = [key for key, future in self._decoded.items() if key[0] == name and future.done()]
        for key in idle[: max(0, len(idle) - WAITING)]:
            del self._decoded[key]
