"""What goes wrong in a graph ends as one sentence on the node, or as the finished frame; the host lives on."""

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from ofx_host.clips import Footage
from ofx_host.fixtures import CORNER, FIRST, FORMAT, LAST, bundle, scene  # noqa: F401
from ofx_host.host import Host, descriptors, threads
from ofx_host.images import Picture
from ofx_host.isolated import isolated
from ofx_host.plugin import Refused
from ofx_host.profiles import NATRON, PLAIN
from test_ofx_render import background, same, video

# A host that is cancelled wants its thread back within 100 ms; a loaded machine gets a hundred times that.
GENEROUS = 10.0


def refused(node, frame):
    """Renders a frame that cannot be rendered; returns the sentence on the node."""
    with pytest.raises(Refused) as caught:
        node.render(frame)
    assert caught.value.status == "Failed"
    sentence = node.effect.persistent
    assert sentence, "the node says nothing"
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    return sentence


def mended(node, scene, name):  # noqa: F811
    same(node.render(FIRST), scene, name, FIRST)
    assert node.effect.persistent == "", "the sentence is still there"


@isolated
def test_missing_inputs_are_named_and_connecting_mends(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = background(host, scene)
        node.connect("C", None)
        assert "C (Clean plate)" in refused(node, FIRST)
        node.connect("C", scene.plate())
        mended(node, scene, "background-matte")

        grey = np.full((20, 30, 3), 0.5, np.float32)
        node.connect("C", Footage(Picture(grey), format=(0, 0, 30, 20)))
        assert "clean plate is 30x20 and the source 60x44" in refused(node, FIRST)
        node.connect("C", scene.plate())
        mended(node, scene, "background-matte")

        node.connect("C", Footage(lambda time: None, (1, 1)))
        assert "There is no frame" in refused(node, FIRST)
        node.connect("C", scene.plate())
        node.connect("Source", Footage(lambda time: None, (FIRST, LAST)))
        with pytest.raises(Refused):
            node.render(FIRST, window=(0, 0, 60, 44))
        assert node.effect.persistent
        node.connect("Source", scene.source())
        mended(node, scene, "background-matte")


@isolated
def test_wrong_parameters_are_named_and_the_right_ones_mend(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = background(host, scene)
        good = node.get("weights")
        for wrong, part in (
            (scene.weights("rvm"), "do not fit Background"),
            ("/nowhere/100%s_ü.safetensors", "/nowhere/100%s_ü.safetensors"),
            ("x" * 2_000_000, "too long"),
        ):
            node.set(weights=wrong)
            assert part in refused(node, FIRST)
        node.set(weights=good)
        for setting, wrong, part in (
            ("device", "gpu9", "There is no device 'gpu9'"),
            ("inputSpace", "ACEScgg", "ACEScg"),
            ("plateFile", "/nowhere/clean.exr", "/nowhere/clean.exr"),
            ("sourceFile", "/nowhere/shot.####.exr", "/nowhere/shot"),
        ):
            before = node.get(setting)
            node.set(**{setting: wrong})
            assert part in refused(node, FIRST), setting
            node.set(**{setting: before})
        mended(node, scene, "background-matte")


@isolated
def test_odd_images_do_no_harm(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = background(host, scene)
        source = scene.source()
        node.connect("Source", Footage(source.pictures, source.frames, format=FORMAT, field="OfxFieldLower"))
        assert "deinterlace" in refused(node, FIRST)
        for height, width in ((0, 0), (1, 1), (1, 500), (3, 0)):
            tiny = Footage(Picture(np.zeros((height, width, 4), np.float32)), (FIRST, LAST))
            for name in ("Source", "C"):
                node.connect(name, tiny)
            try:
                pixels = node.render(FIRST, window=(0, 0, max(width, 1), max(height, 1)))
                assert np.isfinite(pixels).all()
            except Refused:
                assert node.effect.persistent
        wild = scene.array(f"shot.{FIRST}").copy()
        wild[4:8, 4:8] = [np.nan, np.inf, -np.inf]
        node.connect("Source", Footage(Picture(wild, CORNER), (FIRST, LAST), format=FORMAT))
        node.connect("C", scene.plate())
        node.set(output="alpha")
        assert np.isfinite(node.render(FIRST)).all()
        node.set(output="premultiplied")
        node.connect("Source", source)
        mended(node, scene, "background-matte")


def _worker_pid():
    from plugin.worker.client.running import status_of_running

    status = status_of_running("cpu")
    return status["pid"] if status else 0


@isolated
def test_a_worker_killed_during_a_render_is_replaced(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = video(host, scene)
        same(node.render(FIRST), scene, "video-matte", FIRST)
        pid = _worker_pid()
        os.kill(pid, signal.SIGSTOP)

        def kill_at_the_second_look(polls):
            if polls == 2:
                os.kill(pid, signal.SIGKILL)
            return False

        node.effect.polls.clear()
        node.effect.abort_when = kill_at_the_second_look
        same(node.render(LAST), scene, "video-matte", LAST)
        assert node.effect.persistent == ""
        assert _worker_pid() not in (0, pid)
        # Killed between two frames.
        os.kill(_worker_pid(), signal.SIGKILL)
        same(node.render(FIRST + 1), scene, "video-matte", FIRST + 1)


@isolated
def test_a_cancelled_render_gives_the_thread_back(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = background(host, scene)
        same(node.render(FIRST), scene, "background-matte", FIRST)
        pid = _worker_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            node.effect.polls.clear()
            node.effect.abort_when = lambda polls: polls >= 3
            began = time.monotonic()
            _cancelled(node, LAST)
            assert time.monotonic() - began < GENEROUS
            assert 3 <= len(node.effect.polls) <= 8, len(node.effect.polls)
            looked = np.diff(node.effect.polls[:3])
            assert looked.max() < GENEROUS
        finally:
            os.kill(pid, signal.SIGCONT)
        assert node.effect.persistent == ""
        node.effect.abort_when = lambda polls: False
        for frame in (LAST, FIRST):
            same(node.render(frame), scene, "background-matte", frame)


def _cancelled(node, frame):
    with contextlib.suppress(Refused):
        node.render(frame)


@pytest.fixture
def lonely(scene, tmp_path):  # noqa: F811
    """A bundle of its own, whose worker can be spoilt, and the folder of a worker that does not run."""
    shutil.copytree(scene.bundle, tmp_path / scene.bundle.name)
    (tmp_path / "run").mkdir(mode=0o700)
    return tmp_path


def _spoil(lonely, scene, python):  # noqa: F811
    os.environ["CLEANPLATE_RUNTIME"] = str(lonely / "run")
    own = lonely / scene.bundle.name
    description = own / "Contents/Resources/worker.txt"
    before = description.read_text()
    lines = [f"python={python}" if line.startswith("python=") else line for line in before.splitlines()]
    description.write_text("\n".join(lines) + "\n")
    return own, description, before


@isolated
def test_a_worker_that_cannot_be_started_is_named(scene, lonely):  # noqa: F811
    own, description, before = _spoil(lonely, scene, "/nowhere/python")
    with Host(PLAIN, own) as host:
        node = background(host, scene)
        with pytest.raises(Refused):
            node.render(FIRST)
        # A host without persistent messages is told all the same.
        assert "/nowhere/python is not there" in host.journal.messages[-1].text
    with Host(NATRON, own) as host:
        node = background(host, scene)
        assert "/nowhere/python is not there" in refused(node, FIRST)
        for script, part in (
            (
                "exit 3",
                "ended while it started without a word, as one that is killed when memory runs out; 'cleanplate",
            ),
            (
                "printf 'Traceback\\n  File\\n\\033[31mIt broke at %s\\n' $$ >&2; kill -9 $$",
                "started: ?[31mIt broke at",
            ),
            ("echo a warning >&2; printf 'half a line' >&2; printf 'error '; echo x; exit 1", "line"),
            ("echo error no room for a worker", "No room for a worker."),
        ):
            program = lonely / "python"
            program.write_text(f"#!/bin/sh\nprintf x >>$0.count\n{script}\n")
            program.chmod(0o755)
            description.write_text(before.replace(before.split("\n")[0], f"python={program}"))
            (lonely / "python.count").unlink(missing_ok=True)
            assert part in refused(node, FIRST)
            assert len((lonely / "python.count").read_text()) == (1 if "echo error" in script else 2)
        description.unlink()
        assert "worker.txt" in refused(node, FIRST)
        description.write_text(before)
        (lonely / "linked").symlink_to(lonely)
        os.environ["CLEANPLATE_RUNTIME"] = str(lonely / "linked")
        assert "linked is a link, and the worker's socket has to lie in a folder itself" in refused(node, FIRST)


@isolated
def test_what_the_worker_would_not_take_is_refused_before_it_is_sent(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = background(host, scene)
        good = node.get("weights")
        node.set(weights="/shots/\udcff.safetensors")
        assert "The text '/shots/?.safetensors' is not UTF-8" in refused(node, FIRST)
        node.set(weights=good)
        far = Picture(np.full((20, 30, 3), 0.5, np.float32), (2**25, 0))
        node.connect("C", Footage(far, format=(0, 0, 60, 44)))
        assert "is more than 1048576 pixels wide or high or farther than 16777216" in refused(node, FIRST)
        node.connect("C", scene.plate())
        mended(node, scene, "background-matte")


@isolated
def test_waiting_for_a_worker_can_be_cancelled(scene, lonely):  # noqa: F811
    program = lonely / "python"
    program.write_text("#!/bin/sh\nexec sleep 15\n")
    program.chmod(0o755)
    own, _, _ = _spoil(lonely, scene, program)
    with Host(NATRON, own) as host:
        node = background(host, scene)
        before = (threads(), descriptors())
        node.effect.abort_when = lambda polls: polls >= 5
        began = time.monotonic()
        _cancelled(node, FIRST)
        assert time.monotonic() - began < GENEROUS
        # Starting a process makes numpy's library drop idle threads of its own.
        assert threads() <= before[0]
        assert descriptors() == before[1]
        assert node.effect.persistent == ""
    assert not list(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()), "a child is left"
