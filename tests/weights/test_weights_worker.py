"""The real worker and its weights: told with every frame, changed between frames, never mixed between clients."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from reference import fill
from worker_tools import Footage, own_runtime

import models
from models import weights
from nodes.errors import CleanplateError, ParameterError
from plugin.cli import worker as command
from plugin.worker.client.worker import Worker, status_of_running

OPTIONS = {"variant": "mobilenetv3", "refiner": "deep_guided_filter"}
NODE = "video-matte"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two files of weights of one network, one of another, and a worker of the test's own."""
    folder = tmp_path_factory.mktemp("weights")
    for name, gain in (("a", 1.0), ("b", 1.5)):
        state = fill(models.create("rvm", **OPTIONS), gain).state_dict()
        weights.save(folder / f"{name}.safetensors", state, "rvm", OPTIONS, licence="MIT", source="a test")
    state = fill(models.create("bgmv2", backbone="mobilenetv2")).state_dict()
    weights.save(folder / "other.safetensors", state, "bgmv2", {"backbone": "mobilenetv2"})
    with own_runtime(CLEANPLATE_HOME=str(folder / "home"), CLEANPLATE_THREADS="1"):
        yield folder


@pytest.fixture(scope="module")
def client(folder):
    with Worker("cpu") as client:
        yield client


class Grain(Footage):
    """Pictures in the range of a plate."""

    def frame(self, name, frame):
        found = super().frame(name, frame)
        found.pixels[:] = found.pixels % 17 / 17
        return found


def submit(client, path, frame):
    return client.submit(NODE, frame, {"weights": str(path)}, Grain(24, 32))


def alpha(client, path, frame):
    passes = submit(client, path, frame).result(300)
    return passes.images["alpha"].copy(), passes.weights


@pytest.fixture(scope="module")
def alone(client, folder):
    """Frames 1 to 4 with each file, by sha256."""
    found = {}
    for name in ("a", "b"):
        path = folder / f"{name}.safetensors"
        found[weights.resolve(path).sha256] = [alpha(client, path, frame)[0] for frame in range(1, 5)]
    first, second = found.values()
    assert all(np.isfinite(image).all() for image in first + second)
    assert not any(np.array_equal(x, y) for x, y in zip(first, second, strict=True))
    return found


def test_a_frame_says_which_weights_it_was_computed_with(client, folder, alone):
    path = folder / "a.safetensors"
    (facts,) = alpha(client, path, 1)[1]
    ref = weights.resolve(path)
    assert (facts.name, facts.network, facts.state, facts.path) == ("a", "rvm", "file", str(path))
    assert facts.sha256 == ref.sha256
    assert (facts.licence, facts.use, facts.source) == ("MIT", "free for commercial work", "a test")
    assert facts.terms.startswith("Free for any use")


def test_the_status_says_what_is_loaded(client, folder, alone):
    status = status_of_running("cpu")
    assert {entry["sha256"] for entry in status["models"]} == set(alone)
    shown = command.text(status)
    for digest in alone:
        assert f"sha256 {digest[:12]}), MIT: free for commercial work, from {folder}/" in shown


def test_frames_in_turn_with_other_weights_are_those_of_each_alone(client, folder, alone):
    """The network is recurrent, so that weights mixed in its memory would show."""
    digests = list(alone)
    for frame in (1, 2, 3, 4):
        for digest, name in zip(digests, ("a", "b"), strict=True):
            image, (facts,) = alpha(client, folder / f"{name}.safetensors", frame)
            assert facts.sha256 == digest
            np.testing.assert_array_equal(image, alone[digest][frame - 1])


def test_two_clients_with_different_weights_at_once(client, folder, alone):
    with Worker("cpu") as other:
        clients = [(client, "a"), (other, "b")]
        jobs = [
            (digest, frame, submit(who, folder / f"{name}.safetensors", frame))
            for frame in (4, 2, 3)
            for digest, (who, name) in zip(alone, clients, strict=True)
        ]
        for digest, frame, job in jobs:
            passes = job.result(300)
            assert [facts.sha256 for facts in passes.weights] == [digest]
            np.testing.assert_array_equal(passes.images["alpha"], alone[digest][frame - 1])


def test_a_file_that_is_replaced_counts_from_the_next_frame_on(client, folder, alone):
    path = folder / "current.safetensors"
    digests = list(alone)
    for frame, at in ((1, 0), (2, 1), (3, 1), (4, 0)):
        path.unlink(missing_ok=True) if frame == 4 else None
        shutil.copyfile(folder / f"{'ab'[at]}.safetensors", path)
        image, (facts,) = alpha(client, path, frame)
        assert facts.sha256 == digests[at]
        np.testing.assert_array_equal(image, alone[digests[at]][frame - 1])


def test_a_name_imported_while_the_worker_runs_is_found(client, folder, alone):
    missing = client.submit(NODE, 1, {"variant": "resnet50"}, Grain(24, 32))
    with pytest.raises(
        CleanplateError, match=r"^VideoMatte has no weights for variant resnet50 on this machine; run: cleanpl"
    ):
        missing.result(300)
    with pytest.raises(CleanplateError, match="there are no weights called 'late' and no such file"):
        alpha(client, "late", 1)
    ref = weights.import_file(folder / "b.safetensors", name="late").ref
    image, (facts,) = alpha(client, "late", 1)
    assert (facts.name, facts.state, facts.sha256) == ("late", "imported", ref.sha256)
    np.testing.assert_array_equal(image, list(alone.values())[1][0])


def test_what_cannot_be_used_is_said_and_hurts_nobody(client, folder, alone):
    whole = (folder / "a.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[:-1000])
    (folder / "text.pth").write_text("weights go here\n" * 9)
    for name, error, sentence in [
        ("other.safetensors", CleanplateError, r"^the weights 'other' do not fit VideoMatte: they are for Backgr"),
        ("cut.safetensors", CleanplateError, r"cut.safetensors is cut short"),
        ("text.pth", CleanplateError, r"^text.pth is a text file, not a weights file"),
        ("gone.pth", CleanplateError, r"^there is no file .*gone.pth"),
    ]:
        with pytest.raises(error, match=sentence):
            alpha(client, folder / name, 1)
    params = {"weights": str(folder / "a.safetensors"), "variant": "resnet50"}
    job = client.submit(NODE, 1, params, Grain(24, 32))
    with pytest.raises(
        ParameterError, match=r"^'variant' is resnet50, but the weights 'a' were trained for mobilenetv3"
    ):
        job.result(300)
    digest = next(iter(alone))
    np.testing.assert_array_equal(alpha(client, folder / "a.safetensors", 1)[0], alone[digest][0])
