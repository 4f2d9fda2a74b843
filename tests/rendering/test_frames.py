"""Which frames are rendered: lists, holes, steps, and a source that is named by one file."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes import catalogue
from nodes.errors import FootageError, ParameterError
from nodes.footage.files.numbered import numbered, sequence_of
from nodes.footage.frame import Frame
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame
from nodes.opening import reading
from plugin.rendering.frames import frames_to_render, step
from plugin.rendering.inputs import one_for_all, open_footage
from plugin.rendering.plan import Request, plan


def touch(folder, *names):
    for name in names:
        (folder / name).touch()
    return str(folder / names[0])


def shot(folder, *frames, missing="error"):
    touch(folder, *(f"a.{frame:04d}.exr" for frame in frames))
    return Footage(str(folder / "a.####.exr"), missing=missing)


@pytest.mark.parametrize(
    ("frames", "rendered"),
    [
        ([1001, 1003, 1004], [1001, 1002, 1003, 1004]),
        ([1001, 1011, 1031], [1001, 1011, 1021, 1031]),
        ([7], [7]),
        ([-2, 0, 2], [-2, 0, 2]),
        ([1, 8, 15], [1, 8, 15]),
    ],
)
def test_without_a_list_holes_are_frames_too_and_a_step_is_none(tmp_path, frames, rendered):
    """With --frames left out a hole was passed over, and the render ended with status 0."""
    assert frames_to_render(None, shot(tmp_path, *frames)) == rendered


def test_a_stray_file_does_not_make_millions_of_holes(tmp_path):
    with pytest.raises(ParameterError, match=r"4 of the 20,240,131 frames 1-20240131: say with --frames which"):
        frames_to_render(None, shot(tmp_path, 1, 2, 3, 20240131))


@given(st.integers(-1000, 1000), st.integers(1, 50), st.sets(st.integers(0, 40), min_size=1))
def test_the_step_is_the_greatest_that_all_frames_lie_in(first, wide, places):
    frames = sorted(first + wide * place for place in places)
    found = step(frames)
    assert all((frame - frames[0]) % found == 0 for frame in frames)
    assert len(frames) == 1 or found % wide == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1000-1002", "frames 1000 are outside the source, which has 1001-1004"),
        ("-1003", r"frames -1003 are outside .*; all frames up to 1003 are 1001-1003"),
        ("1001,1-10:3", "write 1-10x3 for every 3rd frame"),
    ],
)
def test_frames_that_the_source_has_not(tmp_path, text, sentence):
    with pytest.raises(ParameterError, match=sentence):
        frames_to_render(text, shot(tmp_path, 1001, 1002, 1003, 1004))
    assert frames_to_render("1003-", shot(tmp_path, 1001, 1004)) == [1003, 1004]
    assert frames_to_render("1000-1002", shot(tmp_path, 1001, 1004, missing="hold")) == [1000, 1001, 1002]


@pytest.mark.parametrize(
    ("name", "frame", "pattern"),
    [
        ("a.1001.exr", 1001, "a.####.exr"),
        ("a_0012.exr", 12, "a_####.exr"),
        ("a-7.png", 7, "a-#.png"),
        ("a.-003.exr", -3, "a.####.exr"),
        ("IMG1234.jpg", 1234, "IMG####.jpg"),
        ("1001.exr", 1001, "####.exr"),
        ("a.v012.1001.exr", 1001, "a.v012.####.exr"),
        ("a.1001.beauty.exr", 1001, "a.####.beauty.exr"),
        ("shot_010.0001.exr", 1, "shot_010.####.exr"),
    ],
)
def test_the_number_in_a_name(tmp_path, name, frame, pattern):
    path = touch(tmp_path, name)
    one = numbered(path)
    assert (one.pattern, one.frame, one.others) == (str(tmp_path / pattern), frame, 0)


@pytest.mark.parametrize("name", ["plate.exr", "plate_v012.exr", "plate.V3.exr", "take2.exr", "v001.exr"])
def test_names_without_a_frame(tmp_path, name):
    assert numbered(touch(tmp_path, name)) is None


def test_one_file_of_a_sequence_is_no_source_and_the_pattern_is_offered(tmp_path):
    """`--source a.1001.exr --frames 1001-1004` made four results of frame 1001."""
    path = touch(tmp_path, *(f"a.{frame}.exr" for frame in range(1001, 1005)))
    with pytest.raises(FootageError, match=r"a\.1001\.exr is one of 4 numbered files: write .*/a\.####\.exr"):
        sequence_of(path)
    mixed = touch(tmp_path, "b.9.exr", "b.10.exr")
    with pytest.raises(FootageError, match=r"write .*/b\.#\.exr"):
        sequence_of(mixed)


def test_a_lone_frame_keeps_its_number(tmp_path):
    path = touch(tmp_path, "a.1003.exr", "b.1004.exr", "a.1003.png")
    source = Footage(sequence_of(path))
    assert frames_to_render(None, source, path) == [1003]
    with pytest.raises(ParameterError, match=r"1001-1002 are outside the source, which has 1003 alone: .*stillSource"):
        frames_to_render("1001-1003", source, path)
    assert sequence_of(touch(tmp_path, "a#.1001.exr")).endswith("a#.1001.exr")


def test_a_picture_is_a_still_when_the_user_says_so(tmp_path):
    source = Footage(touch(tmp_path, "photo.exr"))
    assert frames_to_render(None, source) == [1]
    assert frames_to_render("1005", source) == [1005]
    assert frames_to_render("1001-1003", source, still=True) == [1001, 1002, 1003]
    with pytest.raises(ParameterError, match=r"one picture for 3 frames: name a sequence .* set stillSource to on"):
        frames_to_render("1001-1003", source)


def test_every_door_reads_the_main_input_so_and_no_other(tmp_path):
    face = catalogue.find("inpaint")
    path = touch(tmp_path, "a.1001.exr", "a.1002.exr")
    source, mask = face.inputs[:2]
    params = face.parse({})
    with pytest.raises(FootageError, match="one of 2 numbered files"):
        reading(face, source, params).open(path)
    assert reading(face, source, face.parse({"stillSource": "on"})).open(path).sequence.is_still
    assert reading(face, mask, params).open(path).sequence.is_still


def test_a_mask_that_is_one_of_many_is_said_to_be_used_at_every_frame(tmp_path):
    window = Window(0, 0, 4, 4)
    grey = np.zeros((4, 4, 3), np.float32)
    for name in ("s.1001", "s.1002", "m.0001", "m.0002"):
        write_frame(str(tmp_path / f"{name}.exr"), [("", "RGB", grey)], Frame(grey, tuple("RGB"), window, window))
    face = catalogue.find("inpaint")
    given = {"source": str(tmp_path / "s.####.exr"), "mask": str(tmp_path / "m.0002.exr")}
    (note,) = one_for_all(face, open_footage(face, given, face.parse({})))
    assert note.startswith(f"--mask {tmp_path}/m.0002.exr is one of 2 numbered files and is used at every frame; ")
    given["mask"] = str(tmp_path / "m.####.exr")
    assert one_for_all(face, open_footage(face, given, face.parse({}))) == ()


def test_one_file_into_one_file_is_one_picture_whatever_lies_beside_it(tmp_path):
    """Pictures called photo_1.jpg and photo_2.jpg are no shot to who names one of them and one result."""
    for number in (3, 4):
        pixels = np.full((4, 6, 3), number, np.float32)
        window = Window(0, 0, 6, 4)
        write_frame(
            str(tmp_path / f"photo_{number}.exr"), [("", "RGB", pixels)], Frame(pixels, tuple("RGB"), window, window)
        )
    source, mask = str(tmp_path / "photo_3.exr"), str(tmp_path / "photo_4.exr")
    request = Request(
        "inpaint", {"source": source, "mask": mask}, str(tmp_path / "out.exr"), settings={"model": "smooth"}
    )
    shot = plan(request).shot
    assert list(shot.frames) == [3]
    assert shot.footage["Source"].frame(3).pixels[0, 0, 0] == 3
    with pytest.raises(FootageError, match=r"photo_3\.exr is one of 2 numbered files"):
        plan(dataclasses.replace(request, out=str(tmp_path / "out.####.exr")))
