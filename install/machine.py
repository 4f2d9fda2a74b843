"""Examines the machine and the installation: what a render will find, and what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import psutil

from install import natron_check
from install.finding import Finding
from models import weights
from models.weights import registry
from nodes import catalogue

PACKAGES = ("torch", "torchvision", "numpy", "OpenImageIO", "opencv-python-headless", "safetensors", "msgpack")
GIB = 2**30
ENOUGH_MEMORY = 6 * GIB
__all__ = ["Finding", "checks"]


def checks() -> list[tuple[str, Callable[[], str]]]:
    """What to examine: names, and functions that return a line or raise Finding or WeightsError."""
    return [
        ("system", _system),
        ("packages", _packages),
        ("memory", _memory),
        ("compiler", _compiler),
        *(
            (f"weights of {face.command}", _weights_of(face.id))
            for face in catalogue.all_faces()
            if registry.knows_node(face.id)
        ),
        ("nodes", _nodes),
        ("natron", natron_check.check),
    ]


def _system() -> str:
    python = f"Python {platform.python_version()} in {sys.prefix}"
    return f"cleanplate {version('cleanplate')}, {python}, {platform.platform()}"


def _packages() -> str:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            raise Finding(f"{package} is not installed: run make setup again") from None
    return ", ".join(found)


def _memory() -> str:
    memory = psutil.virtual_memory()
    text = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
    if memory.available < ENOUGH_MEMORY:
        raise Finding(f"{text}: UHD frames may not fit, close other programs")
    return text


def _nodes() -> str:
    if wrong := catalogue.broken():
        raise Finding("; ".join(other.sentence for other in wrong))
    return ", ".join(face.command for face in catalogue.all_faces())


def _weights_of(node: str) -> Callable[[], str]:
    if made_by := registry.node(node).made_by:
        return lambda: f"yours, from {made_by}"
    return lambda: weights.default_for(node).summary()


def _compiler() -> str:
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    return compiler or "none; only execution=compiled needs one"
