"""Rendering a shot: what fails alone, what ends it, what is kept, what is done again. The worker is made up."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from local_render import Events, LocalWorker, render, shot, write_shot

from nodes import catalogue
from nodes.engine import Passes
from nodes.errors import CleanplateError, FootageError, FrameError, OutputError, ParameterError, WorkerError
from nodes.footage import writer
from nodes.footage.frame import Frame
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from plugin.rendering.render import ShotRender, file_layers, layers_of
from plugin.worker.protocol.failures import FrameFailed, exception, kind_and_sentence


def failing(error: Exception, *frames: int) -> LocalWorker:
    def before(frame: int) -> None:
        if frame in frames:
            raise error

    return LocalWorker(before)


def on_disk(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.mark.parametrize("error", [FrameError("odd"), FootageError("gone"), FrameFailed("too large")])
def test_a_frame_that_cannot_be_made_fails_alone(tmp_path: Path, error: FrameError) -> None:
    source = write_shot(tmp_path / "s.####.exr", range(1, 7))
    events = Events()
    summary = render(shot(source, str(tmp_path / "o/a.####.exr"), range(1, 7)), failing(error, 3), events)
    assert (summary.rendered, summary.failed) == (5, {3: str(error)})
    assert events.frames("failed") == [3]
    assert on_disk(tmp_path / "o") == [f"a.{n:04d}.exr" for n in (1, 2, 4, 5, 6)]


@pytest.mark.parametrize(
    "error", [ParameterError("no"), WorkerError("none"), CleanplateError("weights"), OutputError("")]
)
def test_what_is_wrong_for_all_frames_ends_the_render(tmp_path: Path, error: CleanplateError) -> None:
    source = write_shot(tmp_path / "s.####.exr", range(1, 21))
    worker = failing(error, 3)
    with pytest.raises(type(error)):
        render(shot(source, str(tmp_path / "o/a.####.exr"), range(1, 21)), worker)
    assert worker.asked == [1, 2, 3]
    assert set(on_disk(tmp_path / "o")) <= {"a.0001.exr", "a.0002.exr"}


@pytest.mark.parametrize(
    ("names", "named", "channels"),
    [
        (["alpha"], True, "A B G R matte.A"),
        (["alpha"], False, "A B G R"),
        (["foreground"], True, "B G R fg.B fg.G fg.R"),
        (["foreground"], False, "B G R"),
        (["premultiplied"], True, "A B G R"),
        (["ids"], False, "A"),
        (["alpha", "foreground"], True, "fg.B fg.G fg.R matte.A"),
    ],
)
def test_a_pass_alone_in_its_file_is_a_picture_that_programs_show(
    tmp_path: Path, names: list[str], named: bool, channels: str
) -> None:
    """`--passes alpha` wrote a file with matte.A alone, and %P one with A alone: viewers showed black."""
    known = {result.name: result for name in ("background-matte", "segment") for result in catalogue.find(name).passes}
    results = [known[name] for name in names]
    window = Window(0, 0, 4, 3)
    pixels = np.linspace(0, 1, 48, dtype=np.float16).astype(np.float32).reshape(3, 4, 4)
    passes = Passes({result.name: pixels[..., : len(result.channels)] for result in results}, window)
    source = Frame(pixels[..., :3], tuple("RGB"), window, window)
    layers = file_layers(results, layers_of(results, passes, None, source), named)
    writer.write_frame(str(tmp_path / "a.exr"), layers, source, window)
    assert sorted(oiio.ImageBuf(str(tmp_path / "a.exr")).spec().channelnames) == channels.split()
    if names == ["alpha"]:
        picture = Footage(str(tmp_path / "a.exr")).frame(1).pixels
        assert all(np.array_equal(picture[..., index], pixels[..., 0]) for index in range(4))


def test_what_fails_alone_is_the_same_on_both_sides_of_the_wire() -> None:
    """A bug met in a frame and a frame too large for the memory fail alone as well: the next may be smaller."""
    for error in (FrameError("a"), FootageError("a"), KeyError("a"), MemoryError(), FrameFailed("a")):
        assert isinstance(exception(*kind_and_sentence(error, "Node on frame 1", "cpu", "log")), FrameError)
    for error in (ParameterError("a"), WorkerError("a"), CleanplateError("a"), OutputError("a")):
        assert not isinstance(exception(*kind_and_sentence(error, "Node on frame 1", "cpu", "log")), FrameError)


def test_nothing_is_kept_for_frames_that_are_over(tmp_path: Path) -> None:
    source = write_shot(tmp_path / "s.####.exr", range(1, 121))
    mask = write_shot(tmp_path / "m.####.exr", range(1, 121))
    most = 0

    def before(frame: int) -> None:
        nonlocal most
        most = max(most, len(made._source._decoded), len(made._source._delivered))
        raise FrameError("odd")

    made = ShotRender(shot(source, str(tmp_path / "o.####.exr"), range(1, 121), mask), LocalWorker(before), Events())  # type: ignore[arg-type]
    assert len(made.run().failed) == 120
    assert most <= 16
    assert not made._source._decoded
    assert not made._source._delivered
