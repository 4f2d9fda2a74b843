"""Every published format: a file with the published names, shapes and wrapper imports, and its node renders with it."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import weights_files as files
from local_engine import ArrayInputs, picture
from reference import FULL, _value, hash_u, key_list
from torch import Tensor, nn

from models import weights
from models.weights import registry
from models.weights.fetching import fetch
from models.weights.identify import signature
from nodes import catalogue
from nodes.faces.engine_file import create_engine
from plugin.worker.device.accelerator import Accelerator
from plugin.worker.device.loaded import ModelKey

LARGE = 1 << 18
RNG = np.random.default_rng(6)


class Case(NamedTuple):
    """A published file: what it is called, the key list it has, how it is wrapped, and the entry it is."""

    file: str
    keys: str
    wrapper: str
    entry: str
    half: bool = False


CASES = [
    Case("pytorch_mobilenetv2.pth", "bgmv2_mobilenetv2", "bare", "bgmv2_mobilenetv2_published"),
    Case("pytorch_resnet50.pth", "bgmv2_resnet50", "model.", "bgmv2_resnet50", half=True),
    Case("pytorch_resnet101.pth", "bgmv2_resnet101", "bare", "bgmv2_resnet101", half=True),
    Case("torchscript_mobilenetv2_fp16.pth", "bgmv2_mobilenetv2", "script", "bgmv2_mobilenetv2_published", half=True),
    Case("rvm_mobilenetv3.pth", "rvm_mobilenetv3", "bare", "rvm_mobilenetv3"),
    Case("rvm_resnet50.pth", "rvm_resnet50", "bare", "rvm_resnet50"),
    Case("rvm_mobilenetv3_fp32.torchscript", "rvm_mobilenetv3", "script", "rvm_mobilenetv3"),
    Case("rvm_resnet50_fp16.torchscript", "rvm_resnet50", "script", "rvm_resnet50", half=True),
    Case("big-lama.zip", "lama_big", "lightning", "big_lama", half=True),
    Case("lama-fourier/models/best.ckpt", "lama_fourier", "lightning", "lama_fourier", half=True),
    Case("lama-regular/models/best.ckpt", "lama_regular_pix2pixhd_9b", "lightning", "lama_regular", half=True),
    Case("gen_00050.pth", "pennet_generator", "netG", "pennet_places2"),
    Case("hrnet_ocr_lip_5648_torch04.pth", "hrnet_w48_ocr_lip20", "model., torch 0.4", "hrnet_ocr_lip", half=True),
]  # fmt: skip
SETTINGS = {
    "BackgroundMatte": {"alignPlate": False},
    "Inpaint": {"workingSize": 64},
}


@pytest.fixture(scope="module")
def accelerator() -> Accelerator:
    return Accelerator(torch.device("cpu"), budget=4 << 30)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, accelerator: Accelerator) -> Iterator[Path]:
    monkeypatch.setenv("CLEANPLATE_HOME", str(tmp_path / "home"))
    yield tmp_path
    accelerator.release(set())
    for path in tmp_path.rglob("*"):  # hundreds of megabytes each
        if path.is_file():
            path.unlink()


def published(name: str, half: bool = False) -> dict[str, Tensor]:
    """The arrays of a key list with the documented fill; large ones repeat the fill of their first numbers."""
    state: dict[str, Tensor] = {}
    lists = key_list(name)
    for key, shape, _ in lists:
        count = int(np.prod(shape))
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(1)
        elif key.endswith("weight_u"):
            continue
        elif count < LARGE:
            state[key] = torch.from_numpy(np.asarray(_value(key, shape, 1.0), np.float32).reshape(shape))
        else:
            block = (2 * hash_u(key, 65_521) - 1) * np.sqrt(3 / np.prod(shape[1:]))
            state[key] = torch.from_numpy(np.resize(block.astype(np.float32), shape))
    for key, _, _ in lists:
        if key.endswith("weight_u"):
            u = state[key[:-1] + "orig"].flatten(1) @ state[key[:-1] + "v"]
            state[key] = u / u.norm()
    return {k: v.half() if half and v.is_floating_point() else v for k, v in state.items()}


class Parts(nn.Module):
    """A module tree with the names of a state dict and no code, as TorchScript keeps one."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        inside: dict[str, dict[str, Tensor]] = {}
        for key, value in state.items():
            first, _, rest = key.partition(".")
            if rest:
                inside.setdefault(first, {})[rest] = value
            else:
                self.register_buffer(first, value)
        for name, part in inside.items():
            self.add_module(name, Parts(part))


def write(case: Case, state: dict[str, Tensor], folder: Path) -> Path:
    path = folder / case.file
    path.parent.mkdir(parents=True, exist_ok=True)
    content: Any = state
    if case.wrapper.startswith("model."):
        kept = {k: v for k, v in state.items() if "0.4" not in case.wrapper or not k.endswith("num_batches_tracked")}
        content = {f"model.{key}": value for key, value in kept.items()} | {"loss.criterion.weight": torch.ones(3)}
    elif case.wrapper == "lightning":
        content = files.lightning(state)
    elif case.wrapper == "netG":
        content = {"netG": state}
    if case.wrapper == "script":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.save(torch.jit.script(Parts(state)), path)
    elif path.suffix == ".zip":
        torch.save(content, folder / "best.ckpt")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("big-lama/config.yaml", "generator: {kind: ffc_resnet}")
            archive.write(folder / "best.ckpt", "big-lama/models/best.ckpt")
    else:
        torch.save(content, path)
    return path


def inputs(node: str) -> ArrayInputs:
    height, width = 64, 80
    source = picture(RNG.random((height, width, 3), np.float32))
    if node == "BackgroundMatte":
        return ArrayInputs(Source=source, C=picture(RNG.random((height, width, 3), np.float32)))
    if node == "Inpaint":
        mask = np.zeros((height, width, 1), np.float32)
        mask[20:40, 30:50] = 1
        return ArrayInputs(Source=source, Mask=picture(mask, "A"))
    return ArrayInputs(Source=source)


def render(accelerator: Accelerator, node: str, **settings: Any) -> tuple[dict[str, np.ndarray], list[str]]:
    """The passes of a frame, and the names of the weights that the device gave for it."""
    face = catalogue.find(node)
    params = face.parse({**SETTINGS.get(node, {}), **settings})
    device = accelerator.for_job(face, params, lambda: None, lambda note: None)
    with torch.inference_mode():
        passes = create_engine(face).render(1, params, inputs(node), device)
    return passes.images, [info.name for info in device.weights_used()]


def check(images: dict[str, np.ndarray], node: str) -> None:
    assert images
    assert all(np.isfinite(image).all() for image in images.values()), node
    assert any(np.ptp(image) > 0 for image in images.values()), f"{node} gives flat passes"


def loaded(accelerator: Accelerator) -> list[dict[str, Tensor]]:
    return [net.state_dict() for key, net, _ in accelerator.kept.entries() if isinstance(key, ModelKey)]


def same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    keys = [key for key in wanted if not key.endswith("num_batches_tracked")]
    return set(keys) <= set(found) and all(torch.equal(found[key], wanted[key].float()) for key in keys)


def there(node: str) -> bool:
    return any(node == face.id for face in catalogue.all_faces())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file.replace("/", "-"))
def test_a_published_file_imports_and_its_node_renders_with_it(
    case: Case, accelerator: Accelerator, tmp_path: Path
) -> None:
    entry = registry.entry(case.entry)
    state = published(case.keys, case.half)
    path = write(case, state, tmp_path / "there")
    several = len(registry.by_file(path.name)) > 1
    done = weights.import_file(path, as_entry=case.entry if several else None)
    assert (done.ref.name, done.ref.licence, done.ref.network) == (case.entry, entry.licence.word, entry.network)
    if not there(entry.node):
        pytest.skip(f"there is no node {entry.node}")
    images, used = render(accelerator, entry.node, weights=case.entry)
    check(images, entry.node)
    assert used == [case.entry]
    (net,) = loaded(accelerator)
    assert same(net, state)


def test_both_halves_of_structureflow_import_and_render(accelerator: Accelerator, tmp_path: Path) -> None:
    """From a folder as its publisher has it, found by the name that stands for both."""
    states = {}
    for half, kind in (("structure", "s"), ("flow", "f")):
        states[half] = published(f"structureflow_{half}_gen", half=True)
        torch.save(states[half], tmp_path / f"latest_net_{kind}_gen.pth")
    for name in registry.together("structureflow_paris"):
        fetch(name, accept_licence=True, source=str(tmp_path))
    images, used = render(accelerator, "Inpaint", weights="structureflow_paris")
    check(images, "Inpaint")
    assert sorted(used) == ["structureflow_paris_flow", "structureflow_paris_structure"]
    assert all(any(same(net, state) for net in loaded(accelerator)) for state in states.values())


def test_a_smaller_segmentation_network_under_a_name_of_ones_own(accelerator: Accelerator, tmp_path: Path) -> None:
    """In the wrapper of its publisher's training, with the counters of newer files, old name of the first head."""
    state = published("hrnet_w18_small_v2_ocr_19")
    renamed = {key.replace("aux_head.", "last_layer."): value for key, value in state.items()}
    torch.save({f"model.{key}": value for key, value in renamed.items()}, tmp_path / "streets.pth")
    ref = weights.import_file(tmp_path / "streets.pth", licence="MIT").ref
    options = {"width": 18, "classes": 19, "upsampler": "bilinear", "body": "small_v2"}
    assert (ref.name, ref.licence, ref.options) == ("streets", "MIT", options)
    images, used = render(accelerator, "Segment", weights="streets", classes="person, sky")
    check(images, "Segment")
    assert used == ["streets"]
    assert same(loaded(accelerator)[0], state)


@pytest.mark.parametrize(("network", "options"), [
    ("hrnet_ocr", {"width": 18, "classes": 7, "body": "small_v2", "ocr_channels": 96, "key_channels": 24}),
    ("hrnet_ocr", {"width": 18, "classes": 3, "upsampler": "carafe", "body": "tiny", "stem_channels": 32}),
    ("hrnet_v1", {"width": 18, "classes": 19}),
    ("hrnet_v2", {"width": 18, "classes": 19, "body": "small_v2"}),
    ("hrnet_v2p", {"width": 18, "pyramid_channels": 64, "body": "small_v2"}),
])  # fmt: skip
def test_sizes_and_heads_of_hrnet_are_read_off_the_file(network: str, options: dict[str, Any], tmp_path: Path) -> None:
    made = signature(network, options)
    arrays = {f"model.{key}": torch.empty(shape, device="meta") for key, (shape, _) in made.items()}
    guess = weights.identify(arrays)
    assert guess is not None
    assert (guess.network, guess.prefix, guess.complete) == (network, "model.", True)
    assert signature(network, guess.options) == made


def test_the_genuine_article(accelerator: Accelerator) -> None:
    path = FULL.parent / "weights" / "rvm_mobilenetv3_8bit.pth"
    if not path.is_file():
        pytest.skip("the shared weights are not here")
    images, used = render(accelerator, "VideoMatte", weights=str(path))
    check(images, "VideoMatte")
    assert used == ["rvm_mobilenetv3_8bit"]
