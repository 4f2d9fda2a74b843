"""Puts the OpenFX bundle and the Natron scripts where Natron finds them, and takes exactly that away again.

Without `to`, the bundle goes to `$CLEANPLATE_HOME/natron` (`~/.local/share/cleanplate/natron`), which is entered into
Natron's preferences, and the scripts go to `~/.Natron/Cleanplate`. With `to` everything goes below that folder and
nothing else is touched. A list of what was installed, with hashes, lies beside the bundle.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from install import natron_places as places
from models.weights import store
from nodes.errors import CleanplateError

HOUSE = Path(__file__).resolve().parents[1]
BUNDLE = "Cleanplate.ofx.bundle"
SCRIPTS = HOUSE / "plugin" / "natron"
SCRIPT_SUFFIXES = (".py", ".png")
LIST = "cleanplate-installed.json"


@dataclass(frozen=True)
class Target:
    """Where things go: the bundle and the list into `folder`, the scripts into `scripts`."""

    folder: Path
    scripts: Path
    shared: bool

    @property
    def bundle(self) -> Path:
        return self.folder / BUNDLE

    @property
    def list(self) -> Path:
        return self.folder / LIST


def target(to: Path | None = None) -> Target:
    """The user's own place, or below a folder for many."""
    if to is None:
        return Target(store.home() / "natron", places.scripts_folder() / "Cleanplate", shared=False)
    folder = Path(os.path.abspath(to.expanduser()))
    return Target(folder, folder / "Cleanplate", shared=True)


def built_bundle() -> Path:
    return HOUSE / "build" / BUNDLE


def how_to_build() -> str:
    """The command that builds the bundle: in a checkout, or where a wheel was installed."""
    if (HOUSE / "Makefile").is_file():
        return f"make plugin in {HOUSE}"
    return f"make -C {HOUSE} -f plugin/ofx/plugin.mk plugin VENV={sys.prefix} STAMP="


def install(to: Path | None = None) -> Target:
    """Installs, or replaces an earlier installation. Raises CleanplateError."""
    where, bundle = target(to), built_bundle()
    if not (bundle / "Contents").is_dir():
        raise CleanplateError(f"{bundle} is not there yet: run {how_to_build()} first")
    before = _read_list(where)
    plan = {where.bundle / path.relative_to(bundle): path for path in _files(bundle)}
    plan |= {
        where.scripts / path.relative_to(SCRIPTS): path for path in _files(SCRIPTS) if path.suffix in SCRIPT_SUFFIXES
    }
    for path in plan:
        if path.exists() and str(path) not in before.get("files", {}) and not _same(path, plan[path]):
            raise CleanplateError(f"{path} is there already and was not put there by Cleanplate: move it away first")
    uninstall(to, keep_preference=True)
    try:
        folders = _missing_folders([where.folder, *(path.parent for path in plan)])
        entered = not where.shared and places.prefer(places.BUNDLES_KEY, where.folder)
        content = {
            "files": {str(path): _digest(source) for path, source in plan.items()},
            "folders": [*map(str, folders), *(name for name in before.get("folders", []) if Path(name).is_dir())],
            "preference": bool(entered or before.get("preference")),
        }
        # First, so that an installation that is cut off can be taken away.
        where.folder.mkdir(parents=True, exist_ok=True)
        where.list.write_text(json.dumps(content, indent=1), "utf-8")
        for path, source in plan.items():
            _copy(source, path)
    except OSError as error:
        raise CleanplateError(f"{error.filename or where.folder} cannot be written: {error.strerror}") from None
    return where


def uninstall(to: Path | None = None, keep_preference: bool = False) -> list[str]:
    """Removes what `install` put there; returns sentences about what was left because somebody changed it."""
    where = target(to)
    content = _read_list(where)
    left = []
    for name, digest in content.get("files", {}).items():
        path = Path(name)
        if path.is_file() and _digest(path) != digest:
            left.append(f"{path} was changed since and stays")
        else:
            path.unlink(missing_ok=True)
    if content:
        if content.get("preference") and not keep_preference:
            places.prefer_no_more(places.BUNDLES_KEY, where.folder)
        where.list.unlink(missing_ok=True)
    for name in sorted(content.get("folders", []), key=len, reverse=True):
        folder = Path(name)
        _clear_bytecode(folder)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return left


def is_installed(to: Path | None = None) -> bool:
    return target(to).list.exists()


def _read_list(where: Target) -> dict[str, Any]:
    try:
        content = json.loads(where.list.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CleanplateError(f"{where.list} cannot be read ({error}): remove it and what it lies beside") from None
    return content if isinstance(content, dict) else {}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name != "__init__.py":
            yield path


def _copy(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.copyfile(source, temporary)
    shutil.copymode(source, temporary)
    temporary.replace(path)


def _missing_folders(folders: list[Path]) -> list[Path]:
    """The folders, their parents included, that will have to be made."""
    return sorted({path for folder in folders for path in (folder, *folder.parents) if not path.exists()})


def _clear_bytecode(folder: Path) -> None:
    """Natron's Python leaves bytecode beside the scripts."""
    for cache in folder.glob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)


def _same(a: Path, b: Path) -> bool:
    return a.is_file() and _digest(a) == _digest(b)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
