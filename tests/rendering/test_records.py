"""What is finished already: passes go by what they were made from, not by where it lay or how old it was."""

from __future__ import annotations

import dataclasses
import os
import shutil

import pytest
from local_render import FACE, render, shot, write_shot

from nodes import catalogue
from plugin.rendering.records import Records

FRAMES = range(1, 6)
# What of a shot is made again when frame 3 of the source is another one.
NODES = {
    "alone": (FACE, [3]),
    "earlier": (dataclasses.replace(FACE, temporal=True), [3, 4, 5]),
    "whole": (dataclasses.replace(FACE, temporal=True, looks_ahead=True), [1, 2, 3, 4, 5]),
}


def unfinished(what):
    records = Records(what)
    return [frame for frame in what.frames if not records.is_finished(frame)]


@pytest.fixture(params=sorted(NODES))
def made(request, tmp_path):
    """A rendered shot with a mask in a still: `again(place)` is the same render of the shot at another place."""
    node, stale = NODES[request.param]
    (tmp_path / "shot").mkdir()
    write_shot(tmp_path / "shot/s.####.exr", FRAMES)
    write_shot(tmp_path / "shot/m.exr", [1])

    def again(place: str = "shot", out: str = "o", **settings):
        folder = tmp_path / place
        return shot(f"{folder}/s.####.exr", f"{tmp_path / out}/a.####.exr", FRAMES, f"{folder}/m.exr", node, **settings)

    assert render(again()).rendered == 5
    return tmp_path, again, stale


def test_the_same_shot_elsewhere_is_finished(made) -> None:
    folder, again, _ = made
    assert unfinished(again()) == []
    shutil.copytree(folder / "shot", folder / "mount/shot", copy_function=shutil.copyfile)
    os.symlink(folder / "mount", folder / "link")
    for name in os.listdir(folder / "shot"):
        os.utime(folder / "shot" / name)
    (folder / "o").rename(folder / "moved")
    for place in ("shot", "mount/shot", "link/shot"):
        assert unfinished(again(place, "moved")) == []
    assert unfinished(again("mount/shot", "elsewhere")) == list(FRAMES)


def test_another_frame_makes_stale_what_depends_on_it(made) -> None:
    folder, again, stale = made
    path = folder / "shot/s.0003.exr"
    size = path.stat().st_size
    write_shot(folder / "shot/s.####.exr", [3], value=0.25)
    path.write_bytes(path.read_bytes().ljust(size))
    assert unfinished(again()) == stale
    write_shot(folder / "shot/s.####.exr", [3])
    assert unfinished(again()) == []


def test_settings_ways_of_reading_and_other_stills_make_all_stale(made) -> None:
    folder, again, _ = made
    assert unfinished(again(gain=3.0)) == list(FRAMES)
    assert unfinished(again(inputSpace="ACEScg")) == list(FRAMES)
    write_shot(folder / "shot/m.exr", [1], value=0.1)
    assert unfinished(again()) == list(FRAMES)


def test_a_shot_that_grows_leaves_finished_what_looks_back_only(made) -> None:
    folder, again, stale = made
    write_shot(folder / "shot/s.####.exr", [6, 7])
    assert unfinished(again()) == (list(FRAMES) if stale == list(FRAMES) else [])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"Source": 1}', '{"Source": ["a", "b", "zz"]}', "\0"])
def test_what_is_no_record_is_not_believed(tmp_path, monkeypatch, text) -> None:
    source = write_shot(tmp_path / "s.####.exr", FRAMES)
    what = shot(source, str(tmp_path / "o/a.####.exr"), FRAMES)
    monkeypatch.setattr(Records, "inputs", lambda self, frame: text)
    render(what)
    assert unfinished(what) == list(FRAMES)


def test_a_named_file_counts_by_what_it_holds(tmp_path) -> None:
    source = write_shot(tmp_path / "s.####.exr", FRAMES)
    parameter = dataclasses.replace(FACE.parameter("gain"), name="list", type="string", default="", minimum=None)
    node = dataclasses.replace(FACE, parameters=(*FACE.parameters, parameter))

    def key(**settings):
        return shot(source, str(tmp_path / "o/a.####.exr"), FRAMES, node=node, **settings).key(1)

    for name, text in (("a.txt", "wire"), ("b.txt", "wire"), ("c.txt", "stand")):
        (tmp_path / name).write_text(text)
    a, b, c = (key(list=str(tmp_path / name)) for name in ("a.txt", "b.txt", "c.txt"))
    assert a == b != c
    assert key(weights=str(tmp_path / "a.txt")) == key()  # weights have a digest of their own
    assert key(sourceFile=source) == key()


@pytest.mark.parametrize(
    ("node", "settings", "span"),
    [
        ("inpaint", {}, (5, 5)),
        ("inpaint", {"mode": "still plate"}, (1, 9)),
        ("inpaint", {"mode": "follow"}, (1, 9)),
        ("segment", {}, (5, 5)),
        ("segment", {"smoothFrames": 1}, (1, 9)),
        ("video-matte", {}, (1, 5)),
        ("background-matte", {}, (5, 5)),
    ],
)
def test_which_frames_decide_a_frame_stands_in_the_face(node, settings, span) -> None:
    face = catalogue.find(node)
    assert face.frames_behind(5, (1, 9), face.parse(settings)) == span
