"""sha256 of weights files, remembered for as long as a file has not changed."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import IO

from models.weights import store
from models.weights.errors import WeightsError
from models.weights.formats.checkpoint import naming, open_file

_PIECE = 1 << 20
_KEPT = 500
# A file that changed so many seconds ago may change once more without its times telling.
_SETTLES = 2.0
_memory: dict[str, str] = {}


def sha256(path: Path, fresh: bool = False) -> str:
    """The sha256 of a file in hexadecimal digits.

    Remembered between processes by place, size, and the times of the last change of content and of the entry, once the
    last change is two seconds ago; what lies in the store is only ever replaced as a whole and remembered at once.
    `fresh` reads the file whatever is remembered. Raises WeightsError if the file cannot be read.
    """
    with open_file(path) as file, naming(path.name):
        status = os.fstat(file.fileno())
        key = f"{path.absolute()}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}|{status.st_ino}"
        known = None if fresh else _memory.get(key) or _load().get(key)
        if known is None:
            known = digest(file)
            if not (store.folder() in path.absolute().parents or _settled(status)):
                return known
            if not fresh:
                _save(key, known)
        _memory[key] = known
        return known


def _settled(status: os.stat_result) -> bool:
    return time.time() - max(status.st_mtime, status.st_ctime) >= _SETTLES


def digest(file: IO[bytes]) -> str:
    """The sha256 of an open file, from where it stands to its end."""
    state = hashlib.sha256()
    while piece := file.read(_PIECE):
        state.update(piece)
    return state.hexdigest()


def _cache() -> Path:
    return store.folder() / ".hashes.json"


def _load() -> dict[str, str]:
    try:
        content = json.loads(_cache().read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: value for key, value in content.items() if isinstance(value, str) and len(value) == 64}


def _save(key: str, value: str) -> None:
    """Losing an update to another process only costs time, and a folder that cannot be written is no error here."""
    known = _load()
    known[key] = value
    try:
        if store.folder().is_dir():
            store.write_json(_cache(), dict(list(known.items())[-_KEPT:]))
    except WeightsError:
        pass
