"""The group Learn in real Natron: from a Roto to a render, and the project opened again."""

import numpy as np
from natron_tools import MARKS, command_line, natron  # noqa: F401
from ofx_host.fixtures import FIRST, LAST

from install import natron as installation
from models.weights.formats.safetensors_file import read_metadata
from nodes.footage.reader import Footage
from nodes.footage.writer import write_frame
from nodes.learning.card import read_card

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


def learn_and_render(natron, **then):  # noqa: F811
    """The steps of who presses Learn, waits for its end, and renders."""
    status = natron.folder / "box.safetensors.status.json"
    return [
        {"press": {"learn": ["learn"]}, "until": [str(status), ENDED]},
        {"press": {"learn": ["use"]}, "render": [FIRST, LAST], **then},
    ]


def test_from_a_roto_to_the_shot_and_the_project_opened_again(natron):  # noqa: F811
    project = natron.folder / "box.ntp"
    found, said = natron.run(graph(natron), (), "write", steps=learn_and_render(natron, save=str(project)))
    assert found["said"][-1].startswith("Learned: step "), found["said"]
    assert not list(natron.folder.glob("box.source")), "the Read's own files are read"
    assert Footage(str(natron.folder / "box.keys/key.####.exr")).frames() == [FIRST, LAST]
    expect(natron)
    check(natron, said)
    for file in natron.folder.glob("out/*"):
        file.unlink()
    _, said = natron.run((), [(FIRST, LAST)], "Write1", project=str(project))
    check(natron, said)


def expect(natron, *options):  # noqa: F811
    """Has the command line render what the group learned, with the key frames that Natron wrote."""
    command_line(
        natron.scene,
        *("render", "learned", "--source", "shot.####.exr", "--keys", natron.folder / "box.keys/key.####.exr"),
        *("--weights", natron.folder / "box.safetensors", "--bit-depth", "float", "--device", "cpu", *options),
        *("--out", natron.folder / "cli/m.####.exr"),
    )


def check(natron, said, channels="RGBA"):  # noqa: F811
    """The frames that Natron wrote are those of the command line, and a matte shows something."""
    written, expected = (Footage(str(natron.folder / f"{name}/m.####.exr")) for name in ("out", "cli"))
    for frame in range(FIRST, LAST + 1):
        assert (natron.folder / f"out/m.{frame}.exr").exists(), said
        pixels = written.frame(frame).pixels[..., : len(channels)]
        np.testing.assert_array_equal(
            pixels, expected.frame(frame).pixels[..., : len(channels)], err_msg=f"{frame} {said}"
        )
        if "A" in channels:
            assert 0 < pixels[..., 3].mean() < 1


def test_a_clean_plate_is_learned_with_and_rendered_with(natron):  # noqa: F811
    nodes = graph(natron)
    nodes[-2]["inputs"]["2"] = "plate"
    nodes.insert(0, {"name": "plate", "kind": "read", "file": str(natron.scene.folder / "clean.exr")})
    _, said = natron.run(nodes, (), "write", steps=learn_and_render(natron))
    card = read_card(read_metadata(natron.folder / "box.safetensors"))
    assert [shot.plate for shot in card.shots] == [True], said
    expect(natron, "--plate", "clean.exr")
    check(natron, said)


def test_a_picture_is_taught_by_what_was_painted(natron):  # noqa: F811
    """Keys are the shot with a mark painted over; where nothing was painted, the source stays bit for bit."""
    source = Footage(str(natron.scene.folder / "shot.####.exr"))
    for frame in range(FIRST, LAST + 1):
        found = source.frame(frame)
        painted = found.pixels.copy()
        painted[12:24, 16:28] = 0.25
        write_frame(str(natron.folder / f"paint.{frame}.exr"), [("", "RGB", painted)], found)
    nodes = graph(natron)
    nodes[1] = {"name": "roto", "kind": "read", "file": str(natron.folder / "paint.####.exr")}
    nodes[-2]["params"] |= {"keyFrames": f"{FIRST}, {LAST}", "teach": "Picture"}
    _, said = natron.run(nodes, (), "write", steps=learn_and_render(natron))
    expect(natron)
    check(natron, said, "RGB")
    written = Footage(str(natron.folder / "out/m.####.exr"))
    for frame in (FIRST, LAST):
        np.testing.assert_allclose(written.frame(frame).pixels[12:24, 16:28, :3], 0.25, err_msg=said)
        np.testing.assert_array_equal(written.frame(frame).pixels[:, 40:, :3], source.frame(frame).pixels[:, 40:])


def test_a_source_that_is_no_read_is_written_out(natron):  # noqa: F811
    shift = {"name": "shift", "kind": "fr.inria.built-in.Dot", "inputs": {"0": "read"}}
    nodes = graph(natron, [shift])
    nodes[0]["params"] = {"timeOffset": 2}
    status = natron.folder / "box.safetensors.status.json"
    steps = [{"press": {"learn": ["learn"]}, "until": [str(status), ENDED]}, {"press": {"learn": ["use"]}}]
    found, said = natron.run(nodes, (), "write", steps=steps)
    assert found["said"][-1].startswith("Learned: step "), (found["said"], said)
    assert list(natron.folder.glob("box.source/source.*.exr"))
