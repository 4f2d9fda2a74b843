"""KeyWithoutPlate through the OpenFX adapter: a host that delivers frames in any order gets what files give."""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest
from footage_files import write
from ofx_host.clips import Footage
from ofx_host.fixtures import CORNER, DATA, FIRST, FORMAT, HEIGHT, LAST, WIDTH, Scene, bundle, scene  # noqa: F401
from ofx_host.host import Host
from ofx_host.images import Picture
from ofx_host.isolated import isolated
from ofx_host.profiles import NATRON
from shell import COMMAND

from nodes.footage.reader import Footage as Files

SETTINGS = {"reach": 4, "referenceEvery": 3, "samples": 4, "model": "smooth"}
LAYERS = {"premultiplied": "", "plate": "plate", "plate confidence": "plate_confidence"}
RENDERED = (LAST, FIRST + 2)


def rough(frame: int) -> np.ndarray:
    """A loose shape around the scene's moving square."""
    mask = np.zeros((DATA[3], DATA[2], 1), np.float32)
    left = 5 + 3 * (frame - FIRST)
    mask[7:43, left - 3 : left + 23] = 1
    return mask


@pytest.fixture(scope="module")
def keyed(scene) -> Scene:  # noqa: F811
    """The scene with what `cleanplate key` makes of it."""
    for frame in range(FIRST, LAST + 1):
        file = scene.folder / f"rough.{frame}.exr"
        write(file, rough(frame), ["A"], origin=DATA[:2], display=(0, 0, WIDTH, HEIGHT))
    command = ["key", "--source", "shot.####.exr", "--rough", "rough.####.exr", "--weights", "bgmv2.safetensors"]
    command += ["--frames", ",".join(map(str, RENDERED)), "--out", "key/m.####.exr", "--bit-depth", "float"]
    command += ["--device", "cpu", "--set", *(f"{name}={value}" for name, value in SETTINGS.items())]
    environment = {**os.environ, **scene.environment}
    done = subprocess.run([COMMAND, *command], cwd=scene.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for what, layer in LAYERS.items():
        files = Files(str(scene.folder / "key/m.####.exr"), layer)
        for frame in RENDERED:
            np.save(scene.folder / "arrays" / f"key.{frame}.{what}.npy", files.frame(frame).pixels)
    return scene


@isolated
def test_a_host_shows_the_pixels_of_the_command_line(keyed):
    with Host(NATRON, keyed.bundle) as host:
        node = host.plugin("org.cleanplate.KeyWithoutPlate").create()
        node.set(weights=keyed.weights("bgmv2"), device="cpu", **SETTINGS)
        node.connect("Source", keyed.source())
        shapes = {n: Picture(rough(n), CORNER, identifier=f"rough.{n}") for n in range(FIRST, LAST + 1)}
        node.connect("Rough", Footage(shapes, (FIRST, LAST), format=FORMAT))
        for frame in RENDERED:
            for what in LAYERS:
                node.set(output=what)
                shown, wanted = node.render(frame), keyed.rendered("key", frame, what)
                channels = slice(3, 4) if wanted.shape[2] == 1 else slice(0, wanted.shape[2])
                np.testing.assert_array_equal(shown[..., channels], wanted, err_msg=f"{frame} {what}")
        assert not host.journal.messages
