"""NatronRenderer, driven by tests with the scene that the command line rendered.

`NATRON_RENDERER` names the program, or the PATH has it. Natron's own Read and Write must be where it looks.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ofx_host import fixtures

RENDERER = os.environ.get("NATRON_RENDERER") or shutil.which("NatronRenderer")
MARKS = [
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

    def run(self, nodes=(), ranges=(), write="", options=(), steps=(), project="") -> tuple[dict, str]:
        """Runs a graph, or a saved project; what the script reports, and what Natron printed.

        `steps` are those of `natron_script.take`; in a project nodes go by their labels.
        """
        task = self.folder / "task.json"
        given = {"nodes": list(nodes), "ranges": list(ranges), "write": write, "steps": list(steps), "project": project}
        task.write_text(json.dumps(given))
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
    """A Natron with a home of its own, and the scene without overscan."""
    return Natron(fixtures.make_scene(overscan=False), tmp_path)


def command_line(scene, *arguments: object) -> str:
    """What `cleanplate` prints, run in the scene's folder with its worker."""
    program = "import sys; from plugin.cli import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=scene.folder,
        env={**os.environ, "PYTHONPATH": str(fixtures.HOUSE), **scene.environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
