"""`cleanplate` as a Python module: what is public, examples that run, arrays and files giving the same pixels."""

import doctest
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worker_tools import own_runtime

import cleanplate
from nodes.footage.frame import Frame
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame

HOUSE = Path(__file__).resolve().parents[2]
HEIGHT, WIDTH, COUNT = 40, 56, 3


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    """A folder with a shot, a clean plate and a mask, in which the module works through a worker of its own."""
    folder = tmp_path_factory.mktemp("shot")
    rng = np.random.default_rng(5)
    plate = rng.random((HEIGHT, WIDTH, 3), np.float32)

    def save(name: str, pixels: np.ndarray, channels: str = "RGB") -> None:
        window = Window(0, 0, WIDTH, HEIGHT)
        write_frame(str(folder / name), [("", channels, pixels)], Frame(pixels, tuple(channels), window, window))

    save("clean.exr", plate)
    mask = np.zeros((HEIGHT, WIDTH, 1), np.float32)
    mask[10:20, 30:40] = 1
    save("rig.exr", mask, "A")
    for number in range(COUNT):
        picture = plate.copy()
        picture[8:30, 5 + 6 * number : 20 + 6 * number] = rng.random((22, 15, 3)) * 2
        save(f"shot.{1001 + number}.exr", picture)
    before = os.getcwd()
    with own_runtime(CLEANPLATE_HOME=str(folder / "home")):
        os.chdir(folder)
        with cleanplate.worker("cpu"):
            yield folder
        os.chdir(before)


def clip(pattern: str) -> np.ndarray:
    footage = Footage(pattern)
    return np.stack([footage.frame(number).pixels for number in footage.frames()])


def test_what_is_public():
    assert cleanplate.__all__ == sorted(cleanplate.__all__)
    for name in cleanplate.__all__:
        assert name in vars(cleanplate)
        assert getattr(cleanplate, name).__doc__, name


def test_importing_it_imports_no_torch():
    code = "import sys, cleanplate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_its_examples_run(shot):
    failed, tried = doctest.testmod(cleanplate, optionflags=doctest.ELLIPSIS)
    assert (failed, tried > 5) == (0, True)


def test_the_notebook_runs(shot, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((HOUSE / "docs/python.ipynb").read_text("utf-8"))
    names: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert (tmp_path / "matte/alpha.1003.exr").exists()
    assert names["summary"].rendered == 3
    alpha = names["passes"]["alpha"]
    assert alpha[1, 45, 80, 0] > 0.95
    assert alpha[1, 5, 5, 0] < 0.05
    assert "the clean plate is 160x50 and the source 160x90" in capsys.readouterr().out


@pytest.mark.parametrize("node", ["background-matte", "video-matte"])
def test_arrays_and_files_give_the_same_bits(shot, node):
    others = {"C": Footage("clean.exr").frame(1).pixels} if node == "background-matte" else {}
    files = {"plate": "clean.exr"} if others else {}
    wanted, out = ["alpha", "foreground"], f"{node}/%P.####.exr"
    summary = cleanplate.render(node, source="shot.####.exr", **files, out=out, bit_depth="float", passes=wanted)
    assert (summary.rendered, summary.skipped, summary.failed) == (COUNT, 0, {})
    passes = cleanplate.run(node, Source=clip("shot.####.exr"), **others, passes=wanted)
    assert sorted(passes) == wanted
    for name, pixels in passes.items():
        assert pixels.dtype == np.float32
        written = clip(f"{node}/{name}.####.exr")
        np.testing.assert_array_equal(pixels, written[..., : pixels.shape[-1]])


def test_a_render_says_what_happens_and_skips_what_is_finished(shot):
    events: list[str] = []
    again = {"source": "shot.####.exr", "mask": "rig.exr", "out": "again/shot.####.exr", "model": "smooth"}
    first = cleanplate.render(
        "inpaint", **again, frames=[1001, 1002], on_event=lambda name, fields: events.append(name)
    )
    assert (first.rendered, events.count("frame")) == (2, 2)
    second = cleanplate.render("inpaint", **again, frames="1001-1003")
    assert (second.rendered, second.skipped) == (1, 2)
    seen = {one.frame: (one.state, one.text) for one in second}
    assert seen == {
        1001: ("skipped", "again/shot.1001.exr"),
        1002: ("skipped", "again/shot.1002.exr"),
        1003: ("rendered", "again/shot.1003.exr"),
    }


def test_options_are_spelled_as_python_spells_names(shot):
    """`plate_offset` is `--plate-offset`; an offset of all masks leaves out the one that is named."""
    request = cleanplate._request(
        "background-matte",
        {"source": "s.####.exr", "garbage": "g.exr", "plate_space": "ACEScg", "mask_offset": 3, "core_offset": 1,
         "alphaBlack": 0.1, "overwrite": True},
        "o.exr", None, None,
    )  # fmt: skip
    assert request.footage == {"source": "s.####.exr", "garbage": "g.exr"}
    offsets = {"garbageOffset": 3, "plateConfidenceOffset": 3, "coreOffset": 1}
    assert request.settings == {"plateSpace": "ACEScg", **offsets, "alphaBlack": 0.1}
    assert request.overwrite


@settings(max_examples=12, deadline=None)
@given(
    frames=st.integers(0, 3),
    channels=st.sampled_from([1, 3, 4]),
    size=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    mask_frames=st.booleans(),
)
def test_shapes_follow_the_source(shot, frames, channels, size, mask_frames):
    """0 frames stand for a single picture without that axis."""
    source = np.full((*([frames] if frames else []), *size, channels), 0.25, np.float32)
    mask = np.zeros((*([frames] if frames and mask_frames else []), *size, 1), np.float32)
    passes = cleanplate.run("inpaint", Source=source, Mask=mask, model="smooth")
    lead = (*([frames] if frames else []), *size)
    assert {name: image.shape[:-1] for name, image in passes.items()} == dict.fromkeys(passes, lead)
    counts = {name: image.shape[-1] for name, image in passes.items()}
    assert counts == {"clean": 4, "filled": 1, "patch": 4, "origin": 3, "found": 3, "confidence": 1}
    assert (passes["clean"][..., :3] == 0.25).all()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (
            {"Source": np.zeros((4, 4, 3), np.uint8)},
            "Source cannot be an array of the shape (4, 4, 3) and the type uint8",
        ),
        ({"Source": np.zeros((4, 4, 5), np.float32)}, "shape (4, 4, 5)"),
        ({"Source": np.zeros((0, 4, 3), np.float32)}, "shape (0, 4, 3)"),
        ({"Source": np.zeros((0, 4, 4, 3), np.float32)}, "Source is a clip without frames"),
        ({"Source": np.zeros((3, 4, 4, 3)), "Mask": np.zeros((2, 4, 4, 1))}, "Mask has 2 frames and Source 3"),
        ({}, "inpaint needs Source"),
        ({"Source": np.zeros((4, 4, 3)), "nosuch": 1}, "inpaint has no parameter 'nosuch'"),
        ({"Source": np.zeros((4, 4, 3)), "passes": ["nosuch"]}, "has no pass 'nosuch'"),
    ],
)
def test_what_is_wrong_is_one_sentence(shot, inputs, words):
    with pytest.raises(cleanplate.CleanplateError, match=words.replace("(", r"\(").replace(")", r"\)")):
        cleanplate.run("inpaint", **inputs, model="smooth")


def test_a_frame_brings_its_windows(shot):
    data, display = Window(-2, 3, 20, 16), Window(0, 0, 24, 24)
    source = Frame(np.full((16, 20, 3), 0.5, np.float32), tuple("RGB"), data, display)
    mask = np.zeros((24, 24, 1), np.float32)
    mask[8:10, 4:6] = 1
    filled = cleanplate.run("inpaint", Source=source, Mask=mask, model="smooth", grow=0, feather=0)["filled"]
    assert filled.shape == (16, 20, 1)
    assert np.argwhere(filled[..., 0] == 1).tolist() == [[5, 6], [5, 7], [6, 6], [6, 7]]


def test_every_error_is_of_one_tree():
    assert issubclass(cleanplate.WeightsError, cleanplate.CleanplateError)
    told = cleanplate.__doc__ or ""
    errors = [value for value in vars(cleanplate).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(errors) == 7
    for error in errors:
        assert issubclass(error, cleanplate.CleanplateError)
        assert error is cleanplate.CleanplateError or f"+-- {error.__name__} " in told
    assert Path(cleanplate.__file__).stat().st_size < 12_000
