"""Whatever a worker answers, the host neither crashes nor hangs: broken, hostile and merely odd replies."""

import contextlib
import os
import random
import socket

import msgpack
import numpy as np
import pytest
from ofx_host.clips import Footage
from ofx_host.fixtures import CORNER, FORMAT, bundle, without_worker  # noqa: F401
from ofx_host.host import Host, descriptors, threads
from ofx_host.images import Picture
from ofx_host.isolated import isolated
from ofx_host.plugin import Refused
from ofx_host.profiles import NATRON, PLAIN

HUGE = 2**63 - 1


def odd_results():
    """Names and changes of a right Result: (path into its fields, value)."""
    image = ("images", 0)
    yield from {
        "offset beyond": ((*image, "offset"), 1 << 40),
        "offset at the end": ((*image, "offset"), 47 * 67 * 16),
        "offset negative": ((*image, "offset"), -4),
        "offset unaligned": ((*image, "offset"), 2),
        "height huge": ((*image, "height"), 1 << 30),
        "height of int64": ((*image, "height"), HUGE),
        "width negative": ((*image, "width"), -67),
        "width zero": ((*image, "width"), 0),
        "channels zero": ((*image, "channels"), 0),
        "channels many": ((*image, "channels"), 64),
        "channels too many": ((*image, "channels"), 1 << 30),
        "one channel": ((*image, "channels"), 1),
        "name of nothing": ((*image, "name"), ""),
        "name not text": ((*image, "name"), 5),
        "no images": (("images",), []),
        "images no list": (("images",), {}),
        "too many images": (("images",), [{}] * 1000),
        "window huge": (("window",), {"x": 0, "y": 0, "width": 1 << 20, "height": 1 << 20}),
        "window elsewhere": (("window", "x"), 1 << 24),
        "window far": (("window", "x"), -(1 << 24)),
        "window of int64": (("window", "y"), -HUGE),
        "window none": (("window",), None),
        "buffer size small": (("buffer", "size"), 8),
        "buffer size zero": (("buffer", "size"), 0),
        "buffer size huge": (("buffer", "size"), 1 << 60),
        "buffer id negative": (("buffer", "id"), -1),
        "buffer id large": (("buffer", "id"), 1 << 40),
        "milliseconds nan": (("milliseconds",), float("nan")),
        "milliseconds text": (("milliseconds",), "soon"),
        "info no map": (("info",), []),
        "info nested": (("info",), {"a": {"b": {"c": [1]}}}),
        "notes no list": (("notes",), 7),
        "notes long": (("notes",), ["x" * 5000]),
        "percent in a note": (("notes",), ["100%s%n%d"]),
        "job of another": (("job",), 99),
        "job zero": (("job",), 0),
        "job text": (("job",), "one"),
    }.items()


def changed(fields, path, value):
    *parents, last = path
    place = fields
    for key in parents:
        place = place[key]
    place[last] = value
    return fields


def _deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


# Whole answers that are no Result.
ANSWERS = {
    "nothing but garbage": lambda line, request: line.send_bytes(os.urandom(4096)),
    "half a header": lambda line, request: line.send_bytes(b"CPWK\1\0"),
    "another magic": lambda line, request: line.send_raw(11, b"\x80", magic=b"HTTP"),
    "another version": lambda line, request: line.send_raw(11, b"\x80", version=9),
    "a length of 4 GB": lambda line, request: line.send_raw(11, b"\x80", length=2**32 - 1),
    "a length never kept": lambda line, request: line.send_raw(11, b"\x80", length=500),
    "descriptors announced": lambda line, request: line.send_raw(11, b"\x80", count=3),
    "too many descriptors announced": lambda line, request: line.send_raw(11, b"\x80", count=60000),
    "a code of nothing": lambda line, request: line.send_raw(999, b"\x80"),
    "a message for workers": lambda line, request: line.send("Cancel", {"job": request["job"]}),
    "an empty payload": lambda line, request: line.send_raw(11, b""),
    "a payload cut off": lambda line, request: line.send_raw(11, msgpack.packb({"job": 1, "x": "abc"})[:-2]),
    "two values": lambda line, request: line.send_raw(11, b"\x80\x80"),
    "an array of 4 billion": lambda line, request: line.send_raw(11, b"\x81\xa1a\xdd\xff\xff\xff\xff"),
    "a text of 4 billion": lambda line, request: line.send_raw(11, b"\x81\xa1a\xdb\xff\xff\xff\xff"),
    "an extension type": lambda line, request: line.send_raw(11, b"\x81\xa1a\xc7\x01\x05\x00"),
    "deep nesting": lambda line, request: line.send_raw(11, msgpack.packb({"job": _deep(400)})),
    "text that is not UTF-8": lambda line, request: line.send_raw(12, b"\x81\xa3job\xa2\xff\xfe"),
    "a failure without a reason": lambda line, request: line.send("Failed", {"job": request["job"]}),
    "a failure with percents": lambda line, request: line.send(
        "Failed", {"job": request["job"], "kind": "internal", "sentence": "100%s of %n % frames"}
    ),
    "a need of nothing": lambda line, request: line.send(
        "Need", {"job": request["job"], "need": 1, "input": "Nowhere", "frame": 1}
    ),
    "a need far away": lambda line, request: (
        line.send("Need", {"job": request["job"], "need": 1, "input": "Source", "frame": 2**31 - 1})
        or line.send("Failed", {"job": request["job"], "kind": "footage", "sentence": "enough"})
    ),
    "an identity of all time": lambda line, request: line.send(
        "NeedIdentity",
        {"job": request["job"], "need": 1, "input": "Source", "first": -(2**31), "last": 2**31 - 1},
    ),
    "an identity of words": lambda line, request: line.send(
        "NeedIdentity",
        {"job": request["job"], "need": 1, "input": "Source", "first": 1, "last": 9, "frames": [1, "x"]},
    ),
    "an identity backwards": lambda line, request: (
        line.send("NeedIdentity", {"job": request["job"], "need": 1, "input": "Source", "first": 5, "last": -5})
        or line.send("Failed", {"job": request["job"], "kind": "footage", "sentence": "enough"})
    ),
    "a release of nothing": lambda line, request: line.send("Release", {"buffer": 77}),
    "forgetting nothing": lambda line, request: line.send("Forget", {"buffer": 77}),
    "hanging up": lambda line, request: line.socket.shutdown(socket.SHUT_RDWR),
}


def _descriptor_answers():
    from ofx_host.fake_worker import memory, result_fields, send_result

    def with_file(make):
        def answer(line, request):
            send_result(line, result_fields(request), make())

        return answer

    def pipe():
        reader, writer = os.pipe()
        os.close(writer)
        return reader

    def unsealed():
        descriptor = os.memfd_create("plain", os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, 1 << 20)
        return descriptor

    def unasked(line, request):
        own = memory(64)
        line.send("Note", {"job": request["job"], "sentence": "look"}, [own])
        os.close(own)

    def four_of_them(line, request):
        own = memory(64)
        line.send("Result", result_fields(request), [own] * 4)
        os.close(own)

    return {
        "a pipe for memory": with_file(pipe),
        "a folder for memory": with_file(lambda: os.open("/", os.O_RDONLY)),
        "memory that can shrink": with_file(unsealed),
        "memory too small": with_file(lambda: memory(16)),
        "no memory": lambda line, request: line.send("Result", result_fields(request)),
        "memory with a note": unasked,
        "four memories": four_of_them,
        "no such pass": lambda line, request: send_result(
            line, changed(result_fields(request), ("images", 0, "name"), "something")
        ),
    }


WELCOMES = {
    "garbage": lambda line: line.send_bytes(b"\0" * 64),
    "hanging up": lambda line: line.socket.shutdown(socket.SHUT_RDWR),
    "a result": lambda line: line.send("Result", {}),
    "a welcome without fields": lambda line: line.send("Welcome", {}),
    "no, for good": lambda line: line.send("Refused", {"sentence": "100% full", "retired": False}),
}


def _node(host):
    """A node over a small picture; the fake worker looks at nothing."""
    node = host.plugin("org.cleanplate.BackgroundMatte").create()
    node.set(device="cpu")
    picture = Picture(np.full((47, 67, 4), 0.25, np.float32), CORNER)
    for name in ("Source", "C"):
        node.connect(name, Footage(picture, (1, 9), format=FORMAT))
    return node


def _ending(answer):
    """The answer after a sign of life, and then the end: who waits for more must notice that none comes."""

    def run(line, request):
        line.send("Started", {"job": request["job"]})
        answer(line, request)
        with contextlib.suppress(OSError):
            line.socket.shutdown(socket.SHUT_WR)

    return run


def play(bundle, answers, welcome=None):  # noqa: F811
    """Renders one frame per answer. Returns what came of each: the pixels or the sentence."""
    from ofx_host.fake_worker import FakeWorker, result_fields, send_result

    outcome = {}
    with Host(NATRON, bundle) as host:
        node = _node(host)
        for number, (name, answer) in enumerate(answers.items(), 1):
            fake = FakeWorker(_ending(answer), welcome)
            try:
                outcome[name] = node.render(number % 9)
            except Refused:
                outcome[name] = node.effect.persistent
                assert outcome[name], f"{name}: the node says nothing"
            finally:
                fake.close()
            assert fake.requests <= 3, f"{name}: asked {fake.requests} times"
        # After all that a worker in its right mind is believed.
        fake = FakeWorker(lambda line, request: send_result(line, result_fields(request)))
        np.testing.assert_array_equal(node.render(5), np.full((47, 67, 4), 0.5, np.float32))
        assert node.effect.persistent == ""
        fake.close()
    return outcome


@pytest.fixture
def alone(bundle, tmp_path, monkeypatch):  # noqa: F811
    """A bundle whose real worker is out of reach, and a folder for the fake one's socket."""
    own = without_worker(bundle, tmp_path)
    monkeypatch.setenv("CLEANPLATE_RUNTIME", str(tmp_path / "run"))
    return own


@isolated
def test_odd_results(alone):
    from ofx_host.fake_worker import result_fields, send_result

    def answer(path, value):
        def send(line, request):
            fields = changed(result_fields(request), path, value)
            size = fields["buffer"]["size"]
            send_result(line, fields, _memory(size))

        return send

    outcome = play(alone, {name: answer(*change) for name, change in odd_results()})
    for name in ("percent in a note", "one channel", "window elsewhere", "window far"):
        assert not isinstance(outcome[name], str), f"{name}: {outcome[name]}"
    for name in ("offset beyond", "height of int64", "buffer size small", "no images"):
        assert isinstance(outcome[name], str), name


def _memory(size):
    from ofx_host.fake_worker import memory

    return memory(size if 0 < size < 1 << 24 else 47 * 67 * 16)


@isolated
def test_answers_that_are_none(alone):
    before = (threads(), descriptors())
    outcome = play(alone, {**ANSWERS, **_descriptor_answers()})
    assert outcome["a failure with percents"] == "100%s of %n % frames"
    assert all(isinstance(found, str) for found in outcome.values())
    assert len(descriptors()) <= len(before[1]) + 1
    assert threads() >= before[0]


@pytest.mark.parametrize("name", sorted(WELCOMES))
@isolated
def test_odd_greetings(alone, name):
    from ofx_host.fake_worker import FakeWorker, result_fields, send_result

    with Host(PLAIN, alone) as host:
        node = _node(host)
        fake = FakeWorker(lambda line, request: None, WELCOMES[name])
        with pytest.raises(Refused):
            node.render(1)
        assert host.journal.messages[-1].text
        fake.close()
        fake = FakeWorker(lambda line, request: send_result(line, result_fields(request)))
        assert node.render(1).max() == 0.5
        fake.close()


@isolated
def test_the_identity_of_picked_frames_looks_at_no_others(alone):
    from ofx_host.fake_worker import FakeWorker, result_fields, send_result

    asked, digests = [], []
    picked = [1, 500, 2_000_000]

    def answer(line, request):
        for need, frames in ((1, picked), (2, picked), (3, picked[:2])):
            span = {"first": frames[0], "last": frames[-1], "frames": frames}
            line.send("NeedIdentity", {"job": request["job"], "need": need, "input": "Source", **span})
            digests.append(line.receive()[1]["digest"])
        send_result(line, result_fields(request))

    def picture(time):
        asked.append(time)
        return Picture(np.full((47, 67, 4), time, np.float32), CORNER)

    with Host(PLAIN, alone) as host:
        node = _node(host)
        node.connect("Source", Footage(picture, (1, 2_000_000), format=FORMAT))
        fake = FakeWorker(answer)
        asked.clear()
        node.render(500)
        fake.close()
    assert sorted(set(asked)) == picked
    assert digests[0] == digests[1] != digests[2]


@isolated
def test_random_damage(alone):
    """A right answer with some of its bytes changed, dropped or doubled; the same in every run."""
    from ofx_host.fake_worker import CODES, memory, result_fields

    chance = random.Random(11)

    def damaged(number):
        def answer(line, request):
            payload = bytearray(msgpack.packb(result_fields(request)))
            for _ in range(chance.randint(1, 6)):
                at = chance.randrange(len(payload))
                match chance.randrange(4):
                    case 0:
                        payload[at] = chance.randrange(256)
                    case 1:
                        del payload[at]
                    case 2:
                        payload.insert(at, chance.randrange(256))
                    case 3:
                        payload[at:at] = payload[at : at + chance.randrange(40)]
            own = memory(47 * 67 * 16)
            line.send_raw(CODES["Result"], bytes(payload), [own])
            os.close(own)

        return answer

    outcome = play(alone, {f"damage {n}": damaged(n) for n in range(60)})
    assert sum(isinstance(found, str) for found in outcome.values()) > 20
