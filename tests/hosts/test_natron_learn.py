"""The group Learn in real Natron: from a Roto to a render, and the project opened again."""

import numpy as np
from natron_tools import MARKS, command_line, natron  # noqa: F401
from ofx_host.fixtures import FIRST, LAST

from install import natron as installation
from nodes.footage.reader import Footage

pytestmark = MARKS
ENDED = ['"finished"', '"failed"', '"stopped"']
BOXES = {str(FIRST): [20, 12, 16], str(LAST): [24, 14, 16]}


def graph(natron, between=()):  # noqa: F811
    """Read and Roto into Learn, into Write; `between` are nodes between Read and Source, the last called before."""
    read = {"name": "read", "kind": "read", "file": str(natron.scene.folder / "shot.####.exr")}
    roto = {"name": "roto", "kind": "roto", "boxes": BOXES, "inputs": {"0": "read"}}
    settings = {"weightsFile": str(natron.folder / "box.safetensors"), "minutes": 0.1, "Learneddevice": "cpu"}
    source = between[-1]["name"] if between else "read"
    group = {"name": "learn", "kind": "org.cleanplate.groups.Learn", "inputs": {"0": source, "1": "roto"}}
    write = {"name": "write", "kind": "write", "file": str(natron.folder / "out/m.####.exr"), "inputs": {"0": "learn"}}
    (natron.folder / "out").mkdir()
    natron.environment["NATRON_PLUGIN_PATH"] = str(installation.SCRIPTS)
    return [read, roto, *between, {**group, "params": settings}, {**write, "params": {"bitDepth": "32f"}}]


def test_from_a_roto_to_the_shot_and_the_project_opened_again(natron):  # noqa: F811
    status, project = natron.folder / "box.safetensors.status.json", natron.folder / "box.ntp"
    steps = [
        {"press": {"learn": ["learn"]}, "until": [str(status), ENDED]},
        {"press": {"learn": ["use"]}, "render": [FIRST, LAST], "save": str(project)},
    ]
    found, said = natron.run(graph(natron), (), "write", steps=steps)
    assert found["said"][-1].startswith("Learned: step "), found["said"]
    assert not list(natron.folder.glob("box.source")), "the Read's own files are read"
    keys = natron.folder / "box.keys/key.####.exr"
    assert Footage(str(keys)).frames() == [FIRST, LAST]
    command_line(
        natron.scene,
        *("render", "learned", "--source", "shot.####.exr", "--keys", keys, "--bit-depth", "float", "--device", "cpu"),
        *("--weights", natron.folder / "box.safetensors", "--out", natron.folder / "cli/m.####.exr"),
    )
    check(natron, said)
    for file in natron.folder.glob("out/*"):
        file.unlink()
    _, said = natron.run((), [(FIRST, LAST)], "Write1", project=str(project))
    check(natron, said)


def check(natron, said):  # noqa: F811
    """The frames that Natron wrote are those of the command line, and show something."""
    written, expected = (Footage(str(natron.folder / f"{name}/m.####.exr")) for name in ("out", "cli"))
    for frame in range(FIRST, LAST + 1):
        assert (natron.folder / f"out/m.{frame}.exr").exists(), said
        pixels = written.frame(frame).pixels
        np.testing.assert_array_equal(pixels, expected.frame(frame).pixels, err_msg=f"{frame} {said}")
        assert 0 < pixels[..., 3].mean() < 1


def test_a_source_that_is_no_read_is_written_out(natron):  # noqa: F811
    shift = {"name": "shift", "kind": "fr.inria.built-in.Dot", "inputs": {"0": "read"}}
    nodes = graph(natron, [shift])
    nodes[0]["params"] = {"timeOffset": 2}
    status = natron.folder / "box.safetensors.status.json"
    steps = [{"press": {"learn": ["learn"]}, "until": [str(status), ENDED]}, {"press": {"learn": ["use"]}}]
    found, said = natron.run(nodes, (), "write", steps=steps)
    assert found["said"][-1].startswith("Learned: step "), (found["said"], said)
    assert list(natron.folder.glob("box.source/source.*.exr"))
