"""What Natron's groups start and how they follow it, without Natron."""

import importlib
import json
import os
import subprocess
import sys
import time

import pytest

from install import natron

# A command that says where it runs, and then waits to be ended.
WAITS = """
import json, os, sys, time
weights = sys.argv[1]
with open(weights + ".status.json", "w") as out:
    json.dump({"state": "learning", "step": 3, "loss": 0.5, "minutes_left": 2.0, "pid": os.getpid()}, out)
print("PYTHONPATH" in os.environ, os.getsid(0) == os.getpid(), os.getcwd(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def process(monkeypatch):
    monkeypatch.syspath_prepend(str(natron.SCRIPTS))
    return importlib.import_module("cleanplate_process")


def bundle(folder, python):
    resources = folder / "Cleanplate.ofx.bundle/Contents/Resources"
    resources.mkdir(parents=True)
    (resources / "worker.txt").write_text(f"python={python}\nfolder=/\nrelease=1\n")
    return folder


def test_the_command_is_the_one_the_bundle_was_built_for(process, tmp_path):
    first, second = bundle(tmp_path / "a", sys.executable).parent / "nothing", tmp_path / "a"
    assert process.command([first, second]) == [sys.executable, "-I", "-m", "plugin"]
    assert process.command([tmp_path]) == [sys.executable, "-I", "-m", "plugin"], "Natron looks below its folders"
    said = subprocess.run([*process.command([second]), "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("cleanplate ")


def test_a_bundle_that_is_not_there_or_names_what_is_gone(process, tmp_path):
    with pytest.raises(process.Trouble, match="run cleanplate doctor"):
        process.command([tmp_path])
    with pytest.raises(process.Trouble, match=r"/nowhere/python is not there, .*: run make plugin again"):
        process.command([bundle(tmp_path, "/nowhere/python")])


def test_where_bundles_are_looked_for(process, monkeypatch, tmp_path):
    monkeypatch.setenv("CLEANPLATE_HOME", str(tmp_path / "home"))
    listed = ["/shows/a", "", "/shows/b"]
    preference = "<Name>Cleanplate</Name><Value>/studio &amp; co</Value>"
    folders = [str(folder) for folder in process.places(listed, preference)]
    assert folders[:3] == ["/shows/a", "/shows/b", "/studio & co"]
    assert {"/usr/OFX/Plugins", str(tmp_path / "home/natron")} <= set(folders)


def test_a_command_outlives_who_started_it_and_is_stopped_by_its_files(process, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "/a/host's/own")
    weights = tmp_path / "arm.safetensors"
    script = tmp_path / "waits.py"
    script.write_text(WAITS)
    running = process.start([sys.executable, str(script), str(weights)], process.said(weights))
    try:
        for _ in range(500):
            if process.at_work(weights) and process.said(weights).read_text():
                break
            time.sleep(0.02)
        assert process.at_work(weights) == running.pid
        assert process.said(weights).read_text() == f"False True {tmp_path}\n"
        assert process.stop(weights)
        assert running.wait(20) != 0
        assert not process.at_work(weights)
        assert not process.stop(weights)
    finally:
        running.kill()
        running.wait()


def test_another_process_with_the_number_of_one_that_is_gone_is_left_alone(process, tmp_path):
    weights = tmp_path / "arm.safetensors"
    status = {"state": "learning", "step": 3, "pid": os.getpid()}
    (tmp_path / "arm.safetensors.status.json").write_text(json.dumps(status))
    assert not process.at_work(weights)
    assert not process.stop(weights)
    assert process.describe(status, False) == "Learning ended in the middle, at step 3: press Learn to go on."


@pytest.mark.parametrize(
    ("status", "working", "words"),
    [
        ({}, False, ""),
        ({"state": "preparing", "text": "flow"}, True, "Looks at the shot: flow."),
        (
            {"state": "learning", "step": 12, "loss": 0.03125, "minutes_left": 4.53, "next_keys": [[1013, 1060], [5]]},
            True,
            "Learning: step 12, loss 0.0312, 4.5 min left. Next key to paint: 1013, 1060, 5.",
        ),
        ({"state": "waiting", "step": 12, "loss": None}, True, "Waits for the viewer: step 12."),
        (
            {"state": "finished", "step": 800, "loss": 0.01, "minutes_left": 0.0, "next_keys": [[1013]]},
            False,
            "Learned: step 800, loss 0.0100. Next key to paint: 1013.",
        ),
        ({"state": "stopped", "step": 7}, False, "Stopped; Learn goes on from here: step 7."),
        ({"state": "failed", "text": "the disk is full"}, False, "the disk is full"),
    ],
)
def test_how_it_stands_is_one_sentence(process, status, working, words):
    assert process.describe(status, working) == words


def test_what_a_command_said_last_without_its_name(process, tmp_path):
    said = tmp_path / "arm.log"
    assert process.last_sentence(said) == "It ended without a word."
    said.write_text("a note\ncleanplate: no key frame lies in the shot\n")
    assert process.last_sentence(said) == "no key frame lies in the shot"


def test_a_program_that_cannot_be_started_is_named(process, tmp_path):
    with pytest.raises(process.Trouble, match=r"/nowhere/python cannot be used: No such file"):
        process.start(["/nowhere/python"], tmp_path / "log")
    with pytest.raises(process.Trouble, match="cannot be used"):
        process.start([sys.executable], tmp_path / "no folder" / "log")
