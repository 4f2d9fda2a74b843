"""What the worker does for clients that know neither files nor colour spaces: it reads and names them itself."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from worker_tools import NODES, Footage, own_runtime, picture

from nodes.errors import FootageError, ParameterError
from nodes.footage.colour.spaces import by_name
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from nodes.footage.writer import write_frame
from plugin.worker.client import lifecycle
from plugin.worker.client.worker import Worker
from plugin.worker.protocol import frames, identity
from plugin.worker.protocol.buffers import Outgoing
from plugin.worker.protocol.codec import decode_message, encode_message

DATA, FORMAT = Window(-3, 5, 12, 8), Window(0, 0, 64, 48)


class Nothing(Footage):
    """A client that delivers nothing."""

    def connected(self):
        return []


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for number in range(1, 5):
        pixels = picture(number) / 64
        frame = Frame(pixels, tuple("RGBA"), DATA, FORMAT)
        write_frame(str(folder / f"plate.{number:04d}.exr"), [("", "RGBA", pixels)], frame, dtype="float")
    return folder


@pytest.fixture(scope="module")
def worker():
    with own_runtime(), Worker("cpu", name="tests") as worker:
        yield worker


def test_a_file_stands_for_an_input_that_is_not_connected(worker, shot):
    settings = {"sourceFile": str(shot / "plate.####.exr"), "gain": 2.0, "earlier": 2}
    passes = worker.submit("test-gain", 3, settings, Nothing()).result(120)
    expected = picture(3) / 64 * 2 + picture(1) / 64 + picture(2) / 64
    assert np.array_equal(passes.images["picture"], expected)
    assert passes.window == DATA


def test_what_the_client_delivers_goes_before_the_file(worker, shot):
    settings = {"sourceFile": str(shot / "plate.####.exr"), "gain": 1.0}
    passes = worker.submit("test-gain", 3, settings, Footage()).result(60)
    assert np.array_equal(passes.images["picture"], picture(3))


def test_missing_files_end_in_a_sentence_that_names_the_parameter(worker, shot):
    with pytest.raises(FootageError, match=r"'sourceFile': No file matches .*nothing"):
        worker.submit("test-gain", 3, {"sourceFile": str(shot / "nothing.####.exr")}, Nothing()).result(60)
    with pytest.raises(FootageError, match=r"0009"):
        worker.submit("test-gain", 9, {"sourceFile": str(shot / "plate.####.exr")}, Nothing()).result(60)


def test_missing_frames_are_what_the_parameter_says(worker, shot):
    settings = {"sourceFile": str(shot / "plate.####.exr"), "missingFrames": "hold", "gain": 1.0}
    passes = worker.submit("test-gain", 9, settings, Nothing()).result(60)
    assert np.array_equal(passes.images["picture"], picture(4) / 64)
    assert passes.notes[:-1] == ["Frame 9 is missing; frame 4 is held in its place."]


@pytest.mark.parametrize("name", ["ACEScg", "sRGB", "cineon", "g22_rec709"])
def test_colour_spaces_travel_whole_and_by_name(name):
    space = by_name(name)
    outgoing = Outgoing(lambda number: None)
    frame = Frame(picture(1), tuple("RGBA"), DATA, FORMAT, colour=space)
    answer, buffer = frames.frame_answer(outgoing, 1, 1, frame)
    memory = buffer.memory.leased(lambda: None)
    assert frames.frame_of(_over_the_wire(answer), memory).colour == space
    named = _over_the_wire(answer, name=name, transfer="named")
    assert frames.frame_of(named, memory).colour == space


def test_a_colour_space_nobody_knows_ends_in_a_sentence():
    frame = Frame(picture(1), tuple("RGBA"), DATA, FORMAT)
    answer, buffer = frames.frame_answer(Outgoing(lambda number: None), 1, 1, frame)
    with pytest.raises(ParameterError, match="'Technicolor' is unknown"):
        frames.frame_of(
            _over_the_wire(answer, name="Technicolor", transfer="named"), buffer.memory.leased(lambda: None)
        )


def _over_the_wire(answer, **colour):
    return decode_message(answer.code, encode_message(replace(answer, colour=replace(answer.colour, **colour))))


def test_a_client_that_cannot_tell_the_build_gets_the_software_on_disk(tmp_path):
    for path in NODES.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    with own_runtime():
        os.environ.update(CLEANPLATE_BUILD="", CLEANPLATE_NODE_PATH=str(tmp_path))
        wire, _ = lifecycle.connect_or_start("cpu", "tests", print)
        wire.close()
        wire, _ = lifecycle.connect("cpu", "tests", identity.CURRENT)
        wire.close()
        with (tmp_path / "toy_gain.py").open("a") as code:
            code.write("# changed\n")
        with pytest.raises(lifecycle.Retired):
            lifecycle.connect("cpu", "tests", identity.CURRENT)
