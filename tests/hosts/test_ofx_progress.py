"""A long wait that is no frame shows a progress bar where the host has some, and the bar always comes to an end."""

import time

import numpy as np
import pytest
from ofx_host.clips import Footage
from ofx_host.fixtures import bundle, without_worker  # noqa: F401
from ofx_host.host import Host, in_threads
from ofx_host.images import Picture
from ofx_host.isolated import isolated
from ofx_host.plugin import Refused
from ofx_host.profiles import NATRON, PLAIN

SIZE = (47, 67)
HALF = np.full((*SIZE, 4), 0.5, np.float32)


@pytest.fixture
def alone(bundle, tmp_path, monkeypatch):  # noqa: F811
    """A bundle whose real worker is out of reach, and a folder for the fake one's socket."""
    own = without_worker(bundle, tmp_path)
    monkeypatch.setenv("CLEANPLATE_RUNTIME", str(tmp_path / "run"))
    return own


def node_in(host):
    node = host.plugin("org.cleanplate.BackgroundMatte").create()
    node.set(device="cpu")
    for name in ("Source", "C"):
        node.connect(name, Footage(Picture(np.full((*SIZE, 4), 0.25, np.float32)), (1, 99), format=(0, 0, 67, 47)))
    return node


def loading(line, request, until=lambda: True):
    """Says that it loads weights, and answers once `until` holds."""
    from ofx_host.fake_worker import result_fields, send_result

    line.send("Started", {"job": request["job"]})
    line.send("Note", {"job": request["job"], "sentence": "loading the weights bgmv2"})
    deadline = time.monotonic() + 60
    while not until() and time.monotonic() < deadline:
        time.sleep(0.02)
    fields = result_fields(request)
    fields["window"] |= {"x": 0, "y": 0}
    send_result(line, fields)


@isolated
def test_loading_weights(alone):
    from ofx_host.fake_worker import FakeWorker

    with Host(NATRON, alone) as host:
        node = node_in(host)
        # Until the bar was told four shares: the first two got the answer no, which means nothing.
        told = lambda: bool(host.bars) and len(host.bars[-1].shares) >= 4  # noqa: E731
        fake = FakeWorker(lambda line, request: loading(line, request, told))
        np.testing.assert_array_equal(node.render(1), HALF)
        (bar,) = host.bars
        assert bar.label == "Cleanplate: loading the weights bgmv2"
        assert bar.ended
        assert len(bar.shares) >= 4
        assert bar.shares == sorted(bar.shares)
        assert 0 < bar.shares[0] < bar.shares[-1] < 1
        fake.close()


@isolated
def test_a_short_wait_shows_nothing(alone):
    from ofx_host.fake_worker import FakeWorker

    with Host(NATRON, alone) as host:
        node = node_in(host)
        fake = FakeWorker(loading)
        for frame in range(1, 5):
            np.testing.assert_array_equal(node.render(frame), HALF)
        assert host.bars == []
        fake.close()


@isolated
def test_a_host_without_progress(alone):
    from ofx_host.fake_worker import FakeWorker

    with Host(PLAIN, alone) as host:
        node = node_in(host)
        began = time.monotonic()
        fake = FakeWorker(lambda line, request: loading(line, request, lambda: time.monotonic() > began + 1.5))
        np.testing.assert_array_equal(node.render(1), HALF)
        fake.close()


@isolated
def test_a_worker_that_starts(alone):
    """One that takes its time and then cannot: the bar ends, and the node says why."""
    program = alone.parent / "python"
    program.write_text("#!/bin/sh\nsleep 2.5\necho error there is no room\n")
    with Host(NATRON, alone) as host:
        node = node_in(host)
        with pytest.raises(Refused):
            node.render(1)
        assert node.effect.persistent == "There is no room."
        (bar,) = host.bars
        assert bar.label == "Cleanplate: starting the worker"
        assert bar.ended
        assert bar.shares


@isolated
def test_cancelled_while_the_bar_is_there(alone):
    from ofx_host.fake_worker import FakeWorker

    with Host(NATRON, alone) as host:
        node = node_in(host)
        fake = FakeWorker(lambda line, request: loading(line, request, lambda: bool(host.bars and host.bars[0].ended)))
        node.effect.abort_when = lambda polls: bool(host.bars and host.bars[0].shares)
        try:
            node.render(1)
        except Refused:
            assert node.effect.persistent == ""
        assert [bar.ended for bar in host.bars] == [True]
        fake.close()


@isolated
def test_several_renders_of_one_node_have_one_bar(alone):
    from ofx_host.fake_worker import FakeWorker

    with Host(NATRON, alone) as host:
        node = node_in(host)
        told = lambda: bool(host.bars) and len(host.bars[0].shares) >= 4  # noqa: E731
        fake = FakeWorker(lambda line, request: loading(line, request, told))
        for pixels in in_threads([lambda f=frame: node.render(f) for frame in range(1, 5)]):
            np.testing.assert_array_equal(pixels, HALF)
        # The host would have objected to a second one; all that there were have ended.
        assert all(bar.ended for bar in host.bars)
        fake.close()
