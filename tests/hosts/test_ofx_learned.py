"""Learned through the OpenFX adapter: what a host delivers as key frames, a matte's or a picture's, as from files."""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest
import torch
from footage_files import write
from local_render import Events
from ofx_host.clips import Footage
from ofx_host.fixtures import DATA, FIRST, FORMAT, HEIGHT, LAST, WIDTH, Scene, bundle, scene  # noqa: F401
from ofx_host.host import Host
from ofx_host.isolated import isolated
from ofx_host.profiles import NATRON
from shell import COMMAND

from models.learning import Teacher
from nodes.footage.reader import Footage as Files
from nodes.learning.card import Card, TaughtShot
from plugin.learning.files import Files as Learned
from plugin.learning.lessons import lessons_of
from plugin.learning.request import LearnRequest, ShotAndKeys, plan_learning

KEYS = (FIRST, LAST)
KINDS = {"matte": "A", "picture": "RGB"}


def painted(scene: Scene, kind: str, frame: int) -> np.ndarray:  # noqa: F811
    """What an artist made of a frame: the moving square, or the frame without it."""
    if kind == "picture":
        return scene.array("clean")
    alpha = np.zeros((DATA[3], DATA[2], 1), np.float32)
    left = 5 + 3 * (frame - FIRST)
    alpha[10:40, left : left + 20] = 1
    return alpha


def teach(scene: Scene, kind: str) -> None:  # noqa: F811
    """Writes key frames and weights of that kind beside the shot, without a step of learning."""
    for frame in KEYS:
        file = scene.folder / f"{kind}_keys.{frame}.exr"
        write(file, painted(scene, kind, frame), list(KINDS[kind]), origin=DATA[:2], display=(0, 0, WIDTH, HEIGHT))
    out = f"{scene.folder}/{kind}.safetensors"
    pair = ShotAndKeys(f"{scene.folder}/shot.####.exr", f"{scene.folder}/{kind}_keys.####.exr")
    lessons = lessons_of(plan_learning(LearnRequest([pair], out)), Events())
    assert lessons.kind == kind
    teacher = Teacher(lessons.lessons, lessons.kind, 1, torch.device("cpu"))
    teacher.prepare(lambda what, share: None)
    shot = TaughtShot("shot", KEYS, False, lessons.regions[0])
    Learned(out).write_weights(teacher.weights(), Card(kind, [shot], {"exposure": 0.0}, "today", 1.0, 0))


def render(scene: Scene, kind: str) -> Files:  # noqa: F811
    """What the command line makes of the shot with its key frames."""
    command = ["render", "learned", "--source", "shot.####.exr", "--weights", f"{kind}.safetensors", "--device", "cpu"]
    command += ["--keys", f"{kind}_keys.####.exr", "--bit-depth", "float", "--out", f"{kind}/m.####.exr"]
    environment = {**os.environ, **scene.environment}
    subprocess.run([COMMAND, *command], cwd=scene.folder, env=environment, check=True, capture_output=True)
    return Files(str(scene.folder / kind / "m.####.exr"))


@pytest.fixture(scope="module")
def learned(scene) -> Scene:  # noqa: F811
    (scene.folder / "arrays").mkdir(exist_ok=True)
    for kind in KINDS:
        teach(scene, kind)
        files = render(scene, kind)
        for frame in (FIRST, FIRST + 2):
            np.save(scene.folder / "arrays" / f"{kind}.{frame}.premultiplied.npy", files.frame(frame).pixels)
        for frame in KEYS:
            np.save(scene.folder / "arrays" / f"{kind}_keys.{frame}.npy", painted(scene, kind, frame))
    return scene


@pytest.mark.parametrize("kind", KINDS)
@isolated
def test_a_host_shows_the_pixels_of_the_command_line_and_the_key_frames(learned, kind):
    with Host(NATRON, learned.bundle) as host:
        node = host.plugin("org.cleanplate.Learned").create()
        node.set(weights=learned.weights(kind), device="cpu")
        node.connect("Source", learned.source())
        keys = {frame: learned.picture(f"{kind}_keys.{frame}") for frame in KEYS}
        # A Roto has a picture at every frame; the frames that were taught are the key frames.
        node.connect("Keys", Footage(keys, KEYS, format=FORMAT))
        for frame in (FIRST, FIRST + 2):
            np.testing.assert_array_equal(node.render(frame), learned.rendered(kind, frame), err_msg=f"{kind} {frame}")
        assert not host.journal.messages


def test_the_key_frames_are_what_was_painted(learned):
    matte, picture = (learned.rendered(kind, FIRST) for kind in KINDS)
    np.testing.assert_array_equal(matte[..., 3:], painted(learned, "matte", FIRST))
    np.testing.assert_array_equal(picture[..., :3], learned.array("clean"))
