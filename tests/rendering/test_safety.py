"""Nothing on disk is lost: outputs are held against all that is read, before the first is written and as each is."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from local_render import LocalWorker, render, shot, write_shot

from nodes.errors import OutputError, ParameterError
from nodes.footage.exr.header import read_header
from nodes.footage.exr.seal import is_untouched
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame
from plugin.cli.demo import _described, _refuse_others
from plugin.rendering.plan import Request, plan
from plugin.rendering.safety import Guard

FRAMES = range(1, 4)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A shot, a mask sequence and a plate in folders of their own, and links to them."""
    monkeypatch.chdir(tmp_path)
    for folder in ("s", "m", "p/clean"):
        os.makedirs(folder)
    write_shot(Path("s/a.####.exr"), FRAMES)
    write_shot(Path("s/b.%d.exr"), (998, 999, 1000, 1001))
    write_shot(Path("m/a.####.exr"), FRAMES)
    write_shot(Path("p/clean/plate.1005.exr"), [1])
    os.symlink("s", "link")
    os.makedirs("other")
    os.link("s/a.0003.exr", "other/hard.0003.exr")
    os.symlink("../m/a.0002.exr", "other/soft.0002.exr")
    # Footage that is a link to where an output would go.
    os.makedirs("farm")
    os.rename("m/a.0001.exr", "farm/x.0001.exr")
    os.symlink("../farm/x.0001.exr", "m/a.0001.exr")
    return tmp_path


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def guard(source: str = "s/a.####.exr", **how) -> Guard:
    footage = {
        "--source": Footage(source),
        "--mask": Footage("m/a.####.exr"),
        "--plate": Footage("p/clean/plate.1005.exr"),
    }
    return Guard("--out", footage, **how)


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        (["s/a.0001.exr"], "--source"),
        (["new/x.0001.exr", "s/a.0003.exr"], "--source"),  # not at the first frame
        (["s/a.0007.exr"], "--source"),  # not there yet, but a frame of the source once it is
        (["link/a.0001.exr"], "--source"),
        (["s/../s/a.0002.exr"], "--source"),
        (["other/hard.0003.exr"], "--source"),
        (["other/soft.0002.exr"], "--mask"),
        (["farm/x.0001.exr"], "--mask"),
        (["m/a.0003.exr"], "--mask"),
        (["p/clean/plate.1005.exr"], "--plate"),
        (["p/clean"], "is a folder"),
    ],
)
def test_what_is_read_is_never_written(house, paths, named) -> None:
    for overwrite in (False, True):
        with pytest.raises(ParameterError, match=f"{named}.*choose other file names"):
            guard(overwrite=overwrite).refuse(paths)


def test_names_that_only_look_alike_are_free(house) -> None:
    guard().refuse(
        ["s/a.001.exr", "s/A.x.exr", "p/clean/plate.1006.exr", "m.0001.exr", "nowhere/a.0001.exr", "s/b.1.exr"]
    )
    guard("s/b.%d.exr").refuse(["s/b.0998.exr"])
    with pytest.raises(ParameterError, match=r"s/b\.1000\.exr is a frame of --source"):
        guard("s/b.%d.exr").refuse([f"s/b.{frame:04d}.exr" for frame in (998, 999, 1000)])


def test_a_file_system_that_takes_names_for_each_other(house, monkeypatch) -> None:
    """The stat of a name in other letters finds the footage there; such a name is looked at though it is not listed."""
    plain = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **how: plain(str(path).replace("PLATE", "plate"), **how))
    with pytest.raises(ParameterError, match="--plate"):
        guard().refuse(["p/clean/PLATE.1005.exr"])


def test_files_that_parameters_name_are_read_as_well(house) -> None:
    Path("w.exr").write_bytes(b"weights")
    with pytest.raises(ParameterError, match=r"w\.exr, which is read"):
        guard(files=["w.exr", "gone.exr"], overwrite=True).refuse(["w.exr"])


def test_few_files_are_looked_at(house, monkeypatch) -> None:
    """A render into a new folder costs no look at the footage's files, whatever their number."""
    seen = []
    plain = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **how: seen.append(path) or plain(path, **how))
    guard().refuse(f"new/a.{frame:04d}.exr" for frame in range(100_000))
    assert len(seen) < 50


@pytest.mark.parametrize(
    "content", [b"notes of the day", b"\x76\x2f\x31\x01 something else altogether", "ours without a key"]
)
def test_what_others_made_is_not_replaced_unasked(house, content) -> None:
    what = shot("s/a.####.exr", "o/a.####.exr", FRAMES)
    os.makedirs("o")
    if isinstance(content, str):
        write_shot(Path("o/a.####.exr"), [3])
    else:
        Path("o/a.0003.exr").write_bytes(content)
    before = digests(house)
    with pytest.raises(
        ParameterError, match=r"o/a\.0003\.exr is there already and was not made by Cleanplate.*--overwrite"
    ):
        render(what)
    assert digests(house) == before
    assert render(dataclasses.replace(what, overwrite=True)).rendered == 3
    assert render(what).skipped == 3  # ours by now


def paint(path: str, **how) -> None:
    """What another program does that opens a pass, changes a corner and saves it with its metadata."""
    picture = oiio.ImageBuf(path)
    spec = picture.spec()
    for name, value in how.items():
        picture.specmod().attribute(name, value)
    picture.setpixel(1, 1, [0.25] * spec.nchannels)
    picture.write(path)


@pytest.mark.parametrize("compression", ["zip", "zips", "piz", "none", "rle"])
def test_what_a_person_changed_since_is_not_replaced_unasked(house, compression) -> None:
    what = dataclasses.replace(shot("s/a.####.exr", "o/a.####.exr", FRAMES), compression=compression)
    render(what)
    paint("o/a.0002.exr")
    before = digests(house)
    assert render(what).skipped == 3  # a mended mask stays
    again = dataclasses.replace(what, params={**what.params, "gain": 3.0})
    with pytest.raises(ParameterError, match=r"o/a\.0002\.exr was changed since Cleanplate made it.*--overwrite"):
        render(again)
    assert digests(house) == before
    assert render(dataclasses.replace(again, overwrite=True)).rendered == 3


@pytest.mark.parametrize("compression", ["zip", "none", "piz"])
def test_a_seal_breaks_with_every_change(house, compression) -> None:
    what = dataclasses.replace(shot("s/a.####.exr", "o/a.####.exr", FRAMES), compression=compression)
    render(what)
    path = Path("o/a.0001.exr")
    assert is_untouched(str(path))
    whole = path.read_bytes()
    header = read_header(path)
    first = header.end + 8 * header.parts[0].chunks
    for place in range(header.end, len(whole)) if compression == "none" else range(len(whole) - 8, len(whole)):
        if not first <= place < first + 8:  # what the table says of the chunk
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            assert not is_untouched(str(path)), place
    path.write_bytes(whole.replace(b"cleanplate/params", b"cleanplate/PARAMS"))
    assert not is_untouched(str(path))


def test_our_own_are_replaced_and_so_are_pieces(house) -> None:
    render(shot("s/a.####.exr", "o/a.####.exr", FRAMES))
    Path("o/a.0002.exr").write_bytes(Path("o/a.0002.exr").read_bytes()[:100])
    Path("o/a.0003.exr").write_bytes(b"")
    assert render(shot("s/a.####.exr", "o/a.####.exr", FRAMES)).rendered == 2
    assert render(shot("s/a.####.exr", "o/a.####.exr", FRAMES, gain=3.0)).rendered == 3


@pytest.mark.parametrize("how", ["hard link", "foreign", "folder"])
def test_what_appears_while_the_render_runs_is_safe_as_well(house, how) -> None:
    def before(frame: int) -> None:
        if frame == 2:
            if how == "hard link":
                os.link("s/a.0001.exr", "o/a.0002.exr")
            elif how == "foreign":
                Path("o/a.0002.exr").write_text("notes")
            else:
                os.makedirs("o/a.0002.exr")

    os.makedirs("o")
    sources = digests(house / "s")
    with pytest.raises(OutputError, match=r"o/a\.0002\.exr"):
        render(shot("s/a.####.exr", "o/a.####.exr", FRAMES), LocalWorker(before))
    assert digests(house / "s") == sources
    if how == "foreign":
        assert Path("o/a.0002.exr").read_text() == "notes"
    assert not [name for name in os.listdir("o") if name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("out", "more", "sentence"),
    [
        ("s/a.####.exr", {}, "would overwrite the footage"),
        ("link/a.####.exr", {}, "would overwrite the footage"),
        ("m/a.%04d.exr", {}, "--mask"),
        ("%P/a.####.exr", {"source": "clean/a.####.exr"}, r"clean/a\.0001\.exr is a frame of --source"),
        (
            "x/rig.exr",
            {"settings": {"sourceFile": "s/a.####.exr", "weights": "x/rig.exr"}, "frames": "1"},
            "which is read",
        ),
    ],
)
def test_a_plan_is_refused_as_a_whole(house, out, more, sentence) -> None:
    os.symlink("s", "clean")
    os.makedirs("x")
    write_shot(Path("x/rig.exr"), [1])
    before = digests(house)
    footage = {"source": more.get("source", "s/a.####.exr"), "mask": "m/a.####.exr"}
    settings = {"model": "smooth", **more.get("settings", {})}
    with pytest.raises(ParameterError, match=sentence):
        plan(Request("inpaint", footage, out, more.get("frames"), settings))
    assert digests(house) == before


def test_the_demo_replaces_its_own_files_only(house) -> None:
    pixels = np.zeros((6, 8, 3), np.float32)
    described = dataclasses.replace(
        _described(1001), data_window=Window(0, 0, 8, 6), pixels=np.empty((6, 8, 0), np.float32)
    )
    write_frame("demo/rigs/shot.1001.exr", [("", "RGB", pixels)], described)
    _refuse_others(str(house / "demo"))
    for path in ("demo/rigs/shot.1001.exr", "new/shot/clean_plate.exr", "sheet/contact_sheet.png"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text("somebody's")
        with pytest.raises(ParameterError, match="not of the demo: choose another folder with --out"):
            _refuse_others(str(house / path.split("/")[0]))
