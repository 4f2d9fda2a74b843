"""The nodes in real Natron give the pixels of the command line; runs where NatronRenderer is (`natron_tools.py`)."""

import os
import signal
import threading

import pytest
from natron_tools import MARKS, Natron, natron  # noqa: F401
from ofx_host.fixtures import FIRST, LAST

from nodes import catalogue

pytestmark = MARKS


def test_the_nodes_are_there_with_their_inputs(natron):  # noqa: F811
    found, _ = natron.run(natron.shot("BackgroundMatte", plate=True), write="write")
    assert {"org.cleanplate.BackgroundMatte", "org.cleanplate.VideoMatte"} <= set(found["plugins"])
    labels = [entry.label for entry in catalogue.find("background-matte").inputs]
    assert found["inputs"]["matte"][: len(labels)] == labels


def test_background_matte(natron):  # noqa: F811
    nodes = natron.shot("BackgroundMatte", plate=True)
    _, said = natron.run(nodes, [(FIRST, LAST)], "write")
    natron.check("background-matte", range(FIRST, LAST + 1), said)


ORDERS = {
    "in order": ([(FIRST, LAST)], ()),
    "four renders at once": ([(FIRST, LAST)], ("--setting", "nParallelRenders=4")),
    "backwards": ([(frame, frame) for frame in range(LAST, FIRST - 1, -1)], ()),
    "one frame": ([(LAST, LAST)], ()),
}


@pytest.mark.parametrize("order", ORDERS)
def test_video_matte_in_any_order(natron, order):  # noqa: F811
    ranges, options = ORDERS[order]
    _, said = natron.run(natron.shot("VideoMatte"), ranges, "write", options)
    natron.check("video-matte", [f for first, last in ranges for f in range(first, last + 1)], said)


def test_a_worker_killed_during_the_render(natron):  # noqa: F811
    from plugin.worker.client.running import status_of_running

    first, stop = natron.folder / f"out/m.{FIRST}.exr", threading.Event()

    def kill():
        while not first.exists() and not stop.wait(0.02):
            pass
        os.environ["CLEANPLATE_RUNTIME"] = natron.environment["CLEANPLATE_RUNTIME"]
        status = status_of_running("cpu")
        if status:
            os.kill(status["pid"], signal.SIGKILL)

    before = os.environ.get("CLEANPLATE_RUNTIME")
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        _, said = natron.run(natron.shot("VideoMatte"), [(FIRST, LAST)], "write")
    finally:
        stop.set()
        killer.join()
        if before is None:
            os.environ.pop("CLEANPLATE_RUNTIME", None)
        else:
            os.environ["CLEANPLATE_RUNTIME"] = before
    natron.check("video-matte", range(FIRST, LAST + 1), said)


def test_a_plate_that_is_missing_is_said(natron):  # noqa: F811
    _, said = natron.run(natron.shot("BackgroundMatte"), [(FIRST, FIRST)], "write")
    assert "C (Clean plate)" in said
    assert not (natron.folder / f"out/m.{FIRST}.exr").exists()


def test_what_is_installed_is_found(natron, monkeypatch):  # noqa: F811
    """`cleanplate install natron` in a fresh home, then Natron without any variable set for it."""
    from install import natron as installation

    for name in ("HOME", "OFX_PLUGIN_PATH", "NATRON_PLUGIN_PATH", "CLEANPLATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in [n for n in os.environ if n.startswith("XDG_")]:
        monkeypatch.delenv(name)
        natron.environment.pop(name, None)
    monkeypatch.setenv("HOME", natron.environment["HOME"])
    monkeypatch.setattr(installation, "built_bundle", lambda: natron.scene.bundle)
    installation.install()
    del natron.environment["OFX_PLUGIN_PATH"]
    found, said = natron.run()
    assert "org.cleanplate.VideoMatte" in found["plugins"], said
    assert {"org.cleanplate.groups.CleanPlateKey", "org.cleanplate.groups.RigRemoval"} <= set(found["plugins"]), said
    installation.uninstall()
    found, _ = natron.run()
    assert not [name for name in found["plugins"] if name.startswith("org.cleanplate")]


def test_the_groups_are_built(natron, monkeypatch):  # noqa: F811
    from install import natron as installation

    natron.environment["NATRON_PLUGIN_PATH"] = str(installation.SCRIPTS)
    found, _ = natron.run()
    groups = ["RigRemoval"] if "org.cleanplate.Inpaint" in found["plugins"] else []
    if "net.sf.openfx.MergePlugin" in found["plugins"]:
        groups += ["CleanPlateKey", "KeyWithoutPlate"]
    if not groups:
        pytest.skip("this Natron has neither Merge nor the Inpaint node")
    for name in groups:
        made, said = natron.run([{"name": "group", "kind": f"org.cleanplate.groups.{name}"}])
        assert made["inputs"]["group"][0] == "Source", said


def test_two_natrons_share_one_worker(natron, tmp_path_factory):  # noqa: F811
    from test_ofx_sharing import workers

    from plugin.worker.client.running import status_of_running

    other = Natron(natron.scene, tmp_path_factory.mktemp("other"))
    runtime = natron.environment["CLEANPLATE_RUNTIME"]
    results = []
    runs = [
        threading.Thread(
            target=lambda n=n: results.append((n, n.run(n.shot("VideoMatte"), [(FIRST, LAST)], "write")[1]))
        )
        for n in (natron, other)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(results) == 2
    for which, said in results:
        which.check("video-matte", range(FIRST, LAST + 1), said)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEANPLATE_RUNTIME", runtime)
        status = status_of_running("cpu")
    assert status is not None
    assert len([m for m in status["models"] if m["network"] == "rvm"]) == 1
    assert workers(runtime) == {status["pid"]}
