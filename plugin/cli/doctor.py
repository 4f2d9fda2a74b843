"""`cleanplate doctor`: examines the machine as a render would find it, and says what to do about what is missing."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil

from models import weights
from models.weights.errors import WeightsError
from nodes import catalogue
from nodes.errors import CleanplateError
from plugin.worker.client import Worker

PACKAGES = ("torch", "torchvision", "numpy", "OpenImageIO", "opencv-python-headless", "safetensors", "msgpack")
GIB = 2**30
ENOUGH_MEMORY = 6 * GIB


class Finding(Exception):
    """Something is wrong; the text says what and what to do."""


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("doctor", help="examine this machine and say what is missing")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints one line per check; 0 if nothing is in the way of a render."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("system", _system),
        ("packages", _packages),
        ("memory", _memory),
        ("worker", lambda: _worker(options.device)),
        *((f"weights of {face.command}", _weights_of(face.id)) for face in catalogue.all_faces()),
        ("compiler", _compiler),
    ]
    healthy = True
    for name, check in checks:
        try:
            mark, text = "ok", check()
        except (Finding, CleanplateError) as error:
            mark, text, healthy = "PROBLEM", str(error), False
        except WeightsError as error:
            mark, text = "missing", str(error)
        print(f"{mark:<8}{name:<28}{text}", flush=True)
    return 0 if healthy else 1


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


def _worker(device: str) -> str:
    with Worker(device, on_note=lambda text: None) as worker:
        status = worker.status()
    return (
        f"runs on {status['device']} ({status['device_name']}), process {status['pid']}, torch {status['torch']}, "
        f"log {status['log']}"
    )


def _weights_of(node: str) -> Callable[[], str]:
    return lambda: weights.default_for(node).summary()


def _compiler() -> str:
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    return compiler or "none; only execution=compiled needs one"
