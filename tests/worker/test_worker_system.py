"""What the worker does differently on macOS, tried on Linux as far as its calls are the same."""

import os
import socket
import struct
from pathlib import Path

import numpy as np
import pytest

from plugin.worker.protocol import shared_memory, system
from plugin.worker.protocol.buffers import Incoming, Outgoing
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.protocol.wire import Wire

WAYS = [system.SealedMemory, system.UnlinkedMemory]


def _typeless(descriptor):
    """As macOS describes shared memory."""
    true = os.fstat(descriptor)
    return os.stat_result((true.st_mode & 0o777, *true[1:]))


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def way(request, monkeypatch):
    monkeypatch.setattr(system, "memory", request.param)
    if request.param is system.UnlinkedMemory:
        monkeypatch.setattr(request.param, "status", staticmethod(_typeless))
    return request.param


def test_linux_has_sealed_memory():
    assert system.memory is system.SealedMemory


def test_pixels_pass_over_the_wire(way):
    left, right = socket.socketpair()
    sender, receiver = Wire(left), Wire(right)
    outgoing, incoming = Outgoing(lambda number: None), Incoming(lambda number: None)
    buffer = outgoing.take(1000)
    buffer.memory.floats(0, (250,))[...] = np.arange(250)
    sender.send(6, b"\x80", [buffer.descriptor])
    code, payload, descriptors = receiver.receive()
    assert (code, payload, len(descriptors)) == (6, b"\x80", 1)
    assert not os.get_inheritable(descriptors[0])
    view = incoming.open(buffer.ref, descriptors).view(np.float32)
    np.testing.assert_array_equal(view[:250], np.arange(250))
    view[0] = 7
    assert buffer.memory.floats(0, (1,))[0] == 7, "it is a copy"
    sender.close()
    receiver.close()


def test_nothing_of_it_has_a_name(way):
    def names():
        return set(os.listdir("/dev/shm")) if Path("/dev/shm").is_dir() else set()

    before = names()
    descriptor = way.create(4096)
    assert not {name for name in names() - before if "cleanplate" in name}
    os.close(descriptor)


def test_memory_that_is_too_small_is_refused(way):
    with pytest.raises(ProtocolError, match="has 4096 bytes, not 4097"):
        shared_memory.open_received(way.create(4096), 4097)


def test_a_file_or_a_pipe_is_no_shared_memory_on_macos(tmp_path):
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    reading, writing = os.pipe()
    for descriptor in (file, reading, writing):
        with pytest.raises(ProtocolError, match="not shared memory"):
            system.UnlinkedMemory.fixed_size(descriptor)
        os.close(descriptor)


def test_a_name_that_is_taken_is_passed_over(monkeypatch):
    tokens = iter(["aa", "aa", "bb"])
    monkeypatch.setattr(system.secrets, "token_hex", lambda count: next(tokens))
    monkeypatch.setattr(system._posixshmem, "shm_unlink", lambda name: unlinked.append(name))
    unlink, unlinked = os.unlink, []
    try:
        descriptors = [system.UnlinkedMemory.create(4096) for _ in range(2)]
        assert unlinked == ["/cleanplate-aa", "/cleanplate-bb"]
        assert os.fstat(descriptors[0]).st_ino != os.fstat(descriptors[1]).st_ino
    finally:
        for name in unlinked:
            unlink("/dev/shm" + name)
        for descriptor in descriptors:
            os.close(descriptor)


def test_who_is_at_the_other_end():
    left, right = socket.socketpair()
    assert system.peer(left) == (os.getpid(), os.getuid())
    left.close()
    right.close()


class MacSocket:
    """A Unix socket that answers as macOS's <sys/un.h> and <sys/ucred.h> say."""

    def __init__(self, credentials: bytes) -> None:
        self.answers = {(0, 1): credentials, (0, 2): struct.pack("i", 4321)}

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        return self.answers[level, option][:size]


def test_who_is_at_the_other_end_on_macos():
    whole = struct.pack("=IIhxx16I", 0, 501, 1, 20, *[0] * 15)
    assert system._peer_on_macos(MacSocket(whole)) == (4321, 501)
    with pytest.raises(OSError, match="not connected"):
        system._peer_on_macos(MacSocket(whole[:8]))


def test_descriptors_that_arrive_are_not_inherited_where_the_system_cannot_be_asked(monkeypatch):
    monkeypatch.setattr(system, "RECEIVE_FLAGS", 0)
    left, right = socket.socketpair()
    sender, receiver = Wire(left), Wire(right)
    descriptor = system.memory.create(4096)
    sender.send(6, b"\x80", [descriptor])
    _, _, (received,) = receiver.receive()
    assert not os.get_inheritable(received)
    os.close(received)
    os.close(descriptor)
    sender.close()
    receiver.close()


def test_processors_are_counted_without_a_mask(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert system.usable_cores() == os.cpu_count()
