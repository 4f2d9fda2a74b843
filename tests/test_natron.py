"""The nodes in real Natron give the pixels of the command line; runs where NatronRenderer is.

`NATRON_RENDERER` names the program, or the PATH has it. Natron's own Read and Write must be where it looks.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from ofx_host import fixtures
from ofx_host.fixtures import FIRST, LAST

from nodes import catalogue

RENDERER = os.environ.get("NATRON_RENDERER") or shutil.which("NatronRenderer")
pytestmark = [
    pytest.mark.skipif(
        not (RENDERER and Path(RENDERER).exists()),
        reason="NatronRenderer is not on the PATH and NATRON_RENDERER does not name it",
    ),
    pytest.mark.timeout(900),
]
SCRIPT = Path(__file__).with_name("natron_script.py")
# One space that everything is in, so that Read and Write change no number.
OCIO = """ocio_profile_version: 1
search_path: ""
roles: {default: lin, reference: lin, scene_linear: lin, compositing_linear: lin, compositing_log: lin, data: lin,
  color_picking: lin, color_timing: lin, texture_paint: lin, matte_paint: lin, rendering: lin}
displays:
  default:
    - !<View> {name: Raw, colorspace: lin}
active_displays: []
active_views: []
colorspaces:
  - !<ColorSpace> {name: lin, family: "", bitdepth: 32f, isdata: false, allocation: uniform}
"""


class Natron:
    """One run of NatronRenderer with a home of its own."""

    def __init__(self, scene, folder: Path) -> None:
        self.scene, self.folder = scene, folder
        (folder / "home").mkdir()
        (folder / "config.ocio").write_text(OCIO)
        shutil.copytree(scene.bundle, folder / "ofx" / scene.bundle.name)
        path = os.pathsep.join(filter(None, [str(folder / "ofx"), os.environ.get("OFX_PLUGIN_PATH", "")]))
        self.environment = {
            **os.environ,
            **scene.environment,
            "HOME": str(folder / "home"),
            "OFX_PLUGIN_PATH": path,
            "OCIO": str(folder / "config.ocio"),
            "QT_QPA_PLATFORM": "offscreen",
            "OMP_NUM_THREADS": "1",
        }

    def run(self, nodes=(), ranges=(), write="", options=()) -> tuple[dict, str]:
        """Runs a graph; what the script reports, and what Natron printed."""
        task = self.folder / "task.json"
        task.write_text(json.dumps({"nodes": list(nodes), "ranges": list(ranges), "write": write}))
        report = task.with_suffix(".json.report")
        report.unlink(missing_ok=True)
        result = subprocess.run(
            [RENDERER, *options, "-t", str(SCRIPT)],
            env={**self.environment, "CLEANPLATE_TEST_TASK": str(task)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=800,
        )
        said = result.stdout[-6000:] + result.stderr[-6000:]
        assert report.exists(), f"Natron ended with {result.returncode} before its script did:\n{said}"
        found = json.loads(report.read_text())
        assert not found["error"], found["error"] + said
        return found, said

    def shot(self, node: str, settings=None, plate: bool = False):
        """The nodes of Read -> node -> Write."""
        folder = self.scene.folder
        network = "rvm" if node == "VideoMatte" else "bgmv2"
        # By number, as the faces order them: Natron knows inputs by their labels only.
        inputs = {"0": "read", **({"1": "plate"} if plate else {})}
        params = {"weights": self.scene.weights(network), "device": "cpu", **(settings or {})}
        (self.folder / "out").mkdir(exist_ok=True)
        reads = [{"name": "read", "kind": "read", "file": str(folder / "shot.####.exr")}]
        if plate:
            reads.append({"name": "plate", "kind": "read", "file": str(folder / "clean.exr")})
        return [
            *reads,
            {"name": "matte", "kind": f"org.cleanplate.{node}", "inputs": inputs, "params": params},
            {
                "name": "write",
                "kind": "write",
                "file": str(self.folder / "out/m.####.exr"),
                "params": {"bitDepth": "32f"},
                "inputs": {"0": "matte"},
            },
        ]

    def check(self, node: str, frames, said: str) -> None:
        """The frames that Natron wrote are those of the command line, bit for bit."""
        from nodes.footage.reader import Footage

        written = Footage(str(self.folder / "out/m.####.exr"))
        for frame in frames:
            assert (self.folder / f"out/m.{frame}.exr").exists(), said
            pixels = written.frame(frame).pixels
            np.testing.assert_array_equal(pixels, self.scene.rendered(node, frame), err_msg=f"{node} {frame}")


@pytest.fixture
def natron(tmp_path):
    return Natron(fixtures.make_scene(overscan=False), tmp_path)


def test_the_nodes_are_there_with_their_inputs(natron):
    found, _ = natron.run(natron.shot("BackgroundMatte", plate=True), write="write")
    assert {"org.cleanplate.BackgroundMatte", "org.cleanplate.VideoMatte"} <= set(found["plugins"])
    labels = [entry.label for entry in catalogue.find("background-matte").inputs]
    assert found["inputs"]["matte"][: len(labels)] == labels


def test_background_matte(natron):
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
def test_video_matte_in_any_order(natron, order):
    ranges, options = ORDERS[order]
    _, said = natron.run(natron.shot("VideoMatte"), ranges, "write", options)
    natron.check("video-matte", [f for first, last in ranges for f in range(first, last + 1)], said)


def test_a_worker_killed_during_the_render(natron):
    from plugin.worker.running import status_of_running

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


def test_a_plate_that_is_missing_is_said(natron):
    _, said = natron.run(natron.shot("BackgroundMatte"), [(FIRST, FIRST)], "write")
    assert "C (Clean plate)" in said
    assert not (natron.folder / f"out/m.{FIRST}.exr").exists()


def test_what_is_installed_is_found(natron, monkeypatch):
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


def test_the_groups_are_built(natron, monkeypatch):
    from install import natron as installation

    natron.environment["NATRON_PLUGIN_PATH"] = str(installation.SCRIPTS)
    found, _ = natron.run()
    groups = ["RigRemoval"] if "org.cleanplate.Inpaint" in found["plugins"] else []
    if "net.sf.openfx.MergePlugin" in found["plugins"]:
        groups.append("CleanPlateKey")
    if not groups:
        pytest.skip("this Natron has neither Merge nor the Inpaint node")
    for name in groups:
        made, said = natron.run([{"name": "group", "kind": f"org.cleanplate.groups.{name}"}])
        assert made["inputs"]["group"][0] == "Source", said


def test_two_natrons_share_one_worker(natron, tmp_path_factory):
    from test_ofx_sharing import workers

    from plugin.worker.running import status_of_running

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
