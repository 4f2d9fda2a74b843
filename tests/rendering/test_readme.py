"""Every `cleanplate` command of the README runs as it stands, on a small shot with the names the README uses."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from reference import fill
from shell import Shell

import models
from models import weights
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from nodes.footage.writer import write_frame

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
PYTHON = re.findall(r"^```python\n(.+?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^ {4}\.venv/bin/cleanplate (.+)$", README, re.MULTILINE)


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("readme"))
    rng = np.random.default_rng(2)
    window = Window(0, 0, 72, 48)

    def save(name: str, pixels: np.ndarray) -> None:
        frame = Frame(pixels, tuple("RGB"), window, window)
        write_frame(str(shell.folder / name), [("", "RGB", pixels)], frame)

    plate = rng.random((48, 72, 3), np.float32)
    save("clean_plate.exr", plate)
    save("garbage.exr", np.zeros_like(plate))
    for number in range(1001, 1005):
        source = plate.copy()
        source[10:40, 20:50] = 0.5
        save(f"shot.{number}.exr", source)
        rig = np.zeros_like(plate)
        rig[10:20, 10 + 5 * (number - 1001) : 14 + 5 * (number - 1001)] = 1
        save(f"rig.{number}.exr", rig)
    model = fill(models.create("rvm", variant="mobilenetv3"))
    import torch

    torch.save(model.state_dict(), shell.folder / "rvm_mobilenetv3.pth")
    yield shell
    shell.run("worker", "stop")


def test_there_are_commands():
    assert len(COMMANDS) > 10
    assert weights.default_for("BackgroundMatte").state in ("bundled", "imported")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c[:50])
def test_a_command_of_the_readme_runs(shell, command):
    # Nobody waits for minutes of learning here.
    shell.run(*shlex.split(re.sub(r"--minutes \S+", "--steps 2", command)))


@pytest.mark.parametrize("block", PYTHON)
def test_the_python_of_the_readme_runs(shell, block, monkeypatch):
    monkeypatch.chdir(shell.folder)
    for name, value in shell.environment.items():
        monkeypatch.setenv(name, value)
    names = {"shot": np.full((24, 32, 3), 0.5, np.float32), "plate": np.full((24, 32, 3), 0.2, np.float32)}
    exec(compile(block, "README.md", "exec"), names)
    assert names["summary"].rendered == 4
    assert names["passes"]["alpha"].shape == (24, 32, 1)
