"""`cleanplate weights`: what a person reads, what a program reads, and the exit status."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import weights_files as files
from weights_files import Moods

from models import weights
from plugin.cli import weights as command


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    yield files.prepare(monkeypatch, tmp_path)
    files.forget_registry()


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    options = parser.parse_args(["weights", *arguments])
    return int(options.run(options))


def _file(tmp_path: Path, name: str = "tiny.pth", width: int = 4) -> Path:
    path = tmp_path / name
    path.write_bytes(files.saved(files.tiny_state(width)))
    return path


def test_the_list_is_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights.import_file(_file(tmp_path))
    assert run("list", "--node", "tiny-node") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:7] == [
        "TinyNode",
        "* tiny                            imported      0 MB  for tests",
        "      MIT: free for commercial work",
        "  tiny_wide                       by hand       0 MB  for tests",
        "      CC BY-NC 4.0: NOT for commercial work",
        "  tiny_nc                         available     0 MB  for tests",
        "      CC BY-NC 4.0: NOT for commercial work",
    ]
    assert run("list") == 0
    out = capsys.readouterr().out
    assert "VideoMatte\n  rvm_mobilenetv3                 available    15 MB  people in video, no clean plate" in out
    assert max(map(len, out.splitlines())) <= 120
    assert run("list", "--node", "grade") == 1
    assert capsys.readouterr().err.startswith("cleanplate: the weights registry knows no node 'grade'")


def test_the_list_is_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["rvm_resnet50"]["state"] == "available"
    assert rows["rvm_resnet50"]["licence"] == "GPL-3.0"
    assert rows["rvm_resnet50"]["source"].startswith("https://github.com/PeterL1n/RobustVideoMatting/releases/")


def test_import_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _file(tmp_path)
    assert run("import", str(path)) == 0
    out = capsys.readouterr().out
    assert out.startswith("tiny.pth is now here as 'tiny', 0.0 MB, sha256 ")
    assert "  MIT: Free for any use" in out
    assert run("import", str(path)) == 0
    assert "tiny.pth is here already as 'tiny'" in capsys.readouterr().out
    assert run("import", "--json", "--name", "own", str(path)) == 0
    event = json.loads(capsys.readouterr().out)
    assert (event["event"], event["name"], event["network"], event["already"]) == ("imported", "own", "tiny", False)


def test_import_of_a_folder_takes_what_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    _file(folder)
    _file(folder, "own.ckpt", width=8)
    (folder / "broken.pth").write_bytes(b"PK\x03\x04")
    (folder / "readme.txt").write_text("hello")
    assert run("import", str(folder)) == 1
    captured = capsys.readouterr()
    assert captured.err == (
        "cleanplate: broken.pth is cut short or damaged: its index cannot be read; download or copy it again\n"
    )
    assert "own.ckpt is now here as 'own'" in captured.out
    assert weights.resolve("tiny").state == "imported"
    assert run("import", str(folder), "--as", "tiny") == 1
    assert "import the files one by one" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert run("import", str(tmp_path / "empty")) == 1
    assert capsys.readouterr().err.endswith("empty holds no weights files\n")


def test_fetch_reports(capsys: pytest.CaptureFixture[str]) -> None:
    with files.server(Moods(files.saved(files.tiny_state()))) as address:
        assert run("fetch", "tiny", "--from", address) == 0
        captured = capsys.readouterr()
        assert "tiny is now here as 'tiny'" in captured.out
        assert "note: its publisher states no checksum" in captured.out
        assert "tiny: 0.0 of 0.0 MB" in captured.err
        assert run("fetch", "tiny", "--from", address, "--replace", "--json") == 0
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [event["event"] for event in events] == ["progress", "imported"]
    assert run("fetch", "tinny", "tiny") == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("cleanplate: no published weights are called 'tinny'")
    assert "tiny is here already" in captured.out


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_fetch_asks_for_a_yes_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with files.server(Moods(files.saved(files.tiny_state()))) as address:
        assert run("fetch", "tiny_nc", "--from", address) == 1
        assert "run: cleanplate weights fetch tiny_nc --accept-licence" in capsys.readouterr().err
        for answer, status in [("no\n", 1), ("\n", 1), ("yes\n", 0)]:
            screen = _Terminal()
            monkeypatch.setattr(sys, "stdin", _Terminal(answer))
            monkeypatch.setattr(sys, "stderr", screen)
            assert run("fetch", "tiny_nc", "--from", address) == status
            assert "tiny_nc is under CC BY-NC 4.0: NOT for commercial work." in screen.getvalue()
            assert "Not for paid shots." in screen.getvalue()


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check") == 0
    assert "there are no weights on this machine yet" in capsys.readouterr().out
    ref = weights.import_file(_file(tmp_path)).ref
    weights.import_file(_file(tmp_path, "own.pth", width=8))
    ref.path.write_bytes(ref.path.read_bytes()[:-1] + b"x")
    assert run("check") == 1
    captured = capsys.readouterr()
    assert captured.out.startswith(
        "own: good (hash as recorded, loads, no self-test for this network)\n  own (imported, "
    )
    assert "tiny.safetensors is not what was stored" in captured.err
    assert run("check", "own", "--json") == 0
    assert json.loads(capsys.readouterr().out)["hash_known"] is True
    assert run("check", str(tmp_path / "own.pth")) == 0
    assert "no recorded hash to compare with" in capsys.readouterr().out


def test_doctor_names_the_node_that_has_no_weights(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from install import machine
    from plugin.cli import doctor

    line = "weights of inpaint"
    check = dict(machine.checks())[line]
    monkeypatch.setattr(machine, "checks", lambda: [(line, check)])
    monkeypatch.setattr(doctor, "_worker", lambda device: "runs")
    assert doctor.run(argparse.Namespace(device="cpu")) == 0
    out = capsys.readouterr().out
    assert "missing weights of inpaint          Inpaint has no weights on this machine; run: cleanplate" in out
