"""How a render talks: each sentence once, what is left of the whole command, errors as events."""

import json

import pytest

from models import wording
from models.wording import setting
from nodes.errors import FootageError
from plugin.cli import main
from plugin.cli.words import SHELL
from plugin.rendering import course
from plugin.rendering.course import Course, one_course
from plugin.rendering.events import progress


class Clock:
    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(course.time, "monotonic", lambda: self.now)


def lines(capsys):
    out, err = capsys.readouterr()
    return out.splitlines(), err.splitlines()


def test_what_differs_in_the_frame_alone_is_said_once_and_counted(capsys):
    report = progress(False, 70)
    for frame in range(1003, 1067):
        report.event("note", text=f"Frame {frame} is missing; frame 1002 is held in its place.", frame=frame)
    report.event("note", text="another", frame=1003)
    report.event("note", text="waiting, 2 frames ahead")
    report.event("note", text="waiting, 1 frame ahead")
    report.close()
    assert lines(capsys)[1] == [
        "Frame 1003 is missing; frame 1002 is held in its place.",
        "another",
        "waiting, 2 frames ahead",
        "waiting, 1 frame ahead",
        "Frame 1003 is missing; frame 1002 is held in its place. (64 frames like this, first 1003)",
    ]


def test_programs_hear_of_every_failed_frame_and_people_once(capsys):
    def fail(report):
        for frame in (2, 3, 4):
            report.event("failed", frame=frame, text=f"Frame {frame} is missing.")
        report.event("finished", rendered=1, skipped=0, failed=3, seconds=1.0, fps=1.0)
        report.close()

    fail(progress(True, 4))
    events = [json.loads(line) for line in lines(capsys)[0]]
    assert [event["event"] for event in events] == ["failed"] * 3 + ["finished"]
    assert [(event["done"], event["total"]) for event in events[:3]] == [(1, 4), (2, 4), (3, 4)]
    fail(progress(False, 4))
    out, err = lines(capsys)
    assert err == ["frame 2 failed: Frame 2 is missing.", "Frame 2 is missing. (3 frames like this, first 2)"]
    assert out[0].startswith("1 frame rendered, 0 were finished already, 3 failed")


def test_the_time_left_is_that_of_the_whole_command(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    with one_course(2):
        for part in (1, 2):
            report = progress(False, 3)
            for frame in (1, 2, 3):
                clock.now += 60
                report.event("frame", frame=frame, path=f"{part}.exr", milliseconds=1.0)
            report.close()
    out, _ = lines(capsys)
    assert out[0] == "[1/6] frame 1: 1.exr (1 ms), 5 min left"
    assert out[3] == "[4/6] frame 1: 2.exr (1 ms), 2 min left"
    assert out[5] == "[6/6] frame 3: 2.exr (1 ms)"


def test_a_course_within_a_course_is_part_of_it_and_finished_frames_tell_nothing(monkeypatch):
    clock = Clock(monkeypatch)
    with one_course(3):
        whole = course.current()
        with one_course(2):
            assert course.current() is whole
    alone = Course()
    alone.begin(10)
    for _ in range(5):
        alone.count(rendered=False)
    assert alone.seconds_left() is None
    clock.now = 7
    alone.count(rendered=True)
    assert alone.seconds_left() == 28
    assert course.current() is not whole


def test_errors_are_events_with_json_and_spelled_for_the_shell(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["render", "inpaint", "--source", "none.####.exr", "--out", "o.####.exr", "--json"]) == 1
    out, err = lines(capsys)
    assert json.loads(out[0])["event"] == "error"
    assert json.loads(out[0])["text"] == err[0].removeprefix("cleanplate: ")
    assert main(["weights", "check", "nowhere.pth", "--json"]) == 1
    assert json.loads(lines(capsys)[0][0])["event"] == "error"
    with pytest.raises(SystemExit):
        main(["render", "inpaint", "--json"])
    assert "--out" in json.loads(lines(capsys)[0][0])["text"]


def test_sentences_are_in_the_words_of_the_shell(capsys):
    with wording.speaking(SHELL):
        for as_json in (True, False):
            report = progress(as_json, 1)
            report.event("failed", frame=1, text=str(FootageError(f"no; {setting('missingFrames', 'hold')}")))
            report.event("note", text=f"or {setting('inputSpace', 'sRGB')}")
    out, err = lines(capsys)
    assert [json.loads(line)["text"] for line in out] == [
        "no; add --set missingFrames=hold",
        "or add --input-space sRGB",
    ]
    assert err == ["frame 1 failed: no; add --set missingFrames=hold", "or add --input-space sRGB"]


def test_files_that_the_shell_put_in_the_place_of_a_pattern(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 3):
        (tmp_path / f"a.000{number}.exr").touch()
    with pytest.raises(SystemExit):
        main(["render", "inpaint", "--source", "a.0001.exr", "a.0002.exr", "a.0003.exr", "--out", "o.####.exr"])
    assert "the shell replaced a pattern by the names of files; write a.####.exr" in lines(capsys)[1][-1]
