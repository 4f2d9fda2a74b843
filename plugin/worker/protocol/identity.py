"""Which software a worker runs: clients want one that runs theirs, with their settings."""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[3]
_PARTS = ("models", "nodes", "plugin")
_SUFFIXES = (".py", ".yaml")
# What a client sends that cannot tell the build but wants the software as it is on disk now.
CURRENT = "current"
_OWN_AFFAIR = ("CLEANPLATE_RUNTIME",)


def release() -> str:
    """The version of the software."""
    try:
        return version("cleanplate")
    except PackageNotFoundError:
        return "unknown"


def build() -> str:
    """A digest of this installation's code and of the CLEANPLATE_ settings: equal digests, equal pixels.

    Reads no file, only names, sizes and times, so that it costs a client a few milliseconds. `CLEANPLATE_BUILD`, if
    set, is taken instead, for whoever edits the code while workers run.
    """
    if os.environ.get("CLEANPLATE_BUILD"):
        return os.environ["CLEANPLATE_BUILD"][:32]
    digest = hashlib.sha256()
    for name in sorted(os.environ):
        if name.startswith("CLEANPLATE_") and name not in _OWN_AFFAIR:
            digest.update(f"{name}={os.environ[name]}\0".encode())
    extra = os.environ.get("CLEANPLATE_NODE_PATH", "").split(os.pathsep)
    for folder in (*(HOUSE / part for part in _PARTS), *(Path(entry) for entry in extra if entry)):
        for path, status in sorted(_code(str(folder))):
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:32]


def _code(folder: str) -> list[tuple[str, os.stat_result]]:
    found: list[tuple[str, os.stat_result]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIXES):
                    found.append((entry.path, entry.stat()))
                elif entry.is_dir() and not entry.name.startswith((".", "_")):
                    found += _code(entry.path)
    except OSError:
        pass
    return found
