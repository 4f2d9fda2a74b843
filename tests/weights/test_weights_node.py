"""What a node's parameters mean for its weights, in the worker and before it is asked; and what a pass says of them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import weights_files as files
from test_weights_store import _file

from models import weights
from models.weights import WeightsError, WeightsFacts, registry
from nodes import catalogue
from nodes.engine import Passes
from nodes.errors import ParameterError
from nodes.filling.networks import NETWORKS
from nodes.footage.files.sequence import Sequence
from nodes.footage.frame import Frame
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.footage.writer import write_frame
from nodes.network import choose_other_half, choose_weights
from nodes.selecting import selection
from plugin.rendering import used_weights
from plugin.rendering.render import ShotRender
from plugin.rendering.shot import Shot
from plugin.worker.device.accelerator import Accelerator, JobDevice

BUNDLED = registry.BUNDLED
FACE: Any = SimpleNamespace(id="TinyNode", label="Tiny", parameters=())


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    yield files.prepare(monkeypatch, tmp_path)
    files.forget_registry()


@pytest.fixture(scope="module")
def accelerator() -> Accelerator:
    return Accelerator(torch.device("cpu"), budget=1 << 30)


def job(accelerator: Accelerator, face: Any = FACE) -> JobDevice:
    return accelerator.for_job(face, {}, lambda: None, lambda note: None)


def params(text: str = "", width: Any = "auto") -> dict[str, Any]:
    return {"weights": text, "width": width}


def test_a_size_finds_the_weights_of_that_size(accelerator: Accelerator, tmp_path: Path) -> None:
    weights.import_file(_file(tmp_path))
    with pytest.raises(WeightsError, match=r"^TinyNode has no weights for width 8 on this machine; fetch wide_"):
        choose_weights(params(width=8), job(accelerator), "tiny", "width")
    weights.import_file(_file(tmp_path, "wide_1.pth", width=8), as_entry="tiny_wide")
    device = job(accelerator)
    asked, info = choose_weights(params(width=8), device, "tiny", "width")
    assert (info.name, info.options, info.state, info.licence) == (
        "tiny_wide",
        {"width": 8},
        "imported",
        "CC BY-NC 4.0",
    )
    assert info.use == "NOT for commercial work"
    assert device.model(asked, "tiny", info.options).head.weight.shape[1] == 8
    assert choose_weights(params(), job(accelerator), "tiny", "width")[1].name == "tiny"
    with pytest.raises(ParameterError, match=r"^'width' is 8, but the weights 'tiny' were .* 4: set width to auto or"):
        choose_weights(params("tiny", 8), job(accelerator), "tiny", "width")


def test_a_name_and_a_file_mean_the_same(accelerator: Accelerator, tmp_path: Path) -> None:
    path = weights.import_file(_file(tmp_path)).ref.path
    found = [choose_weights(params(text), job(accelerator), "tiny")[1] for text in ("", "tiny", str(path))]
    assert len({info.sha256 for info in found}) == 1
    assert [info.state for info in found] == ["imported", "imported", "file"]


def test_a_node_may_have_several_networks(accelerator: Accelerator, tmp_path: Path) -> None:
    weights.import_file(_file(tmp_path))
    assert choose_weights(params(), job(accelerator), ("tiny", "rvm"))[1].network == "tiny"
    with pytest.raises(ParameterError, match=r"^the weights 'tiny' are of the network tiny, Tiny wants rvm or bgmv2$"):
        choose_weights(params("tiny"), job(accelerator), ("rvm", "bgmv2"))


def test_files_of_the_same_name_are_not_mixed(accelerator: Accelerator, tmp_path: Path) -> None:
    device = job(accelerator)
    first, second = (_file(tmp_path / name, "own.pth", seed=seed) for seed, name in enumerate(("a", "b")))
    handles = [choose_weights(params(str(path)), device, "tiny")[0] for path in (first, second)]
    nets = [device.model(handle, "tiny", {"width": 4}) for handle in handles]
    assert not torch.equal(nets[0].head.weight, nets[1].head.weight)
    assert [info.path for info in device.weights_used()] == [str(first), str(second)]


def test_the_same_weights_are_loaded_once_whatever_they_are_called(accelerator: Accelerator, tmp_path: Path) -> None:
    path = weights.import_file(_file(tmp_path)).ref.path
    before = len(accelerator.models())
    nets = {id(job(accelerator).model(text, "tiny", {"width": 4})) for text in ("tiny", str(path))}
    assert len(nets) == 1
    assert len(accelerator.models()) <= before + 1


def test_what_a_job_used_is_told_with_its_terms(accelerator: Accelerator, tmp_path: Path) -> None:
    device = job(accelerator)
    assert device.weights_used() == ()
    ref = weights.import_file(_file(tmp_path)).ref
    choose_weights(params(), device, "tiny")
    choose_weights(params("tiny"), device, "tiny")
    (info,) = device.weights_used()
    assert (info.name, info.path, info.sha256, info.state) == ("tiny", str(ref.path), ref.sha256, "imported")
    assert (info.licence, info.use) == ("MIT", "free for commercial work")
    assert info.source == "http://127.0.0.1:9/tiny.pth"
    device.model("tiny", "tiny", {"width": 4})
    status = next(entry for entry in accelerator.models() if entry.sha256 == ref.sha256)
    assert (status.licence, status.state) == ("MIT", "imported")


def test_either_half_brings_the_other(accelerator: Accelerator, tmp_path: Path) -> None:
    _, whole = choose_weights(params(str(_file(tmp_path, "my_flow.pth"))), job(accelerator), "tiny")
    assert weights.other_half(whole) == ""
    registry._document()["entries"][-1]["goes_with"] = "tiny"
    files.forget_registry()
    device = job(accelerator)
    flow = _file(tmp_path, "7_net_f_gen.pth")
    _, info = choose_weights(params(str(flow)), device, "tiny")
    with pytest.raises(WeightsError, match=r"^there is no file .*/7_net_s_gen.pth$"):
        choose_other_half(info, device, "tiny")
    _file(tmp_path, "7_net_s_gen.pth", width=8)
    assert choose_other_half(info, device, "tiny")[1].options == {"width": 8}
    _, alone = choose_weights(params(str(_file(tmp_path, "alone.pth"))), device, "tiny")
    with pytest.raises(ParameterError, match=r"^the weights 'alone' are one of two files that are used together"):
        choose_other_half(alone, device, "tiny")


def test_a_studios_node_takes_any_file(accelerator: Accelerator, tmp_path: Path) -> None:
    device = job(accelerator, SimpleNamespace(id="studio.Grade", label="Grade", parameters=()))
    assert choose_weights(params(str(_file(tmp_path))), device, "tiny")[1].network == "tiny"
    with pytest.raises(WeightsError, match=r"^studio.Grade has no weights of its own"):
        choose_weights(params(), device, "tiny")


def test_a_file_replaced_while_the_worker_runs_counts_from_the_next_frame_on(
    accelerator: Accelerator, tmp_path: Path
) -> None:
    """Written over in place, as long as before and with its old times: the bytes decide."""
    path = _file(tmp_path, "own.pth")
    status = path.stat()

    def bias(device: JobDevice) -> float:
        return float(device.model(str(path), "tiny", {"width": 4}).head.bias)

    first, during = bias(job(accelerator)), job(accelerator)
    assert bias(during) == first
    with path.open("r+b") as file:
        file.write(files.saved(files.tiny_state(seed=3)))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert bias(during) == first
    assert bias(job(accelerator)) != first


def test_what_is_planned_before_the_worker_is_asked(tmp_path: Path) -> None:
    face = catalogue.find("background-matte")
    with pytest.raises(WeightsError, match=r"^BackgroundMatte has no weights for backbone resnet50 on this machine; "):
        used_weights.planned(face, face.parse({"backbone": "resnet50"}))
    own = dataclasses.replace(face, id="studio.Grade")
    assert used_weights.planned(own, face.parse({})) == ()
    (ref,) = used_weights.planned(own, face.parse({"weights": str(_file(tmp_path, "a_flow.pth"))}))
    assert used_weights.digest([ref]) == f"sha256:{ref.sha256}"
    told = vars(ref)
    assert ref.sentence == (
        f"a_flow (file, sha256 {ref.sha256[:12]}), unknown: ask whoever made the file, from {ref.path}"
    )
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize(
    ("node", "asked", "sentence"),
    [
        ("background-matte", {"backbone": "resnet50"}, r"^'backbone' is resnet50, but the weights 'mobilenetv2' were "),
        ("background-matte", {"backbone": "mobilenetv2"}, ""),
        (
            "inpaint",
            {"model": "pennet"},
            r"^the weights 'detail' are of the network lama_detail, Inpaint wants pennet$",
        ),
        ("inpaint", {"model": "structureflow"}, "Inpaint wants structureflow_structure or structureflow_flow$"),
        ("inpaint", {"model": "lama detail"}, ""),
    ],
)
def test_weights_that_the_parameters_do_not_mean_are_refused_before_the_first_frame(
    tmp_path: Path, node: str, asked: dict[str, str], sentence: str
) -> None:
    """They used to fail frame by frame: only the engine compared."""
    names = {"background-matte": "bgmv2_mobilenetv2", "inpaint": "inpaint_detail"}
    file = tmp_path / f"{names[node].partition('_')[2]}.safetensors"
    file.symlink_to(BUNDLED / f"{names[node]}.safetensors")
    face = catalogue.find(node)
    with pytest.raises(ParameterError, match=sentence) if sentence else nullcontext():
        assert used_weights.planned(face, face.parse({"weights": str(file), **asked}))[0].path == str(file)


def test_methods_of_filling_are_the_networks_that_the_registry_knows() -> None:
    face = catalogue.find("inpaint")
    for method, network in NETWORKS.items():
        wanted = selection(face, face.parse({"model": method}))
        assert wanted is not None
        assert set(wanted.networks) == set(network.parts)
    assert selection(face, face.parse({"model": "smooth"})) is None


def test_every_parameter_that_selects_weights_selects_some() -> None:
    for face in catalogue.all_faces():
        for parameter in face.parameters:
            if not parameter.selects or parameter.selects == "network":
                continue
            known = [entry.options.get(parameter.selects) for entry in registry.entries().values()]
            assert set(parameter.choices) <= {"auto", *known}, f"{face.id}.{parameter.name}"


class _Worker:
    """Answers each frame at once with the weights of the moment."""

    def __init__(self) -> None:
        self.used: tuple[WeightsFacts, ...] = ()

    def submit(self, node: str, frame: int, *rest: Any) -> Any:
        size = Window(0, 0, 4, 3)
        sources = rest[1]
        passes = Passes({"alpha": np.full((3, 4, 1), 0.5, np.float32)}, size, {"milliseconds": 1.0}, [], self.used)

        def result() -> Passes:
            sources.frame("Source", frame)
            return passes

        return SimpleNamespace(result=result, cancel=lambda: None)


class _Events:
    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def event(self, name: str, /, **fields: Any) -> None:
        self.seen.append((name, fields))

    def close(self) -> None:
        pass


def _info(digit: str) -> WeightsFacts:
    return WeightsFacts(f"w{digit}", digit * 64, "rvm", f"/w{digit}.pth", "file", "MIT", "free")


def test_a_pass_names_the_weights_it_was_computed_with(tmp_path: Path) -> None:
    """Others than planned, because a file was replaced meanwhile: said once, written down, and resumed rightly."""
    grey = np.full((3, 4, 3), 0.5, np.float32)
    window = Window(0, 0, 4, 3)
    for number in range(1, 5):
        frame = Frame(grey, tuple("RGB"), window, window)
        write_frame(str(tmp_path / f"s.{number}.exr"), [("", "RGB", grey)], frame)
    face = catalogue.find("video-matte")
    passes = tuple(entry for entry in face.passes if entry.name == "alpha")
    out = Sequence.parse(str(tmp_path / "o" / "m.####.exr"))
    footage = {"Source": Footage(str(tmp_path / "s.#.exr"))}

    def render(planned: str, used: tuple[WeightsFacts, ...], frames: list[int]) -> list[tuple[str, dict[str, Any]]]:
        shot = Shot(face, footage, face.parse({}), frames, out, planned, passes)
        worker, events = _Worker(), _Events()
        worker.used = used
        ShotRender(shot, worker, events).run()  # type: ignore[arg-type]
        return events.seen

    def named(frame: int) -> str:
        return str(Footage(str(tmp_path / "o" / "m.####.exr")).header(frame).attributes["cleanplate/weights"])

    first = used_weights.digest([_info("a")])
    assert [name for name, _ in render(first, (_info("a"),), [1])] == ["frame"]
    assert named(1) == first
    seen = render(first, (_info("b"),), [2, 3])
    assert [name for name, _ in seen].count("weights") == 1
    assert next(fields for name, fields in seen if name == "weights")["name"] == "wb"
    assert "from frame 2 on others are used" in next(fields["text"] for name, fields in seen if name == "note")
    second = used_weights.digest([_info("b")])
    assert (named(2), named(3)) == (second, second)
    assert [name for name, _ in render(second, (_info("b"),), [1, 2, 3])] == ["skipped", "skipped", "frame"]
    both = used_weights.digest([_info("d"), _info("c")])
    render(both, (_info("c"), _info("d")), [4])
    assert named(4) == f"sha256:{'c' * 64} sha256:{'d' * 64}"
    render(first, (), [4])
    assert named(4) == "none"
