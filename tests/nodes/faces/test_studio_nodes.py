"""A studio's own nodes: found beside the house's, and one that is wrong is one sentence and hurts no other."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from footage_files import noise, write
from local_engine import ArrayInputs, LocalDevice, picture, render
from worker_tools import own_runtime

from install import machine
from nodes import catalogue
from nodes.errors import FaceError, ParameterError
from nodes.faces import file as face_file
from nodes.faces.engine_file import asked, checked, create_engine
from nodes.faces.face import Input, Parameter, Pass
from nodes.footage.reader import Footage
from plugin.cli.main import main
from plugin.ofx import generate

MANUAL = (Path(__file__).resolve().parents[3] / "CONTRIBUTING.md").read_text("utf-8")
SECTION = MANUAL[MANUAL.index("## Adding a node") : MANUAL.index("## The OpenFX adapter and")]
FACE, ENGINE = (found.group(1) for found in re.finditer(r"```(?:yaml|python)\n(.*?)```", SECTION, re.S))
OURS = {"background-matte", "video-matte", "inpaint", "segment", "learned", "key-without-plate"}

# What a studio's engine can get wrong, and what is said about it.
ENGINES = {
    "absent": (None, r"absent\.yaml: its engine .*/absent\.py is not there: write it, or name another with 'module'"),
    "syntax": ("def engine(:\n", r"syntax\.py, line 1: Python cannot read the engine of studio\.Syntax: "),
    "foreign": (
        "import no_such_module\n",
        r"foreign\.py: the engine of .* cannot be loaded: ModuleNotFoundError",
    ),
    "fails": ("1 / 0\n", r"fails\.py: .*: ZeroDivisionError: division by zero"),
    "leaves": ("raise SystemExit('bye')\n", r"leaves\.py: .*: SystemExit: bye"),
    "functionless": ("x = 1\n", r"functionless\.py has no function engine\(\)"),
    "noneish": ("def engine():\n    return None\n", r"noneish\.py: what engine\(\) returns has no method needs"),
}
# What it can return from `render`, and what is said.
RESULTS = {
    "nothing": ("None", "must return Passes, not NoneType"),
    "windowless": (
        "Passes({'picture': z, 'factor': z}, (0, 0, 8, 6))",
        "whose images are a dict and whose window is a W",
    ),
    "missing": ("Passes({}, w)", "gave no pass 'picture', only none"),
    "doubles": ("Passes({'picture': np.zeros((6, 8, 3)), 'factor': z}, w)", "'picture' as float64: it must be"),
    "flat": (
        "Passes({'picture': z[..., 0], 'factor': z}, w)",
        "with the shape 6 x 8: the window and face say",
    ),
    "narrow": ("Passes({'picture': z, 'factor': z}, w)", "with the shape 6 x 8 x 1: the window and face say 6 x 8 x 3"),
}
RETURN = """        w = inputs.frame("Source", frame).data_window
        z = np.zeros((6, 8, 1), np.float32)
        return """


def named(stem: str, text: str = FACE) -> str:
    return text.replace("studio.Gain", f"studio.{stem.title()}").replace("studio-gain", stem)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual's node, and others that are each wrong in a way of their own."""
    folder = tmp_path_factory.mktemp("studio")
    (folder / "studio_gain.yaml").write_text(FACE)
    (folder / "studio_gain.py").write_text(ENGINE)
    for stem, (code, _) in ENGINES.items():
        (folder / f"{stem}.yaml").write_text(named(stem))
        if code is not None:
            (folder / f"{stem}.py").write_text(code)
    for stem, (result, _) in RESULTS.items():
        (folder / f"{stem}.yaml").write_text(named(stem))
        (folder / f"{stem}.py").write_text(ENGINE.replace("        source =", f"{RETURN}{result}\n        source ="))
    (folder / "keyless.yaml").write_text(named("keyless").replace("label: Gain\ngroup", "group"))
    (folder / "unreadable.yaml").write_text("id: [")
    (folder / "double.yaml").write_text(named("double").replace("studio.Double", "org.cleanplate.inpaint"))
    (folder / "._resource.yaml").write_bytes(b"\0\1\2")
    return folder


WRONG = {
    "keyless": r"keyless\.yaml: a face lacks 'label'",
    "unreadable": r"unreadable\.yaml: the face is not YAML in line 1",
    "double": r"double\.yaml: 'inpaint' is the name of the node in .*/nodes/inpaint\.yaml: give it another",
}


@pytest.fixture
def path(studio: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLEANPLATE_NODE_PATH", f"{studio}:relative/nodes:{studio}:/no/such/folder:")
    return studio


def test_the_manual_names_every_key_and_no_other() -> None:
    tables = [re.findall(r"^\| (\(?`.*?`\)?) \|", part, re.M) for part in SECTION.split("| key")[1:]]
    told = [{key for row in table for key in re.findall(r"`(\w+)`", row)} for table in tables]
    assert told == [set(keys) for keys in (face_file._FACE, face_file._INPUT, face_file._PARAMETER, face_file._PASS)]
    for keys, kind in ((face_file._INPUT, Input), (face_file._PARAMETER, Parameter), (face_file._PASS, Pass)):
        assert set(keys) == {field.name for field in fields(kind)}


def test_the_node_of_the_manual_renders(path: Path) -> None:
    pixels = noise(6, 8)
    mask = np.zeros((6, 8, 1), np.float32)
    mask[:3] = 1
    inputs = ArrayInputs(Source=picture(pixels), Mask=picture(mask, "Y"))
    passes = render("studio-gain", 1, inputs, LocalDevice(), gain=3, where="mask", invert=True)
    np.testing.assert_array_equal(passes.images["picture"][:3], pixels[:3])
    np.testing.assert_array_equal(passes.images["picture"][3:], pixels[3:] * 3)
    face = catalogue.find("studio.Gain")
    assert face.module == "studio_gain"
    counts = {result.name: len(result.channels) for result in face.passes}
    assert checked(passes, face, counts, counts) is passes


def test_wrong_faces_are_told_and_the_others_listed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nodes"]) == 0
    out, err = capsys.readouterr()
    commands = set(re.findall(r"^(\S+)", out, re.M))
    assert commands == OURS | {"studio-gain", *ENGINES, *RESULTS}
    for sentence in WRONG.values():
        assert len(re.findall(sentence, err)) == 1, err
    assert re.search(r"must name whole paths, since the worker works elsewhere: /.*/relative/nodes, not relative", err)
    assert "names the folder /no/such/folder, which cannot be read: No such file or directory" in err
    assert err.count("\n") == len(WRONG) + 2
    assert "_resource" not in err


@pytest.mark.parametrize("stem", WRONG)
def test_a_node_with_a_wrong_face_says_what_is_wrong(path: Path, stem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nodes", stem]) == 1
    assert main(["render", stem, "--source", "a.exr", "--out", "b.exr"]) == 1
    assert len(re.findall(WRONG[stem], capsys.readouterr().err)) == 2


def test_doctor_and_adapter_leave_wrong_faces_out(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(machine.Finding, match=WRONG["keyless"]):
        dict(machine.checks())["nodes"]()
    monkeypatch.setattr("sys.argv", ["generate", str(tmp_path)])
    generate.main()
    source = (tmp_path / "faces.cpp").read_text()
    assert '"studio.Gain"' in source
    assert "Keyless" not in source
    err = capsys.readouterr().err
    for sentence in WRONG.values():
        assert re.search(f"left out: .*{sentence}", err)


@pytest.mark.parametrize("stem", ENGINES)
def test_an_engine_that_is_none_is_one_sentence(path: Path, stem: str) -> None:
    with pytest.raises(FaceError, match=ENGINES[stem][1]) as caught:
        create_engine(catalogue.find(stem))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("stem", RESULTS)
def test_a_result_that_is_none_is_one_sentence(path: Path, stem: str) -> None:
    face = catalogue.find(stem)
    passes = render(stem, 1, ArrayInputs(Source=picture(noise(6, 8))), LocalDevice())
    counts = {result.name: len(result.channels) for result in face.passes}
    with pytest.raises(FaceError, match=f"the engine of Gain .*{RESULTS[stem][1]}"):
        checked(passes, face, counts, counts)


@pytest.mark.parametrize("needs", [None, "Source", 3, ["Source"], [("Source", "1")], [("Source", 1, 2)], [(1,)]])
def test_needs_that_are_none_are_one_sentence(needs: Any) -> None:
    face = catalogue.find("inpaint")
    with pytest.raises(FaceError, match=r"the engine of Inpaint must say in needs\(\) .*\[\('Source', frame\)\]"):
        asked(needs, face)
    with pytest.raises(FaceError, match="the engine of Inpaint needs an input 'Matte': its face has Source, Mask"):
        asked([("Source", 1), ("Matte", 1)], face)
    assert list(asked((("Source", np.int64(n)) for n in (1, 2)), face)) == [("Source", 1), ("Source", 2)]


def test_modules_of_one_name_in_two_folders(studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.yaml").write_text(named("other").replace("version: 1", "version: 1\nmodule: studio_gain"))
    (tmp_path / "studio_gain.py").write_text(ENGINE.replace("class Gain", "class Other").replace("Gain()", "Other()"))
    monkeypatch.setenv("CLEANPLATE_NODE_PATH", f"{studio}:{tmp_path}")
    assert type(create_engine(catalogue.find("studio-gain"))).__name__ == "Gain"
    assert type(create_engine(catalogue.find("other"))).__name__ == "Other"


def test_an_engine_of_the_house_under_another_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text(named("mine").replace("version: 1", "version: 1\nmodule: nodes.segment"))
    (tmp_path / "wrong.yaml").write_text(named("wrong").replace("version: 1", "version: 1\nmodule: nodes.nothing"))
    monkeypatch.setenv("CLEANPLATE_NODE_PATH", str(tmp_path))
    assert type(create_engine(catalogue.find("mine"))).__name__ == "Segment"
    with pytest.raises(FaceError, match=r"the engine of studio\.Wrong cannot be loaded: .*nodes\.nothing"):
        create_engine(catalogue.find("wrong"))


@pytest.mark.parametrize("option", ["out", "json", "help", "plate-space"])
def test_an_option_that_the_command_has_itself(
    tmp_path: Path, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.yaml").write_text(named("mine").replace("option: mask,", f"option: {option},"))
    monkeypatch.setenv("CLEANPLATE_NODE_PATH", str(tmp_path))
    assert main(["render", "mine", "--source", "a.exr", "--out", "b.exr"]) == 1
    assert f"mine.yaml: the input 'Mask' cannot have the option --{option}" in capsys.readouterr().err
    assert main(["render", "inpaint", "--source", "no.exr", "--mask", "no.exr", "--out", "b.exr"]) == 1
    assert "no.exr" in capsys.readouterr().err


def test_an_unknown_node_is_answered_with_those_there_are(path: Path) -> None:
    with pytest.raises(ParameterError, match="there is no node 'studio-gian': did you mean 'studio-gain'"):
        catalogue.find("studio-gian")


def test_from_the_shell_through_the_worker(studio: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The manual's node renders, wrong ones are a sentence, and the worker outlives them."""
    pixels = noise(6, 8)
    write(tmp_path / "a.1001.exr", pixels)
    write(tmp_path / "a.1002.exr", pixels)
    arguments = ["--source", str(tmp_path / "a.####.exr"), "--device", "cpu", "--frames", "1001-1002", "--out"]
    with own_runtime():
        os.environ["CLEANPLATE_NODE_PATH"] = str(studio)
        for stem, (_, sentence) in {**ENGINES, **RESULTS}.items():
            assert main(["render", stem, *arguments, str(tmp_path / f"{stem}.####.exr")]) == 1
            err = capsys.readouterr().err
            assert re.search(f"^cleanplate: .*{sentence}", err, re.M), err
            assert "Traceback" not in err
        out = str(tmp_path / "out.####.exr")
        assert main(["render", "studio-gain", *arguments, out, "--set", "gain=4"]) == 0
    np.testing.assert_array_equal(Footage(out).frame(1002).pixels, pixels * 4)
