"""The bundle, built as users build it, and a shot that both doors render: the command line and the plug-in.

Import the fixtures by name into a test module. What is expensive is made once per test session.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from ofx_host.clips import Footage
from ofx_host.images import Picture

HOUSE = Path(__file__).resolve().parents[3]
FIRST, LAST = 1001, 1006
WIDTH, HEIGHT = 60, 44
# The data window lies outside the format on all sides: x, y (downwards), width, height.
DATA = (-3, -2, 67, 47)
FORMAT = (0, 0, WIDTH, HEIGHT)
CORNER = (DATA[0], HEIGHT - DATA[1] - DATA[3])
LAYERS = {"premultiplied": "", "alpha": "matte", "foreground": "fg", "refinement": "refine"}


@dataclass(frozen=True)
class Scene:
    """A shot on disk, the same as arrays, and what `cleanplate render` made of it; travels to other processes."""

    bundle: Path
    folder: Path
    environment: dict[str, str] = field(hash=False)

    def array(self, name: str) -> np.ndarray:
        """A picture `[height, width, channels]` or a rendered pass, by name."""
        return np.load(self.folder / "arrays" / f"{name}.npy")

    def picture(self, name: str) -> Picture:
        """A picture as a host delivers it: RGB with the data window's place."""
        return Picture(self.array(name), CORNER, identifier=name)

    def source(self) -> Footage:
        """The shot."""
        return Footage({n: self.picture(f"shot.{n}") for n in range(FIRST, LAST + 1)}, (FIRST, LAST), format=FORMAT)

    def plate(self) -> Footage:
        return Footage(self.picture("clean"), format=FORMAT)

    def rendered(self, node: str, frame: int, what: str = "premultiplied") -> np.ndarray:
        """A pass that the command line wrote."""
        return self.array(f"{node}.{frame}.{what}")

    def weights(self, name: str) -> str:
        return str(self.folder / f"{name}.safetensors")


@functools.cache
def build(sanitizer: str = "") -> Path:
    """The bundle that `make plugin` builds, or the one that CLEANPLATE_OFX_BUNDLE names.

    Skips the test where there is no C++ compiler.
    """
    if os.environ.get("CLEANPLATE_OFX_BUNDLE") and not sanitizer:
        return Path(os.environ["CLEANPLATE_OFX_BUNDLE"])
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        pytest.skip("there is no C++ compiler to build the OpenFX bundle with")
    # Hosts that are pointed at the folder build pass over what begins with @.
    special = [f"SANITIZE={sanitizer}", f"OFX_ROOT=build/@{sanitizer}"] if sanitizer else []
    command = ["make", "plugin", *special, f"CXX={compiler}"]
    (HOUSE / "build").mkdir(exist_ok=True)
    with open(HOUSE / "build" / ".ofx.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-8000:]
    return HOUSE / "build" / (f"@{sanitizer}" if sanitizer else "") / "Cleanplate.ofx.bundle"


def without_worker(bundle: Path, folder: Path) -> Path:
    """A copy of a bundle whose real worker is out of reach; `folder`/run is for a fake one's socket."""
    own = folder / bundle.name
    shutil.copytree(bundle, own)
    program = folder / "python"
    program.write_text("#!/bin/sh\necho error there is no real worker in this test\n")
    program.chmod(0o755)
    (own / "Contents/Resources/worker.txt").write_text(f"python={program}\nfolder=/\nrelease=0.1.0\n")
    (folder / "run").mkdir(mode=0o700)
    return own


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The OpenFX bundle."""
    return build()


@pytest.fixture(scope="session")
def scene(bundle: Path) -> Scene:
    """A shot that the command line has rendered with both nodes."""
    return make_scene()


@functools.cache
def make_scene(overscan: bool = True) -> Scene:
    """A shot and its renders; without overscan the data window is the format."""
    from shell import Shell

    folder = Path(tempfile.mkdtemp(prefix="ofx"))
    shell = Shell(folder)
    shell.environment["CLEANPLATE_BUILD"] = "tests"
    shell.environment["CLEANPLATE_IDLE_SECONDS"] = "240"
    shell.environment["CUDA_VISIBLE_DEVICES"] = ""
    shell.environment["XDG_STATE_HOME"] = str(folder / "state")

    def end() -> None:
        shell.run("worker", "stop", "--device", "cpu")
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    _write_shot(folder, DATA if overscan else (0, 0, WIDTH, HEIGHT))
    _write_weights(folder)
    source = ("--source", "shot.####.exr", "--bit-depth", "float", "--device", "cpu")
    shell.run(
        *("render", "background-matte", *source, "--plate", "clean.exr"),
        *("--weights", "bgmv2.safetensors", "--out", "background-matte/m.####.exr"),
    )
    shell.run("render", "video-matte", *source, "--weights", "rvm.safetensors", "--out", "video-matte/m.####.exr")
    _keep_rendered(folder, "background-matte", {**LAYERS, "error": "error"})
    _keep_rendered(folder, "video-matte", {**LAYERS, "person": "person"})
    return Scene(build(), folder, {k: v for k, v in shell.environment.items() if os.environ.get(k) != v})


def _write_shot(folder: Path, data: tuple[int, int, int, int]) -> None:
    from nodes.footage.frame import Frame
    from nodes.footage.reader import Footage as Files
    from nodes.footage.window import Window
    from nodes.footage.writer import write_frame

    rng = np.random.default_rng(1)
    plate = rng.random((data[3], data[2], 3), np.float32) * 2
    pictures = {"clean": plate}
    for number in range(FIRST, LAST + 1):
        pictures[f"shot.{number}"] = plate.copy()
        x = 5 + 3 * (number - FIRST)
        pictures[f"shot.{number}"][10:40, x : x + 20] = rng.random((30, 20, 3)) * 4
    mask = np.zeros((data[3], data[2], 3), np.float32)
    mask[:20, 30:] = 1
    pictures["garbage"] = mask
    (folder / "arrays").mkdir()
    for name, pixels in pictures.items():
        frame = Frame(pixels, tuple("RGB"), Window(*data), Window(0, 0, WIDTH, HEIGHT))
        write_frame(str(folder / f"{name}.exr"), [("", "RGB", pixels)], frame)
        # As the file has it: rounded to half.
        np.save(folder / "arrays" / f"{name}.npy", Files(str(folder / f"{name}.exr")).frame(FIRST).pixels)


def _write_weights(folder: Path) -> None:
    from reference import fill

    import models
    from models import weights

    for name, network, options in (
        ("bgmv2", "bgmv2", {"backbone": "mobilenetv2"}),
        ("rvm", "rvm", {"variant": "mobilenetv3", "refiner": "deep_guided_filter"}),
    ):
        model = fill(models.create(network, **options))
        weights.save(folder / f"{name}.safetensors", model.state_dict(), network, options)


def _keep_rendered(folder: Path, node: str, layers: dict[str, str]) -> None:
    from nodes.footage.reader import Footage as Files

    for what, layer in layers.items():
        files = Files(str(folder / node / "m.####.exr"), layer)
        for frame in range(FIRST, LAST + 1):
            np.save(folder / "arrays" / f"{node}.{frame}.{what}.npy", files.frame(frame).pixels)
