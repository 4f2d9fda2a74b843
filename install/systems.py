"""Which operating systems a bundle holds binaries for."""

from __future__ import annotations

import sys
from pathlib import Path

BINARY = "Cleanplate.ofx"
# sys.platform, the folder that OpenFX gives to it, its name
_SYSTEMS = (
    ("linux", "Linux-x86-64", "Linux"),
    ("darwin", "MacOS", "macOS"),
    ("win32", "Win64", "Windows"),
)


def binary_of(bundle: Path, platform: str = sys.platform) -> Path:
    """The binary for a system, by default this one; it need not be there."""
    folder = next(folder for name, folder, _ in _SYSTEMS if name == platform)
    return bundle / "Contents" / folder / BINARY


def built_for(bundle: Path) -> list[str]:
    """The names of the systems whose binaries are there."""
    return [name for platform, _, name in _SYSTEMS if binary_of(bundle, platform).is_file()]


def sentence(bundle: Path) -> str:
    """What `install` and `doctor` say about it."""
    return f"built for {' and '.join(built_for(bundle)) or 'no system at all'}"
