"""Renders a shot: decoding, the worker's network and encoding overlap, and frames stream through.

What is on disk under its final name is a finished frame; finished frames are recognised and skipped.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version

from models.wording import said
from nodes.engine import Passes
from nodes.errors import FrameError
from nodes.faces.face import Pass
from nodes.footage import writer
from nodes.footage.exr import compression
from nodes.footage.files.frame_list import format_frames
from nodes.footage.frame import Frame
from plugin.rendering import bits, used_weights
from plugin.rendering.claims import Claims
from plugin.rendering.events import Progress
from plugin.rendering.records import Records
from plugin.rendering.shot import Shot
from plugin.rendering.sources import AHEAD, FrameSource
from plugin.rendering.summary import Summary
from plugin.worker.client.worker import Job, Worker

# Frames in the worker's hands at a time: one computed, one ready, one being fetched.
IN_FLIGHT = 3
ENCODERS = 2
LOOK_AGAIN_SECONDS = 0.5


def render_shots(shots: Sequence[Shot], worker: Worker, progress: Progress) -> Summary:
    """One after the other, the views of a stereo shot for instance; a frame that fails in one is a failed frame."""
    whole = Summary()
    for shot in shots:
        one = ShotRender(shot, worker, progress).run()
        whole.outcomes += one.outcomes
        whole.seconds += one.seconds
    return whole


class ShotRender:
    """One render of a shot through a worker."""

    def __init__(self, shot: Shot, worker: Worker, progress: Progress) -> None:
        self.shot, self.worker, self.progress = shot, worker, progress
        self.summary = Summary()
        stored = [entry.name for entry in shot.face.inputs if entry.kind != "plate"]
        self._source = FrameSource(shot.footage, stored, {entry.name: entry.label for entry in shot.face.inputs})
        self._records = Records(shot)
        self._claims = Claims()
        self._encoders = ThreadPoolExecutor(ENCODERS, "encode")
        self._jobs: deque[tuple[int, Job]] = deque()
        self._writes: deque[tuple[int, Future[float]]] = deque()
        self._notes: set[str] = set()
        self._other_weights: set[str] = set()

    def run(self) -> Summary:
        """Renders what is not finished. A frame that cannot be made fails alone; what holds for all ends the render."""
        began = time.monotonic()
        try:
            left = self._unfinished()
            while left:
                elsewhere = self._render(left)
                if elsewhere == left:
                    self._note(f"waiting for frames that other renders work on: {format_frames(left)}")
                    time.sleep(LOOK_AGAIN_SECONDS)
                left = elsewhere
        except BaseException:
            for _, job in self._jobs:
                job.cancel()
            raise
        finally:
            # What is being written is finished; nothing is left half done.
            self._encoders.shutdown(wait=True)
            self._claims.close()
            self._source.close()
            self.summary.seconds = time.monotonic() - began
        return self.summary

    def _render(self, frames: Sequence[int]) -> list[int]:
        """Renders those of the frames that no other render works on; returns the rest."""
        elsewhere: list[int] = []
        for frame in self._announced(self._claimed(frames, elsewhere)):
            self._jobs.append((frame, self._submit(frame)))
            if len(self._jobs) >= IN_FLIGHT:
                self._collect()
        while self._jobs:
            self._collect()
        self._finish_writes(0)
        return elsewhere

    def _claimed(self, frames: Iterable[int], elsewhere: list[int]) -> Iterator[int]:
        """The frames that nobody else works on and nobody finished meanwhile; fills `elsewhere` with the others.

        Their files are looked at here, before they are decoded: a pass never vouches for files that changed since.
        """
        for frame in frames:
            if not self._claims.take(self.shot.paths(frame)):
                elsewhere.append(frame)
            elif self._records.is_finished(frame):
                self._claims.release(self._path(frame))
                self._skip(frame, elsewhere=True)
            else:
                yield frame

    def _announced(self, frames: Iterable[int]) -> Iterator[int]:
        """The frames, each announced to the decoders some frames before it is yielded."""
        ahead: deque[int] = deque()
        for frame in frames:
            self._source.announce(frame)
            ahead.append(frame)
            if len(ahead) > AHEAD:
                yield ahead.popleft()
        yield from ahead

    def _unfinished(self) -> list[int]:
        """The frames that are to be rendered; all are looked at before the first is written."""
        unfinished = []
        for frame in self.shot.frames:
            if self._records.is_finished(frame):
                self._skip(frame)
            else:
                unfinished.append(frame)
        self._claims.sweep({os.path.dirname(self._path(frame)) for frame in self.shot.frames})
        return unfinished

    def _skip(self, frame: int, elsewhere: bool = False) -> None:
        self.summary.add(frame, "skipped", self._path(frame))
        self.progress.event("skipped", frame=frame, path=self._path(frame), elsewhere=elsewhere)

    def _path(self, frame: int) -> str:
        return next(iter(self.shot.paths(frame)))

    def _submit(self, frame: int) -> Job:
        self._source.expect(frame)
        names = [result.name for result in self.shot.passes]
        return self.worker.submit(self.shot.face.id, frame, self.shot.params, self._source, "batch", names)

    def _collect(self) -> None:
        """Takes the oldest frame out of the worker's hands and gives it to the encoders."""
        frame, job = self._jobs.popleft()
        try:
            passes = job.result()
            source = self._source.take(frame)
            passes.notes[:0] = self._source.notes(frame)
        except FrameError as error:
            self._fail(frame, error)
            return
        finally:
            self._source.release(frame)
        passes.notes.extend(bits.sentences(self.shot.passes, self.shot.bit_depth, source))
        for note in passes.notes:
            self._note(note, frame)
        if self.shot.compression == compression.SOURCE:
            self._note(compression.written_like(source.metadata.attributes, self.shot.bit_depth or "half"))
        shot = self._as_computed(frame, passes)
        self._writes.append(
            (frame, self._encoders.submit(_write, shot, frame, self._records, passes, source, self.shot.guard.check))
        )
        self._finish_writes(ENCODERS)

    def _fail(self, frame: int, error: FrameError) -> None:
        self._claims.release(self._path(frame))
        self.summary.add(frame, "failed", str(error))
        self.progress.event("failed", frame=frame, text=str(error))

    def _as_computed(self, frame: int, passes: Passes) -> Shot:
        """The shot with the weights that the worker used: the files' metadata never names others."""
        used = used_weights.digest(passes.weights)
        if set(used.split()) <= set(self.shot.weights.split()):
            return self.shot  # a frame may need but some of them
        if used not in self._other_weights:
            self._other_weights.add(used)
            for info in passes.weights:
                self.progress.event("weights", **vars(info))
            self._note(f"the weights changed while the render ran: from frame {frame} on others are used")
        return replace(self.shot, weights=used)

    def _note(self, text: str, frame: int | None = None) -> None:
        """Says a sentence once per render, however many frames it holds for; `frame` is the one it comes from."""
        text = said(text)
        if text not in self._notes:
            self._notes.add(text)
            self.progress.event("note", text=text, **({} if frame is None else {"frame": frame}))

    def _finish_writes(self, left: int) -> None:
        """Waits until at most `left` frames are being written. Raises OutputError where none can be."""
        while len(self._writes) > left:
            frame, write = self._writes.popleft()
            try:
                milliseconds = write.result()
            except FrameError as error:
                self._fail(frame, error)
                continue
            self._claims.release(self._path(frame))
            self.summary.add(frame, "rendered", self._path(frame))
            self.progress.event("frame", frame=frame, path=self._path(frame), milliseconds=milliseconds)


def _write(
    shot: Shot, frame: int, records: Records, passes: Passes, source: Frame, check: Callable[[str], None]
) -> float:
    """Writes the files of a frame, which `check` may refuse; returns the milliseconds that computing it took."""
    info = dict(passes.info)
    milliseconds = float(info.pop("milliseconds", 0.0))
    settings = shot.settings()
    provenance = {
        "node": shot.face.id,
        "version": f"{version('cleanplate')} (node {shot.face.version})",
        "weights": used_weights.digest(passes.weights) or "none",
        "params": json.dumps(settings, sort_keys=True),
        "inputs": records.inputs(frame),
        **{name: str(value) for name, value in info.items()},
    }
    if passes.notes:
        provenance["notes"] = said(" ".join(passes.notes))
    for path, results in shot.paths(frame).items():
        layers = layers_of(results, passes, shot.bit_depth, source)
        writer.write_frame(
            path,
            file_layers(results, layers, named=not shot.out.has_pass),
            source,
            passes.window,
            compression=shot.compression,
            provenance=provenance,
            key=shot.key(frame),
            check=check,
        )
    return milliseconds


def file_layers(results: Sequence[Pass], layers: list[writer.Layer], named: bool) -> list[writer.Layer]:
    """The layers of a file: a pass that is alone in it is its picture, and has its layer besides if that is `named`."""
    if len(layers) > 1 or not layers[0].name:
        return layers
    picture = writer.pass_layer(layers[0], grey=not results[0].exact)
    return [picture, *layers] if named else [picture]


def layers_of(
    results: Sequence[Pass], passes: Passes, bit_depth: writer.DataType | None, source: Frame
) -> list[writer.Layer]:
    """The named passes of a frame as layers of a file."""
    return [
        writer.Layer(
            result.layer, result.channels, passes.images[result.name], bits.depth_of(result, bit_depth, source)
        )
        for result in results
    ]
