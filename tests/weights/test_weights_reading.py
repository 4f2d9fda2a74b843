"""Weights files of every published layout give back the very tensors that went in, under the network's own names."""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import weights_files as files
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import models
from models import weights
from models.weights import WeightsError, registry
from models.weights.fit import _finite, fitting_network, key_plan
from models.weights.formats.tree import unwrapped
from models.weights.identify import signature


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    files.prepare(monkeypatch, tmp_path)
    yield
    files.forget_registry()


def _same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    return list(found) == list(wanted) and all(torch.equal(found[key].float(), wanted[key].float()) for key in wanted)


def _without_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


WRAPPERS = {
    "bare": lambda state: state,
    "module.": lambda state: {f"module.{key}": value for key, value in state.items()},
    "model.": lambda state: {f"model.{key}": value for key, value in state.items()} | {"loss.weight": torch.ones(3)},
    "generator.": lambda state: {f"generator.{key}": value for key, value in state.items()},
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "optimizer": {"state": {0: torch.ones(4)}}},
    "netG": lambda state: {"netG": state},
    "netG, data parallel": lambda state: {"netG": {f"module.{key}": value for key, value in state.items()}},
    "Lightning": files.lightning,
    "averaged copy beside it": lambda state: {
        "model": {key: value + 1 for key, value in state.items()},
        "ema": state,
    },
    "compiled": lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
    "compiled, data parallel": lambda state: {f"module._orig_mod.{key}": value for key, value in state.items()},
    "data parallel, compiled": lambda state: {"model": {f"_orig_mod.module.{k}": v for k, v in state.items()}},
    "compiled in part": lambda state: {key.replace("stem.", "stem._orig_mod."): v for key, v in state.items()},
    "sharded": lambda state: {f"_fsdp_wrapped_module.{key}": value for key, value in state.items()},
    "swa": lambda state: {"n_averaged": torch.tensor(7), **{f"module.{key}": value for key, value in state.items()}},
    "parameters": lambda state: {key: nn.Parameter(value, value.is_floating_point()) for key, value in state.items()},
    "torch 0.4": _without_counters,
    "old names": lambda state: {key.replace("head.", "old_head."): value for key, value in state.items()},
    "double precision": lambda state: {key: value.double() for key, value in state.items()},
    "transposed": lambda state: {key: value.transpose(0, -1).contiguous().transpose(0, -1) if value.ndim else value
                                 for key, value in state.items()},
}  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrappers_are_stripped(wrapper: str, legacy: bool, tmp_path: Path) -> None:
    state = files.tiny_state()
    state["stem.1.num_batches_tracked"].fill_(0)
    path = tmp_path / "some file.pth"
    path.write_bytes(files.saved(WRAPPERS[wrapper](state), legacy))
    loaded = weights.load_state_dict(path)
    guess = weights.identify(loaded) if wrapper != "old names" else fitting_network(loaded, "it")
    assert guess is not None
    assert (guess.network, guess.options["width"], guess.complete) == ("tiny", 4, True)
    assert _same(weights.fit(loaded, "tiny", guess.options), state)


def _copies(**copies: float) -> dict[str, dict[str, Tensor]]:
    return {name: {k: v + add for k, v in files.tiny_state().items()} for name, add in copies.items()}


AVERAGED = {
    "ema": _copies(model=1, ema=0),
    "model_ema": _copies(state_dict=1, model_ema=0),
    "state_dict_ema": _copies(state_dict=1, state_dict_ema=0),
    "averaged": _copies(averaged=0, weights=1),
    "generator_average": {"state_dict": _copies(generator=1, generator_average=0)},
    "params_ema": _copies(params=1, params_ema=0),
    "swa": {"model": _copies(a=1)["a"], "other": {"n_averaged": torch.tensor(3), "module": _copies(a=0)["a"]}},
    "ema-pytorch": {"ema": _copies(online_model=1, ema_model=0)},
    "beside bare ones": {**_copies(a=1)["a"], "ema": _copies(a=0)["a"]},
    "compiled": {"model": {f"_orig_mod.{k}": v for k, v in _copies(a=1)["a"].items()},
                 "ema": {f"module._orig_mod.{k}": v for k, v in _copies(a=0)["a"].items()}},
    "optimiser": _copies(optimizer_ema=2, model=1, ema=0),
    "teacher": _copies(teacher=2, model=0) | {"optim": _copies(model=3)},
}  # fmt: skip


@pytest.mark.parametrize("layout", AVERAGED)
def test_averaged_values_are_taken_and_that_is_said(layout: str, tmp_path: Path) -> None:
    path = tmp_path / "many.pth"
    path.write_bytes(files.saved(AVERAGED[layout]))
    state = files.tiny_state()
    built = weights.build(weights.resolve(path)).state_dict()
    assert all(torch.equal(built[key].float(), value.float()) for key, value in state.items())
    said = weights.complete(weights.resolve(path)).values
    assert ("holds the network 3 times" if layout == "teacher" else "the averaged values (") in said
    assert said in weights.import_file(path).notes


def test_averaged_values_that_are_not_all_there(tmp_path: Path) -> None:
    """Averaging that leaves out buffers would mix two networks."""
    state = files.tiny_state()
    path = tmp_path / "half.pth"
    averaged = {key: value + 1 for key, value in state.items() if "running" not in key}
    path.write_bytes(files.saved({"model": state, "ema": averaged}))
    done = weights.import_file(path)
    assert done.notes[0].startswith("the raw values (model) are taken, since of the averaged ones (ema) 29% are not in")
    assert torch.equal(weights.build(done.ref).state_dict()["head.bias"], state["head.bias"])
    path.write_bytes(files.saved(state | {"ema": averaged}))
    assert weights.complete(weights.resolve(path)).values.startswith("the raw values (without a prefix) are taken")


def test_one_copy_needs_no_word(tmp_path: Path) -> None:
    for name, state in (("a", files.tiny_state()), ("b", {"ema": files.tiny_state()})):
        (tmp_path / f"{name}.pth").write_bytes(files.saved(state))
        assert weights.complete(weights.resolve(tmp_path / f"{name}.pth")).values == ""


def test_names_that_would_meet_stay_apart() -> None:
    state = {"a._orig_mod.b": 1, "a.b": 2, "_orig_mod.c": 3, "x._orig_module.y": 4}
    assert unwrapped(state) == {"a._orig_mod.b": 1, "a.b": 2, "c": 3, "x._orig_module.y": 4}


def test_a_whole_pickled_module_is_read_without_its_class(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(files.saved(files.Tiny(), legacy=True).replace(b"weights_files", b"no_such_files"))
    assert weights.fit(weights.load_state_dict(path), "tiny", {}).keys() == files.tiny_state().keys()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_torchscript(dtype: torch.dtype, tmp_path: Path) -> None:
    network = files.Tiny().eval().to(dtype)
    path = tmp_path / "tiny.torchscript"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(files.scripted(network))
    with weights.open_checkpoint(path) as checkpoint:
        assert checkpoint.format == "TorchScript"
        assert set(checkpoint.arrays) == set(network.state_dict())
    assert _same(weights.fit(weights.load_state_dict(path), "tiny", {}), network.state_dict())
    assert weights.import_file(path).ref.network == "tiny"


def test_safetensors_of_others_and_ours(tmp_path: Path) -> None:
    state = files.tiny_state()
    theirs = tmp_path / "theirs.safetensors"
    save_file(state, theirs, {"note": "line one\nline two", "bell": "\x07"})
    with weights.open_checkpoint(theirs) as checkpoint:
        assert checkpoint.metadata == {"note": "line one line two"}
    assert _same(weights.fit(weights.load_state_dict(theirs), "tiny", {}), state)
    ours = tmp_path / "ours.safetensors"
    first = weights.save(ours, state, "tiny", {"width": 4}, licence="Apache-2.0", source="a test")
    assert weights.save(ours, dict(reversed(state.items())), "tiny", {"width": 4}, source="a test",
                        licence="Apache-2.0") == first  # fmt: skip
    assert _same(dict(sorted(load_file(ours).items())), dict(sorted(state.items())))
    ref = weights.resolve(ours)
    assert (ref.sha256, ref.network, ref.options, ref.licence) == (first, "tiny", {"width": 4}, "Apache-2.0")


def test_half_precision_stays_half(tmp_path: Path) -> None:
    state = {key: value.half() if value.is_floating_point() else value for key, value in files.tiny_state().items()}
    (tmp_path / "tiny.pth").write_bytes(files.saved(state))
    ref = weights.import_file(tmp_path / "tiny.pth").ref
    assert all(value.dtype == state[key].dtype for key, value in weights.load_model_weights(ref).items())
    assert weights.build(ref).head.weight.dtype == torch.float32


def test_a_spectral_norm_of_before_torch_1_1_gets_its_second_vector() -> None:
    """Those files held weight_orig, weight_u and the normalised weight; the norm is what relates the two weights."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.NETWORKS, "normed", "test_weights_reading:Normed")
        new = Normed().train()
        with torch.no_grad():
            new(torch.rand(1, 3, 8, 8))
        new.eval()
        picture = torch.rand(1, 3, 8, 8)
        expected = new(picture)
        old = new.state_dict()
        norm = old["conv.weight_u"] @ old["conv.weight_orig"].flatten(1) @ old.pop("conv.weight_v")
        old["conv.weight"] = old["conv.weight_orig"] / norm
        again = Normed().eval()
        again.load_state_dict(weights.fit(old, "normed", {}))
        assert torch.allclose(again(picture), expected, atol=1e-6)


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.spectral_norm(nn.Conv2d(3, 4, 3))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


def _published() -> list[Any]:
    return [pytest.param(entry, id=entry.id) for entry in registry.entries().values() if not entry.bundled]


@pytest.mark.parametrize("entry", _published())
def test_every_published_layout_fits_its_network(entry: registry.Entry) -> None:
    """Names and shapes as published, wrapped as published; the numbers do not matter here, so there are none."""
    if entry.network not in models.NETWORKS:
        pytest.skip(f"models.create does not know {entry.network} yet")
    options = {**entry.options, **({"classes": 59} if entry.network == "hrnet_ocr" else {})}
    options |= entry.options
    start = {"netG": "netG.", "model.": "model."}.get(entry.layout, "")
    start = "state_dict.generator." if "generator." in entry.layout else start
    published = {start + key: torch.empty(shape, device="meta") for key, (shape, _) in
                 signature(entry.network, options).items()}  # fmt: skip
    if "torch04" in entry.file:
        published = _without_counters(published)
    guess = fitting_network(published, entry.file)
    assert (guess.network, guess.prefix) == (entry.network, start)
    assert all(guess.options[key] == value for key, value in entry.options.items())
    assert key_plan(published, entry.network, options, entry.file).prefix == start


# One file per network, in its published layout, with numbers in it. Half precision keeps the test light.
@pytest.mark.parametrize("name", ["rvm_mobilenetv3", "bgmv2_mobilenetv2_published", "big_lama", "lama_regular",
                                  "pennet_places2", "structureflow_paris_structure", "structureflow_paris_flow",
                                  "hrnet_ocr_lip"])  # fmt: skip
def test_published_files_import(name: str, tmp_path: Path) -> None:
    entry = registry.entry(name)
    if entry.network not in models.NETWORKS:
        pytest.skip(f"models.create does not know {entry.network} yet")
    state = {key: torch.full(shape, 0.5, dtype=torch.float16) for key, (shape, _) in
             signature(entry.network, entry.options).items() if not key.endswith("num_batches_tracked")}  # fmt: skip
    content: Any = state
    if "generator." in entry.layout:
        content = files.lightning(state)
    elif entry.layout == "netG":
        content = {"netG": state}
    elif entry.layout == "model.":
        content = {f"model.{key}": value for key, value in state.items()}
    path = tmp_path / entry.file.rpartition("/")[2].replace("*", "00100")
    if path.suffix == ".zip":
        torch.save(content, tmp_path / "best.ckpt")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("big-lama/config.yaml", "generator: {kind: ffc_resnet}")
            archive.write(tmp_path / "best.ckpt", "big-lama/models/best.ckpt")
    else:
        torch.save(content, path)
    ref = weights.import_file(path, as_entry=name).ref
    assert (ref.name, ref.network, ref.licence) == (name, entry.network, entry.licence.word)
    assert all(ref.options[key] == value for key, value in entry.options.items())
    with weights.open_checkpoint(ref.path) as checkpoint:
        assert set(checkpoint.arrays) == set(signature(entry.network, ref.options))


MISFITS = {
    "wrong network": (
        {"layer4.0.conv1.weight": torch.ones(2, 2), "fc.weight": torch.ones(2)},
        "w.pth cannot be used: it looks like a ResNet",
    ),
    "nothing known": (
        {"a.b": torch.ones(2), "c": torch.ones(1)},
        "w.pth cannot be used: its arrays (a.b and 1 more) belong to no network Cleanplate knows",
    ),
    "another shape": (
        files.tiny_state() | {"head.weight": torch.ones(2, 4, 1, 1)},
        "w.pth cannot be used: it looks like Tiny (width 4), changed or incomplete",
    ),
    "too much": (
        files.tiny_state() | {"tail.weight": torch.ones(2)},
        "w.pth has 1 arrays that Tiny (width 4) has no place for, such as tail.weight; "
        "it was made by a changed version of the network",
    ),
    "NaN": (
        files.tiny_state() | {"head.bias": torch.tensor([math.nan])},
        "w.pth is spoilt: head.bias holds NaN or infinite values",
    ),
    "infinite": (
        files.tiny_state() | {"stem.1.running_var": torch.tensor([1.0, math.inf, 1.0, 1.0])},
        "w.pth is spoilt: stem.1.running_var holds NaN or infinite values",
    ),
    "quantised": (
        files.tiny_state() | {"head.weight": torch.ones(1, 4, 1, 1, dtype=torch.int8)},
        "w.pth holds whole numbers where weights should be (head.weight); it is quantised",
    ),
    "nothing": ({"epoch": 3}, "w.pth holds no weights"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_unusable_files_are_named_for_what_they_are(case: str, tmp_path: Path) -> None:
    content, sentence = MISFITS[case]
    path = tmp_path / "w.pth"
    path.write_bytes(files.saved(content))
    with pytest.raises(WeightsError) as caught:
        weights.import_file(path)
    assert str(caught.value) == sentence
    assert not [left for left in (tmp_path / "home" / "weights").glob("*") if not left.name.startswith(".")]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_not_finite_is_found_wherever_it_is(dtype: torch.dtype) -> None:
    for count in (1, 2, 7, 8, 17, 33, 70):
        for bad in (math.nan, math.inf, -math.inf):
            for at in range(count):
                values = torch.full((count,), -1.5, dtype=dtype)
                assert _finite(values)
                values[at] = bad
                assert not _finite(values)
    assert _finite(torch.empty(0, dtype=dtype))
    assert not _finite(torch.tensor(math.nan, dtype=dtype))


def test_weights_of_another_network_are_named() -> None:
    narrow = files.tiny_state(4)
    with pytest.raises(WeightsError, match=r"^x.pth does not fit Tiny \(width 8\): it is Tiny \(width 4\)$"):
        weights.fit(narrow, "tiny", {"width": 8}, "x.pth")
    broken = files.tiny_state() | {"head.bias": torch.ones(3)}
    with pytest.raises(WeightsError, match=r"does not fit Tiny \(width 4\): head.bias is 3 instead of 1$"):
        weights.fit(broken, "tiny", {"width": 4})
    del broken["head.bias"], broken["head.weight"]
    with pytest.raises(WeightsError, match=r"head.weight is missing and 1 more like it$"):
        weights.fit(broken, "tiny", {"width": 4})


def test_the_real_thing_imports() -> None:
    """Genuine RVM weights, where they are at hand."""
    from reference import FULL

    path = FULL.parent / "weights" / "rvm_mobilenetv3_8bit.pth"
    if not path.is_file():
        pytest.skip("the shared weights are not here")
    done = weights.import_file(path, as_entry="rvm_mobilenetv3")
    assert done.ref.options == {"variant": "mobilenetv3", "refiner": "deep_guided_filter"}
    assert weights.default_for("VideoMatte") == done.ref == weights.resolve("", "VideoMatte")
    reference = torch.load(path, weights_only=True)
    assert _same(dict(weights.build(done.ref).state_dict()), reference)
    fast = weights.build(done.ref, {"refiner": "fast_guided_filter"})
    assert not any(key.startswith("refiner.") for key in fast.state_dict())
    assert weights.complete(weights.resolve(path)).network == "rvm"
