"""Downloads against a web server on this machine that cuts off, forgets, refuses, and serves the wrong thing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import weights_files as files
from weights_files import Moods

from models import weights
from models.weights import WeightsError, fetching, hashes, registry, store
from models.weights.download import Policy, Unreachable, download
from models.weights.fetching import LicenceNotAccepted, fetch

QUICK = Policy(attempts=3, pause=0.0, timeout=5.0)
CONTENT = files.saved(files.tiny_state())


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield files.prepare(monkeypatch, tmp_path)
    files.forget_registry()


def _quiet(*_: object) -> None:
    pass


def _bring(moods: Moods, path: Path, policy: Policy = QUICK) -> bytes:
    with files.server(moods) as address:
        download(f"{address}/w.pth", path, policy, _quiet, _quiet)
    return path.read_bytes()


def _pin(entry: str, digest: str) -> None:
    store.make_folder()
    fetching._pin(entry, {"sha256": digest})


def test_a_fetch_ends_in_the_store(home: Path) -> None:
    heard: list[tuple[int, int | None]] = []
    with files.server(Moods(CONTENT)) as address:
        done = fetch("tiny", source=address, policy=QUICK, progress=lambda at, of: heard.append((at, of)))
    assert weights.resolve("tiny") == done.ref
    assert heard[-1] == (len(CONTENT), len(CONTENT))
    assert store.record("tiny")["from"] == f"{address}/tiny.pth"
    assert not list((home / "weights" / "downloads").iterdir())
    assert fetch("tiny", source="http://127.0.0.1:9").already


def test_a_download_resumes_wherever_it_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * 4
    for cut in [0, 1, 2, 255, 256, 511, 700, 1022, 1023]:
        moods = Moods(content, cut_after=[cut, None])
        assert _bring(moods, tmp_path / f"{cut}.part") == content
        assert moods.asked == ["", f"bytes={cut}-" if cut else ""]
        assert moods.served == len(content)


def test_a_download_resumes_after_the_process_ended(tmp_path: Path) -> None:
    path = tmp_path / "w.part"
    moods = Moods(CONTENT, cut_after=[100, 0, 0, 0, None])
    with files.server(moods) as address:
        with pytest.raises(Unreachable, match=r"^the download was cut off after 0.0 of 0.0 MB$"):
            download(f"{address}/w.pth", path, QUICK, _quiet, _quiet)
        assert path.read_bytes() == CONTENT[:100]
        download(f"{address}/w.pth", path, QUICK, _quiet, _quiet)
        assert path.read_bytes() == CONTENT
        assert moods.served == len(CONTENT)
        # Complete, but never taken into the store: asking again costs nothing.
        download(f"{address}/w.pth", path, QUICK, _quiet, _quiet)
        assert moods.asked[-1] == f"bytes={len(CONTENT)}-"
        assert moods.served == len(CONTENT)


def test_many_small_steps_arrive(tmp_path: Path) -> None:
    """Attempts are counted from the last one that brought something."""
    assert _bring(Moods(CONTENT[:1000], cut_after=[90]), tmp_path / "w.part") == CONTENT[:1000]


def test_a_server_that_ignores_ranges(tmp_path: Path) -> None:
    assert _bring(Moods(CONTENT, cut_after=[700, None], ranges=False), tmp_path / "w.part") == CONTENT
    with pytest.raises(Unreachable, match="was cut off"):
        _bring(Moods(CONTENT, cut_after=[700], ranges=False), tmp_path / "w2.part")


def test_a_file_that_changes_between_two_parts_starts_over(tmp_path: Path) -> None:
    path = tmp_path / "w.part"
    moods = Moods(b"a" * 1000, cut_after=[400, 0, 0, 0, None])
    with files.server(moods) as address:
        with pytest.raises(Unreachable):
            download(f"{address}/w.pth", path, QUICK, _quiet, _quiet)
        moods.content, moods.etag = b"b" * 900, '"two"'
        download(f"{address}/w.pth", path, QUICK, _quiet, _quiet)
    assert path.read_bytes() == b"b" * 900


def test_a_part_of_another_address_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "w.part"
    with pytest.raises(Unreachable):
        _bring(Moods(b"a" * 1000, cut_after=[400, 0]), path)
    assert _bring(Moods(b"b" * 1000), path) == b"b" * 1000


def test_a_server_without_length(tmp_path: Path) -> None:
    assert _bring(Moods(CONTENT, length=False, etag=""), tmp_path / "w.part") == CONTENT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(status: int, tmp_path: Path) -> None:
    said: list[str] = []
    with files.server(Moods(CONTENT, status=[status, status, 200])) as address:
        download(f"{address}/w.pth", tmp_path / "w.part", QUICK, _quiet, said.append)
    assert len(said) == 2
    assert f"is busy or broken (HTTP {status}); trying again" in said[0]
    with pytest.raises(Unreachable, match=f"HTTP {status}"):
        _bring(Moods(CONTENT, status=[status]), tmp_path / "w2.part")


def test_redirects_are_followed(tmp_path: Path) -> None:
    assert _bring(Moods(CONTENT, status=[302, 200]), tmp_path / "w.part") == CONTENT
    with pytest.raises(WeightsError, match="HTTP 302"):
        _bring(Moods(CONTENT, status=[302]), tmp_path / "w2.part")


@pytest.mark.parametrize("status", [404, 410, 403])
def test_what_is_gone_is_not_asked_for_again(status: int) -> None:
    moods = Moods(CONTENT, status=[status])
    with files.server(moods) as address, pytest.raises(WeightsError) as caught:
        fetch("tiny", source=address, policy=QUICK)
    assert f"(HTTP {status}); download tiny.pth from http://127.0.0.1:9/tiny.pth on any machine" in str(caught.value)
    assert str(caught.value).endswith("bring it here and run: cleanplate weights import tiny.pth --as tiny")
    assert len(moods.asked) == 1


def test_no_network_says_how_to_bring_the_file_by_hand() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(WeightsError) as caught:
        fetch("tiny", source=f"http://127.0.0.1:{port}", policy=QUICK)
    assert str(caught.value) == (
        f"no connection to 127.0.0.1:{port} (Connection refused); download tiny.pth from http://127.0.0.1:9/tiny.pth "
        "on any machine, bring it here and run: cleanplate weights import tiny.pth --as tiny; what has arrived is kept"
    )


def test_only_web_addresses_are_fetched(tmp_path: Path) -> None:
    for address in ("file:///etc", "ftp://127.0.0.1", "gopher://x"):
        with pytest.raises(WeightsError, match="has to start with https://"):
            fetch("tiny", source=address, policy=QUICK)


def test_a_wrong_checksum_is_refused_and_the_file_kept_aside(home: Path) -> None:
    _pin("tiny", "0" * 64)
    with files.server(Moods(CONTENT)) as address, pytest.raises(WeightsError) as caught:
        fetch("tiny", source=address, policy=QUICK)
    aside = home / "weights" / "downloads" / "tiny.pth.rejected"
    assert "its sha256 is" in str(caught.value)
    assert str(caught.value).endswith(f"it was refused and kept as {aside}")
    assert aside.read_bytes() == CONTENT
    assert not store.place("tiny").exists()


def test_the_first_good_download_is_remembered() -> None:
    with files.server(Moods(CONTENT)) as address:
        done = fetch("tiny", source=address, policy=QUICK)
        assert len(done.notes) == 1
        assert done.notes[0].startswith("its publisher states no checksum; from now on it is expected to be sha256 ")
        assert fetching.pinned("tiny") == done.notes[0][-64:]
        assert fetch("tiny", source=address, policy=QUICK, replace=True).notes == ()
    other = files.saved(files.tiny_state(seed=2))
    with files.server(Moods(other)) as address, pytest.raises(WeightsError, match="is not the file it should be"):
        fetch("tiny", source=address, policy=QUICK, replace=True)
    assert weights.build(weights.resolve("tiny"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<!DOCTYPE html><html>sign in to download</html>", "tiny.pth is a web page, not a weights file"),
        (files.saved(files.tiny_state(width=8)), "tiny.pth is not tiny, which is Tiny (width 4): it is Tiny (width 8)"),
        (CONTENT[:-500], "tiny.pth is cut short or damaged"),
    ],
)
def test_a_wrong_file_is_refused_and_not_remembered(content: bytes, sentence: str, home: Path) -> None:
    with files.server(Moods(content)) as address, pytest.raises(WeightsError) as caught:
        fetch("tiny", source=address, policy=QUICK)
    assert f"what came from {address}/tiny.pth was refused and kept as " in str(caught.value)
    assert sentence in str(caught.value)
    assert (home / "weights" / "downloads" / "tiny.pth.rejected").read_bytes() == content
    assert not fetching.pinned("tiny")
    with files.server(Moods(CONTENT)) as address:
        assert fetch("tiny", source=address, policy=QUICK).ref.name == "tiny"


def test_fetches_at_the_same_time_download_once() -> None:
    moods = Moods(CONTENT, delay=0.2)
    outcomes: list[object] = []
    said: list[str] = []

    def run() -> None:
        try:
            outcomes.append(fetch("tiny", source=address, policy=QUICK, say=said.append).ref.sha256)
        except WeightsError as error:
            outcomes.append(str(error))

    with files.server(moods) as address:
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(outcomes) == {weights.resolve("tiny").sha256}
    assert moods.asked == [""]
    assert said == ["another process is fetching tiny; waiting"] * 3


def test_terms_that_restrict_need_a_yes() -> None:
    moods = Moods(CONTENT)
    with files.server(moods) as address:
        with pytest.raises(LicenceNotAccepted) as caught:
            fetch("tiny_nc", source=address, policy=QUICK)
        assert str(caught.value) == (
            "tiny_nc is under CC BY-NC 4.0 (NOT for commercial work); if that suits you, "
            "run: cleanplate weights fetch tiny_nc --accept-licence"
        )
        assert not moods.asked
        assert fetch("tiny_nc", source=address, policy=QUICK, accept_licence=True).ref.licence == "CC BY-NC 4.0"
    needing = {entry.id for entry in registry.entries().values() if entry.licence.ask}
    assert {"rvm_mobilenetv3", "structureflow_paris_flow", "hrnet_ocr_lip"} <= needing
    assert not {"bgmv2_resnet50", "big_lama", "pennet_dtd"} & needing


def test_machines_without_network_fetch_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "usb stick"
    (folder / "deep").mkdir(parents=True)
    with pytest.raises(WeightsError, match=r"usb stick holds no file tiny.pth"):
        fetch("tiny", source=str(folder))
    (folder / "deep" / "tiny.pth").write_bytes(CONTENT)
    monkeypatch.setenv(fetching.MIRROR, str(folder))
    ref = fetch("tiny").ref
    assert ref.licence == "MIT"
    assert store.record("tiny")["source_sha256"] == hashes.sha256(folder / "deep" / "tiny.pth")
    (folder / "wide_1.pth").write_bytes(files.saved(files.tiny_state(width=8)))
    (folder / "wide_2.pth").write_bytes(files.saved(files.tiny_state(width=8)))
    with pytest.raises(
        WeightsError, match=r"may be tiny_wide \(wide_1.pth, wide_2.pth\); rename the right one to tiny_"
    ):
        fetch("tiny_wide", accept_licence=True)
    (folder / "wide_2.pth").rename(folder / "tiny_wide.pth")
    assert fetch("tiny_wide", accept_licence=True).ref.options == {"width": 8}
    with pytest.raises(WeightsError, match="there is no folder"):
        fetch("tiny_nc", accept_licence=True, source=str(tmp_path / "gone"))


def test_what_no_program_can_fetch() -> None:
    with pytest.raises(WeightsError, match=r"^tiny_wide cannot be fetched by a program; download wide_\*.pth from"):
        fetch("tiny_wide")
    with pytest.raises(WeightsError, match="did you mean"):
        fetch("tinny")


def test_a_mirror_has_names_that_vary_and_names_that_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = registry._document()["entries"]
    tiny = next(raw for raw in entries if raw["id"] == "tiny")
    entries.append({**tiny, "id": "tiny_deep", "file": "deep/models/best.ckpt", "url": ""})
    files.forget_registry()
    moods = Moods(files.saved(files.tiny_state(width=8)))
    with files.server(moods) as address:
        fetch("tiny_wide", source=address, policy=QUICK, accept_licence=True)
        moods.content = CONTENT
        fetch("tiny_deep", source=address, policy=QUICK)
    assert moods.paths == ["/tiny_wide.pth", "/deep/models/best.ckpt"]
    assert weights.resolve("tiny_deep").options == {"width": 4}
    # Without the folders, and in another published format: the next name is asked for where one is not there.
    registry._document()["variants"].append({"of": "tiny_deep", "file": "deep.torchscript", "format": "TorchScript"})
    moods = Moods(CONTENT, status=[404, 404, 200])
    with files.server(moods) as address:
        done = fetch("tiny_deep", source=address, policy=QUICK, replace=True)
    assert moods.paths == ["/deep/models/best.ckpt", "/best.ckpt", "/deep.torchscript"]
    assert store.record(done.ref.name)["from"] == f"{address}/deep.torchscript"


def test_of_two_halves_either_brings_both() -> None:
    both = ["structureflow_paris_flow", "structureflow_paris_structure"]
    assert registry.together("structureflow_paris") == both
    assert registry.together(both[0]) == both
    assert sorted(registry.together(both[1])) == both
    assert registry.together("rvm_resnet50") == ["rvm_resnet50"]
    with pytest.raises(WeightsError, match="did you mean"):
        registry.together("structureflow_pari")
