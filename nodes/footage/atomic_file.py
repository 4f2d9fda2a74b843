"""Files that are either there and whole, or not there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Callable

from nodes.errors import OutputError

_TEMPORARY = ".tmp"
_LONGEST_NAME = 180  # bytes; file systems take 255
_HINTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "you lack the permission to write there",
    errno.EPERM: "you lack the permission to write there",
    errno.EROFS: "the disk is read-only",
    errno.ENAMETOOLONG: "the name is too long",
}


def write_file(path: str, data: bytes, check: Callable[[str], None] | None = None) -> None:
    """Writes the file under a temporary name beside it and renames it; folders are made where they are missing.

    `check` is asked just before, and raises where the name must not be taken. Raises OutputError, and leaves what was
    there before, where that fails.
    """
    folder = os.path.dirname(path)
    temporary = hidden_name(path, f".{os.getpid()}.{secrets.token_hex(4)}{_TEMPORARY}")
    try:
        if folder:
            os.makedirs(folder, exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.write(data)
            if check is not None:
                check(path)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: str, error: OSError) -> OutputError:
    """What is said to the user."""
    reason = _HINTS.get(error.errno or 0, error.strerror or str(error))
    return OutputError(f"{path} cannot be written: {reason}.")


def hidden_name(path: str, ending: str) -> str:
    """A hidden name beside a file, for what belongs to it; its own for every file, however long the file's name is."""
    folder, name = os.path.split(path)
    encoded = os.fsencode(name)
    if len(encoded) > _LONGEST_NAME:
        name = hashlib.sha256(encoded).hexdigest()
    return os.path.join(folder, f".{name}{ending}")


def temporaries(path: str) -> list[str]:
    """What `write_file` leaves behind beside a file where the process is killed."""
    folder, start = os.path.split(hidden_name(path, "."))
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if name.startswith(start) and name.endswith(_TEMPORARY)]
