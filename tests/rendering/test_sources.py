import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nodes.errors import FootageError
from nodes.footage.frame import Frame
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame
from plugin.rendering.sources import WAITING, FrameSource

WINDOW = Window(0, 0, 4, 3)


@pytest.fixture
def footage(tmp_path):
    for number in range(1, 41):
        grey = np.full((3, 4, 3), number, np.float32)
        write_frame(str(tmp_path / f"s.{number}.exr"), [("", "RGB", grey)], Frame(grey, tuple("RGB"), WINDOW, WINDOW))
    return Footage(str(tmp_path / "s.#.exr")), Footage(str(tmp_path / "s.7.exr"))


def test_frames_come_right_whatever_was_announced_or_dropped(footage):
    source = FrameSource({"Source": footage[0]})
    for number in range(1, 41):
        source.announce(number)
    with ThreadPoolExecutor(4) as fetchers:
        frames = list(fetchers.map(lambda n: source.frame("Source", n), [*range(1, 41), *range(40, 0, -1)]))
    assert [frame.pixels[0, 0, 0] for frame in frames] == [*range(1, 41), *range(40, 0, -1)]
    assert len(source._decoded) <= WAITING + 1
    source.close()


def test_which_frames_there_are(footage):
    source = FrameSource({"Source": footage[0], "C": footage[1]})
    assert list(source.frames("Source")) == list(range(1, 41))
    assert source.frames("Source") is source.frames("Source")
    assert source.frames("C") is None


def test_a_still_is_decoded_once(footage):
    source = FrameSource({"Source": footage[0], "C": footage[1]})
    first = source.frame("C", 1)
    assert source.frame("C", 30) is first
    source.close()


def test_the_frame_a_result_came_from_is_kept_until_taken(footage):
    source = FrameSource({"Source": footage[0]})
    source.expect(3)
    delivered = source.frame("Source", 3)
    assert source.take(3) is delivered
    assert source.take(4).pixels[0, 0, 0] == 4
    source.close()


def test_pictures_become_scene_linear_and_masks_stay_numbers(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "half.png"), np.full((3, 4, 3), 128, np.uint8))
    still = Footage(str(tmp_path / "half.png"))
    source = FrameSource({"Source": still, "InM": still}, stored=["InM"])
    assert source.frame("Source", 1).pixels[0, 0, 0] == pytest.approx(0.2158, abs=1e-3)
    assert source.frame("InM", 1).pixels[0, 0, 0] == pytest.approx(128 / 255, abs=1e-4)
    source.close()


def test_what_is_said_about_files_is_kept_with_the_frame_they_were_read_for(footage, tmp_path):
    held = Footage(footage[0].sequence.pattern, missing="hold")
    opaque = np.ones((3, 4, 4), np.float32)
    write_frame(str(tmp_path / "p.exr"), [("", "RGBA", opaque / 2)], Frame(opaque, tuple("RGBA"), WINDOW, WINDOW))
    plate = Footage(str(tmp_path / "p.exr"), alpha="straight")
    source = FrameSource({"Source": held, "C": plate}, labels={"C": "Clean plate"})
    for number in (40, 41, 42):
        source.expect(number)
    for number in (41, 40, 39):
        source.frame("Source", number)
        source.frame("C", number)
    straight, missing = source.notes(40), source.notes(41)
    assert straight[0].startswith(f"Clean plate: {tmp_path}/p.exr: alpha is straight,")
    assert missing == ["Frame 41 is missing; frame 40 is held in its place.", *straight]
    assert not source.notes(39)
    for number in (40, 41, 42):
        source.release(number)
    assert not source._notes
    source.close()


@pytest.mark.parametrize("error", [MemoryError("no room"), ValueError("odd"), RuntimeError("a decoder's bug")])
def test_what_a_decoder_stumbles_over_fails_with_its_frame(footage, monkeypatch, error):
    def stumble(number):
        raise error

    monkeypatch.setattr(footage[0], "frame", stumble)
    source = FrameSource({"Source": footage[0]})
    with pytest.raises(FootageError, match=rf"Frame 7 of Source cannot be decoded \({type(error).__name__}: {error}\)"):
        source.frame("Source", 7)
    assert not source._decoded
    source.close()


def test_a_missing_frame_is_said_to_every_thread(footage):
    source = FrameSource({"Source": footage[0]})
    barrier = threading.Barrier(2)

    def fetch():
        barrier.wait()
        source.frame("Source", 99)

    with ThreadPoolExecutor(2) as fetchers:
        for future in [fetchers.submit(fetch) for _ in range(2)]:
            with pytest.raises(FootageError, match="99"):
                future.result()
    source.close()
