"""Says whether Natron will find what was installed, and why not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from install import natron
from install import natron_places as places
from install.finding import Finding
from install.systems import binary_of, sentence

AGAIN = "run cleanplate install natron again"
SECONDS = 60


def check() -> str:
    """One line for `cleanplate doctor`. Raises Finding."""
    program = places.renderer()
    host = f"Natron is {program}" if program else "no Natron is on the PATH, which it need not be"
    where = natron.target()
    if not natron.is_installed():
        found = _elsewhere()
        if found is None:
            return f"not installed: cleanplate install natron puts the nodes into Natron ({host})"
        bundle, reason = found
        _check_bundle(bundle)
        return f"the nodes are found in {bundle} through {reason}, {sentence(bundle)} ({host})"
    _check_bundle(where.bundle)
    if natron.built_bundle().is_dir() and not _same_bundle(where.bundle, natron.built_bundle()):
        raise Finding(f"{where.bundle} differs from the one that was built last: {AGAIN}")
    place = places.found_in(where.folder, places.bundle_places())
    if place is None:
        raise Finding(f"Natron does not look into {where.folder}, its preferences do not name it any more: {AGAIN}")
    if not any(where.scripts.glob("*.py")):
        raise Finding(f"the toolbar and the groups are not in {where.scripts} any more: {AGAIN}")
    if places.found_in(where.scripts, places.script_places()) is None:
        raise Finding(f"Natron does not look for groups in {where.scripts}: {AGAIN}")
    return (
        f"the nodes are in {where.bundle}, found through {place.reason}, {sentence(where.bundle)}; "
        f"toolbar and groups in {where.scripts}; {host}"
    )


def _elsewhere() -> tuple[Path, str] | None:
    """A bundle that Natron finds though it is not in the user's own place."""
    for place in places.bundle_places():
        if place.folder.is_dir():
            for bundle in sorted(place.folder.glob(f"**/{natron.BUNDLE}")):
                return bundle, place.reason
    return None


def _check_bundle(bundle: Path) -> None:
    binary = binary_of(bundle)
    if not binary.is_file():
        raise Finding(f"{binary} is missing: {AGAIN}")
    trouble = _loading_trouble(binary)
    if trouble:
        raise Finding(f"{binary} cannot be loaded: {trouble}")
    cache = places.remembered_as_empty(binary)
    if cache is not None:
        raise Finding(
            f"Natron remembers in {cache} that the nodes could not be loaded once and does not try again: "
            "start it once with --clear-openfx-cache"
        )
    _check_worker(bundle / "Contents" / "Resources" / "worker.txt")


def _loading_trouble(binary: Path) -> str:
    """What the system's loader says against a binary, from a process of its own; "" if nothing."""
    program = "import ctypes, os, sys; ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW | os.RTLD_LOCAL)"
    command = [sys.executable, "-I", "-c", program, str(binary)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = result.stderr.strip().splitlines()
    return "" if result.returncode == 0 else (lines[-1] if lines else f"it ends with status {result.returncode}")


def _check_worker(description: Path) -> None:
    """The worker that the bundle will start."""
    try:
        entries = dict(line.split("=", 1) for line in description.read_text("utf-8").splitlines() if "=" in line)
    except OSError as error:
        raise Finding(
            f"{description} cannot be read ({error.strerror}), so the nodes find no worker: {AGAIN}"
        ) from None
    python, folder = entries.get("python", ""), entries.get("folder", "")
    if not os.access(python, os.X_OK):
        raise Finding(
            f"the worker's Python {python} is gone: run make setup in {natron.HOUSE}, make plugin, and {AGAIN}"
        )
    if not (Path(folder) / "plugin" / "worker").is_dir():
        raise Finding(f"the worker's software is not in {folder} any more: run make plugin, and {AGAIN}")


def _same_bundle(a: Path, b: Path) -> bool:
    def content(bundle: Path) -> dict[Path, bytes]:
        return {path.relative_to(bundle): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}

    return content(a) == content(b)
