"""The wire: what may pass between a client and the worker, and that nothing else does."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import re
import socket
import threading
import time
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.worker.protocol import wire
from plugin.worker.protocol.codec import TYPES, decode_message, encode_message
from plugin.worker.protocol.fields import MAX_PAYLOAD, VERSION, Box, BufferRef, Colour, Image, Span
from plugin.worker.protocol.messages import (
    Cancel,
    FrameAnswer,
    Hello,
    Message,
    Missing,
    Need,
    Release,
    Render,
    Result,
)
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.wire import HEADER, MAGIC, MAX_DESCRIPTORS, MessageParser, OtherVersion, Wire

COLOUR = Colour("ACEScg", "linear", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), "")
MESSAGES: list[Message] = [
    Hello("1.0", "abc", 12, "test"),
    Render(7, "node", -3, {"a": 1, "b": 2.5, "c": "x", "d": True}, {"Source": Span(1, 9)}, "batch", ("alpha",)),
    FrameAnswer(
        1,
        2,
        BufferRef(1, 4096),
        Image("", 0, 2, 3, 4),
        ("R", "G", "B", "A"),
        Box(-5, 7, 3, 2),
        Box(0, 0, 10, 10),
        1.0,
        COLOUR,
    ),
    Result(1, BufferRef(0, 64), (Image("alpha", 0, 1, 1, 1),), Box(0, 0, 1, 1), {"x": 1, "y": "z"}, ("note",), 1.5),
    Missing(1, 2, "footage", "there is no frame 3"),
    Need(1, 2, "Source", 1001),
    Cancel(4294967295),
]


def framed(code: int, payload: bytes, descriptors: int = 0, version: int = VERSION, magic: bytes = MAGIC) -> bytes:
    return HEADER.pack(magic, version, code, len(payload), descriptors, 0) + payload


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_message_survives_the_wire(message):
    left, right = socket.socketpair()
    sender, receiver = Wire(left), Wire(right)
    sender.send(message.code, encode_message(message))
    code, payload, descriptors = receiver.receive()
    assert (decode_message(code, payload), descriptors) == (message, [])
    sender.close()
    assert receiver.receive() is None
    receiver.close()


def test_messages_arrive_whole_however_they_are_cut():
    parser = MessageParser()
    stream = b"".join(framed(m.code, encode_message(m)) for m in MESSAGES)
    found = []
    for at in range(0, len(stream), 3):
        parser.feed(stream[at : at + 3])
        while (entry := parser.next()) is not None:
            found.append(decode_message(entry[0], entry[1]))
    assert found == MESSAGES


def test_descriptors_come_with_their_message_and_arrive_as_copies():
    left, right = socket.socketpair()
    sender, receiver = Wire(left), Wire(right)
    reading, writing = os.pipe()
    sender.send(1, b"first")
    sender.send(2, b"second", [writing])
    os.close(writing)
    assert receiver.receive() == (1, b"first", [])
    _, _, (copy,) = receiver.receive()
    os.write(copy, b"hello")
    os.close(copy)
    assert os.read(reading, 10) == b"hello"
    os.close(reading)
    sender.close()
    receiver.close()


def test_descriptors_nobody_asked_for_are_closed():
    left, right = socket.socketpair()
    receiver = Wire(right)
    before = len(os.listdir("/proc/self/fd"))
    for count in (1, MAX_DESCRIPTORS):
        socket.send_fds(left, [b"x"], [0] * count)
    with pytest.raises(ProtocolError, match="more descriptors"):
        receiver.receive()
    assert len(os.listdir("/proc/self/fd")) == before
    left.close()
    receiver.close()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (framed(1, b"", magic=b"HTTP"), "not a message of the Cleanplate worker"),
        (HEADER.pack(MAGIC, VERSION, 1, MAX_PAYLOAD + 1, 0, 0), "a payload of 1048577 bytes is longer than 1048576"),
        (HEADER.pack(MAGIC, VERSION, 1, 0, 99, 0), "a message with 99 descriptors has more than 4"),
        (framed(1, b"", descriptors=1), "announces 1 descriptors, 0 came along"),
    ],
)
def test_broken_headers_are_refused(data, sentence):
    parser = MessageParser()
    parser.feed(data)
    with pytest.raises(ProtocolError, match=sentence):
        parser.next()


def test_what_trickles_in_has_one_deadline_in_all():
    left, right = socket.socketpair()
    receiver = Wire(right)
    whole = framed(Cancel.code, encode_message(Cancel(1)))

    def trickle() -> None:
        with contextlib.suppress(OSError):
            for byte in whole:
                left.send(bytes([byte]))
                time.sleep(0.1)

    threading.Thread(target=trickle, daemon=True).start()
    receiver.timeout(0.4)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        receiver.receive()
    assert time.monotonic() - began < 1.5
    receiver.timeout(None)
    assert receiver.receive() is not None
    left.close()
    receiver.close()


def test_another_version_says_which():
    parser = MessageParser()
    parser.feed(framed(1, b"", version=77))
    with pytest.raises(OtherVersion, match="the peer speaks version 77 of the protocol, this is version 1") as caught:
        parser.next()
    assert caught.value.version == 77


@pytest.mark.parametrize(
    ("message", "changes", "sentence"),
    [
        (Cancel(1), {"job": -1}, "Cancel.job is -1, outside 1..4294967295"),
        (Cancel(1), {"job": True}, "Cancel.job is not a whole number"),
        (Cancel(1), {"job": 1.0}, "Cancel.job is not a whole number"),
        (Cancel(1), {"extra": 1}, "Cancel lacks the field 'extra' or should not have it"),
        (MESSAGES[1], {"priority": "high"}, "Render.priority is none of interactive, batch"),
        (MESSAGES[1], {"node": "x" * 129}, "Render.node is longer than 128 characters"),
        (MESSAGES[1], {"node": b"node"}, "Render.node is not text"),
        (MESSAGES[1], {"params": {"a": float("nan")}}, "Render.params.a is not finite"),
        (MESSAGES[1], {"params": {"a": [1]}}, "Render.params.a is not a number"),
        (MESSAGES[1], {"inputs": {"Source": {"first": 1}}}, "Render.inputs.Source lacks the field 'last'"),
        (MESSAGES[1], {"passes": ["a"] * 4097}, "Render.passes has 4097 entries, not 0..4096"),
        (MESSAGES[2], {"image": 3}, "FrameAnswer.image is not a map"),
        (MESSAGES[2], {"channels": []}, "FrameAnswer.channels has 0 entries, not 1..64"),
    ],
)
def test_a_wrong_field_is_named(message, changes, sentence):
    fields = msgpack.unpackb(encode_message(message)) | changes
    with pytest.raises(ProtocolError) as caught:
        decode_message(message.code, msgpack.packb(fields))
    assert str(caught.value).startswith(sentence)


def test_what_is_sent_is_checked_too():
    with pytest.raises(ProtocolError, match=r"Need.frame is 4294967296, outside"):
        encode_message(Need(1, 1, "Source", 2**32))
    with pytest.raises(ProtocolError, match=r"Render takes \d+ bytes, more than 1048576"):
        encode_message(dataclasses.replace(MESSAGES[1], params={f"p{i}": "x" * 16_000 for i in range(70)}))


def test_a_missing_field_and_an_unknown_message_are_refused():
    with pytest.raises(ProtocolError, match="Release lacks the field 'buffer'"):
        decode_message(Release.code, msgpack.packb({}))
    with pytest.raises(ProtocolError, match="there is no message 999"):
        decode_message(999, b"")


def test_a_promise_of_many_entries_takes_no_memory():
    for payload in (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\x91" * 5000):
        with pytest.raises(ProtocolError, match="Hello is not readable"):
            decode_message(Hello.code, payload)


def _survives(data: bytes) -> int:
    """Feeds bytes as a connection would until it would be dropped; how many messages came out."""
    parser = MessageParser()
    parser.feed(data)
    count = 0
    try:
        while (entry := parser.next()) is not None:
            assert isinstance(decode_message(entry[0], entry[1]), TYPES[entry[0]])
            count += 1
    except ProtocolError:
        pass
    return count


def test_a_hundred_thousand_damaged_messages_only_raise_protocol_errors():
    chance = random.Random(5)
    whole = [framed(m.code, encode_message(m)) for m in MESSAGES]
    understood = 0
    for _ in range(100_000):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.choice((1, 1, 1, 2, 8))):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    data[at] ^= 1 << chance.randrange(8)
                case 2:
                    del data[at : at + chance.randrange(1, 9)]
                    data = data or bytearray(1)
                case _:
                    data[at:at] = chance.randbytes(chance.randrange(1, 9))
        understood += _survives(bytes(data))
    assert understood > 1000, "the damage must leave some messages readable, or the checks behind are not reached"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MESSAGES), st.data())
def test_any_value_in_any_field_is_read_or_refused(message, data):
    fields = msgpack.unpackb(encode_message(message))
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(values)
    _survives(framed(message.code, msgpack.packb(fields)))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 30), st.binary(max_size=300) | values.map(msgpack.packb))
def test_any_payload_is_read_or_refused(code, payload):
    _survives(framed(code, payload))


def test_the_protocols_manual_names_every_message():
    manual = (Path(wire.__file__).parent / "PROTOCOL.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", manual, re.MULTILINE)
    assert {int(code): name for code, name in rows} == {code: kind.__name__ for code, kind in TYPES.items()}
    assert f"version, {VERSION};" in manual
