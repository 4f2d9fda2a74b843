"""A live worker process: right frames to everyone, errors as sentences, prompt cancelling, bounded memory."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import psutil
import pytest
from worker_tools import Footage, own_runtime, picture, wait_for, worker_pids

from nodes.errors import Cancelled, CleanplateError, FootageError, FrameError, ParameterError, WorkerError
from nodes.footage.colour.space import ColourSpace
from nodes.footage.frame import Frame
from plugin.worker.client import lifecycle
from plugin.worker.client.worker import Worker, status_of_running
from plugin.worker.protocol import paths
from plugin.worker.protocol.codec import encode_message
from plugin.worker.protocol.fields import Box, BufferRef, Colour, Image, Span
from plugin.worker.protocol.messages import AskStatus, Cancel, FrameAnswer, Need, Release, Render, Result
from plugin.worker.protocol.wire import HEADER, MAGIC, Wire


@pytest.fixture(scope="module")
def runtime():
    with own_runtime() as folder:
        yield folder


@pytest.fixture(scope="module")
def worker(runtime):
    with Worker("cpu", name="tests") as worker:
        yield worker


def trouble(worker: Worker, how: str, frame: int = 5, **settings):
    return worker.submit("test-trouble", frame, {"how": how, **settings}, Footage())


def log_of(worker: Worker) -> str:
    return Path(worker.status()["log"]).read_text()


def test_passes_are_what_the_engine_made(worker):
    passes = worker.submit("test-gain", 5, {"gain": 3.0}, Footage()).result(60)
    assert np.array_equal(passes.images["picture"], picture(5) * 3)
    assert passes.window == Footage().frame("Source", 5).data_window
    assert passes.notes == ["a note of the engine"]
    assert (passes.info["gain"], passes.info["device"], passes.info["precision"]) == (3.0, "cpu", "full")
    assert passes.info["milliseconds"] > 0


def test_only_wanted_passes_travel(worker):
    passes = worker.submit("test.Gain", 5, {"passes": 3}, Footage(), passes=["more1"]).result(60)
    assert list(passes.images) == ["more1"]
    with pytest.raises(ParameterError, match="Gain has no pass 'depth': it has picture, more0"):
        worker.submit("test-gain", 5, {"passes": 1}, Footage(), passes=["depth"]).result(60)


def test_frames_keep_all_they_say_about_themselves(worker):
    space = ColourSpace("ACEScg", "linear", ((1.7, -0.6, -0.1), (-0.1, 1.1, 0.0), (0.0, -0.1, 1.1)), "config.ocio")

    class Special(Footage):
        def frame(self, name, frame):
            plain = super().frame(name, frame)
            pixels = plain.pixels[::-1, :, :3]
            return Frame(pixels, ("R", "G", "B"), plain.data_window, plain.display_window, 2.0, space, object())

    seen = []
    server_side = worker.submit("test-gain", 5, {"gain": 1.0}, Special()).result(60)
    seen.append(server_side.images["picture"])
    assert np.array_equal(seen[0], picture(5)[::-1, :, :3])


def test_jobs_of_a_client_come_back_in_the_order_of_submission(worker):
    finished: list[int] = []
    jobs = [worker.submit("test-gain", frame, {}, Footage()) for frame in range(1, 60)]
    threads = [
        threading.Thread(target=lambda job=job: (job.result(60), finished.append(job.request.frame))) for job in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(finished) == list(range(1, 60))
    for job in jobs:
        assert np.array_equal(job.result().images["picture"], picture(job.request.frame) * 2)


def test_two_clients_get_their_own_frames(worker):
    with Worker("cpu") as other:
        large = Footage(64, 96)
        jobs = [
            (other.submit("test-gain", f, {}, large), worker.submit("test-gain", f, {"gain": 1.0}, Footage()))
            for f in range(1, 80)
        ]
        for frame, (theirs, ours) in enumerate(jobs, 1):
            assert np.array_equal(theirs.result(60).images["picture"], picture(frame, 64, 96) * 2)
            assert np.array_equal(ours.result(60).images["picture"], picture(frame))
        assert other.status()["pid"] == worker.status()["pid"]


def test_earlier_frames_are_pulled_as_needed(worker):
    footage = Footage()
    passes = worker.submit("test-gain", 40, {"earlier": 30, "gain": 1.0}, footage).result(60)
    assert np.array_equal(passes.images["picture"], sum(picture(f) for f in (40, *range(10, 40))))
    assert sorted(footage.fetched) == [("Source", frame) for frame in range(10, 41)]


@pytest.mark.parametrize(
    ("how", "error", "sentence"),
    [
        (
            "raise",
            WorkerError,
            r"Trouble on frame 5 failed \(KeyError: 'a bug in an engine'\); the details are in /.*log",
        ),
        ("oom", WorkerError, "Trouble on frame 5 needs more memory than cpu has left; render smaller pictures"),
        ("wrong", WorkerError, "Trouble on frame 5 needs more memory than cpu has left"),
    ],
)
def test_what_goes_wrong_in_an_engine_ends_as_a_sentence(worker, how, error, sentence):
    pid = worker.status()["pid"]
    with pytest.raises(error, match=sentence):
        trouble(worker, how).result(60)
    assert trouble(worker, "slow", seconds=0.0).result(60).images
    assert worker.status()["pid"] == pid


def test_a_bug_in_an_engine_is_in_the_log(worker):
    with pytest.raises(WorkerError):
        trouble(worker, "raise").result(60)
    assert 'raise KeyError("a bug in an engine")' in log_of(worker)


def test_wrong_requests_end_as_sentences(worker):
    for node, params, sentence in (
        ("test-gian", {}, "there is no node 'test-gian': did you mean 'test-gain'?"),
        ("test-gain", {"gian": 1}, "test-gain has no parameter 'gian': did you mean 'gain'?"),
        ("test-gain", {"gain": 1000.0}, "'gain' cannot be 1000.0: it is a number from 0 to 100"),
    ):
        with pytest.raises(ParameterError) as caught:
            worker.submit(node, 1, params, Footage()).result(60)
        assert str(caught.value) == sentence
    with pytest.raises(FootageError, match=r"there is no frame 2000 in /shots/plate\.####\.exr"):
        worker.submit("test-gain", 2000, {}, Footage()).result(60)
    with pytest.raises(ParameterError, match="there is no device 'gpu': it is auto, cpu, cuda:0"):
        Worker("gpu")


def test_an_error_of_the_clients_own_footage_reaches_it_as_it_is(worker):
    class Broken(Footage):
        def frame(self, name, frame):
            raise ZeroDivisionError("a bug of the client")

    with pytest.raises(ZeroDivisionError):
        worker.submit("test-gain", 1, {}, Broken()).result(60)
    assert worker.submit("test-gain", 1, {}, Footage()).result(60).images


@pytest.mark.parametrize("how", ["slow", "network", "deaf"])
def test_cancelling_returns_at_once_and_stops_the_work(worker, how):
    job = trouble(worker, how, seconds=1.5 if how == "deaf" else 300.0)
    wait_for(lambda: any(entry["state"] == "computing" for entry in worker.status()["queue"]), 30)
    threading.Timer(0.05, job.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        job.result(60)
    assert time.monotonic() - began < 0.3
    wait_for(lambda: not worker.status()["queue"])
    job.cancel()


def test_cancelling_what_waits_in_line(worker):
    first = trouble(worker, "slow", seconds=300.0)
    rest = [worker.submit("test-gain", frame, {}, Footage()) for frame in range(1, 40)]
    wait_for(lambda: len(worker.status()["queue"]) == 16)
    for job in rest[::2]:
        job.cancel()
    first.cancel()
    for frame, job in enumerate(rest, 1):
        if frame % 2:
            with pytest.raises(Cancelled):
                job.result(60)
        else:
            assert np.array_equal(job.result(60).images["picture"], picture(frame) * 2)


def test_a_slow_source_does_not_hold_up_another_client(worker):
    with Worker("cpu") as other:
        waiting = [other.submit("test-gain", frame, {}, Footage(seconds=1.0)) for frame in (1, 2)]
        began = time.monotonic()
        for frame in range(1, 30):
            worker.submit("test-gain", frame, {}, Footage()).result(60)
        assert not waiting[0].done or time.monotonic() - began > 1
        for job in waiting:
            job.result(60)


def test_an_interactive_client_does_not_wait_for_a_batch(worker):
    with Worker("cpu") as farm:
        batch = [farm.submit("test-trouble", frame, {"seconds": 0.2}, Footage()) for frame in range(1, 12)]
        batch[0].result(60)
        viewer = worker.submit("test-gain", 5, {}, Footage(), "interactive")
        viewer.result(60)
        assert sum(job.done for job in batch) <= 4
        for job in batch:
            job.cancel()


def test_results_stay_whole_while_later_ones_arrive(worker):
    held = [worker.submit("test-gain", frame, {}, Footage()).result(60) for frame in range(1, 50)]
    for frame, passes in enumerate(held, 1):
        assert np.array_equal(passes.images["picture"], picture(frame) * 2)


def test_results_outlive_the_connection(runtime, worker):
    with Worker("cpu") as other:
        passes = other.submit("test-gain", 5, {}, Footage()).result(60)
    assert np.array_equal(passes.images["picture"], picture(5) * 2)
    with pytest.raises(WorkerError, match="the connection to the worker was closed"):
        other.submit("test-gain", 5, {}, Footage())


def test_the_status_tells_what_there_is_to_tell(worker):
    job = trouble(worker, "slow", seconds=300.0)
    wait_for(lambda: any(entry["state"] == "computing" for entry in worker.status()["queue"]))
    status = status_of_running("cpu")
    job.cancel()
    assert status["pid"] != os.getpid()
    assert status["device"] == "cpu"
    assert status["queue"][0] | {"seconds": 0.0} == {
        "pid": os.getpid(),
        "node": "test-trouble",
        "frame": 5,
        "priority": "batch",
        "state": "computing",
        "seconds": 0.0,
    }
    assert {client["name"] for client in status["clients"]} == {"tests", "status"}
    assert status["resident_bytes"] > 100_000_000
    assert status["torch"]
    assert status["budget_bytes"] > 0


def test_a_client_needs_no_torch(runtime, worker):
    script = (
        "import sys, time; sys.path.insert(0, 'tests/tools'); from worker_tools import Footage\n"
        "from plugin.worker.client.worker import Worker\n"
        "with Worker('cpu') as worker: passes = worker.submit('test-gain', 5, {}, Footage()).result(60)\n"
        "print(passes.images['picture'].sum())\n"
        "assert not {'torch', 'torchvision'} & set(sys.modules), 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == picture(5).sum() * 2


def test_a_killed_client_leaves_nothing_in_the_worker(runtime, worker):
    script = (
        "import sys, time; sys.path.insert(0, 'tests/tools'); from worker_tools import Footage\n"
        "from plugin.worker.client.worker import Worker\n"
        "worker = Worker('cpu', name='victim')\n"
        "held = [worker.submit('test-gain', f, {}, Footage(540, 960)).result(60) for f in range(1, 6)]\n"
        "jobs = [worker.submit('test-trouble', f, {'seconds': 300.0}, Footage(540, 960)) for f in range(1, 6)]\n"
        "print('going', flush=True); time.sleep(300)"
    )
    process = psutil.Process(worker.status()["pid"])
    worker.submit("test-gain", 1, {}, Footage()).result(60)
    before = process.num_fds()
    client = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "going\n"
    wait_for(lambda: len(worker.status()["queue"]) == 5)
    assert worker.status()["buffer_bytes"] > 5 * 540 * 960 * 16
    client.kill()
    client.wait()
    wait_for(lambda: not worker.status()["queue"])
    wait_for(lambda: process.num_fds() <= before)
    assert worker.status()["buffer_bytes"] < 1_000_000
    assert {entry["name"] for entry in worker.status()["clients"]} == {"tests"}
    assert worker.submit("test-gain", 1, {}, Footage()).result(60).images


class Raw:
    """A client that may break every rule after a proper greeting."""

    def __init__(self) -> None:
        self.wire, _ = lifecycle.connect("cpu", "raw", "")
        self.wire.timeout(20)

    def send(self, message, descriptors=()) -> None:
        self.wire.send(message.code, encode_message(message), descriptors)

    def dropped(self) -> bool:
        try:
            while self.wire.receive() is not None:
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            self.wire.close()
        return True


@pytest.mark.parametrize(
    ("ref", "image", "seals", "sentence"),
    [
        (BufferRef(1, 1 << 20), Image("", 0, 8, 12, 4), True, "has 4096 bytes, not 1048576"),
        (BufferRef(1, 4096), Image("", 4000, 8, 12, 4), True, "does not lie within its buffer"),
        (BufferRef(1, 4096), Image("", 3, 8, 12, 4), True, "does not lie within its buffer"),
        (BufferRef(1, 4096), Image("", 0, 8, 12, 4), False, "not sealed against resizing"),
        (BufferRef(1, 4096), Image("", 0, 8, 12, 3), True, "a frame contradicts itself"),
    ],
)
def test_a_client_that_lies_about_pixels_is_dropped_and_nobody_else(worker, ref, image, seals, sentence):
    from test_worker_memory import memfd

    raw = Raw()
    raw.send(Render(1, "test-gain", 5, {}, {"Source": Span(1, 9)}, "batch", ()))
    code, _, _ = raw.wire.receive()
    assert code == Need.code
    colour = Colour("", "linear", (1.0,) * 9, "")
    box = Box(0, 0, 12, 8)
    descriptor = memfd(4096) if seals else memfd(4096, 0)
    raw.send(FrameAnswer(1, 1, ref, image, ("R", "G", "B", "A"), box, box, 1.0, colour), [descriptor])
    os.close(descriptor)
    assert raw.dropped()
    wait_for(lambda: sentence in log_of(worker))
    assert worker.submit("test-gain", 5, {}, Footage()).result(60).images


@pytest.mark.parametrize(
    "message",
    [
        Release(5),
        Result(1, BufferRef(0, 64), (), Box(0, 0, 1, 1), {}, (), 1.0),
        Need(1, 1, "Source", 1),
    ],
    ids=lambda m: type(m).__name__,
)
def test_messages_that_make_no_sense_end_the_connection(worker, message):
    raw = Raw()
    raw.send(message)
    assert raw.dropped()


def test_more_renders_than_allowed_are_refused_one_by_one(worker):
    raw = Raw()
    for number in range(1, 20):
        raw.send(Render(number, "test-gain", 5, {}, {"Source": Span(1, 9)}, "batch", ()))
    raw.send(Cancel(1))
    answers = [raw.wire.receive() for _ in range(17 + 3)]
    assert b"no more than 16 renders" in b"".join(payload for _, payload, _ in answers)
    raw.wire.close()


def test_a_client_that_does_not_read_is_dropped_before_it_costs_memory(worker, tmp_path):
    """Results wait for whoever submitted their jobs, and a client may not have more than 16 of those."""
    oiio.ImageBuf(oiio.ImageSpec(64, 64, 4, oiio.FLOAT)).write(str(tmp_path / "a.exr"))
    raw = Raw()
    params = {"sourceFile": str(tmp_path / "a.exr")}
    with contextlib.suppress(OSError):
        for number in range(1, 1000):
            raw.send(Render(number, "test-gain", 1, params, {}, "batch", ()))
            time.sleep(0.002)
            assert number % 20 or worker.status()["buffer_bytes"] < 100 * 64 * 64 * 16
    wait_for(lambda: "does not read what it asked for" in log_of(worker))
    assert raw.dropped()
    asking = Raw()
    with contextlib.suppress(OSError):
        for _ in range(20_000):
            asking.send(AskStatus())
    assert asking.dropped()
    wait_for(lambda: log_of(worker).count("does not read what it asked for") == 2)
    assert worker.submit("test-gain", 5, {}, Footage()).result(60).images


def test_thousands_of_damaged_messages_do_not_disturb_another_client(worker):
    chance = random.Random(11)
    whole = [
        HEADER.pack(MAGIC, 1, m.code, len(encode_message(m)), 0, 0) + encode_message(m)
        for m in (
            Render(1, "test-gain", 5, {}, {"Source": Span(1, 9)}, "batch", ()),
            Cancel(1),
            Release(1),
            FrameAnswer(
                1, 1, BufferRef(1, 4096), Image("", 0, 8, 12, 4), ("R",), Box(0, 0, 1, 1), Box(0, 0, 1, 1), 1.0,
                Colour("", "linear", (1.0,) * 9, ""),
            ),
        )
    ]  # fmt: skip
    path = os.fspath(paths.socket_path("cpu"))
    sent, rendered, stop, failures = [0], [0], threading.Event(), []

    def honest() -> None:
        frame = 0
        while not stop.is_set():
            frame = frame % 900 + 1
            result = worker.submit("test-gain", frame, {}, Footage()).result(60)
            if not np.array_equal(result.images["picture"], picture(frame) * 2):
                failures.append(frame)
            rendered[0] += 1

    thread = threading.Thread(target=honest)
    thread.start()
    wait_for(lambda: rendered[0] > 20)
    before = psutil.Process(worker.status()["pid"]).num_fds()
    while sent[0] < 4000:
        greeted = chance.random() < 0.5
        connection = None if greeted else socket.socket(socket.AF_UNIX)
        raw = Raw() if greeted else None
        with contextlib.suppress(OSError):
            if connection is not None:
                connection.connect(path)
            for _ in range(chance.randrange(1, 60)):
                data = bytearray(chance.choice(whole))
                for _ in range(chance.choice((0, 0, 1, 1, 3))):
                    data[chance.randrange(4, len(data))] = chance.randrange(256)
                if raw is not None:
                    raw.wire._socket.send(data)
                elif connection is not None:
                    connection.send(data)
                sent[0] += 1
        (raw.wire if raw is not None else connection).close()
    stop.set()
    thread.join(60)
    assert not failures
    wait_for(lambda: psutil.Process(worker.status()["pid"]).num_fds() <= before + 2, 30)
    wait_for(lambda: len(worker.status()["clients"]) == 1, 30)


def test_memory_is_flat_over_a_thousand_frames(worker):
    process = psutil.Process(worker.status()["pid"])
    footage = Footage(135, 240)

    def render(first: int, last: int) -> int:
        jobs = []
        for frame in range(first, last):
            jobs.append(worker.submit("test-gain", frame % 900 + 1, {"passes": 2}, footage))
            if len(jobs) > 3:
                jobs.pop(0).result(60)
        for job in jobs:
            job.result(60)
        return process.memory_info().rss

    at_50 = render(0, 50)
    fds = process.num_fds()
    at_1000 = render(50, 1000)
    assert at_1000 - at_50 < 8 << 20
    assert process.num_fds() <= fds + 2
    assert worker.status()["buffer_bytes"] < 40 << 20


def test_nobody_else_may_enter_the_folder(runtime, worker):
    folder = paths.runtime_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert paths.socket_path("cpu").stat().st_mode & 0o777 == 0o600
    assert len(worker_pids(runtime)) == 1


def test_the_peer_is_known_to_the_kernel():
    left, right = socket.socketpair()
    assert Wire(left).peer() == (os.getpid(), os.getuid())
    left.close()
    right.close()


def test_errors_keep_their_class():
    from plugin.worker.protocol.failures import exception, kind_and_sentence

    for error in (
        FootageError("a"),
        FrameError("f"),
        ParameterError("b"),
        WorkerError("c"),
        CleanplateError("d"),
        Cancelled("e"),
    ):
        assert type(exception(*kind_and_sentence(error, "Node on frame 1", "cpu", "log"))) is type(error)
