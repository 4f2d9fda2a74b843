"""`cleanplate render` end to end: real EXR files, the real worker process, networks with the reference fill."""

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import fill
from shell import Shell

import models
from models import weights
from nodes.footage import exr_attributes
from nodes.footage.exr.header import read_header
from nodes.footage.frame import Frame
from nodes.footage.metadata import SourceMetadata
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame

DISPLAY, DATA = Window(0, 0, 60, 44), Window(-3, -2, 67, 47)
FIRST, LAST = 1001, 1008


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("shell"))
    folder = shell.folder
    rng = np.random.default_rng(1)
    plate = rng.random((DATA.height, DATA.width, 3), np.float32) * 2
    attributes = {
        "timeCode": exr_attributes.encode((0x01020304, 7), "timecode"),
        "cameraIso": exr_attributes.encode(800.0),
        "comments": exr_attributes.encode("take 3"),
    }

    def save(name: str, pixels: np.ndarray) -> None:
        metadata = SourceMetadata("", 1, 1, "openexr", attributes)
        frame = Frame(np.ascontiguousarray(pixels, np.float32), tuple("RGB"), DATA, DISPLAY, 2.0, metadata=metadata)
        write_frame(str(folder / name), [("", "RGB", pixels)], frame)

    save("clean.exr", plate)
    for number in range(FIRST, LAST + 1):
        source = plate.copy()
        x = 5 + 3 * (number - FIRST)
        source[10:40, x : x + 20] = rng.random((30, 20, 3)) * 4
        save(f"shot.{number}.exr", source)
    for name, network, options in (
        ("bgmv2", "bgmv2", {"backbone": "mobilenetv2"}),
        ("rvm", "rvm", {"variant": "mobilenetv3", "refiner": "deep_guided_filter"}),
    ):
        model = fill(models.create(network, **options))
        weights.save(folder / f"{name}.safetensors", model.state_dict(), network, options)
    yield shell
    shell.run("worker", "stop", "--device", "cpu")


BACKGROUND = ("--source", "shot.####.exr", "--plate", "clean.exr", "--weights", "bgmv2.safetensors", "--device", "cpu")
VIDEO = ("--source", "shot.####.exr", "--weights", "rvm.safetensors", "--device", "cpu")


def pixels(shell, pattern, number, layer=""):
    return Footage(str(shell.folder / pattern), layer).frame(number).pixels


def same(shell, a, b, numbers=range(FIRST, LAST + 1)):
    def layers(pattern, number):
        return [pixels(shell, pattern, number, layer) for layer in ("", "matte", "fg", "refine")]

    return all(np.array_equal(x, y) for n in numbers for x, y in zip(layers(a, n), layers(b, n), strict=True))


@pytest.fixture(scope="module")
def rendered(shell):
    """Both nodes, all frames, in order."""
    for node, options in (("background-matte", BACKGROUND), ("video-matte", VIDEO)):
        shell.run("render", node, *options, "--out", f"{node}/m.####.exr", "--bit-depth", "float")
    return shell


def test_passes_layers_and_metadata(rendered):
    source = Footage(str(rendered.folder / "shot.####.exr")).header(1003)
    header = Footage(str(rendered.folder / "background-matte/m.####.exr")).header(1003)
    attributes = header.attributes
    assert (header.data_window, header.display_window, header.pixel_aspect) == (DATA, DISPLAY, 2.0)
    for name in ("timeCode", "cameraIso", "comments"):
        assert attributes[name] == source.attributes[name]
    assert attributes["cleanplate/node"] == "BackgroundMatte"
    assert attributes["cleanplate/device"] == "cpu"
    assert json.loads(attributes["cleanplate/params"])["refineMode"] == "amount"
    digest = weights.resolve(rendered.folder / "bgmv2.safetensors").sha256
    assert attributes["cleanplate/weights"] == f"sha256:{digest}"
    assert {"cleanplate/version", "cleanplate/precision", "cleanplate/key"} <= set(attributes)
    for layer, count in (("", 4), ("matte", 1), ("fg", 3), ("refine", 1), ("error", 1)):
        assert pixels(rendered, "background-matte/m.####.exr", 1003, layer).shape[2] == count


def test_the_worker_gives_what_the_network_alone_gives(rendered):
    """The pipeline adds nothing: proxy, padding and rebuilding around the same network outside it."""
    source = Footage(str(rendered.folder / "shot.####.exr"))
    model = fill(models.create("rvm", variant="mobilenetv3"))
    state = (None,) * 4
    with torch.inference_mode():
        for number in range(FIRST, LAST + 1):
            light = np.clip(source.frame(number).pixels, 0, 1)
            shown = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
            _, alpha, *state = model(torch.from_numpy(shown.transpose(2, 0, 1)[None]), *state, downsample_ratio=1)
            ours = pixels(rendered, "video-matte/m.####.exr", number, "matte")[..., 0]
            np.testing.assert_allclose(ours, alpha[0, 0].numpy(), atol=2e-4)


@pytest.mark.parametrize(("node", "options"), [("background-matte", BACKGROUND), ("video-matte", VIDEO)])
def test_reverse_single_and_restarted_renders_are_bit_identical(rendered, node, options):
    folder = f"again-{node}"
    common = ("render", node, *options, "--bit-depth", "float", "--out", f"{folder}/m.####.exr")
    rendered.run(*common, "--frames", "1008-1005")
    rendered.run("worker", "stop", "--device", "cpu")
    rendered.run(*common, "--frames", "1002")
    rendered.run(*common, "--frames", "1001-1004")
    assert same(rendered, f"{node}/m.####.exr", f"{folder}/m.####.exr")


def test_finished_frames_are_skipped_until_something_changes(shell):
    common = ("render", "background-matte", *BACKGROUND, "--out", "resume/m.####.exr", "--json")

    def rendered_now(*more):
        events = [json.loads(line) for line in shell.run(*common, *more).splitlines() if line.startswith("{")]
        return [event["frame"] for event in events if event["event"] == "frame"]

    assert rendered_now("--frames", "1001-1002") == [1001, 1002]
    assert rendered_now("--frames", "1001-1003") == [1003]
    assert rendered_now("--frames", "1001-1002", "--set", "alphaBlack=0.1") == [1001, 1002]
    half = shell.folder / "resume/m.1001.exr"
    half.write_bytes(half.read_bytes()[:100])
    assert rendered_now("--frames", "1001-1002", "--set", "alphaBlack=0.1") == [1001]
    os.utime(shell.folder / "clean.exr")
    assert rendered_now("--frames", "1002", "--set", "alphaBlack=0.1") == []
    clean = (shell.folder / "clean.exr").read_bytes()
    shutil.copy(shell.folder / "shot.1008.exr", shell.folder / "clean.exr")
    assert rendered_now("--frames", "1002", "--set", "alphaBlack=0.1") == [1002]
    (shell.folder / "clean.exr").write_bytes(clean)


def test_which_weights_are_used_is_said_before_the_first_frame(rendered):
    """With `--set weights=` as with `--weights`, to people and to programs, and by the worker that has them loaded."""
    ref = weights.resolve(rendered.folder / "bgmv2.safetensors")
    common = ("--out", "told/m.####.exr", "--frames", "1001-1002")
    rendered.run("render", "background-matte", *BACKGROUND, *common)
    without = (*BACKGROUND[:4], *BACKGROUND[6:])
    again = ("render", "background-matte", *without, "--set", "weights=bgmv2.safetensors", *common)
    events = [json.loads(line) for line in rendered.run(*again, "--json").splitlines() if line.startswith("{")]
    assert [event["event"] for event in events] == ["weights", "skipped", "skipped", "finished"]
    told = events[0]
    assert (told["name"], told["state"], told["path"]) == ("bgmv2", "file", str(ref.path))
    assert (told["sha256"], told["licence"]) == (ref.sha256, "unknown")
    line = f"weights: bgmv2 (file, sha256 {ref.sha256[:12]}), unknown: ask whoever made the file, from {ref.path}"
    assert rendered.run(*again).splitlines()[0] == line
    assert line in rendered.run("worker", "status", "--device", "cpu")
    report, _ = rendered.start("doctor", "--device", "cpu").communicate(timeout=240)
    assert f"has loaded 0.02 GiB, bgmv2 in float32, {line}" in report
    assert "weights of background-matte bgmv2_mobilenetv2 (bundled, sha256" in report
    assert "weights of video-matte      video_matte_mobilenetv3 (bundled, sha256" in report
    assert "weights of inpaint          inpaint_detail (bundled, sha256" in report


def test_killing_the_worker_does_not_hurt_the_render(rendered):
    process = rendered.start("render", "video-matte", *VIDEO, "--out", "killed/m.####.exr", "--bit-depth", "float")
    first = rendered.folder / "killed/m.1001.exr"
    deadline = time.monotonic() + 120
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(rendered.worker_pid(), signal.SIGKILL)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    assert same(rendered, "video-matte/m.####.exr", "killed/m.####.exr")


def test_two_clients_at_once_get_right_frames(rendered):
    errors: list[BaseException] = []

    def client(name, node, options):
        try:
            rendered.run("render", node, *options, "--out", f"{name}/m.####.exr", "--bit-depth", "float")
        except BaseException as error:
            errors.append(error)

    clients = [
        threading.Thread(target=client, args=("two-a", "background-matte", BACKGROUND)),
        threading.Thread(target=client, args=("two-b", "video-matte", VIDEO)),
    ]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert not errors
    assert same(rendered, "background-matte/m.####.exr", "two-a/m.####.exr")
    assert same(rendered, "video-matte/m.####.exr", "two-b/m.####.exr")


def test_an_interrupted_render_leaves_finished_frames_only(rendered):
    process = rendered.start("render", "video-matte", *VIDEO, "--out", "stopped/m.####.exr", "--bit-depth", "float")
    first = rendered.folder / "stopped/m.1001.exr"
    while not first.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    done = sorted(path.name for path in (rendered.folder / "stopped").iterdir())
    assert process.returncode == 130 or len(done) == LAST - FIRST + 1
    assert all(name.startswith("m.") and name.endswith(".exr") for name in done)
    numbers = [int(name.split(".")[1]) for name in done]
    assert same(rendered, "video-matte/m.####.exr", "stopped/m.####.exr", numbers)


def test_one_sequence_per_pass(shell):
    shell.run(
        "render",
        "background-matte",
        *BACKGROUND,
        "--frames",
        "1001",
        "--out",
        "split/%P.####.exr",
        "--passes",
        "alpha,error",
        "--compression",
        "htj2k32",
    )
    assert sorted(path.name for path in (shell.folder / "split").iterdir()) == ["alpha.1001.exr", "error.1001.exr"]
    assert read_header(shell.folder / "split/alpha.1001.exr").parts[0].compression == "htj2k32"


WRONG = [
    (("background-matte", "--source", "shot.####.exr", "--weights", "bgmv2.safetensors"), "needs --plate"),
    (("background-matte", "--source", "shot.####.exr", "--plate", "nowhere.exr"), "--plate: .*nowhere.exr"),
    (
        ("background-matte", *BACKGROUND, "--frames", "2000-2003"),
        "2000-2003 are outside the source, which has 1001-1008",
    ),
    (("background-matte", *BACKGROUND, "--set", "refineMod=amount"), "did you mean 'refineMode'"),
    (("background-matte", *BACKGROUND, "--set", "alphaWhite=7"), "'alphaWhite' cannot be 7"),
    (("background-matte", *BACKGROUND[:-4], "--weights", "rvm.safetensors"), "rvm.*do not fit BackgroundMatte"),
    (("background-matte", *BACKGROUND[:-4], "--weights", "cut.safetensors"), "cut.safetensors"),
    (("background-matte", *BACKGROUND, "--compression", "jpeg"), "compression cannot be 'jpeg': it is one of none"),
    (("background-mat", *BACKGROUND), "did you mean 'background-matte'"),
    (("background-matte", *BACKGROUND, "--input-space", "ACEScgg"), "ACEScg"),
    (
        ("background-matte", *BACKGROUND[:2], "--plate", "small.exr", *BACKGROUND[4:]),
        "clean plate is 30x20 and the source 60x44",
    ),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG, ids=[sentence[:24] for _, sentence in WRONG])
def test_what_is_wrong_is_said_in_a_sentence(shell, arguments, sentence):
    import re

    if not (shell.folder / "small.exr").exists():
        whole = (shell.folder / "bgmv2.safetensors").read_bytes()
        (shell.folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
        window = Window(0, 0, 30, 20)
        grey = np.full((20, 30, 3), 0.5, np.float32)
        write_frame(str(shell.folder / "small.exr"), [("", "RGB", grey)], Frame(grey, tuple("RGB"), window, window))
    text = shell.run("render", *arguments, "--out", "wrong/m.####.exr", status=1)
    assert re.search(sentence, text), text


def test_a_missing_frame_fails_alone_and_policies_fill_it(shell):
    hole = shell.folder / "hole"
    hole.mkdir()
    for number in (1001, 1002, 1004):
        (hole / f"s.{number}.exr").symlink_to(shell.folder / f"shot.{number}.exr")
    common = ("render", "background-matte", "--source", "hole/s.####.exr", *BACKGROUND[2:], "--frames", "1001-1004")
    text = shell.run(*common, "--out", "holes/m.####.exr", status=1)
    assert "frames 1003 are not on disk" in text
    assert sorted(p.name for p in (shell.folder / "holes").iterdir()) == [f"m.{n}.exr" for n in (1001, 1002, 1004)]
    shell.run(*common, "--out", "held/m.####.exr", "--set", "missingFrames=hold")
    assert same(shell, "held/m.####.exr", "held/m.####.exr", [1003])
    np.testing.assert_array_equal(pixels(shell, "held/m.####.exr", 1003), pixels(shell, "held/m.####.exr", 1002))


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_said(shell):
    (shell.folder / "a-file").write_text("not a folder")
    text = shell.run("render", "background-matte", *BACKGROUND, "--out", "a-file/m.####.exr", status=1)
    assert "a-file" in text


def test_the_footage_is_never_overwritten(shell):
    text = shell.run("render", "background-matte", *BACKGROUND, "--out", "shot.####.exr", status=1)
    assert "would overwrite the footage" in text


def test_leaving_clients_leave_nothing_behind(rendered):
    """The client killed in the middle: the worker drops its frames and goes on for others."""
    process = rendered.start("render", "video-matte", *VIDEO, "--out", "gone/m.####.exr")
    time.sleep(1.0)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = json.loads(rendered.run("worker", "status", "--json", "--device", "cpu"))
        if status is None or all(client["name"] == "status" for client in status["clients"]):
            break
        time.sleep(0.2)
    rendered.run("render", "background-matte", *BACKGROUND, "--frames", "1001", "--out", "after/m.####.exr")
