"""Where the worker's socket and log are, and which device names there are."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from nodes.errors import ParameterError, WorkerError

_DEVICE = re.compile(r"cpu|cuda:(0|[1-9][0-9]?)")


def runtime_folder() -> Path:
    """The user's private folder for sockets, made if need be.

    `CLEANPLATE_RUNTIME`, else `$XDG_RUNTIME_DIR/cleanplate`, else `/tmp/cleanplate-<uid>`. Raises WorkerError if it
    is not the user's own or others can enter it.
    """
    setting = os.environ.get("CLEANPLATE_RUNTIME", "")
    xdg = os.environ.get("XDG_RUNTIME_DIR", "")
    if setting:
        folder = Path(setting).absolute()
    elif xdg and os.access(xdg, os.W_OK | os.X_OK):
        folder = Path(xdg) / "cleanplate"
    else:
        folder = Path(f"/tmp/cleanplate-{os.getuid()}")
    if folder.is_symlink():
        # Whoever can change the link could lead clients to a worker of their own.
        raise WorkerError(
            f"{folder} is a link, and the worker's socket has to lie in a folder itself; "
            f"{'' if setting else 'remove the link, or '}set CLEANPLATE_RUNTIME to {folder.resolve()}"
        )
    try:
        folder.mkdir(mode=0o700, parents=bool(setting), exist_ok=True)
        status = folder.lstat()
        if status.st_uid != os.getuid():
            raise WorkerError(
                f"the folder {folder} does not belong to you, so the worker's socket cannot be there; "
                "remove it, or set CLEANPLATE_RUNTIME to a folder of your own"
            )
        if stat.S_IMODE(status.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise WorkerError(f"the folder {folder} for the worker's socket cannot be used: {error.strerror}") from None
    return folder


def state_folder() -> Path:
    """Where logs go: `$CLEANPLATE_HOME/log`, `$XDG_STATE_HOME/cleanplate`, `~/.local/state/cleanplate`.

    The runtime folder where that cannot be had.
    """
    home = os.environ.get("CLEANPLATE_HOME")
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    folder = Path(home).expanduser().absolute() / "log" if home else Path(base) / "cleanplate"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    except OSError:
        pass
    return runtime_folder()


def resolve(device: str) -> str:
    """The device a client means: `auto` is the first GPU if the machine seems to have one, else the processor.

    Raises ParameterError for a name that is none.
    """
    if device == "auto":
        return "cuda:0" if gpu_in_sight() else "cpu"
    if not _DEVICE.fullmatch(device):
        raise ParameterError(f"there is no device '{device}': it is auto, cpu, cuda:0, cuda:1 and so on")
    return device


def slot(device: str) -> str:
    """The name a device has whoever asks: the physical GPU, since CUDA_VISIBLE_DEVICES renumbers them."""
    if device == "cpu":
        return device
    index = int(device.removeprefix("cuda:"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return f"cuda-{index}"
    chosen = visible.split(",")
    physical = chosen[index].strip() if index < len(chosen) else f"none-{index}"
    return "cuda-" + re.sub(r"[^A-Za-z0-9_-]", "_", physical)[:40]


def socket_path(device: str) -> Path:
    """The socket of the worker for a device. Raises WorkerError where the system cannot have so long a name."""
    path = runtime_folder() / f"worker-{slot(device)}.sock"
    if len(os.fsencode(path)) > 95:
        raise WorkerError(f"the path {path} is too long for a socket: set CLEANPLATE_RUNTIME to a shorter folder")
    return path


def log_path(device: str) -> Path:
    return state_folder() / f"worker-{slot(device)}.log"


def gpu_in_sight() -> bool:
    """Whether the machine shows an NVIDIA GPU to this process; looks at device files only."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1", "NoDevFiles"):
        return False
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()
