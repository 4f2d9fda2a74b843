"""`cleanplate learn` and `render learned` as a user types them, with real files, processes and signals."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from learning_shot import FRAMES, KEYS, disc, picture, write_keys, write_shot
from safetensors import safe_open
from shell import Shell

import cleanplate
from nodes.footage.reader import Footage

STEPS = 12


@pytest.fixture(scope="module")
def shell(tmp_path_factory) -> Iterator[Shell]:
    one = Shell(tmp_path_factory.mktemp("learn"))
    write_shot(one.folder)
    write_keys(one.folder)
    yield one
    one.run("worker", "stop", "--device", "cpu")


def command(out: str, *more: object) -> tuple[object, ...]:
    shot = ("learn", "--source", "shot.####.exr", "--keys", "roto.####.exr", "--device", "cpu")
    return *shot, "--out", out, "--seed", 3, *more


def tensors(path: Path) -> dict[str, np.ndarray]:
    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping


def same(one: Path, other: Path) -> bool:
    first, second = tensors(one), tensors(other)
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def learned(shell) -> Path:
    shell.run(*command("disc.safetensors", "--steps", STEPS, "--json"))
    return shell.folder / "disc.safetensors"


def test_it_leaves_weights_with_a_card_a_status_and_a_preview(learned) -> None:
    with safe_open(learned, "np") as file:
        header = file.metadata()
    assert header["network"] == "learned"
    assert header["licence"] == "yours"
    (shot,) = json.loads(header["card.shots"])
    assert (shot["source"], shot["keys"]) == ("shot.####.exr", list(KEYS))
    assert list(map(int, shot["confidence"])) == list(FRAMES)
    assert set(shot["next_keys"]) <= set(FRAMES) - set(KEYS)
    settings = json.loads(header["card.settings"])
    assert (settings["seed"], settings["steps"]) == (3, STEPS)
    assert json.loads(header["card.losses"])[-1][0] == STEPS
    status = json.loads(Path(f"{learned}.status.json").read_text())
    assert (status["state"], status["step"], status["share"]) == ("finished", STEPS, 1.0)
    assert status["next_keys"] == [shot["next_keys"]]
    assert Footage(f"{learned}.preview.png").frame(1).pixels.shape[1] > 2 * 240


def test_frames_render_in_any_order_to_the_same_bits(shell, learned) -> None:
    render = ("render", "learned", "--source", "shot.####.exr", "--weights", learned.name, "--device", "cpu")
    shell.run(*render, "--frames", "1002-1004", "--out", "one/m.####.exr")
    shell.run(*render, "--frames", "1004-1002", "--out", "two/m.####.exr")
    for frame in (1002, 1003, 1004):
        one, two = (Footage(str(shell.folder / name / "m.####.exr"), "matte").frame(frame) for name in ("one", "two"))
        np.testing.assert_array_equal(one.pixels, two.pixels)
        assert one.pixels.max() > 0


def test_a_key_frame_is_shown_where_there_is_one(shell, learned) -> None:
    keyed = ("--keys", "roto.####.exr", "--frames", "1005-1006", "--out", "keyed/m.####.exr")
    shell.run("render", "learned", "--source", "shot.####.exr", "--weights", learned.name, "--device", "cpu", *keyed)
    shown = Footage(str(shell.folder / "keyed/m.####.exr"), "matte")
    np.testing.assert_allclose(shown.frame(1006).pixels, disc(1006), atol=1e-3)
    assert np.abs(shown.frame(1005).pixels - disc(1005)).max() > 1e-2


def test_after_a_kill_the_same_command_goes_on_to_the_same_bits(shell, learned) -> None:
    shell.run(*command("half.safetensors", "--steps", STEPS // 2))
    killed = shell.start(*command("half.safetensors", "--steps", STEPS * 1000, "--json"))
    assert killed.stdout is not None
    while json.loads(killed.stdout.readline())["event"] != "learning":
        pass
    killed.kill()
    killed.communicate()
    shell.run(*command("half.safetensors", "--steps", STEPS))
    assert same(shell.folder / "half.safetensors", learned)


def test_a_signal_ends_it_with_usable_weights(shell) -> None:
    stopped = shell.start(*command("stopped.safetensors", "--minutes", 60, "--json"))
    assert stopped.stdout is not None
    while json.loads(stopped.stdout.readline())["event"] != "learning":
        pass
    refused = shell.run(*command("stopped.safetensors"), status=1)
    assert "another cleanplate learn is at work on" in refused
    stopped.send_signal(signal.SIGTERM)
    out, _ = stopped.communicate(timeout=240)
    assert stopped.returncode == 130
    assert json.loads(out.splitlines()[-1])["text"].startswith("stopped at step ")
    assert "good (" in shell.run("weights", "check", "stopped.safetensors")
    status = json.loads((shell.folder / "stopped.safetensors.status.json").read_text())
    assert status["state"] == "stopped"


def test_one_more_key_goes_on_from_what_is_known(shell, learned) -> None:
    (shell.folder / "more.safetensors").write_bytes(learned.read_bytes())
    write_keys(shell.folder / "four", [*KEYS, 1009])
    four = ("--keys", "four/roto.####.exr", "--steps", 2)
    more = ("learn", "--source", "shot.####.exr", "--device", "cpu", "--out", "more.safetensors", *four)
    shell.run(*more)
    with safe_open(shell.folder / "more.safetensors", "np") as file:
        header = file.metadata()
    (shot,) = json.loads(header["card.shots"])
    assert shot["keys"] == sorted([*KEYS, 1009])
    assert json.loads(header["card.settings"])["start"] == hashlib.sha256(learned.read_bytes()).hexdigest()
    refused = shell.run(*more, "--teach", "picture", status=1)
    assert "more.safetensors was taught a matte and these key frames are a picture: choose another --out" in refused


def test_python_renders_what_was_learned(shell, learned, monkeypatch) -> None:
    for name in ("CLEANPLATE_RUNTIME", "CLEANPLATE_HOME", "CLEANPLATE_IDLE_SECONDS", "CLEANPLATE_THREADS"):
        monkeypatch.setenv(name, shell.environment[name])
    source = picture(1002)
    key = np.stack([disc(1001), disc(1002)])
    clip = {"Source": np.stack([source, source]), "Keys": key, "keyFrames": "2"}
    with cleanplate.worker("cpu"):
        passes = cleanplate.run("learned", **clip, weights=str(learned), passes=["alpha", "confidence"])
    np.testing.assert_allclose(passes["alpha"][1], disc(1002), atol=1e-3)
    assert passes["confidence"][0].max() < 1
