"""What imported weights may be called, and that it is said before the file is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import weights_files as files

from models import weights
from models.weights import WeightsError


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    files.prepare(monkeypatch, tmp_path)
    yield
    files.forget_registry()


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"as_entry": "a/b"}, "no published weights are called 'a/b'"),
        ({"as_entry": ""}, "no published weights are called ''"),
        ({"as_entry": "tinny"}, "no published weights are called 'tinny'; did you mean tiny"),
        ({"as_entry": "segment_rigs"}, "'segment_rigs' come with Cleanplate and are not imported"),
        ({"as_entry": "tiny", "name": "a/b"}, "'a/b' cannot be a name of weights"),
        ({"name": ""}, "'' cannot be a name of weights"),
        ({"name": "../evil"}, "'../evil' cannot be a name of weights"),
        ({"name": "rvm_resnet50"}, "'rvm_resnet50' is the name of published weights, which no.pth is not known to be"),
        ({"as_entry": "tiny", "name": "rvm_resnet50"}, "'rvm_resnet50' is the name of published weights"),
        ({"name": "segment_rigs"}, "'segment_rigs' is the name of weights bundled with Cleanplate"),
        ({"name": "structureflow_places2"}, "'structureflow_places2' stands for two published weights at once"),
        ({"name": "mine.pth"}, "'mine.pth' cannot be a name of weights: it would be taken for a file"),
        ({"name": "mine.SafeTensors"}, "'mine.SafeTensors' cannot be a name of weights: it would be taken for a file"),
    ],
)
def test_an_impossible_name_is_refused_before_the_file_is_opened(
    tmp_path: Path, names: dict[str, str], sentence: str
) -> None:
    """There is no such file, and nobody notices."""
    with pytest.raises(WeightsError, match=f"^{re.escape(sentence)}"):
        weights.import_file(tmp_path / "no.pth", **names)


def test_a_name_made_of_a_file_is_found_again(tmp_path: Path) -> None:
    for file, name in (("mine.pth.pt", "mine"), (".pth", "weights"), ("x" * 120 + ".pth", "x" * 80)):
        done = weights.import_file(_file(tmp_path, file, seed=len(file)))
        assert done.ref.name == name
        assert weights.resolve(name).sha256 == done.ref.sha256
    with pytest.raises(WeightsError, match="'structureflow_celeba' stands for two"):
        weights.import_file(_file(tmp_path, "structureflow_celeba.pth"))


def _file(folder: Path, name: str, seed: int = 1) -> Path:
    path = folder / name
    path.write_bytes(files.saved(files.tiny_state(seed=seed)))
    return path
