"""The installed command: what lies about or is set for other Pythons does not reach it, Ctrl-C ends it quietly."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("cleanplate")
HOUSE = Path(__file__).resolve().parents[2]
FOREIGN = ("models", "nodes", "plugin", "install", "numpy", "json", "argparse", "typing", "sitecustomize", "x")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a command of POSIX shells")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A folder full of modules that end whatever imports them."""
    folder = tmp_path_factory.mktemp("foreign")
    for name in FOREIGN:
        (folder / f"{name}.py").write_text(f"raise SystemExit('{name} is foreign')")
    return folder


def run(folder, *arguments, command=COMMAND, **environment):
    return subprocess.run(
        [str(command), *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def test_the_command_is_the_one_of_this_house():
    assert COMMAND.read_text("ascii") == (HOUSE / "install" / "cleanplate").read_text("ascii"), "run make setup"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"PYTHONPATH": "."},
        {"PYTHONHOME": "/nowhere"},
        {"PYTHONSTARTUP": "x.py", "PYTHONINSPECT": "1"},
        {"PYTHONWARNINGS": "error", "PYTHONSAFEPATH": "", "PYTHONPLATLIBDIR": "nowhere"},
    ],
    ids=lambda settings: " ".join(settings) or "modules in the working folder",
)
def test_nothing_foreign_reaches_it(foreign, environment):
    if "PYTHONPATH" in environment:
        environment = {"PYTHONPATH": str(foreign)}
    done = run(foreign, "nodes", "inpaint", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Parameters: Input" in done.stdout


def test_nothing_foreign_reaches_what_it_starts(foreign):
    """A Python that a command starts, as `python -m` in the working folder."""
    program = (
        "import os, subprocess, sys; sys.argv[1:] = ['--version']\n"
        "import plugin.__main__ as command\n"
        "try: command.start()\nexcept SystemExit: pass\n"
        "sys.exit(subprocess.run([sys.executable, '-m', 'json.tool', '--help'], stdout=subprocess.DEVNULL).returncode)"
    )
    environment = {**os.environ, "PYTHONPATH": str(foreign), "PYTHONHOME": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], cwd=foreign, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_found_through_links(tmp_path):
    """As pipx, or a user's ~/bin, puts commands on the PATH."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "linked").symlink_to(COMMAND)
    (tmp_path / "cp").symlink_to("there/linked")
    assert run(tmp_path, "--version", command="./cp").stdout.startswith("cleanplate ")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert run("/", "--version", command=shutil.which("cp", path=str(tmp_path)), **environment).returncode == 0


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.06, 0.15, 0.3])
def test_ctrl_c_is_quiet_from_the_first_moment(tmp_path, seconds):
    """It ends the command at once, or is held back until Python can answer; there is never a traceback."""
    command = [str(COMMAND), "render", "video-matte", "--source", "a.####.exr", "--out", "b.####.exr"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert said.count("\n") <= 1
    assert process.returncode in (130, 1, -signal.SIGINT)
    assert process.returncode != 130 or said.startswith("cleanplate: stopped")


def test_a_background_job_keeps_what_its_shell_decided(tmp_path):
    """A shell that is no terminal's lets its background jobs ignore Ctrl-C: a script's render is not stopped by it."""
    script = f'"{COMMAND}" worker status --device cpu & p=$!; sleep 0.1; kill -INT $p; wait $p; echo "ended with $?"'
    done = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, "CLEANPLATE_RUNTIME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.endswith("no worker is running; the first render starts one\nended with 0\n")
