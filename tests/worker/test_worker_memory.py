"""Shared memory: what a peer passes is believed only after a look, and buffers are reused only when nobody looks."""

from __future__ import annotations

import fcntl
import gc
import os

import numpy as np
import pytest

from plugin.worker.protocol import shared_memory
from plugin.worker.protocol.buffers import KEPT_FREE, OUTSTANDING, Incoming, Outgoing
from plugin.worker.protocol.fields import Box, BufferRef, Colour, Image
from plugin.worker.protocol.frames import frame_of, pack, passes_of, unpack
from plugin.worker.protocol.messages import FrameAnswer, Result
from plugin.worker.protocol.schema import ProtocolError

COLOUR = Colour("x", "linear", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), "")


class Pair:
    """Both ends of a connection's buffers, without the connection."""

    def __init__(self) -> None:
        self.released: list[int] = []
        self.forgotten: list[int] = []
        self.outgoing = Outgoing(self.forgotten.append)
        self.incoming = Incoming(self.released.append)

    def send(self, size: int, fill: float = 1.0):
        """The receiver's view of a new message's buffer."""
        buffer = self.outgoing.take(size)
        buffer.memory.floats(0, (size // 4,))[:] = fill
        descriptors = [] if buffer.announced else [os.dup(buffer.descriptor)]
        buffer.announced = True
        return buffer.ref, self.incoming.open(buffer.ref, descriptors)[:size].view(np.float32)

    def deliver(self) -> None:
        """The messages that wait are handled."""
        for number in self.released:
            self.outgoing.released(number)
        self.released.clear()
        for number in self.forgotten:
            self.incoming.forget(number)
        self.forgotten.clear()


def memfd(size: int, seals: int = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW) -> int:
    descriptor = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def test_pixels_pass_without_a_copy():
    memory, descriptor = shared_memory.create(1000)
    memory.floats(0, (10, 5))[...] = 3
    received = shared_memory.open_received(os.dup(descriptor), 1000)
    assert received.floats(0, (10, 5)).sum() == 150
    memory.floats(64, (2,))[:] = 9
    assert received.floats(64, (2,)).tolist() == [9, 9]
    os.close(descriptor)


def test_own_memory_cannot_be_resized_by_anyone():
    _, descriptor = shared_memory.create(4096)
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


def test_memory_that_could_vanish_or_is_too_small_is_refused(tmp_path):
    file = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    reading, writing = os.pipe()
    cases = [
        (memfd(4096, 0), 4096, "not sealed against resizing"),
        (memfd(4096, fcntl.F_SEAL_GROW), 4096, "not sealed against resizing"),
        (memfd(4096), 4097, "has 4096 bytes, not 4097"),
        (memfd(4096), 0, "has 4096 bytes, not 0"),
        (file, 4096, "not shared memory"),
        (writing, 4096, "not shared memory"),
    ]
    for descriptor, size, sentence in cases:
        with pytest.raises(ProtocolError, match=sentence):
            shared_memory.open_received(descriptor, size)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    os.close(reading)


def test_a_buffer_returns_only_when_the_last_view_is_gone():
    pair = Pair()
    ref, view = pair.send(400)
    corner = view[:1]
    del view
    gc.collect()
    assert pair.released == []
    del corner
    assert pair.released == [ref.id]
    pair.deliver()
    again, _ = pair.send(400)
    assert again.id == ref.id


def test_a_view_keeps_its_pixels_whatever_is_sent_meanwhile():
    pair = Pair()
    views = [pair.send(4000, fill)[1] for fill in range(10)]
    assert [float(view[0]) for view in views] == list(range(10))
    assert all(view.min() == view.max() for view in views)


def test_unused_buffers_are_forgotten_on_both_sides():
    pair = Pair()
    views = [pair.send(4096 * n)[1] for n in range(1, KEPT_FREE + 4)]
    while views:
        views.pop(0)
    pair.deliver()
    assert pair.outgoing.bytes() == 4096 * sum(range(4, KEPT_FREE + 4))
    pair.outgoing.trim(0)
    pair.deliver()
    assert pair.outgoing.bytes() == 0
    assert not pair.incoming._known


def test_whoever_holds_many_results_gets_memory_that_nobody_else_keeps():
    pair = Pair()
    held = [pair.send(4096) for _ in range(OUTSTANDING + 5)]
    assert [ref.id for ref, _ in held[OUTSTANDING:]] == [0] * 5
    assert pair.outgoing.bytes() == OUTSTANDING * 4096
    before = len(os.listdir("/proc/self/fd"))
    del held[OUTSTANDING:]
    assert len(os.listdir("/proc/self/fd")) == before - 5
    assert pair.released == []


def test_a_peer_that_lies_about_buffers_is_caught():
    pair = Pair()
    ref, view = pair.send(4096)
    with pytest.raises(ProtocolError, match="sent again before it was released"):
        pair.incoming.open(ref, [])
    with pytest.raises(ProtocolError, match="in use or not known"):
        pair.incoming.forget(ref.id)
    del view
    with pytest.raises(ProtocolError, match="has 4096 bytes, not 8192"):
        pair.incoming.open(BufferRef(ref.id, 8192), [])
    with pytest.raises(ProtocolError, match="came with 1 descriptors"):
        pair.incoming.open(ref, [memfd(4096)])
    with pytest.raises(ProtocolError, match="came with 0 descriptors"):
        pair.incoming.open(BufferRef(99, 4096), [])
    with pytest.raises(ProtocolError, match="was released but not in use"):
        pair.outgoing.released(77)


def test_images_must_lie_within_their_buffer():
    memory = np.zeros(4096, np.uint8)
    assert unpack(memory, Image("", 4096 - 48, 1, 3, 4)).shape == (1, 3, 4)
    for image in (
        Image("", 4096 - 44, 1, 3, 4),
        Image("", 2, 1, 1, 1),
        Image("", 0, 2**20, 2**20, 64),
        Image("", 2**36, 0, 1, 1),
    ):
        with pytest.raises(ProtocolError, match="does not lie within its buffer"):
            unpack(memory, image)


def test_messages_must_agree_with_themselves():
    memory = np.zeros(4096, np.uint8)
    answer = FrameAnswer(
        1, 1, BufferRef(1, 4096), Image("", 0, 2, 3, 4), ("R", "G", "B", "A"), Box(0, 0, 3, 2), Box(0, 0, 3, 2), 1.0,
        COLOUR,
    )  # fmt: skip
    assert frame_of(answer, memory).pixels.shape == (2, 3, 4)
    wrong = FrameAnswer(
        1, 1, BufferRef(1, 4096), Image("", 0, 2, 3, 4), ("R", "G", "B"), Box(0, 0, 3, 2), Box(0, 0, 3, 2), 1.0, COLOUR
    )
    with pytest.raises(ProtocolError, match="a frame contradicts itself"):
        frame_of(wrong, memory)
    result = Result(1, BufferRef(1, 4096), (Image("alpha", 0, 2, 3, 1),), Box(0, 0, 3, 3), {}, (), 0.0)
    with pytest.raises(ProtocolError, match="the pass 'alpha' is not of the size 3x3"):
        passes_of(result, memory)


def test_arrays_are_packed_side_by_side_each_on_its_own_cache_line():
    pair = Pair()
    arrays = {"a": np.ones((3, 5, 1), np.float32), "b": np.full((2, 2, 4), 2, np.float32)[::-1]}
    buffer, images = pack(pair.outgoing, arrays)
    assert [image.offset for image in images] == [0, 64]
    assert buffer.memory.floats(images[1].offset, (2, 2, 4)).tolist() == arrays["b"].tolist()


def test_frames_in_the_worker_are_read_only():
    answer = FrameAnswer(
        1, 1, BufferRef(1, 4096), Image("", 0, 1, 1, 1), ("Y",), Box(0, 0, 1, 1), Box(0, 0, 1, 1), 1.0, COLOUR
    )
    with pytest.raises(ValueError, match="read-only"):
        frame_of(answer, np.zeros(4096, np.uint8)).pixels[0] = 1
