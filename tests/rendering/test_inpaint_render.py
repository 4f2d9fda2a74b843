"""`cleanplate render inpaint` end to end: real EXR files, the real worker, a tiny LaMa with the reference fill."""

import json
import shutil

import numpy as np
import pytest
from reference import fill
from shell import Shell

import models
from models import weights
from nodes.footage.frame import Frame
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame

DISPLAY, DATA = Window(0, 0, 80, 56), Window(-4, -3, 88, 62)
FIRST, LAST = 1001, 1004
TINY = {"n_blocks": 1, "width": 4}


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("shell"))
    rng = np.random.default_rng(7)
    ground = rng.random((DATA.height, DATA.width, 3)) * 2

    def save(name, pixels, channels, dtype="half"):
        stored = np.ascontiguousarray(pixels, np.float32)
        write_frame(
            str(shell.folder / name),
            [("", channels, stored)],
            Frame(stored, tuple(channels), DATA, DISPLAY),
            dtype=dtype,
        )

    for number in range(FIRST, LAST + 1):
        source = ground + 0.01 * rng.normal(0, 1, ground.shape)
        source[0, :6, 0] = [np.nan, np.inf, -np.inf, 60000, -3, 6e-8]
        mask = np.zeros((DATA.height, DATA.width, 1))
        x = 10 + 15 * (number - FIRST)
        mask[20:40, x : x + 12] = 1
        source[20:40, x : x + 12] = 9
        save(f"shot.{number}.exr", source.astype(np.float16), "RGB")
        save(f"mask.{number}.exr", mask, "A")
    model = fill(models.create("lama", **TINY))
    weights.save(shell.folder / "lama.safetensors", model.state_dict(), "lama", TINY)
    yield shell
    shell.run("worker", "stop", "--device", "cpu")


RENDER = ("render", "inpaint", "--source", "shot.####.exr", "--mask", "mask.####.exr", "--device", "cpu")
LAMA = ("--weights", "lama.safetensors")


def pixels(shell, pattern, number, layer=""):
    return Footage(str(shell.folder / pattern), layer).frame(number).pixels


def half_bits(values):
    return values.astype(np.float16).view(np.uint16)


def test_half_in_is_the_same_half_out_and_metadata_says_how(shell):
    shell.run(*RENDER, *LAMA, "--out", "lama/c.####.exr", "--frames", "1001-1002")
    for number in (1001, 1002):
        source, clean = pixels(shell, "shot.####.exr", number), pixels(shell, "lama/c.####.exr", number)
        filled = pixels(shell, "lama/c.####.exr", number, "filled")[..., 0]
        outside = filled == 0
        assert 0.02 < (~outside).mean() < 0.2
        np.testing.assert_array_equal(half_bits(clean[outside][:, :3]), half_bits(source[outside]))
        assert np.isfinite(clean[~outside]).all()
        assert (pixels(shell, "shot.####.exr", number)[25, 12 + 15 * (number - FIRST)] == 9).all()
        assert clean[25, 16 + 15 * (number - FIRST), 0] < 5
        assert pixels(shell, "lama/c.####.exr", number, "patch").shape[2] == 4
        assert pixels(shell, "lama/c.####.exr", number, "origin")[filled == 1][:, 0].min() == 1
    attributes = Footage(str(shell.folder / "lama/c.####.exr")).header(1001).attributes
    assert attributes["cleanplate/node"] == "Inpaint"
    assert attributes["cleanplate/model"] == "lama"
    digest = weights.resolve(shell.folder / "lama.safetensors").sha256
    assert attributes["cleanplate/weights"] == f"sha256:{digest}"
    assert json.loads(attributes["cleanplate/params"])["mode"] == "per frame"


def test_a_model_without_weights_says_what_to_run_and_what_other_frames_show_needs_none(shell):
    text = shell.run(*RENDER, "--out", "none/c.####.exr", "--frames", "1001", "--set", "model=lama", status=1)
    assert "cleanplate weights fetch big_lama" in text
    assert "model=smooth" in text
    steady = ("--out", "still/c.####.exr", "--set", "mode=still plate")
    shell.run(*RENDER, *steady)
    origin = pixels(shell, "still/c.####.exr", 1003, "origin")
    filled = pixels(shell, "still/c.####.exr", 1003, "filled")
    np.testing.assert_allclose(origin[..., 2:], filled, atol=1e-3)


def test_the_weights_that_come_along_go_on_from_a_smooth_fill(shell):
    frame = ("--frames", "1002", "--bit-depth", "float")
    shell.run(*RENDER, *frame, "--out", "own/c.####.exr")
    shell.run(*RENDER, *frame, "--out", "smooth/c.####.exr", "--set", "model=smooth")
    attributes = Footage(str(shell.folder / "own/c.####.exr")).header(1002).attributes
    assert attributes["cleanplate/model"] == "lama detail"
    assert attributes["cleanplate/weights"] == f"sha256:{weights.resolve('inpaint_detail').sha256}"
    filled = pixels(shell, "own/c.####.exr", 1002, "filled")[..., 0]
    own, smooth = (pixels(shell, f"{name}/c.####.exr", 1002, "") for name in ("own", "smooth"))
    assert np.isfinite(own[filled > 0]).all()
    assert np.abs(own[filled == 1] - smooth[filled == 1]).max() > 1e-3
    np.testing.assert_array_equal(own[filled == 0], smooth[filled == 0])


def test_other_frames_count_and_order_does_not(shell):
    """A later frame that changes is seen; backwards, alone and after a restart the bits are the same."""
    common = (*RENDER, "--set", "mode=still plate", "grow=1", "--bit-depth", "float")
    shell.run(*common, "--out", "a/c.####.exr")
    shell.run("worker", "stop", "--device", "cpu")
    shell.run(*common, "--out", "b/c.####.exr", "--frames", "1003-1002")
    for number in (1002, 1003):
        for layer in ("", "filled", "patch", "origin"):
            one, other = (pixels(shell, f"{folder}/c.####.exr", number, layer) for folder in "ab")
            np.testing.assert_array_equal(one, other)
    shutil.copy(shell.folder / "shot.1003.exr", shell.folder / "shot.1004.exr")
    events = [
        json.loads(line)
        for line in shell.run(*common, "--out", "b/c.####.exr", "--json").splitlines()
        if line[:1] == "{"
    ]
    assert [event["frame"] for event in events if event["event"] == "frame"] == [1001, 1002, 1003, 1004]


def test_a_float_source_stays_bit_for_bit_unless_fewer_bits_are_asked_for(shell):
    source = pixels(shell, "shot.####.exr", 1002) * np.float32(1.1)
    source[-1, 0] = 70000, -1e30, 1e-30
    frame = Frame(source, tuple("RGB"), DATA, DISPLAY)
    write_frame(str(shell.folder / "float.1002.exr"), [("", "RGB", source)], frame, dtype="float")
    files = ("--source", "float.####.exr", "--mask", "mask.####.exr", "--device", "cpu", "--set", "model=smooth")
    for out, depth, kept in (("exact", (), True), ("fewer", ("--bit-depth", "half"), False)):
        said = shell.run("render", "inpaint", *files, *depth, "--out", f"{out}/c.####.exr")
        clean = pixels(shell, f"{out}/c.####.exr", 1002)[..., :3]
        outside = pixels(shell, f"{out}/c.####.exr", 1002, "filled")[..., 0] == 0
        assert np.array_equal(clean[outside].view(np.uint32), source[outside].view(np.uint32)) == kept
        notes = Footage(str(shell.folder / f"{out}/c.####.exr")).header(1002).attributes.get("cleanplate/notes", "")
        for words in ("rounded to half", "beyond 65504"):
            assert (words in said, words in notes) == (not kept, not kept)
