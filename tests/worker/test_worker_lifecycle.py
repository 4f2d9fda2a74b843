"""The worker's life: started once, restarted when it dies, replaced when outdated, gone without a trace when idle."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from worker_tools import Footage, own_runtime, picture, wait_for, worker_pids

from nodes.errors import WorkerError
from plugin.worker.client import lifecycle, running
from plugin.worker.client.worker import Worker, status_of_running, stop_running
from plugin.worker.protocol import identity, paths
from plugin.worker.protocol.wire import HEADER, MAGIC

CLIENT = """
import sys, time
sys.path.insert(0, "tests/tools")
from worker_tools import Footage
from plugin.worker.client.worker import Worker
print("ready", flush=True)
sys.stdin.readline()
with Worker("cpu") as worker:
    passes = worker.submit("test-gain", 5, {}, Footage()).result(120)
    print(passes.images["picture"].sum(), worker.status()["pid"])
"""


@pytest.fixture
def runtime():
    with own_runtime() as folder:
        yield folder


def test_two_clients_at_once_start_one_worker_which_leaves_nothing_when_idle():
    with own_runtime(CLEANPLATE_IDLE_SECONDS="1") as folder:
        command = [sys.executable, "-c", CLIENT]
        pipe = subprocess.PIPE
        clients = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
        for client in clients:
            assert client.stdout.readline() == "ready\n"
        for client in clients:
            client.stdin.write("go\n")
            client.stdin.flush()
        answers = {client.communicate(timeout=200)[0] for client in clients}
        assert len(answers) == 1, answers
        total, pid = answers.pop().split()
        assert float(total) == picture(5).sum() * 2
        wait_for(lambda: not worker_pids(folder), 20)
        wait_for(lambda: not Path(f"/proc/{pid}").exists(), 20)
        assert list((folder / "run").iterdir()) == []
        assert "leaving: idle for 1 s" in (folder / "state/cleanplate/worker-cpu.log").read_text()
        assert status_of_running("cpu") is None
        assert stop_running("cpu") is None


def test_a_worker_that_dies_is_restarted_and_every_frame_is_right(runtime, tmp_path):
    chance = random.Random(3)
    notes: list[str] = []
    with Worker("cpu", notes.append) as worker:
        footage = Footage(270, 480, seconds=0.005)
        jobs = [worker.submit("test-gain", frame, {"passes": 1}, footage) for frame in range(1, 101)]
        # One frame kills its worker once, in the middle of the others; before that the worker is killed from outside.
        once = worker.submit("test-trouble", 7, {"how": "once", "file": str(tmp_path / "mark")}, Footage())
        jobs += [worker.submit("test-gain", frame, {"passes": 1}, footage) for frame in range(101, 201)]
        jobs[40].result(120)
        time.sleep(chance.random() * 0.05)
        os.kill(worker_pids(runtime)[0], signal.SIGKILL)
        for frame, job in enumerate(jobs, 1):
            expected = picture(frame, 270, 480) * 2
            assert np.array_equal(job.result(120).images["picture"], expected)
            assert np.array_equal(job.result().images["more0"], expected)
        assert notes.count("starting the worker for cpu") == 3
        assert notes.count("the worker ended unexpectedly; what it owes is asked for again") == 2

        assert np.array_equal(once.result(120).images["picture"], picture(7))

        # The same client goes on: a frame kills the worker whenever it is tried.
        deadly = worker.submit("test-trouble", 8, {"how": "crash"}, Footage())
        others = [worker.submit("test-gain", frame, {}, Footage()) for frame in range(1, 5)]
        with pytest.raises(WorkerError) as caught:
            deadly.result(200)
        assert str(caught.value) == (
            "the worker died 3 times while it rendered test-trouble frame 8, perhaps because memory ran out; "
            f"its log is {paths.log_path('cpu')}"
        )
        for frame, job in enumerate(others, 1):
            assert np.array_equal(job.result(120).images["picture"], picture(frame) * 2)
    assert "Fatal Python error: Aborted" in paths.log_path("cpu").read_text()


def test_workers_of_other_software_make_room(runtime, monkeypatch):
    path = paths.socket_path("cpu")
    stranger = socket.socket(socket.AF_UNIX)
    stranger.bind(os.fspath(path))
    stranger.listen()

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                connected, _ = stranger.accept()
                connected.recv(1000)
                path.unlink()
                connected.sendall(HEADER.pack(MAGIC, 77, 3, 0, 0, 0))

    threading.Thread(target=answer, daemon=True).start()
    with Worker("cpu") as old:
        assert old.submit("test-gain", 5, {}, Footage()).result(60).images
        stranger.close()
        old_pid = old.status()["pid"]
        slow = old.submit("test-trouble", 5, {"seconds": 300.0}, Footage())
        monkeypatch.setenv("CLEANPLATE_BUILD", "changed")
        with Worker("cpu") as new:
            assert new.status()["pid"] != old_pid
            assert np.array_equal(
                new.submit("test-gain", 5, {}, Footage()).result(60).images["picture"], picture(5) * 2
            )
            # Whoever is with the old worker is served to the end.
            slow.cancel()
            again = old.submit("test-gain", 6, {}, Footage()).result(60)
            assert np.array_equal(again.images["picture"], picture(6) * 2)
            assert old.status()["pid"] == old_pid
            old.close()
            wait_for(lambda: not Path(f"/proc/{old_pid}").exists())
            assert status_of_running("cpu")["pid"] == new.status()["pid"]
    # A worker that does not listen any more is ended by force.
    monkeypatch.setattr(running, "KIND_SECONDS", 0.5)
    os.kill(worker_pids(runtime)[0], signal.SIGSTOP)
    assert stop_running("cpu") is not None
    assert worker_pids(runtime) == []
    # Killed while it starts, before it could say anything.
    threading.Thread(target=lambda: (wait_for(lambda: worker_pids(runtime) != []), _kill(runtime)), daemon=True).start()
    with Worker("cpu") as worker:
        assert worker.submit("test-gain", 5, {}, Footage()).result(120).images


def _kill(runtime: Path) -> None:
    for pid in worker_pids(runtime):
        os.kill(pid, signal.SIGKILL)


def test_a_foreign_protocol_is_named_to_who_only_asks(runtime):
    path = paths.socket_path("cpu")
    stranger = socket.socket(socket.AF_UNIX)
    stranger.bind(os.fspath(path))
    stranger.listen()

    def answer() -> None:
        connected, _ = stranger.accept()
        connected.recv(1000)
        connected.sendall(HEADER.pack(MAGIC, 77, 3, 0, 0, 0))

    threading.Thread(target=answer, daemon=True).start()
    with pytest.raises(
        WorkerError, match="the worker for cpu speaks protocol 77, this is protocol 1: it was started by"
    ):
        status_of_running("cpu")
    stranger.close()


def test_a_gpu_that_is_not_there_is_named_and_auto_falls_back(runtime, monkeypatch):
    with pytest.raises(WorkerError, match="cuda:42 cannot be used: "):
        Worker("cuda:42").submit("test-gain", 1, {}, Footage())
    monkeypatch.setattr(paths, "gpu_in_sight", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    notes: list[str] = []
    with Worker("auto", notes.append) as worker:
        assert worker.status()["device"] == "cpu"
    assert any(n.startswith("cuda:0 cannot be used: ") and n.endswith("on the processor instead") for n in notes)


@pytest.mark.parametrize(
    ("script", "starts", "sentence"),
    [
        ("exit 3", 2, "ended while it started without a word, as one that is killed when memory runs out; its log is"),
        ("echo 'python: error while loading shared libraries: libz.so' >&2", 2, ": python: error while loading shared"),
        ("echo error there is no air", 1, "^there is no air$"),
        ("printf 'Traceback\\n  File x\\nMemoryError\\n' >&2; kill -9 $$", 2, "started: MemoryError; its log"),
        (
            "printf 'what(): \\033[31mbad_alloc at 0x%s\\n' $$ >&2; kill -6 $$",
            2,
            r"started: what\(\): \\x1b\[31mbad_alloc",
        ),
        ("cat $0.count >&2; printf x >>$0.text; cat $0.text >&2", 5, "started: 5; xxxxx; its log is"),
    ],
)
def test_a_worker_that_cannot_start_leaves_its_own_last_words(runtime, monkeypatch, tmp_path, script, starts, sentence):
    """What older ones left in the log is not its own, and what ends it the same way twice would end it for ever."""
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\necho $(($(cat $0.count || echo 0) + 1)) >$0.count 2>/dev/null\n{script}\n")
    broken.chmod(0o755)
    (tmp_path / "python.count").write_text("0")
    paths.log_path("cpu").write_text("2026-01-01 [1] ERROR an older worker: killed\n")
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(WorkerError, match=sentence) as caught:
        Worker("cpu").submit("test-gain", 1, {}, Footage())
    assert "older" not in str(caught.value)
    assert int((tmp_path / "python.count").read_text()) == starts


def test_a_python_that_is_not_there_is_named(runtime, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(WorkerError, match="the worker cannot be started: /nowhere/python: No such file or directory"):
        Worker("cpu").submit("test-gain", 1, {}, Footage())


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("ready 12\n", ("ready", "12")),
        ("a warning\nready 12\nmore", ("ready", "12")),
        ("half a lineready 12\n", ("ready", "")),
        ("a warning\nunusable there is none\n", ("unusable", "there is none")),
        ("x\n" * 100_000 + "error it is broken\n", ("error", "it is broken")),
        ("an error it made\nready", ("", "an error it made\nready")),
    ],
)
def test_noise_before_the_word_is_no_word(said, heard):
    """Libraries may print while they are loaded, with or without an end of the line."""
    reader, writer = os.pipe()
    threading.Thread(target=lambda: (os.write(writer, said.encode()), os.close(writer))).start()
    assert lifecycle._hear(reader, 20) == heard
    os.close(reader)


def test_a_limit_of_memory_is_named_and_tried_once(runtime, monkeypatch, tmp_path):
    starter = tmp_path / "python"
    starter.write_text(f'#!/bin/sh\necho >>$0.count\nulimit -v 1000000\nexec {sys.executable} "$@"\n')
    starter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(starter))
    with pytest.raises(WorkerError, match="the worker for cpu cannot start: it has too little memory"):
        Worker("cpu").submit("test-gain", 1, {}, Footage())
    assert (tmp_path / "python.count").read_text() == "\n"


def test_what_a_host_sets_for_its_own_python_does_not_reach_the_worker(monkeypatch):
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "LD_LIBRARY_PATH", "QT_API", "QT_PLUGIN_PATH"):
        monkeypatch.setenv(name, "/natron")
    monkeypatch.setenv("CLEANPLATE_X", "1")
    monkeypatch.setenv("OCIO", "config.ocio")
    environment = lifecycle.environment()
    assert "/natron" not in environment.values()
    assert {"CLEANPLATE_X", "OCIO", "PATH"} <= environment.keys()


def test_folders_are_private_and_their_own_troubles_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("CLEANPLATE_RUNTIME", str(tmp_path / "run"))
    (tmp_path / "run").mkdir(mode=0o777)
    assert paths.runtime_folder().stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("CLEANPLATE_RUNTIME", str(tmp_path / ("x" * 100)))
    with pytest.raises(WorkerError, match="too long for a socket: set CLEANPLATE_RUNTIME to a shorter folder"):
        paths.socket_path("cpu")
    (tmp_path / "file").touch()
    monkeypatch.setenv("CLEANPLATE_RUNTIME", str(tmp_path / "file"))
    with pytest.raises(WorkerError, match=r"the folder .*file for the worker's socket cannot be used: File exists"):
        paths.runtime_folder()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    monkeypatch.setenv("CLEANPLATE_RUNTIME", str(tmp_path / "link"))
    with pytest.raises(WorkerError, match=rf"link is a link, .*; set CLEANPLATE_RUNTIME to {tmp_path}/run$"):
        paths.runtime_folder()
    (tmp_path / "cleanplate").symlink_to("/nowhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("CLEANPLATE_RUNTIME")
    with pytest.raises(
        WorkerError, match=r"cleanplate is a link, .*; remove the link, or set CLEANPLATE_RUNTIME to /nowhere$"
    ):
        paths.runtime_folder()
    (tmp_path / "cleanplate").unlink()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: 12345)
        with pytest.raises(WorkerError, match=r"does not belong to you, .*; remove it, or set CLEANPLATE_RUNTIME to a"):
            paths.runtime_folder()
    monkeypatch.setenv("CLEANPLATE_RUNTIME", str(tmp_path / "run"))
    monkeypatch.delenv("CLEANPLATE_RUNTIME")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert paths.runtime_folder() == tmp_path / "cleanplate"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    monkeypatch.setattr(os, "getuid", lambda: os.stat("/tmp").st_uid)
    assert str(paths.runtime_folder()).startswith("/tmp/cleanplate-")


def test_device_names_mean_physical_gpus(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [paths.slot(device) for device in ("cpu", "cuda:0", "cuda:3")] == ["cpu", "cuda-0", "cuda-3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-1a2b/3")
    assert [paths.slot(device) for device in ("cuda:0", "cuda:1", "cuda:2")] == [
        "cuda-2",
        "cuda-GPU-1a2b_3",
        "cuda-none-2",
    ]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert paths.resolve("auto") == "cpu"


def test_the_build_changes_with_the_code_and_the_settings(monkeypatch, tmp_path):
    monkeypatch.delenv("CLEANPLATE_BUILD", raising=False)
    monkeypatch.setenv("CLEANPLATE_NODE_PATH", str(tmp_path))
    before = identity.build()
    assert identity.build() == before
    monkeypatch.setenv("CLEANPLATE_RUNTIME", "/elsewhere")
    assert identity.build() == before
    (tmp_path / "node.yaml").write_text("id: x")
    changed = identity.build()
    assert changed != before
    monkeypatch.setenv("CLEANPLATE_THREADS", "3")
    assert identity.build() != changed
