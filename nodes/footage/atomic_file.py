"""Files that are either there and whole, or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable

from nodes.errors import OutputError

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
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name[:200]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
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
        reason = _HINTS.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"{path} cannot be written: {reason}.") from error
