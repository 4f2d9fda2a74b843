"""What is taught by which files: key frames of all kinds, and those that teach nothing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from footage_files import write
from learning_shot import FRAMES, HEIGHT, KEYS, WIDTH, disc, marked, picture, write_keys, write_shot
from local_render import Events

from nodes.errors import CleanplateError
from nodes.learning.region import MOST_PIXELS
from plugin.cli import learn
from plugin.learning.lessons import Lessons, lessons_of
from plugin.learning.request import LearnRequest, ShotAndKeys, plan_learning


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shot(tmp_path)
    return tmp_path


def taught(folder: Path, keys: str = "roto.####.exr", events: Events | None = None, **how: Any) -> Lessons:
    pair = ShotAndKeys(f"{folder}/shot.####.exr", f"{folder}/{keys}", how.pop("plate", ""))
    request = LearnRequest([pair, *how.pop("more", [])], f"{folder}/out.safetensors", **how)
    return lessons_of(plan_learning(request), events or Events())


def said(events: Events) -> list[str]:
    return [fields["text"] for name, fields in events.told if name == "note"]


def write_key(folder: Path, frame: int, pixels: Any, channels: str, **how: Any) -> None:
    write(folder / f"roto.{frame}.exr", pixels, list(channels), **how)


def test_one_channel_teaches_a_matte(folder) -> None:
    write_keys(folder)
    events = Events()
    lessons = taught(folder, events=events)
    (lesson,) = lessons.lessons
    assert (lessons.kind, list(lesson.keys), list(lesson.frames)) == ("matte", list(KEYS), list(FRAMES))
    np.testing.assert_allclose(lesson.keys[1006], disc(1006), atol=1e-3)
    shown = lesson.picture(1006)
    assert (shown.dtype, shown.shape) == (np.uint8, (HEIGHT, WIDTH, 3))
    # Brighter than white is white to a network; 0.2 in light is 124 of 255 as it is shown.
    assert tuple(shown[HEIGHT // 2, int(WIDTH * 0.45)][:2]) == pytest.approx((255, 124), abs=3)
    assert said(events) == []


def test_alpha_that_says_something_is_the_matte_and_alpha_that_does_not_leaves_the_colour(folder) -> None:
    write_key(folder, 1001, np.concatenate([picture(1001) / 2, disc(1001)], axis=2), "RGBA")
    events = Events()
    lessons = taught(folder, events=events)
    assert lessons.kind == "matte"
    np.testing.assert_allclose(lessons.lessons[0].keys[1001], disc(1001), atol=1e-3)
    assert "the alpha is taught, as a matte (--teach" in said(events)[0]
    assert taught(folder, teach="picture").kind == "picture"

    write_key(folder, 1001, np.concatenate([picture(1001) / 2, np.ones((HEIGHT, WIDTH, 1))], axis=2), "RGBA")
    events = Events()
    lessons = taught(folder, events=events)
    assert lessons.kind == "picture"
    assert said(events) == [
        "the key frames' alpha is the same everywhere: their colour is taught, as a picture (--teach names the other)"
    ]


def test_three_channels_that_are_the_same_are_a_matte_as_it_is_stored(folder) -> None:
    grey = (255 * np.repeat(disc(1001), 3, axis=2)).astype(np.uint8) / np.float32(255)
    grey[0, 0] = 128 / 255
    write(folder / "roto.1001.png", grey, kind=oiio.UINT8)
    lessons = taught(folder, "roto.####.png")
    assert lessons.kind == "matte"
    assert lessons.lessons[0].keys[1001][0, 0, 0] == pytest.approx(128 / 255, abs=1e-3)


def test_three_colour_channels_teach_a_picture(folder) -> None:
    _, clean = marked(1001)
    write_key(folder, 1001, clean, "RGB")
    lessons = taught(folder)
    assert lessons.kind == "picture"
    shown = 1.055 * clean ** (1 / 2.4) - 0.055
    np.testing.assert_allclose(lessons.lessons[0].keys[1001], shown, atol=1e-3)


def test_a_layer_can_be_named(folder) -> None:
    pixels = np.concatenate([picture(1001) / 2, disc(1001)], axis=2)
    write(folder / "roto.1001.exr", pixels, ["R", "G", "B", "roto.A"])
    assert taught(folder).kind == "picture"
    assert taught(folder, "roto.####.exr:roto.A").kind == "matte"


def test_keys_are_laid_by_their_formats_and_have_no_truth_beyond_their_pixels(folder) -> None:
    part = np.full((10, 12, 3), [0.5, 0.25, 0.25], np.float32)
    write_key(folder, 1001, part, "RGB", origin=(20, 8), display=(0, 0, WIDTH, HEIGHT))
    lesson = taught(folder).lessons[0]
    key, source = lesson.keys[1001], lesson.picture(1001) / np.float32(255)
    assert key[8:18, 20:32].std(axis=(0, 1)).max() < 1e-6
    np.testing.assert_allclose(np.delete(key, np.s_[8:18], 0), np.delete(source, np.s_[8:18], 0), atol=0.5 / 255)


def test_the_network_sees_the_overscan_that_keys_have_and_at_most_so_many_pixels(tmp_path) -> None:
    wide = {"origin": (-4, -2), "display": (0, 0, 1400, 900)}
    for name, channels, pixels in (("shot", "RGB", 0.5), ("roto", "A", 0.5)):
        write(tmp_path / f"{name}.1001.exr", np.full((904, 1408, len(channels)), pixels), list(channels), **wide)
    lessons = taught(tmp_path)
    assert lessons.regions[0].numbers() == [-4, -2, 1408, 904, 1400, 900]
    height, width = lessons.lessons[0].keys[1001].shape[:2]
    assert 0.99 * MOST_PIXELS < height * width <= MOST_PIXELS
    np.testing.assert_allclose(lessons.lessons[0].keys[1001], 0.5, atol=1e-6)


def test_keys_outside_the_shot_are_left_out_and_said(folder) -> None:
    write_keys(folder, [1001, 1006, 2001])
    events = Events()
    assert list(taught(folder, events=events).lessons[0].keys) == [1001, 1006]
    assert said(events) == ["shot.####.exr: key frames outside the shot are left out: 2001"]


def test_one_file_is_the_key_of_its_number(folder) -> None:
    write_keys(folder, [1006])
    assert list(taught(folder, "roto.1006.exr").lessons[0].keys) == [1006]


def test_some_of_the_files_can_be_the_keys(folder) -> None:
    write_keys(folder, FRAMES)
    assert list(taught(folder, settings={"keyFrames": "1002,1011"}).lessons[0].keys) == [1002, 1011]
    with pytest.raises(CleanplateError, match=r"'keyFrames' names 1013, of which .* has no file: it has 1001-1012"):
        taught(folder, settings={"keyFrames": "1002,1013"})


def test_keys_that_contradict_each_other_and_some_that_are_black_are_taught(folder) -> None:
    write_key(folder, 1001, np.zeros((HEIGHT, WIDTH, 1)), "A")
    write_key(folder, 1002, np.ones((HEIGHT, WIDTH, 1)), "A")
    assert len(taught(folder).lessons[0].keys) == 2


def test_a_clean_plate_belongs_to_every_frame(folder) -> None:
    write_keys(folder)
    write(folder / "plate.exr", picture(1001))
    plate = taught(folder, plate=f"{folder}/plate.exr").lessons[0].plate
    assert plate is not None
    np.testing.assert_array_equal(plate(1001), plate(1009))


def test_the_same_is_taught_wherever_it_lies_and_another_key_is_not_the_same(folder, tmp_path_factory) -> None:
    write_keys(folder)
    elsewhere = tmp_path_factory.mktemp("moved")
    write_shot(elsewhere)
    write_keys(elsewhere)
    digest = taught(folder).digest
    assert taught(elsewhere).digest == digest
    assert taught(folder, seed=2).digest != digest
    write_keys(folder, [1004])
    assert taught(folder).digest != digest


def _no_keys(folder: Path) -> None:
    pass


def _black(folder: Path) -> None:
    for frame in (1001, 1002):
        write_key(folder, frame, np.zeros((HEIGHT, WIDTH, 1)), "A")


def _white(folder: Path) -> None:
    for frame in (1001, 1002):
        write_key(folder, frame, np.ones((HEIGHT, WIDTH, 1)), "A")


def _untouched(folder: Path) -> None:
    for frame in (1001, 1002):
        write_key(folder, frame, picture(frame), "RGB")


def _outside(folder: Path) -> None:
    write_keys(folder, [2001, 2002])


def _other_size(folder: Path) -> None:
    write_keys(folder, [1001], (24, 32))


def _changes_size(folder: Path) -> None:
    write_keys(folder)
    write_shot(folder, [1007], (24, 32))


def _numberless(folder: Path) -> None:
    write(folder / "roto.####.exr", disc(1001), ["A"])


def _weights_of_others(folder: Path) -> None:
    write_keys(folder)
    (folder / "out.safetensors").write_bytes(b"mine")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_no_keys, r"--keys: No file matches .*roto\.####\.exr"),
        (_black, r"the key frames \(1001-1002\) are all black: there is nothing to learn"),
        (_white, r"the key frames \(1001-1002\) are white everywhere: the alpha of a roto over a picture may be the"),
        (_untouched, r"the key frames \(1001-1002\) show the source as it is: there is nothing to learn from them"),
        (_outside, r"no key frame lies in the shot: .*roto\.####\.exr has the frames 2001-2002, .* has 1001-1012"),
        (_other_size, r"frame 1001: the key frame is 32x24 and the source 64x48: reformat the key frame to"),
        (_changes_size, r"frame 1007 of .*shot\.####\.exr is 32x24 and frame 1001 is 64x48: a shot to learn from has"),
        (_numberless, r"roto\.####\.exr has no frame number in its name: call it such as roto\.1001\.exr"),
        (_weights_of_others, r"out\.safetensors is there already and was not made by cleanplate learn: choose another"),
    ],
)
def test_what_cannot_be_taught_is_one_sentence(folder, make, sentence) -> None:
    make(folder)
    with pytest.raises(CleanplateError, match=sentence):
        taught(folder)


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"out": "{folder}/arm.pth"}, r"arm\.pth does not end in \.safetensors"),
        ({"minutes": 0.0}, "--minutes 0 is no time to learn"),
        ({"steps": 0}, "--steps 0 is nothing to learn in"),
        ({"start": "rvm_nothing"}, "there are no weights called 'rvm_nothing'"),
        ({"settings": {"missingFrames": "sometimes"}}, "cannot be 'sometimes': it is one of error, hold, black"),
    ],
)
def test_what_is_asked_wrongly_is_one_sentence(folder, how, sentence) -> None:
    write_keys(folder)
    asked = {"out": "{folder}/out.safetensors", **how}
    asked["out"] = asked["out"].format(folder=folder)
    pairs = [ShotAndKeys(f"{folder}/shot.####.exr", f"{folder}/roto.####.exr")]
    with pytest.raises(CleanplateError, match=sentence):
        plan_learning(LearnRequest(pairs, **asked))


def test_footage_is_never_written_to(folder) -> None:
    write_keys(folder)
    (folder / "out.safetensors").hardlink_to(folder / "roto.1001.exr")
    with pytest.raises(CleanplateError, match=r"--out would overwrite the footage .a frame of --keys. with"):
        taught(folder)


def test_several_shots_teach_one_thing(folder, tmp_path_factory) -> None:
    write_keys(folder)
    other = tmp_path_factory.mktemp("other")
    write_shot(other)
    write(other / "roto.1001.exr", picture(1001))
    more = [ShotAndKeys(f"{other}/shot.####.exr", f"{other}/roto.####.exr")]
    with pytest.raises(CleanplateError, match=r"are mattes and those of .* are pictures: name both with --teach"):
        taught(folder, more=more)
    write_keys(other, [1003])
    (other / "roto.1001.exr").unlink()
    assert [list(lesson.keys) for lesson in taught(folder, more=more).lessons] == [list(KEYS), [1003]]


def test_the_command_has_the_options_that_say_how_its_inputs_are_read() -> None:
    parser = argparse.ArgumentParser()
    learn.add_parser(parser.add_subparsers())
    words = [
        "learn",
        "--source",
        "a.####.exr",
        "--source",
        "b.####.exr",
        "--keys",
        "c.####.exr",
        "--keys",
        "d.####.exr:A",
    ]
    words += ["--out", "o.safetensors", "--input-space", "ACEScg", "--keys-offset", "3", "--preview", "1001-1003"]
    request = learn.request_of(parser.parse_args([*words, "--key-frames", "1,2", "--set", "exposure=1"]))
    assert [pair.keys for pair in request.pairs] == ["c.####.exr", "d.####.exr:A"]
    assert request.settings == {"exposure": "1", "inputSpace": "ACEScg", "keysOffset": "3", "keyFrames": "1,2"}
    assert list(request.preview) == [1001, 1002, 1003]
    with pytest.raises(SystemExit):
        parser.parse_args([*words, "--weights", "x"])
    with pytest.raises(CleanplateError, match="there are 2 --source and 3 --keys: give each shot its own keys"):
        learn.request_of(parser.parse_args([*words, "--keys", "e.####.exr"]))
