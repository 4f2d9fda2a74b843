"""The store and what stands in a node's `weights` parameter: names, files, defaults, parallel use, accidents."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import weights_files as files
from safetensors.torch import save_file

from models import weights
from models.weights import WeightsError, hashes, listing, registry, store
from models.weights.checking import check

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    yield files.prepare(monkeypatch, tmp_path)
    files.forget_registry()


def _file(tmp_path: Path, name: str = "tiny.pth", width: int = 4, seed: int = 1) -> Path:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(files.saved(files.tiny_state(width, seed)))
    return path


def _bundle(tmp_path: Path, name: str = "tiny") -> Path:
    path = tmp_path / "bundled" / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    weights.save(path, files.tiny_state(seed=9), "tiny", {"width": 4}, licence="Apache-2.0", source="our own training")
    return path


def test_an_import_is_found_by_its_published_name(tmp_path: Path, home: Path) -> None:
    path = _file(tmp_path)
    done = weights.import_file(path)
    ref = weights.resolve("tiny", "TinyNode")
    assert done.ref == ref
    assert ref.path == home / "weights" / "tiny.safetensors"
    assert (ref.state, ref.network, ref.options, ref.licence) == ("imported", "tiny", {"width": 4}, "MIT")
    assert ref.source == "http://127.0.0.1:9/tiny.pth"
    assert "commercial" in ref.terms
    assert ref.sha256 == hashes.sha256(ref.path, fresh=True)
    assert store.record("tiny")["source_sha256"] == hashes.sha256(path)
    assert weights.import_file(path).already
    model = weights.build(ref)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in files.tiny_state().items())


def test_the_same_weights_have_the_same_hash_wherever_they_came_from(tmp_path: Path) -> None:
    path = _file(tmp_path)
    first = weights.import_file(path).ref
    again = weights.import_file(_file(tmp_path / "elsewhere"), name="tiny", as_entry="tiny", replace=True).ref
    assert again.sha256 == first.sha256


def test_names_of_files_nobody_published(tmp_path: Path) -> None:
    done = weights.import_file(_file(tmp_path, "My best (2).ckpt"))
    assert (done.ref.name, done.ref.licence) == ("My_best_2", "unknown")
    assert done.notes == ("nobody states its terms; add --licence if you know them",)
    assert weights.import_file(_file(tmp_path, "b.pth", seed=2), name="mine", licence="studio").ref.licence == "studio"
    with pytest.raises(
        WeightsError, match=r"^other weights are already called 'mine' \(from .*/b.pth\); add --replace"
    ):
        weights.import_file(_file(tmp_path, "c.pth", seed=3), name="mine")
    assert weights.import_file(_file(tmp_path, "c.pth", seed=3), name="mine", replace=True).ref.name == "mine"
    with pytest.raises(WeightsError, match=r"^'rvm_resnet50' is the name of published weights, which d.pth is not"):
        weights.import_file(_file(tmp_path, "d.pth"), name="rvm_resnet50")
    with pytest.raises(WeightsError, match=r"^'bgmv2_mobilenetv2' is the name of weights bundled with Cleanplate"):
        weights.import_file(_file(tmp_path, "d.pth"), name="bgmv2_mobilenetv2")
    for name in ("../evil", "a/b", ".hidden", "x" * 99, "a\nb"):
        with pytest.raises(WeightsError, match="cannot be a name of weights"):
            weights.import_file(_file(tmp_path, "d.pth"), name=name)


def test_a_file_that_is_not_what_it_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"^tiny.pth is not tiny_wide, which is Tiny \(width 8\): it is Tiny"):
        weights.import_file(_file(tmp_path), as_entry="tiny_wide")
    with pytest.raises(WeightsError, match=r"^no published weights are called 'tinny'; did you mean tiny"):
        weights.import_file(_file(tmp_path), as_entry="tinny")
    onnx = tmp_path / "rvm_mobilenetv3_fp32.onnx"
    onnx.write_bytes(b"\x08\x07")
    with pytest.raises(WeightsError, match=r"is an ONNX export; bring rvm_mobilenetv3.pth instead$"):
        weights.import_file(onnx)


def test_a_file_name_that_several_publications_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = registry._document()["entries"]
    wide = next(raw for raw in entries if raw["id"] == "tiny_wide")
    entries.append({**wide, "id": "tiny_wide_two", "goes_with": "tiny"})
    files.forget_registry()
    path = _file(tmp_path, "wide_07.pth", width=8)
    done = weights.import_file(path)
    assert (done.ref.name, done.ref.licence) == ("wide_07", "CC BY-NC 4.0")
    assert done.notes == ("it may be any of tiny_wide, tiny_wide_two; import it with --as ID so that nodes find it",)
    done = weights.import_file(path, as_entry="tiny_wide_two")
    assert done.ref.name == "tiny_wide_two"
    assert done.notes == ("it works together with tiny, which is not here yet",)


def test_order_of_names_files_and_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        WeightsError, match=r"^TinyNode has no weights on this machine; run: cleanplate weights fetch tiny"
    ):
        weights.default_for("TinyNode")
    _bundle(tmp_path)
    bundled = weights.default_for("org.cleanplate.TinyNode")
    assert (bundled.state, bundled.licence, bundled.source) == ("bundled", "Apache-2.0", "our own training")
    assert weights.resolve("", "tiny-node") == bundled == weights.resolve("tiny")
    imported = weights.import_file(_file(tmp_path)).ref
    assert weights.resolve("", "TinyNode") == imported == weights.resolve("tiny")
    monkeypatch.chdir(tmp_path)
    here = weights.resolve("tiny.pth", "TinyNode")
    assert (here.state, here.path, here.name) == ("file", tmp_path / "tiny.pth", "tiny")
    assert (here.network, here.licence) == ("tiny", "MIT")  # known by its hash from the import
    shutil.copy(tmp_path / "tiny.pth", tmp_path / "tiny")
    assert weights.resolve("tiny").state == "file"


def test_what_comes_for_a_node_whose_weights_are_made_is_no_default(tmp_path: Path) -> None:
    registry._document()["nodes"]["TinyNode"] |= {"made_by": "cleanplate learn", "defaults": []}
    files.forget_registry()
    _bundle(tmp_path, "own_small")
    for options in ({}, {"width": 4}):
        with pytest.raises(WeightsError, match=r"^TinyNode needs weights that you taught it: run cleanplate learn"):
            weights.default_for("TinyNode", options)
    assert weights.resolve("own_small", "TinyNode").state == "bundled"
    assert not any(row.default for row in listing.rows() if row.name == "own_small")


def test_any_bundled_weights_of_the_network_serve_as_default(tmp_path: Path) -> None:
    _bundle(tmp_path, "own_small")
    assert weights.default_for("TinyNode").name == "own_small"
    assert weights.default_for("TinyNode", {"width": 4}).name == "own_small"
    with pytest.raises(WeightsError, match=r"^TinyNode has no weights for width 8 on this machine; fetch wide_\*"):
        weights.default_for("TinyNode", {"width": 8})
    weights.import_file(_file(tmp_path, "wide_1.pth", width=8), as_entry="tiny_wide")
    assert weights.default_for("TinyNode", {"width": 8}).name == "tiny_wide"


def test_what_is_not_here_says_how_to_get_it(tmp_path: Path) -> None:
    for text, sentence in {
        "tiny": "the weights 'tiny' are not on this machine; run: cleanplate weights fetch tiny, or with the file at "
        "hand: cleanplate weights import FILE --as tiny",
        "tiny_wide": "the weights 'tiny_wide' are not on this machine; fetch wide_*.pth by hand from "
        "https://example.invalid, then run: cleanplate weights import FILE --as tiny_wide",
        "tinny": "there are no weights called 'tinny' and no such file; did you mean tiny or tiny_nc?",
        "qqq": "there are no weights called 'qqq' and no such file; 'cleanplate weights list' shows what there is",
        "./gone.pth": "there is no file gone.pth",
        "gone.pth": "there is no file gone.pth",
        str(tmp_path) + "/": f"{tmp_path} is a folder; name a weights file in it",
    }.items():
        with pytest.raises(WeightsError) as caught:
            weights.resolve(text)
        assert str(caught.value) == sentence
    empty = tmp_path / "empty.pth"
    empty.touch()
    with pytest.raises(WeightsError, match=r"^empty.pth is empty$"):
        weights.resolve(empty)


def test_weights_of_another_node_are_refused(tmp_path: Path) -> None:
    weights.import_file(_file(tmp_path))
    with pytest.raises(WeightsError, match=r"^the weights 'tiny' do not fit VideoMatte: they are for TinyNode$"):
        weights.resolve("tiny", "VideoMatte")
    with pytest.raises(WeightsError, match=r"knows no node 'Grade'"):
        weights.resolve("tiny", "Grade")


def test_a_foreign_file_is_looked_into(tmp_path: Path) -> None:
    ref = weights.resolve(_file(tmp_path, "foreign.pth", width=8))
    assert (ref.network, ref.licence) == ("", "unknown")
    whole = weights.complete(ref)
    assert (whole.network, whole.options) == ("tiny", {"width": 8})
    assert "published weights of this network are under CC BY-NC 4.0, MIT" in whole.terms
    assert weights.build(ref).head.weight.shape == (1, 8, 1, 1)
    assert weights.load_model_weights(ref, "tiny", {"width": 8})["head.weight"].shape == (1, 8, 1, 1)
    with pytest.raises(WeightsError, match=r"does not fit Tiny \(width 4\): it is Tiny \(width 8\)$"):
        weights.load_model_weights(ref, "tiny", {"width": 4})


def test_a_file_that_changes_between_finding_and_loading_is_not_mixed(tmp_path: Path) -> None:
    ref = weights.resolve(_file(tmp_path, "own.pth"))
    _file(tmp_path, "own.pth", seed=5)
    with pytest.raises(WeightsError, match=r"own.pth changed while it was being loaded; try again$"):
        weights.build(ref)
    assert weights.resolve(tmp_path / "own.pth").sha256 != ref.sha256


def test_headers_that_ask_for_the_impossible(tmp_path: Path) -> None:
    state = files.tiny_state()
    path = tmp_path / "odd.safetensors"
    good = {"network": "tiny", "options": '{"width": 4}'}
    for change, sentence in [
        ({"options": '{"width": 99999999}'}, "asks for impossible options of the network 'tiny'"),
        ({"options": '{"width": {}}'}, "asks for impossible options of the network 'tiny'"),
        ({"options": '{"depth": 4}'}, "cannot be used: Network 'tiny' has no option 'depth'"),
        ({"options": '{"width": 8}'}, "does not fit Tiny (width 8): it is Tiny (width 4)"),
        ({"network": "huge"}, "is for the network 'huge', which this version of Cleanplate does not have"),
    ]:
        save_file(state, path, good | change)
        with pytest.raises(WeightsError) as caught:
            weights.import_file(path)
        assert sentence in str(caught.value)
        with pytest.raises(WeightsError):
            weights.build(weights.resolve(path))
    save_file(state, path, good | {"options": "not json"})
    assert weights.build(weights.resolve(path)).head.weight.shape == (1, 4, 1, 1)


def test_imports_at_the_same_time_leave_one_good_file(tmp_path: Path, home: Path) -> None:
    sources = [_file(tmp_path, f"own{at}.pth", seed=at) for at in range(6)]
    outcomes: list[str] = []

    def run(source: Path) -> None:
        try:
            weights.import_file(source, name="shared")
            outcomes.append("stored")
        except WeightsError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=run, args=(source,)) for source in sources * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The winner's twin finds the same weights there; everybody else is told that the name is taken.
    assert sorted(outcome[:5] for outcome in outcomes) == ["other"] * 10 + ["store"] * 2
    weights.build(weights.resolve("shared"))
    assert not list((home / "weights").glob("*.tmp")) + list((home / "weights").glob(".*.tmp"))


_KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from models.weights import store
with store.locked(), store.replacing(store.place("tiny")) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_halfway_leaves_the_old_file_and_no_lock(tmp_path: Path, home: Path) -> None:
    ref = weights.import_file(_file(tmp_path)).ref
    code = _KILLED.format(root=str(ROOT))
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "CLEANPLATE_HOME": str(home)}, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert weights.resolve("tiny") == ref
    leftovers = list((home / "weights").glob(".*.tmp"))
    assert len(leftovers) == 1
    os.utime(leftovers[0], (0, 0))
    weights.import_file(_file(tmp_path, "other.pth"))
    assert not leftovers[0].exists()


def test_a_store_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("CLEANPLATE_HOME", str(blocked))
    with pytest.raises(WeightsError, match=r"set CLEANPLATE_HOME to a folder you can write to$"):
        weights.import_file(_file(tmp_path))


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = weights.import_file(_file(tmp_path)).ref

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeightsError, match=r"^the disk of .* is full; nothing was changed$"):
        weights.import_file(_file(tmp_path, "t.pth", seed=4), as_entry="tiny", replace=True)
    assert weights.resolve("tiny") == ref


def test_hashes_are_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = weights.import_file(_file(tmp_path)).ref.path  # in the store, so remembered at once
    known = hashes.sha256(path)
    hashes._memory.clear()
    monkeypatch.setattr(hashes, "digest", lambda file: "read again")
    assert hashes.sha256(path) == known
    assert hashes.sha256(path, fresh=True) == "read again"
    hashes._memory.clear()
    path.touch()
    assert hashes.sha256(path) == "read again"


def test_check_finds_what_has_changed_and_what_cannot_work(tmp_path: Path) -> None:
    ref = weights.import_file(_file(tmp_path)).ref
    result = check(ref)
    assert result.hash_known
    assert not result.ran
    data = bytearray(ref.path.read_bytes())
    data[-3] ^= 1
    ref.path.write_bytes(data)
    with pytest.raises(
        WeightsError, match=r"tiny.safetensors is not what was stored: its sha256 is .* with --replace$"
    ):
        check(weights.resolve("tiny"))


def test_check_runs_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.checking._RUNS, "tiny", lambda model: model(torch.rand(1, 3, 8, 8)))  # type: ignore[attr-defined]
    assert check(weights.import_file(_file(tmp_path)).ref).ran
    for name, value, sentence in [("flat", 0.0, "gives one flat colour$"), ("huge", 3e38, "gives NaN or infinite")]:
        state = {key: torch.full_like(t, value) if t.ndim else t for key, t in files.tiny_state().items()}
        path = tmp_path / f"{name}.pth"
        path.write_bytes(files.saved(state))
        with pytest.raises(WeightsError, match=sentence):
            check(weights.import_file(path).ref)


def test_the_list_says_what_is_here_and_what_is_not(tmp_path: Path) -> None:
    _bundle(tmp_path, "own_small")
    weights.import_file(_file(tmp_path))
    (store.folder() / "spoilt.safetensors").write_bytes(b"12345678{")
    rows = {row.name: row for row in listing.rows()}
    states = {name: rows[name].state for name in ("own_small", "tiny", "tiny_wide", "tiny_nc", "spoilt")}
    assert states == {"own_small": "bundled", "tiny": "imported", "tiny_wide": "by hand", "tiny_nc": "available",
                      "spoilt": "damaged"}  # fmt: skip
    assert rows["tiny"].default
    assert not rows["own_small"].default
    assert (rows["tiny_nc"].licence, rows["tiny_nc"].use) == ("CC BY-NC 4.0", "NOT for commercial work")
    assert "spoilt.safetensors is cut short" in rows["spoilt"].problem
    assert rows["rvm_resnet50"].size == 107_800_000


def test_the_registry_hangs_together() -> None:
    known = registry.entries()
    for entry in known.values():
        assert entry.network in registry.nodes()[entry.node].networks
        assert entry.what
        assert entry.bundled or entry.file
        assert entry.bundled or entry.url or entry.page
        assert entry.url.startswith(("https://", "http://127.0.0.1")) or not entry.url
        assert not entry.goes_with or known[entry.goes_with].goes_with == entry.id
        assert dataclasses.asdict(entry.licence)["terms"]
    for node in registry.nodes().values():
        assert all(name in known for name in node.defaults)
    for raw in registry._document()["variants"]:
        assert known[raw["of"]].matches_file(raw["file"])
    assert registry.node_of("rvm") == "VideoMatte"


def test_finding_weights_needs_no_torch(tmp_path: Path, home: Path) -> None:
    """The command line and the plug-in's side of things start in a tenth of a second; torch alone takes seconds."""
    weights.import_file(_file(tmp_path))
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "import models.weights, models.weights.listing, models.weights.fetching, plugin.cli.weights\n"
        "from models import weights\n"
        "print(weights.resolve('tiny').network, len(models.weights.listing.rows()) > 20, 'torch' in sys.modules)\n"
    )
    env = {**os.environ, "CLEANPLATE_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.stdout == "tiny True False\n", done.stderr


def test_a_file_written_over_in_place_is_noticed(tmp_path: Path) -> None:
    """As long as before, with the times of before, at the same moment: only what it holds tells."""
    path = _file(tmp_path, "own.pth")
    first, status = weights.resolve(path), path.stat()
    other = files.saved(files.tiny_state(seed=7))
    assert len(other) == status.st_size
    with path.open("r+b") as file:
        file.write(other)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert weights.resolve(path).sha256 != first.sha256
    assert weights.build(weights.resolve(path))


def test_what_came_with_the_software_is_what_was_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = _bundle(tmp_path, "bgmv2_mobilenetv2")
    (path.parent / registry.SUMS).write_text(f"{hashes.sha256(path)}  {path.name}\n")
    files.forget_registry()
    assert check(weights.resolve("bgmv2_mobilenetv2")).hash_known
    (path.parent / registry.SUMS).write_text(f"{'0' * 64}  {path.name}\n")
    files.forget_registry()
    with pytest.raises(WeightsError, match=r"is not what was stored: .*; install Cleanplate again$"):
        check(weights.resolve("bgmv2_mobilenetv2"))


def test_the_bundled_files_have_their_sums() -> None:
    folder = ROOT / "models" / "weights" / "bundled"
    sums = dict(reversed(line.split()) for line in (folder / registry.SUMS).read_text().splitlines())
    actual = {path.name: hashes.sha256(path) for path in folder.glob("*.safetensors")}
    assert sums == actual, f"run: (cd {folder} && sha256sum *.safetensors > {registry.SUMS})"
    assert {Path(name).stem for name in actual} == {raw["id"] for raw in registry._document()["bundled"]}


def test_defaults_that_are_not_here_and_others_that_are(tmp_path: Path) -> None:
    weights.import_file(_file(tmp_path, "mine.pth"))
    with pytest.raises(WeightsError, match=r"^TinyNode has none of the weights it takes by itself; name those that are "
                       r"here \(weights mine\), or run: cleanplate weights fetch tiny, or"):  # fmt: skip
        weights.default_for("TinyNode")
    assert weights.choose("TinyNode", "mine").name == "mine"


def test_a_node_of_a_studio_names_its_weights(tmp_path: Path) -> None:
    assert weights.choose("studio.Grade", str(_file(tmp_path, "own.pth"))).state == "file"
    with pytest.raises(WeightsError, match=r"^studio.Grade has no weights of its own; name some with 'weights'$"):
        weights.choose("studio.Grade")


def test_halves_know_each_other(tmp_path: Path) -> None:
    def half(name: str, state: str = "imported") -> str:
        return weights.other_half(weights.WeightsRef(tmp_path / name, name.partition(".")[0], "", state))

    assert half("structureflow_paris_flow") == "structureflow_paris_structure"
    assert half("my_structure") == "my_flow"
    assert half("0100_net_s_gen.pth", "file") == str(tmp_path / "0100_net_f_gen.pth")
    assert half("paris_flow.safetensors", "file") == str(tmp_path / "paris_structure.safetensors")
    assert half("big_lama") == half("big_lama.pth", "file") == ""
    with pytest.raises(WeightsError, match=r"^the weights 'structureflow_paris_flow' are not on this machine; fetch"):
        weights.resolve("structureflow_paris", "Inpaint")
