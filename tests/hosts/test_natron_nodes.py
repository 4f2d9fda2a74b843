"""More of the nodes in real Natron: masks, layers, files, mistakes and their mending, edits upstream."""

import numpy as np
import pytest
from natron_tools import MARKS, command_line, natron  # noqa: F401
from ofx_host.fixtures import FIRST, HEIGHT, LAST, WIDTH

from install import natron as installation
from nodes.footage.frame import Frame
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame

pytestmark = MARKS
FORMAT = Window(0, 0, WIDTH, HEIGHT)


def read(name, path):
    return {"name": name, "kind": "read", "file": str(path)}


def picture(path, pixels):
    """Writes a picture with alpha, so that Natron knows which channel of it is a mask."""
    height, width = pixels.shape[:2]
    window = Window(0, 0, width, height)
    write_frame(str(path), [("", "RGBA", pixels)], Frame(pixels, tuple("RGBA"), window, window))
    return path


def test_inpaint_with_its_mask(natron):  # noqa: F811
    """By itself, and in the group Rig Removal, which offers its modes."""
    mask = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    mask[12:25, 20:31] = 1
    file = picture(natron.folder / "mask.exr", mask)
    natron.environment["NATRON_PLUGIN_PATH"] = str(installation.SCRIPTS)
    for mode, group in (("per frame", False), ("still plate", False), ("motion", True)):
        settings = ("--set", "model=smooth", f"mode={mode}")
        command_line(
            natron.scene,
            *("render", "inpaint", "--source", "shot.####.exr", "--mask", file, "--bit-depth", "float"),
            *("--device", "cpu", "--out", natron.folder / "cli/m.####.exr", *settings),
        )
        nodes = natron.shot("Inpaint", {"model": "smooth", "mode": mode})
        nodes.insert(1, read("mask", file))
        nodes[-2]["inputs"] = {"0": "read", "1": "mask"}
        del nodes[-2]["params"]["weights"]
        if group:
            params = {f"Inpaint{name}": value for name, value in nodes[-2]["params"].items()}
            nodes[-2] |= {"kind": "org.cleanplate.groups.RigRemoval", "params": params}
        _, said = natron.run(nodes, [(FIRST, LAST)], "write")
        written, expected = (Footage(str(natron.folder / f"{d}/m.####.exr")) for d in ("out", "cli"))
        source = Footage(str(natron.scene.folder / "shot.####.exr"))
        for frame in range(FIRST, LAST + 1):
            assert (natron.folder / f"out/m.{frame}.exr").exists(), said
            pixels, other = written.frame(frame).pixels, expected.frame(frame).pixels
            np.testing.assert_array_equal(pixels[..., :3], other[..., :3], err_msg=f"{mode} {frame}")
            changed = (pixels[..., :3] != source.frame(frame).pixels[..., :3]).any(axis=2)
            assert changed[mask[..., 0] == 1].mean() > 0.9
            assert not changed[:, :10].any()
            (natron.folder / f"out/m.{frame}.exr").unlink()
            (natron.folder / f"cli/m.{frame}.exr").unlink()


def test_key_without_a_plate_by_its_group(natron):  # noqa: F811
    """The group's rough shape and what `cleanplate key` makes of it, in the last frame first."""
    from install import natron as installation

    natron.environment["NATRON_PLUGIN_PATH"] = str(installation.SCRIPTS)
    if "net.sf.openfx.MergePlugin" not in natron.run()[0]["plugins"]:
        pytest.skip("this Natron has no Merge, which the group needs")
    for frame in range(FIRST, LAST + 1):
        rough = np.zeros((HEIGHT, WIDTH, 4), np.float32)
        left = 5 + 3 * (frame - FIRST)
        rough[7:43, left - 3 : left + 23] = 1
        picture(natron.folder / f"rough.{frame}.exr", rough)
    shapes = natron.folder / "rough.####.exr"
    settings = {"reach": 4, "referenceEvery": 3, "samples": 4, "model": "smooth"}
    command_line(
        natron.scene,
        *("key", "--source", "shot.####.exr", "--rough", shapes, "--bit-depth", "float", "--device", "cpu"),
        *("--weights", natron.scene.weights("bgmv2"), "--out", natron.folder / "cli/m.####.exr"),
        *("--set", *(f"{name}={value}" for name, value in settings.items())),
    )
    nodes = natron.shot("KeyWithoutPlate", settings)
    group = nodes[-2]
    group["kind"] = "org.cleanplate.groups.KeyWithoutPlate"
    group["params"] = {f"KeyWithoutPlate{name}": value for name, value in group["params"].items()}
    group["inputs"]["1"] = "rough"
    nodes.insert(1, read("rough", shapes))
    found, said = natron.run(nodes, [(LAST, LAST), (FIRST, FIRST + 1)], "write")
    assert found["inputs"]["matte"][:2] == ["Source", "Rough"], said
    written, expected = (Footage(str(natron.folder / f"{folder}/m.####.exr")) for folder in ("out", "cli"))
    for frame in (LAST, FIRST, FIRST + 1):
        np.testing.assert_array_equal(written.frame(frame).pixels, expected.frame(frame).pixels, err_msg=said)


def test_every_layer_in_one_file_from_one_render(natron, monkeypatch):  # noqa: F811
    from plugin.worker.client.running import status_of_running

    monkeypatch.setenv("CLEANPLATE_RUNTIME", natron.environment["CLEANPLATE_RUNTIME"])
    nodes = natron.shot("BackgroundMatte", plate=True)
    nodes[-1]["params"] |= {"processAllPlanes": True}
    before = status_of_running("cpu")["frames"]
    _, said = natron.run(nodes, [(FIRST, FIRST + 1)], "write")
    assert status_of_running("cpu")["frames"] == before + 2, said
    for layer, what in (("", "premultiplied"), ("matte", "alpha"), ("fg", "foreground"), ("error", "error")):
        written = Footage(str(natron.folder / "out/m.####.exr"), layer)
        for frame in (FIRST, FIRST + 1):
            expected = natron.scene.rendered("background-matte", frame, what)
            np.testing.assert_array_equal(written.frame(frame).pixels, expected, err_msg=f"{layer} {frame}\n{said}")


def test_mix_and_mask_of_the_host(natron):  # noqa: F811
    mask = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    mask[:, 30:] = 1
    nodes = natron.shot("BackgroundMatte", {"hostMix": 0.0}, plate=True)
    nodes.insert(2, read("mask", picture(natron.folder / "mask.exr", mask)))
    steps = [
        {"render": [FIRST, FIRST]},
        {"params": {"matte": {"hostMix": 1.0}}, "inputs": {"matte": {"5": "mask"}}, "render": [FIRST + 1, FIRST + 1]},
    ]
    found, said = natron.run(nodes, (), "write", steps=steps)
    assert found["inputs"]["matte"][5] == "Mask"
    written = Footage(str(natron.folder / "out/m.####.exr"))
    source = Footage(str(natron.scene.folder / "shot.####.exr"))
    unmixed = written.frame(FIRST).pixels[..., :3]
    np.testing.assert_array_equal(unmixed, source.frame(FIRST).pixels[..., :3], err_msg=said)
    masked = written.frame(FIRST + 1).pixels
    matted = natron.scene.rendered("background-matte", FIRST + 1)
    np.testing.assert_array_equal(masked[:, 30:], matted[:, 30:], err_msg=said)
    np.testing.assert_array_equal(masked[:, :30, :3], source.frame(FIRST + 1).pixels[:, :30, :3])


def test_the_channel_chosen_for_a_mask_counts_at_once(natron):  # noqa: F811
    """Natron calls a mask's picture the same whichever channel of it is the mask."""
    mask = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    mask[:, 30:, 3] = mask[:, :30, 0] = 1
    nodes = natron.shot("BackgroundMatte", plate=True)
    nodes.insert(2, read("mask", picture(natron.folder / "mask.exr", mask)))
    nodes[-2]["inputs"]["3"] = "mask"
    colour = "uk.co.thefoundry.OfxImagePlaneColour."
    steps = [
        {
            "params": {
                "matte": {"maskChannel_Garbage_matte": colour + channel},
                "write": {"filename": str(natron.folder / f"out/{channel}.####.exr")},
            },
            "render": [FIRST, FIRST],
        }
        for channel in "AR"
    ]
    _, said = natron.run(nodes, (), "write", steps=steps)
    matted = natron.scene.rendered("background-matte", FIRST)
    for channel, kept in (("A", slice(0, 30)), ("R", slice(30, WIDTH))):
        expected = np.zeros_like(matted)
        expected[:, kept] = matted[:, kept]
        pixels = Footage(str(natron.folder / f"out/{channel}.####.exr")).frame(FIRST).pixels
        np.testing.assert_array_equal(pixels, expected, err_msg=channel + said)


def test_mistakes_are_named_and_mended_in_one_session(natron):  # noqa: F811
    grey = np.full((20, 30, 4), 0.5, np.float32)
    good = natron.scene.weights("bgmv2")
    nodes = natron.shot("BackgroundMatte", plate=True)
    nodes.insert(2, read("small", picture(natron.folder / "small.exr", grey)))
    trouble = [
        ({"inputs": {"matte": {"1": None}}}, "needs the input C (Clean plate)"),
        ({"inputs": {"matte": {"1": "small"}}}, "clean plate is 30x20 and the source 60x44"),
        (
            {"inputs": {"matte": {"1": "plate"}}, "params": {"matte": {"weights": natron.scene.weights("rvm")}}},
            "do not fit Background",
        ),
        ({"params": {"matte": {"weights": "/nowhere/w.safetensors"}}}, "/nowhere/w.safetensors"),
        ({"params": {"matte": {"weights": good, "device": "gpu9"}}}, "There is no device 'gpu9'"),
    ]
    steps = [{**change, "render": [FIRST + n, FIRST + n]} for n, (change, _) in enumerate(trouble)]
    steps.append({"params": {"matte": {"device": "cpu"}}, "render": [LAST, LAST]})
    _, said = natron.run(nodes, (), "write", steps=steps)
    for n, (_, sentence) in enumerate(trouble):
        assert sentence in said
        assert not (natron.folder / f"out/m.{FIRST + n}.exr").exists(), sentence
    natron.check("background-matte", [LAST], said)


def test_a_worker_that_is_not_there_is_named(natron):  # noqa: F811
    (resource,) = natron.folder.glob("ofx/*/Contents/Resources/worker.txt")
    lines = resource.read_text().splitlines()
    resource.write_text("\n".join("python=/nowhere/python" if li.startswith("python=") else li for li in lines) + "\n")
    (natron.folder / "run").mkdir(mode=0o700)
    natron.environment["CLEANPLATE_RUNTIME"] = str(natron.folder / "run")
    _, said = natron.run(natron.shot("VideoMatte"), [(FIRST, FIRST)], "write")
    assert "/nowhere/python is not there" in said
    assert not (natron.folder / f"out/m.{FIRST}.exr").exists()


def test_files_alone(natron):  # noqa: F811
    """Nothing is connected: the picture has the project's format, HD unless somebody says otherwise."""
    folder = natron.scene.folder
    settings = {"sourceFile": str(folder / "shot.####.exr"), "plateFile": str(folder / "clean.exr")}
    nodes = natron.shot("BackgroundMatte", settings)
    nodes[-2]["inputs"] = {}
    _, said = natron.run(nodes[1:], [(FIRST, FIRST)], "write")
    assert (natron.folder / f"out/m.{FIRST}.exr").exists(), said
    pixels = Footage(str(natron.folder / "out/m.####.exr")).frame(FIRST).pixels
    np.testing.assert_array_equal(pixels[:HEIGHT, :WIDTH], natron.scene.rendered("background-matte", FIRST))
    assert not pixels[HEIGHT:].any()
    assert not pixels[:, WIDTH:].any()


def test_an_edit_upstream_in_one_session(natron):  # noqa: F811
    """VideoMatte's memory follows when the Read before it gets other files, and comes back when they do."""
    other = natron.folder / "other"
    other.mkdir()
    source = Footage(str(natron.scene.folder / "shot.####.exr"))
    for frame in range(FIRST, LAST + 1):
        found = source.frame(frame)
        changed = found.pixels[::-1].copy() if frame == FIRST + 1 else found.pixels
        write_frame(str(other / f"shot.{frame}.exr"), [("", "RGB", changed)], found)
    command_line(
        natron.scene,
        *("render", "video-matte", "--source", other / "shot.####.exr", "--weights", "rvm.safetensors"),
        *("--bit-depth", "float", "--device", "cpu", "--frames", f"{LAST - 1}-{LAST}", "--out", other / "m.####.exr"),
    )
    nodes = natron.shot("VideoMatte")
    steps = [
        {"render": [FIRST, LAST - 2]},
        {"params": {"read": {"filename": str(other / "shot.####.exr")}}, "render": [LAST - 1, LAST - 1]},
        {"params": {"read": {"filename": str(natron.scene.folder / "shot.####.exr")}}, "render": [LAST, LAST]},
    ]
    _, said = natron.run(nodes, (), "write", steps=steps)
    natron.check("video-matte", [*range(FIRST, LAST - 1), LAST], said)
    edited = Footage(str(natron.folder / "out/m.####.exr")).frame(LAST - 1).pixels
    np.testing.assert_array_equal(edited, Footage(str(other / "m.####.exr")).frame(LAST - 1).pixels, err_msg=said)
    assert not np.array_equal(edited, natron.scene.rendered("video-matte", LAST - 1))
