"""Commands of Cleanplate that outlive the host which started them. Runs in any Python; knows nothing of Natron."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

BUNDLE = "Cleanplate.ofx.bundle"
RESOURCE = Path("Contents") / "Resources" / "worker.txt"
SYSTEM = ("/usr/OFX/Plugins", "/usr/OFX/Natron", "/usr/OFX/Nuke")
WORKING = ("preparing", "learning", "waiting")
# As many frames are named for the next key.
NEXT = 3
# What a host sets for its own Python and libraries would break another one.
SCRUBBED = ("PYTHON", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_", "__PYVENV_LAUNCHER__", "QT_", "NATRON")


class Trouble(Exception):
    """`str(error)` is a sentence for the artist."""


def command(folders: Iterable[Path]) -> list[str]:
    """The words that start `cleanplate`, as the bundle in one of these folders, or one below, was built for.

    Raises Trouble where there is none, or where what it names is gone.
    """
    for folder in folders:
        for bundle in (folder / BUNDLE, *sorted(folder.glob(f"*/{BUNDLE}"))):
            try:
                lines = (bundle / RESOURCE).read_text("utf-8").splitlines()
            except OSError:
                continue
            python = dict(line.split("=", 1) for line in lines if "=" in line).get("python", "")
            if not Path(python).exists():
                raise Trouble(f"{python} is not there, which {bundle} was built for: run make plugin again.")
            return [python, "-I", "-m", "plugin"]
    raise Trouble("The Cleanplate bundle is in none of the folders that Natron looks into: run cleanplate doctor.")


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What a command of ours gets of the host's environment."""
    return {name: value for name, value in given.items() if not name.startswith(SCRUBBED)}


def start(words: Sequence[str], said: Path) -> subprocess.Popen[bytes]:
    """Starts a command in a session of its own; all it prints goes to the file `said`. Raises Trouble."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        with said.open("wb") as out:
            return subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment(os.environ),
                cwd=said.parent,
                **apart,
            )
    except OSError as error:
        raise Trouble(f"{error.filename or words[0]} cannot be used: {error.strerror}.") from None


def last_sentence(said: Path) -> str:
    """The last line that a command printed, without its name before it."""
    try:
        lines = said.read_text("utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1].removeprefix("cleanplate: ") if lines else "It ended without a word."


def places(listed: Iterable[str], preference: str) -> list[Path]:
    """Where a host looks for bundles: the folders of its variable, of its preference, of the system, and ours."""
    preferred = [html.unescape(value) for value in re.findall("<Value>(.*?)</Value>", preference)]
    home = os.environ.get("CLEANPLATE_HOME") or os.path.expanduser("~/.local/share/cleanplate")
    below = Path(__file__).resolve().parent.parent
    names = [*listed, *preferred, *SYSTEM, str(Path(home) / "natron"), str(below), str(below.parent / "build")]
    return [Path(name) for name in dict.fromkeys(names) if name]


def said(weights: Path) -> Path:
    """What the command that learns these weights prints."""
    return weights.with_name(f"{weights.name}.log")


def read_status(weights: Path) -> dict[str, Any]:
    """What the command that learns these weights, or did, wrote down; nothing where there is no such file."""
    try:
        found = json.loads(weights.with_name(f"{weights.name}.status.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def at_work(weights: Path) -> int:
    """The process that learns these weights; 0 where none does."""
    status = read_status(weights)
    pid = status.get("pid")
    if status.get("state") not in WORKING or not isinstance(pid, int) or pid <= 0:
        return 0
    return pid if str(weights) in _command_line(pid, str(weights)) else 0


def stop(weights: Path) -> bool:
    """Asks the process that learns these weights to end; whether there is one."""
    pid = at_work(weights)
    if pid:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
    return bool(pid)


def describe(status: Mapping[str, Any], working: bool) -> str:
    """How learning stands, for the artist; nothing where nothing is known."""
    state, text = status.get("state", ""), str(status.get("text", ""))
    if not state:
        return ""
    if state in WORKING and not working:
        return f"Learning ended in the middle, at step {status.get('step', 0)}: press Learn to go on."
    words = {"preparing": "Looks at the shot", "learning": "Learning", "waiting": "Waits for the viewer"}
    words |= {"finished": "Learned", "stopped": "Stopped; Learn goes on from here"}
    if state not in words:
        return text or "Learning failed."
    if state == "preparing":
        return f"{words[state]}: {text}." if text else f"{words[state]}."
    parts = [f"step {status.get('step', 0)}"]
    if isinstance(status.get("loss"), float):
        parts.append(f"loss {status['loss']:.4f}")
    if working and isinstance(status.get("minutes_left"), (int, float)):
        parts.append(f"{status['minutes_left']:.1f} min left")
    return f"{words[state]}: {', '.join(parts)}.{_next(status)}"


def _next(status: Mapping[str, Any]) -> str:
    frames = [str(frame) for listed in status.get("next_keys") or () for frame in listed][:NEXT]
    return f" Next key to paint: {', '.join(frames)}." if frames else ""


def _command_line(pid: int, assumed: str) -> str:
    """What a process was started with; nothing where there is none, and `assumed` where only that it is there is known.

    A number is given again to other processes some day.
    """
    if sys.platform == "win32":
        listed = subprocess.run(["tasklist", "/FI", f"PID eq {pid}", "/NH"], capture_output=True, text=True)
        return assumed if str(pid) in listed.stdout else ""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ")
    except OSError:
        pass
    try:
        return subprocess.run(["ps", "-p", str(pid), "-o", "args="], capture_output=True, text=True).stdout
    except OSError:
        return ""


def stamp(weights: Path) -> str:
    """Changes with the file."""
    found = weights.stat()
    return f"{found.st_mtime_ns}-{found.st_size}"
