"""What the worker keeps on its device: networks loaded once, dropped when memory is short, fresh when files change."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
import torch

import models
from models import weights
from nodes import catalogue
from nodes.errors import Cancelled, ParameterError
from plugin.worker.device import memory
from plugin.worker.device.accelerator import Accelerator, JobDevice

OPTIONS = {"variant": "mobilenetv3", "refiner": "fast_guided_filter"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two files of weights of the same network."""
    folder = tmp_path_factory.mktemp("weights")
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        path = folder / f"seed{seed}.safetensors"
        weights.save(path, models.create("rvm", **OPTIONS).state_dict(), "rvm", OPTIONS)
        made.append(path)
    return made


@pytest.fixture(scope="module")
def shared():
    """Whoever needs networks only to be there uses this one, since loading takes a second."""
    return Accelerator(torch.device("cpu"), budget=1 << 30)


@pytest.fixture
def accelerator():
    return Accelerator(torch.device("cpu"), budget=1 << 30)


def job(
    accelerator: Accelerator, notes: list[str] | None = None, cancelled: threading.Event | None = None, **params
) -> JobDevice:
    def check_cancelled() -> None:
        if cancelled is not None and cancelled.is_set():
            raise Cancelled("the render was cancelled")

    note = (notes if notes is not None else []).append
    return accelerator.for_job(catalogue.find("video-matte"), params, check_cancelled, note)


def first_weight(net) -> float:
    return float(next(net.parameters()).flatten()[0])


def test_weights_are_loaded_once_whoever_uses_them(shared, files):
    notes: list[str] = []
    shared.release(set())
    nets = {id(job(shared, notes).model(str(files[0]), "rvm", OPTIONS)) for _ in range(3)}
    assert len(nets) == 1
    assert notes == ["loading the weights seed1"]
    (status,) = shared.models()
    assert (status.name, status.network, status.precision) == ("seed1", "rvm", "float32")
    assert 10e6 < status.bytes < 20e6


def test_networks_are_ready_to_run(shared, files):
    net = job(shared).model(str(files[0]), "rvm", OPTIONS)
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())
    convolution = next(p for p in net.parameters() if p.ndim == 4 and p.shape[1] > 1)
    assert convolution.is_contiguous(memory_format=torch.channels_last)
    half = job(shared).model(str(files[0]), "rvm", OPTIONS, torch.float16)
    assert next(half.parameters()).dtype == torch.float16


def test_the_name_of_a_file_that_was_found_means_that_file(shared, files):
    device = job(shared)
    info = device.weights_of(str(files[1]), "rvm")
    assert (info.name, info.network, dict(info.options)) == ("seed2", "rvm", OPTIONS)
    assert device.model(info.name, "rvm", info.options) is device.model(str(files[1]), "rvm", OPTIONS)


def test_a_changed_file_counts_from_the_next_frame_on(accelerator, files, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(files[0].read_bytes())
    during = job(accelerator)
    before = first_weight(during.model(str(path), "rvm", OPTIONS))
    replacement = tmp_path / "new"
    replacement.write_bytes(files[1].read_bytes())
    os.replace(replacement, path)
    assert first_weight(during.model(str(path), "rvm", OPTIONS)) == before
    assert first_weight(job(accelerator).model(str(path), "rvm", OPTIONS)) != before


def test_least_recently_used_networks_are_dropped_when_memory_is_short(files):
    accelerator = Accelerator(torch.device("cpu"), budget=20_000_000)
    for path in (files[0], files[1]):
        job(accelerator).model(str(path), "rvm", OPTIONS)
    assert [status.name for status in accelerator.models()] == ["seed2"]


def test_giving_memory_back_spares_what_the_frame_uses(accelerator, files):
    job(accelerator).model(str(files[0]), "rvm", OPTIONS)
    job(accelerator).kept("old states", lambda: torch.zeros(1000))
    device = job(accelerator)
    device.model(str(files[1]), "rvm", OPTIONS)
    device.kept("new states", lambda: torch.zeros(10))
    assert accelerator.kept_bytes() == 4040
    assert device.release_memory()
    assert [status.name for status in accelerator.models()] == ["seed2"]
    assert accelerator.kept_bytes() == 40
    assert not device.release_memory()


def test_weights_of_another_network_are_refused(shared, files):
    with pytest.raises(ParameterError, match="the weights 'seed1' are of the network rvm, Video Matte wants bgmv2"):
        job(shared).weights_of(str(files[0]), "bgmv2")
    with pytest.raises(weights.WeightsError, match="nowhere"):
        job(shared).weights_of("/nowhere/weights.pth", "rvm")


def test_a_cancelled_network_stops_between_layers(shared, files):
    cancelled = threading.Event()
    device = job(shared, cancelled=cancelled)
    net = device.model(str(files[0]), "rvm", OPTIONS)
    cancelled.set()
    with pytest.raises(Cancelled):
        device.compute(lambda: net(torch.zeros(1, 3, 64, 64)))
    assert net(torch.zeros(1, 3, 64, 64)), "others may go on using it"


def test_precision_follows_the_device_and_the_parameter(accelerator):
    assert job(accelerator).dtype == torch.float32
    assert job(accelerator, precision="half").precision == "full", "half precision is for GPUs"
    accelerator.torch_device = torch.device("cuda:0")
    assert job(accelerator).dtype == torch.float16
    assert job(accelerator, precision="full").dtype == torch.float32


def test_computing_is_inference(accelerator):
    assert job(accelerator).compute(torch.is_inference_mode_enabled)


def test_the_memory_budget_and_the_threads_can_be_set(monkeypatch):
    monkeypatch.setenv("CLEANPLATE_MEMORY_GB", "1.5")
    monkeypatch.setenv("CLEANPLATE_THREADS", "7")
    assert memory.budget(10, 0.5) == 1_500_000_000
    assert memory.cores() == 7
    monkeypatch.setenv("CLEANPLATE_MEMORY_GB", "much")
    monkeypatch.delenv("CLEANPLATE_THREADS")
    assert memory.budget(1000, 0.5) == 500
    assert 1 <= memory.cores() <= len(os.sched_getaffinity(0))
    assert memory.host_limit() > 1 << 28


def test_memory_the_machine_does_not_have_is_refused_and_a_swollen_heap_given_back():
    script = (
        "import numpy, psutil\n"
        "from plugin.worker.device import memory\n"
        "memory.tune_heap()\n"
        "ballast = numpy.ones(40_000_000); small = numpy.ones(10); rss = memory.resident(); del ballast\n"
        "assert memory.resident() > rss - 1e6, 'the heap keeps what was freed'\n"
        "memory.host_limit = lambda: 1_000_000_000\n"
        "memory.trim_if_swollen()\n"
        "assert memory.resident() < rss - 300e6, 'but not too much of it'\n"
        "memory.available = lambda: 100_000_000\n"
        "memory.limit_growth()\n"
        "numpy.ones(5_000_000)\n"
        "try: numpy.ones(40_000_000)\n"
        "except MemoryError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "refused\n", done.stderr
