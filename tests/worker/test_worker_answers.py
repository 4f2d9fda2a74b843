"""No job is left without an answer, whatever an engine returns, a source says or a client asks for."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worker_tools import Footage, wait_for

from models.weights import WeightsFacts
from nodes.engine import Passes
from nodes.errors import CleanplateError, FootageError, WorkerError
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from nodes.plain_text import one_line
from plugin.worker.client import lifecycle
from plugin.worker.client import worker as client_module
from plugin.worker.client.worker import Worker
from plugin.worker.protocol.buffers import Outgoing
from plugin.worker.protocol.codec import decode_message, encode_message
from plugin.worker.protocol.connection import Connection
from plugin.worker.protocol.fields import MOST_NOTES, Box, BufferRef, Image, Span
from plugin.worker.protocol.fitting import fitted, fitted_facts, fitted_notes
from plugin.worker.protocol.messages import (
    Cancel,
    Failed,
    FrameAnswer,
    Hello,
    IdentityAnswer,
    Message,
    Missing,
    Need,
    NeedIdentity,
    Render,
    Result,
    Started,
    Welcome,
)
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.wire import Wire
from plugin.worker.server.inputs import Needs
from plugin.worker.server.jobs import RunningJob
from plugin.worker.server.session import Session
from plugin.worker.server.turns import Turns

WINDOW = Window(0, 0, 3, 2)
PIXELS = np.zeros((2, 3, 1), np.float32)
BOX = Box(0, 0, 1, 1)


class Client:
    """Takes the messages of a job as a connection would: encoded, or not at all."""

    pid = 1

    def __init__(self) -> None:
        self.needs = Needs()
        self.outgoing = Outgoing(lambda number: None)
        self.messages: list[Message] = []

    def send(self, message: Message, buffer: Any = None) -> None:
        self.messages.append(decode_message(message.code, encode_message(message)))

    def finished(self, job: RunningJob) -> None:
        pass


class Engine:
    def __init__(self, render: Any) -> None:
        self._render = render

    def needs(self, frame: int, params: Any, inputs: Any) -> list[Any]:
        return []

    def render(self, frame: int, params: Any, inputs: Any, device: Any) -> Any:
        return self._render(device)


FACE = SimpleNamespace(label="Odd", parameters=(), inputs=(), passes=(), parse=dict, input=lambda name: None)


def device_for(weights: tuple[WeightsFacts, ...], note: Any) -> Any:
    return SimpleNamespace(
        note=note, compute=lambda work: work(), weights_used=lambda: weights, precision="full", execution="eager"
    )


def answers(render: Any, weights: tuple[WeightsFacts, ...] = (), passes: tuple[str, ...] = ()) -> list[Message]:
    """What a client hears of a job whose engine does `render(device)`."""
    client = Client()
    accelerator: Any = SimpleNamespace(
        name="cpu", release=lambda keep: True, for_job=lambda face, params, inputs, note: device_for(weights, note)
    )
    request = Render(7, "odd", 5, {}, {}, "batch", passes)
    RunningJob(request, client, Turns(), accelerator, lambda name: (FACE, Engine(render)), "/log").run()  # type: ignore[arg-type, return-value]
    return client.messages


def ending(messages: list[Message]) -> Result | Failed:
    """The one message that ends the job."""
    (last,) = [message for message in messages if isinstance(message, Result | Failed)]
    assert last is messages[-1]
    return last


# Texts as files have them: bytes that are no UTF-8, escape sequences, lines.
texts = st.text(st.characters() | st.characters(categories=["Cs", "Cc"]), max_size=40) | st.sampled_from(
    ["\x1b[31m", "a\nb", "\udcff", "x" * 200_000, "ü" * 70_000]
)
odd = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.binary(max_size=9)
    | st.just(np.float32("nan"))
    | st.just(np.arange(3))
)
arrays = st.sampled_from(
    [PIXELS, PIXELS[0], PIXELS.astype(complex), PIXELS.astype("O"), np.zeros((0, 0, 1)), np.zeros((2, 3, 65), "f")]
)
windows = st.builds(Window, *[st.sampled_from([0, 3, -1, 2**24 + 1, 2**40, 1.5])] * 4) | odd
weights_infos = st.builds(WeightsFacts, name=texts, sha256=texts, network=texts, path=texts, licence=texts, terms=texts)
passes = st.builds(
    Passes,
    st.dictionaries(texts | odd.filter(lambda o: not isinstance(o, np.ndarray)), arrays | odd, max_size=3) | odd,
    windows | st.just(WINDOW),
    st.dictionaries(texts | st.integers(), odd, max_size=5),
    st.lists(odd, max_size=5),
)


@settings(max_examples=200, deadline=None)
@given(passes | odd, st.lists(weights_infos, max_size=10).map(tuple))
def test_whatever_an_engine_returns_the_job_is_answered(made, weights):
    ending(answers(lambda device: made, weights))


class Mute(Exception):
    def __str__(self) -> str:
        raise KeyError("no words")


@settings(max_examples=50, deadline=None)
@given(st.builds(lambda kind, text: kind(text), st.sampled_from([FootageError, KeyError, MemoryError, OSError]), texts))
def test_whatever_an_engine_raises_the_job_fails_in_a_sentence(error):
    def render(device: Any) -> None:
        device.note(str(error))
        raise error

    sentence = ending(answers(render)).sentence
    assert one_line(sentence) == sentence


@pytest.mark.parametrize("error", [Mute(), SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_exceptions_of_other_kinds_fail_the_job_as_well(error):
    def render(device: Any) -> None:
        raise error

    assert f"Odd on frame 5 failed ({type(error).__name__}" in ending(answers(render)).sentence


def test_a_layer_for_each_of_171_classes_travels_with_the_texts_of_all():
    names = [f"class a_name_of_a_class_{n}" for n in range(171)]
    made = Passes(dict.fromkeys(names, PIXELS), WINDOW, {"classIds": ", ".join(names * 9)})
    result = ending(answers(lambda device: made, passes=tuple(names)))
    assert [image.name for image in result.images] == names
    assert result.info["classIds"] == ", ".join(names * 9)


def test_notes_are_folded_and_none_is_lost_without_a_word():
    made = Passes({"a": PIXELS}, WINDOW, notes=[f"frame {n} is missing" for n in range(1003, 1068)])
    assert ending(answers(lambda device: made)).notes == ("frame 1003 is missing (65 frames like this, first 1003)",)
    assert fitted_notes(["no frame 1", "no frame 2", "no frame 2"]) == ("no frame 1", "no frame 2")
    many = fitted_notes([chr(ord("a") + n // 26) + chr(ord("a") + n % 26) for n in range(100)])
    assert (len(many), many[-1]) == (MOST_NOTES, "and 37 more notes")
    long = fitted_notes([letter * 4000 for letter in "abcdefghijklmnopqrstuvwxyz"])
    assert long[-1] == f"and {26 - len(long) + 1} more notes"


@settings(max_examples=50, deadline=None)
@given(st.lists(texts, max_size=100), st.dictionaries(texts, odd, max_size=300))
def test_notes_and_facts_always_fit(notes, facts):
    encode_message(Result(1, BufferRef(0, 64), (), BOX, fitted_facts(facts), fitted_notes(notes), 1.0))


def test_memory_for_an_answer_that_cannot_be_sent_is_given_back():
    left, right = socket.socketpair()
    connection = Connection(Wire(left), "test", lambda message, descriptors: None, lambda error: None)
    for number in range(100):
        buffer = connection.outgoing.take(4096)
        with pytest.raises(ProtocolError):
            connection.send(Result(1, buffer.ref, (Image("\udcff", 0, 1, 1, 1),), BOX, {}, (), 1.0), buffer)
        assert buffer.ref.id == number + 1, "the count of those that are under way never grows"
    assert connection.outgoing.bytes() == 0
    left.close()
    right.close()


def greeted(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[Worker, Wire]:
    """A client, and the worker's end of its connection."""
    left, right = socket.socketpair()
    right.settimeout(20)
    welcome = Welcome("1", "b", 1, "cpu", "/log", 16)
    ends = iter([(Wire(left), welcome)])

    def reach(*arguments: Any) -> tuple[Wire, Welcome]:
        for end in ends:
            return end
        raise WorkerError("there is no second worker")

    monkeypatch.setattr(lifecycle, "connect_or_start", reach)
    assert client_module.lifecycle is lifecycle
    return Worker("cpu", **settings), Wire(right)


def received(wire: Wire) -> Message:
    entry = wire.receive()
    assert entry is not None
    return decode_message(entry[0], entry[1])


def sent(wire: Wire, message: Message) -> None:
    wire.send(message.code, encode_message(message))


@pytest.mark.parametrize(
    ("frame", "params", "sentence"),
    [
        (2**31, {}, "Render.frame is 2147483648, outside"),
        (1, {"weights": "a\udcff"}, r"Render.params.weights is not Unicode: 'a\udcff'"),
        (1, {"a": "x" * 70_000}, "Render.params.a is longer than 65536 characters"),
        (1, {f"p{n}": "x" * 60_000 for n in range(20)}, "Render takes 1200"),
        (1, {"a": [1]}, "Render.params.a is not a number"),
    ],
)
def test_a_request_that_cannot_be_encoded_fails_and_is_forgotten(monkeypatch, frame, params, sentence):
    worker, end = greeted(monkeypatch)
    for _ in range(40):
        with pytest.raises(WorkerError) as caught:
            worker.submit("odd", frame, params, Footage()).result(5)
        assert sentence in str(caught.value)
    job = worker.submit("odd", 5, {}, Footage())
    assert received(end).frame == 5
    sent(end, Failed(job.request.job, "user", "the end"))
    with pytest.raises(CleanplateError, match="the end"):
        job.result(5)
    worker.close()
    end.close()


class Odd(Footage):
    """A source whose answers are what a test says."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def frame(self, name: str, frame: int) -> Frame:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def identity(self, name: str, first: int, last: int) -> bytes:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def frame_of(channels: tuple[str, ...] = ("Y",), x: int = 0, path: str = "") -> Frame:
    metadata = SimpleNamespace(path=path)
    return Frame(PIXELS, channels, Window(x, 0, 3, 2), WINDOW, metadata=metadata)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (FootageError("a\udcff\nb\x1b[31m"), r"a\xff\nb\x1b[31m"),
        (FootageError("x" * 9000), "x" * 4095 + "…"),
        (frame_of(("\udcff",)), None),
        (frame_of(("x" * 500,)), None),
        (frame_of(x=2**25, path="/a.exr"), "frame 5 of Source (/a.exr) cannot be handed to the worker: Box.x is"),
        (KeyError("a bug"), None),
        (SystemExit(1), None),
        (None, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_need_is_answered_or_the_job_ends(monkeypatch, answer, sentence):
    worker, end = greeted(monkeypatch)
    for make in (
        lambda job: Need(job, 1, "Source", 5),
        lambda job: NeedIdentity(job, 1, "Source", 5, 5),
    ):
        job = worker.submit("odd", 5, {}, Odd(answer))
        request = received(end)
        sent(end, make(request.job))
        reply = received(end)
        assert isinstance(reply, Missing | FrameAnswer | IdentityAnswer) or (isinstance(reply, Cancel) and job.done)
        if sentence and isinstance(reply, Missing) and (isinstance(answer, Exception) or reply.kind == "footage"):
            assert reply.sentence.startswith(sentence)
        sent(end, Failed(request.job, "user", "enough"))
        wait_for(lambda job=job: job.done)
    worker.close()
    end.close()


def test_answers_after_the_end_of_a_job_do_not_disturb_the_others():
    left, right = socket.socketpair()
    right.settimeout(20)
    waiting: list[RunningJob] = []
    gone: list[Session] = []
    accelerator: Any = SimpleNamespace(name="cpu", release=lambda keep: True)

    def admit(request: Render, session: Session) -> RunningJob:
        job = RunningJob(request, session, Turns(), accelerator, lambda name: (FACE, None), "/log")  # type: ignore[arg-type, return-value]
        waiting.append(job)
        return job

    worker: Any = SimpleNamespace(admit=admit, launch=lambda job: None, ended=gone.append)
    hello = Hello("1", "", 1, "late")
    session = Session(Wire(left), hello, worker)
    session.connection.start()
    end = Wire(right)

    def render() -> RunningJob:
        sent(end, Render(1, "odd", 5, {}, {"Source": Span(1, 9)}, "batch", ()))
        wait_for(lambda: bool(waiting))
        job = waiting.pop()
        job.inputs._ask_frame(("Source", 5))
        return job

    over = render()
    need = received(end).need
    over.inputs.close()
    # The job is over but still known; then it is gone; then its number is another's.
    sent(end, IdentityAnswer(1, need, b"late"))
    sent(end, Missing(1, need, "footage", "late"))
    session.finished(over)
    sent(end, Missing(1, need, "footage", "later"))
    other = render()
    sent(end, Missing(1, need, "footage", "too late"))
    asked = received(end).need
    assert asked != need
    (slot,) = other.inputs._asked.values()
    sent(end, Missing(1, asked, "footage", "in time"))
    wait_for(lambda: slot.done)
    assert str(slot.error) == "in time"
    assert not gone
    # What nobody ever asked for is no late answer.
    sent(end, Missing(1, asked + 1, "footage", "made up"))
    wait_for(lambda: gone == [session])
    end.close()


def test_a_failure_carries_a_word_of_every_kind_of_error():
    assert isinstance(answers(lambda device: Passes({"a": PIXELS}, WINDOW))[0], Started)
    assert fitted(Mute()) == "Mute"
