"""Inpaint through the OpenFX adapter: what needs other frames is the command line's, in any order."""

from __future__ import annotations

import numpy as np
import pytest
from footage_files import write
from natron_tools import command_line
from ofx_host.clips import Footage
from ofx_host.fixtures import DATA, FIRST, FORMAT, HEIGHT, LAST, WIDTH, Scene, bundle, scene  # noqa: F401
from ofx_host.host import Host
from ofx_host.isolated import isolated
from ofx_host.profiles import NATRON

from nodes.footage.reader import Footage as Files

SETTINGS = {"mode": "motion", "model": "smooth"}


def covered(frame: int) -> np.ndarray:
    """White where the moving square is, of the mask's three channels."""
    mask = np.zeros((DATA[3], DATA[2], 3), np.float32)
    left = 5 + 3 * (frame - FIRST)
    mask[10:40, left : left + 20] = 1
    return mask


@pytest.fixture(scope="module")
def filled(scene) -> Scene:  # noqa: F811
    """The scene with masks, filled by the command line."""
    for frame in range(FIRST, LAST + 1):
        write(scene.folder / f"hole.{frame}.exr", covered(frame), origin=DATA[:2], display=(0, 0, WIDTH, HEIGHT))
        np.save(scene.folder / "arrays" / f"hole.{frame}.npy", covered(frame))
    settings = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    command_line(
        scene,
        *("render", "inpaint", "--source", "shot.####.exr", "--mask", "hole.####.exr", "--device", "cpu", *settings),
        *("--bit-depth", "float", "--out", "filled/m.####.exr"),
    )
    files = Files(str(scene.folder / "filled/m.####.exr"))
    for frame in range(FIRST, LAST + 1):
        np.save(scene.folder / "arrays" / f"filled.{frame}.npy", files.frame(frame).pixels)
    return scene


@isolated
def test_what_is_carried_along_the_motion_is_the_same_in_a_host(filled):
    with Host(NATRON, filled.bundle) as host:
        node = host.plugin("org.cleanplate.Inpaint").create()
        node.set(**SETTINGS, device="cpu")
        node.connect("Source", filled.source())
        masks = {frame: filled.picture(f"hole.{frame}") for frame in range(FIRST, LAST + 1)}
        node.connect("Mask", Footage(masks, (FIRST, LAST), format=FORMAT))
        for frame in (LAST, FIRST + 2):
            pixels = node.render(frame)[..., :3]
            np.testing.assert_array_equal(pixels, filled.array(f"filled.{frame}")[..., :3], err_msg=str(frame))
            hole = covered(frame)[..., 0] > 0
            assert (pixels[hole] != filled.array(f"shot.{frame}")[hole]).any(axis=1).mean() > 0.9
        assert not host.journal.messages
