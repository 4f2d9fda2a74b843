"""Where Natron looks for OpenFX bundles and for Python groups, and what it remembers of them.

From the sources of Natron 2.5 and 2.6: OpenFX bundles are looked for in `$OFX_PLUGIN_PATH`, in three system folders,
and in the folders of the preference "OpenFX plug-ins search path"; there is no folder of the user's own, so that the
preference is the only place that needs neither an administrator nor a shell's configuration. Groups and scripts are
looked for in `~/.Natron`, a system folder, `$NATRON_PLUGIN_PATH` and a preference.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from install import qsettings
from nodes.errors import CleanplateError

SYSTEM_BUNDLES = tuple(Path("/usr/OFX") / name for name in ("Plugins", "Natron", "Nuke"))
SYSTEM_SCRIPTS = Path("/usr/share/Natron/Plugins")
BUNDLES_KEY, SCRIPTS_KEY = "extraPluginsSearchPaths", "groupPluginsSearchPath"
_ROW = re.compile(r"<Name>(.*?)</Name>\s*<Value>(.*?)</Value>", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """A folder that Natron looks into, and why."""

    folder: Path
    reason: str


def settings_file() -> Path:
    """Natron's preferences; the file need not exist."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base and Path(base).is_absolute() else Path.home() / ".config"
    return folder / "INRIA" / "Natron.conf"


def scripts_folder() -> Path:
    """The user's folder for groups and scripts, which every Natron looks into."""
    return Path.home() / ".Natron"


def renderer() -> Path | None:
    """Natron's command-line program: `$NATRON_RENDERER`, or what the PATH has."""
    named = os.environ.get("NATRON_RENDERER") or shutil.which("NatronRenderer") or shutil.which("Natron")
    return Path(named).resolve() if named and Path(named).exists() else None


def bundle_places() -> list[Place]:
    """Where bundles are looked for, first come first served. Raises CleanplateError if the preferences are odd."""
    places = _bundled("Plugins/OFX/Natron")
    places += [Place(folder, "OFX_PLUGIN_PATH") for folder in _listed("OFX_PLUGIN_PATH", "[:;]")]
    if _setting("useStdOFXPluginsLocation") != "false":
        places += [Place(folder, "a system folder") for folder in SYSTEM_BUNDLES]
    return places + [Place(folder, "Natron's preferences") for folder in preferred(BUNDLES_KEY)]


def script_places() -> list[Place]:
    """Where groups and scripts are looked for. Raises CleanplateError if the preferences are odd."""
    places = [*_bundled("Plugins/PyPlugs"), Place(scripts_folder(), "the user's folder")]
    places.append(Place(SYSTEM_SCRIPTS, "a system folder"))
    places += [Place(folder, "NATRON_PLUGIN_PATH") for folder in _listed("NATRON_PLUGIN_PATH", ":")]
    return places + [Place(folder, "Natron's preferences") for folder in preferred(SCRIPTS_KEY)]


def found_in(folder: Path, places: list[Place]) -> Place | None:
    """The place through which Natron comes to a folder; it looks into subfolders that do not start with @."""
    folder = folder.resolve()
    for place in places:
        root = place.folder.resolve()
        if folder == root or (
            root in folder.parents and not any(part.startswith("@") for part in folder.relative_to(root).parts)
        ):
            return place
    return None


def preferred(key: str) -> list[Path]:
    """The folders of a preference. Raises CleanplateError if they cannot be read."""
    return [Path(html.unescape(value)) for _, value in _ROW.findall(_setting(key)) if value]


def prefer(key: str, folder: Path) -> bool:
    """Adds a folder to a preference; whether it was not there before."""
    if folder in preferred(key):
        return False
    before = _setting(key)
    row = f"<Name>Cleanplate</Name><Value>{html.escape(str(folder), quote=True)}</Value>"
    _change(key, before + row)
    return True


def prefer_no_more(key: str, folder: Path) -> bool:
    """Takes a folder out of a preference; whether it was there."""
    before = _setting(key)
    kept = [m[0] for m in _ROW.finditer(before) if Path(html.unescape(m[2])) != folder]
    if len(kept) == len(_ROW.findall(before)):
        return False
    _change(key, "".join(kept))
    return True


def caches() -> list[Path]:
    """The files in which Natron remembers bundles, of every version that ran."""
    base = os.environ.get("NATRON_DISK_CACHE_PATH")
    if not base:
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        base = os.path.join(cache, "INRIA", "Natron")
    return sorted((Path(base) / "OFXLoadCache").glob("OFXCache_*.xml"))


def remembered_as_empty(binary: Path) -> Path | None:
    """The cache in which Natron remembers that a binary could not be loaded, if it does."""
    for cache in caches():
        try:
            bundles = ElementTree.parse(cache).getroot().iter("bundle")
            status = binary.stat()
        except (OSError, ElementTree.ParseError):
            continue
        for bundle in bundles:
            entry = bundle.find("binary")
            if entry is None or entry.get("path") != str(binary) or bundle.find("plugin") is not None:
                continue
            if (entry.get("mtime"), entry.get("size")) == (str(int(status.st_mtime)), str(status.st_size)):
                return cache
    return None


def _bundled(below: str) -> list[Place]:
    program = renderer()
    return [Place(program.parent.parent / below, "Natron's own folder")] if program else []


def _listed(variable: str, separators: str) -> list[Path]:
    return [Path(part) for part in re.split(separators, os.environ.get(variable, "")) if part]


def _setting(key: str) -> str:
    try:
        return qsettings.read(_settings_text(), key)
    except ValueError as error:
        raise CleanplateError(f"{settings_file()} cannot be understood: {error}") from None


def _settings_text() -> str:
    try:
        return settings_file().read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise CleanplateError(f"{settings_file()} cannot be read: {error.strerror}") from None


def _change(key: str, value: str) -> None:
    path = settings_file()
    text = qsettings.with_value(_settings_text(), key, value)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8", "surrogateescape")
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path.resolve())
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CleanplateError(f"{path} cannot be changed: {error.strerror}") from None
