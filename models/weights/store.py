"""Where imported weights live: one safetensors file per name, in a folder that several processes may use at once.

`$CLEANPLATE_HOME/weights` (default `~/.local/share/cleanplate/weights`). A file appears whole or not at all, and the
name of an imported file never changes its content halfway: replacing it puts a new file in its place. Beside it lies
`<name>.json`, the record of the import. Free of torch.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from models.weights.errors import WeightsError
from models.weights.registry import BUNDLED

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,79}")
_PATIENCE = 600.0
_STALE = 24 * 3600.0


def home() -> Path:
    """The folder of everything Cleanplate keeps for this user: `$CLEANPLATE_HOME`, else the XDG data folder."""
    given = os.environ.get("CLEANPLATE_HOME")
    if given:
        return Path(given).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data and Path(data).is_absolute() else Path.home() / ".local" / "share") / "cleanplate"


def folder() -> Path:
    """The folder of imported weights; it need not exist."""
    return home() / "weights"


def place(name: str) -> Path:
    """Where the imported weights of this name are, or would be. Raises WeightsError for an impossible name."""
    if not _NAME.fullmatch(name):
        raise WeightsError(f"'{name[:80]}' cannot be a name of weights: use letters, digits and - _ . only")
    return folder() / f"{name}.safetensors"


def imported() -> list[str]:
    """Names of the imported weights, sorted."""
    return _names(folder())


def bundled() -> list[str]:
    """Names of the weights that come with the software, sorted."""
    return _names(BUNDLED)


def bundled_place(name: str) -> Path:
    """Where the bundled weights of this name are, or would be."""
    return BUNDLED / f"{name}.safetensors"


def record(name: str) -> dict[str, Any]:
    """What was noted when the weights were imported (sha256, from, date); empty if nothing was."""
    return read_json(place(name).with_suffix(".json"))


def make_folder() -> Path:
    """The store's folder, created if need be. Raises WeightsError if that is not possible."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"the folder for weights {folder()} cannot be made ({error.strerror}); "
            "set CLEANPLATE_HOME to a folder you can write to"
        ) from None
    return folder()


@contextmanager
def locked(
    name: str = "store",
    busy: str = "another process is changing the weights",
    say: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """One process at a time: the lock `name` of the store, given back on exit and when the process dies.

    `busy` says what the other process is doing, to `say` when there is one, and in the WeightsError that is raised if
    the lock is not free within ten minutes.
    """
    path = make_folder() / f".{name}.lock"
    with _writing(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        began = time.monotonic()
        told = say is None
        while not _try_lock(handle):
            if not told and say is not None:
                say(f"{busy}; waiting")
                told = True
            if time.monotonic() > began + _PATIENCE:
                raise WeightsError(f"{busy}, for more than ten minutes now; try again later")
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """A file that takes `target`'s place once it is complete and on disk; on any error nothing changes.

    Raises WeightsError if the disk is full or the folder cannot be written.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{time.monotonic_ns()}.tmp")
    with _writing(target):
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(target: Path, content: Mapping[str, Any]) -> None:
    """Write a small JSON file in one piece. Raises WeightsError as `replacing` does."""
    with replacing(target) as file:
        file.write(json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")


def clean() -> None:
    """Remove what processes that were killed a day or more ago left half written. Call it with the lock held."""
    for leftover in folder().glob(".*.tmp"):
        try:
            if time.time() - leftover.stat().st_mtime > _STALE:
                leftover.unlink()
        except OSError:
            continue


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        ours = folder() in (path.parent, *path.parent.parents)
        remedy = f"{'set CLEANPLATE_HOME to' if ours else 'choose'} a folder you can write to"
        raise WeightsError(
            f"the disk of {path.parent} is full; nothing was changed"
            if full
            else f"{path.parent} cannot be written ({error.strerror}); {remedy}"
        ) from None


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise WeightsError(f"the folder {folder()} does not support file locks ({error.strerror})") from None
    return True


def _names(where: Path) -> list[str]:
    return sorted(path.stem for path in where.glob("*.safetensors") if _NAME.fullmatch(path.stem))


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file of the store; empty if it is missing or damaged."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
