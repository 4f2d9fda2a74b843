"""Who computes next, in which thread, with which frames; all without a worker process."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from worker_tools import wait_for

from nodes.errors import Cancelled, FootageError, ParameterError
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from plugin.worker.device.kept import Kept, size_of
from plugin.worker.device.threads import Threads
from plugin.worker.protocol.fields import Span
from plugin.worker.protocol.messages import Need, NeedIdentity, Render
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.server import inputs as inputs_module
from plugin.worker.server import turns as turns_module
from plugin.worker.server.inputs import AHEAD, JobInputs
from plugin.worker.server.turns import PATIENCE, Turns


def never() -> None:
    pass


class Line:
    """Jobs that take a turn in threads and note the order in which they got it."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.order: list[str] = []
        self.threads: list[threading.Thread] = []
        # Holds the device until all jobs are in line.
        self.blocker = self.turns.queue("blocker", True)
        self.blocker.take(never)

    def job(self, client: str, name: str, interactive: bool = False):
        place = self.turns.queue(client, interactive)

        def run() -> None:
            place.take(never)
            self.order.append(name)
            place.leave()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.threads.append(thread)
        while not place.waiting and name not in self.order:
            time.sleep(0.001)
        return place

    def finish(self) -> list[str]:
        self.blocker.leave()
        for thread in self.threads:
            thread.join(10)
        return self.order


def test_one_clients_jobs_go_in_the_order_of_submission():
    line = Line()
    for name in "abc":
        line.job("one", name)
    assert line.finish() == ["a", "b", "c"]


def test_clients_take_turns_however_much_one_of_them_wants():
    line = Line()
    for name in ("a1", "a2", "a3", "a4"):
        line.job("a", name)
    for name in ("b1", "b2"):
        line.job("b", name)
    assert line.finish() == ["a1", "b1", "a2", "b2", "a3", "a4"]


def test_interactive_jobs_go_first():
    line = Line()
    for name in ("batch1", "batch2"):
        line.job("farm", name)
    line.job("viewer", "view", interactive=True)
    assert line.finish() == ["view", "batch1", "batch2"]


def test_a_batch_is_never_starved():
    line = Line()
    line.job("farm", "batch")
    for number in range(PATIENCE + 4):
        line.job("viewer", str(number), interactive=True)
    assert line.finish().index("batch") == PATIENCE


def test_a_job_that_lacks_a_frame_holds_up_its_own_line_only():
    line = Line()
    lacking = line.turns.queue("a", False)
    line.job("a", "a2")
    line.job("b", "b1")
    line.blocker.leave()
    while line.order != ["b1"]:
        time.sleep(0.001)
    time.sleep(0.02)
    assert line.order == ["b1"]
    lacking.leave()
    assert line.finish() == ["b1", "a2"]


def test_a_job_that_waits_in_the_middle_lets_others_compute_and_goes_on_before_its_successors():
    line = Line()
    line.blocker.leave()
    first = line.turns.queue("a", False)
    first.take(never)
    with first.paused(never):
        line.job("a", "a2")
        line.job("b", "b1")
        while line.order != ["b1"]:
            time.sleep(0.001)
        assert not first.computing
    assert first.computing
    assert line.order == ["b1"]
    first.leave()
    assert line.finish() == ["b1", "a2"]


def test_giving_up_waiting_for_a_turn():
    turns = Turns()
    holder, waiting = turns.queue("a", False), turns.queue("b", False)
    holder.take(never)
    gave_up = threading.Event()
    wanted = [True]

    def check() -> None:
        if not wanted[0]:
            raise Cancelled

    def run() -> None:
        with pytest.raises(Cancelled):
            waiting.take(check)
        waiting.leave()
        gave_up.set()

    threading.Thread(target=run).start()
    wanted[0] = False
    turns.wake()
    assert gave_up.wait(5)
    holder.leave()
    last = turns.queue("c", False)
    last.take(never)
    assert last.computing


def test_work_runs_in_the_same_thread_unless_that_is_busy():
    threads = Threads("test")
    names = {threads.run(lambda: threading.current_thread().name) for _ in range(50)}
    assert names == {"test 1"}
    going = threading.Event()
    busy = threads.submit(going.wait)
    assert threads.run(lambda: threading.current_thread().name) == "test 2"
    going.set()
    busy.result(5)
    with pytest.raises(KeyError):
        threads.run(lambda: {}["nothing"])


def test_least_recently_used_values_are_dropped_first():
    kept = Kept(budget=100)
    builds: list[str] = []

    def value(name: str, size: int = 40) -> bytes:
        def build() -> bytes:
            builds.append(name)
            return bytes(size)

        return kept.get(name, build)

    value("a"), value("b"), value("a"), value("c")
    assert [key for key, _, _ in kept.entries()] == ["a", "c"]
    value("b")
    assert builds == ["a", "b", "c", "b"]
    value("huge", 1000)
    assert [key for key, _, _ in kept.entries()] == ["huge"], "what is in use stays, however large"


def test_values_that_grew_are_measured_again():
    kept = Kept(budget=100)
    kept.get("other", lambda: bytes(40))
    chain = kept.get("chain", dict)
    chain["state"] = np.zeros(10, np.float64)
    kept.measure(["chain"])
    assert [(key, size) for key, _, size in kept.entries()] == [("chain", 80)]
    assert kept.drop_all_but(["chain"]) is False
    assert kept.drop_all_but([]) is True


def test_sizes_count_each_array_once():
    array = np.zeros(100, np.float32)

    class Holder:
        def __init__(self) -> None:
            self.states = {1: (b"digest", [array, array]), 2: (b"", array)}

    assert size_of(Holder()) == 400 + 6


def test_who_waits_for_others_is_told_how_many_are_ahead(monkeypatch):
    monkeypatch.setattr(turns_module, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(turns_module, "BETWEEN_SECONDS", 0.05)
    monkeypatch.setattr(turns_module, "LOOK_SECONDS", 0.01)
    turns = Turns()
    first, second, third, behind = (turns.queue(client, False) for client in ("a", "b", "c", "c"))
    told: dict[str, list[int]] = {"second": [], "third": [], "behind": []}
    first.take(never)

    def wait(place, name):
        place.take(never, told[name].append)
        place.leave()

    threads = [
        threading.Thread(target=wait, args=(place, name))
        for place, name in ((second, "second"), (third, "third"), (behind, "behind"))
    ]
    threads[0].start()
    wait_for(lambda: second.waiting)
    for thread in threads[1:]:
        thread.start()
    wait_for(lambda: told["third"] == [2] and told["second"] == [1])
    time.sleep(0.2)
    assert told == {"second": [1], "third": [2], "behind": []}, "nothing twice, and nothing about one's own frames"
    hurried = turns.queue("d", True)
    threads.append(threading.Thread(target=hurried.take, args=(never,)))
    threads[-1].start()
    wait_for(lambda: told["third"] == [2, 3] and told["second"] == [1, 2])
    first.leave()
    wait_for(lambda: told["third"][-1] == 2 and told["second"][-1] == 1)
    hurried.leave()
    for thread in threads:
        thread.join(10)


def test_a_short_wait_is_not_worth_a_word():
    turns = Turns()
    first, second = turns.queue("a", False), turns.queue("b", False)
    first.take(never)
    told: list[int] = []
    thread = threading.Thread(target=second.take, args=(never, told.append))
    thread.start()
    wait_for(lambda: second.waiting)
    first.leave()
    thread.join(10)
    assert told == []


class Client:
    """Answers the needs of a job's inputs in the test's own time."""

    def __init__(self, frame: int = 100, answer_at_once: bool = True, steps: tuple[int, ...] = ()) -> None:
        self.asked: list[tuple[str, int]] = []
        self.needs: list[Need | NeedIdentity] = []
        self.at_once = answer_at_once
        request = Render(1, "node", frame, {}, {"Source": Span(1, 1000, steps)}, "batch", ())
        turns = Turns()
        self.place = turns.queue("client", False)
        self.inputs = JobInputs(request, self.place, self.receive)

    def receive(self, need: Need | NeedIdentity) -> None:
        self.needs.append(need)
        if isinstance(need, Need):
            self.asked.append((need.input, need.frame))
        if self.at_once:
            threading.Thread(target=self.answer, args=(need,)).start()

    def answer(self, need: Need | NeedIdentity) -> None:
        if isinstance(need, NeedIdentity):
            self.inputs.answer(need.need, b"digest")
        elif need.frame == 13:
            self.inputs.answer(need.need, FootageError("there is no frame 13"))
        else:
            pixels = np.full((16, 16, 4), need.frame, np.float32)
            window = Window(0, 0, 16, 16)
            self.inputs.answer(need.need, Frame(pixels, ("R", "G", "B", "A"), window, window))


def test_frames_are_fetched_once_and_identities_too():
    client = Client()
    assert client.inputs.frame("Source", 5).pixels[0, 0, 0] == 5
    assert client.inputs.frame("Source", 5) is client.inputs.frame("Source", 5)
    assert client.inputs.identity("Source", 1, 5) == client.inputs.identity("Source", 1, 5) == b"digest"
    assert len(client.needs) == 2
    assert client.inputs.range("Source") == (1, 1000)
    with pytest.raises(ParameterError, match="input 'Mask' is not connected"):
        client.inputs.frame("Mask", 1)


def test_planned_frames_come_ahead_but_never_all_at_once():
    client = Client()
    plan = [("Source", frame) for frame in range(20, 60)]
    client.inputs.prefetch([*plan, ("Mask", 1)])
    assert client.asked == plan[:AHEAD]
    for _, frame in plan:
        client.inputs.frame("Source", frame)
        assert len(client.asked) <= frame - 20 + 1 + AHEAD
    assert client.asked == plan


def test_a_walk_goes_over_the_frames_that_are_there():
    client = Client(frame=91, steps=(10, 9))
    assert list(client.inputs.frames("Source")) == list(range(1, 92, 10))
    client.inputs.frame("Source", 1)
    client.inputs.frame("Source", 11)
    assert [frame for _, frame in client.asked] == [1, 11, 21, 31]
    assert client.inputs.identity_of("Source", [1, 21]) == client.inputs.identity_of("Source", [1, 21]) == b"digest"
    assert client.inputs.identity_of("Source", []) == b"", "of no frames, nobody is asked"
    assert client.needs[-1].frames == (1, 21)
    assert Client().inputs.frames("Source") is None


def test_a_walk_towards_the_jobs_frame_is_fetched_ahead():
    client = Client(frame=10)
    client.inputs.frame("Source", 3)
    assert client.asked == [("Source", 3)]
    client.inputs.frame("Source", 4)
    assert client.asked == [("Source", frame) for frame in (3, 4, 5, 6)]
    for frame in range(5, 10):
        client.inputs.frame("Source", frame)
    assert client.asked == [("Source", frame) for frame in range(3, 10)], "not beyond the job's own frame"


def test_used_frames_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(inputs_module, "KEPT_BYTES", 3 * 16 * 16 * 4 * 4)
    client = Client(frame=10_000)
    for frame in range(100, 200):
        client.inputs.frame("Source", frame)
    assert len(client.inputs._used) == 3
    client.inputs.forget("Source", 199)
    assert len(client.inputs._used) == 2


def test_a_missing_frame_is_an_error_only_when_it_is_used():
    client = Client()
    client.inputs.prefetch([("Source", 12), ("Source", 13)])
    client.inputs.frame("Source", 12)
    with pytest.raises(FootageError, match="there is no frame 13"):
        client.inputs.frame("Source", 13)


def test_cancelling_wakes_a_job_that_waits_for_a_frame():
    client = Client(answer_at_once=False)
    threading.Timer(0.05, client.inputs.cancel).start()
    with pytest.raises(Cancelled):
        client.inputs.frame("Source", 5)
    with pytest.raises(Cancelled):
        client.inputs.check_cancelled()


def test_an_answer_nobody_asked_for_is_refused():
    client = Client()
    with pytest.raises(ProtocolError, match="nobody asked for what need 9 brings"):
        client.inputs.answer(9, b"")
