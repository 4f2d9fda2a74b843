"""The recipes with discriminators, from the command to weights that load, on a pool of two pictures."""

import argparse
import json

import numpy as np
import pytest
import torch
from tiny_training import trainer
from torchvision.models.vgg import vgg19

from models import weights
from models.structureflow.vgg import VGG19Features
from models.training import cli
from models.training.data import pool
from models.training.recipes import inpaint, lama, pennet, structureflow
from models.training.recipes.inpaint import Plates

STAGES = (
    inpaint.ThinStage,
    inpaint.FillStage,
    lama.AdversarialStage,
    pennet.PyramidStage,
    structureflow.StructureStage,
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Narrow networks, windows of 64 pixels, batches of two."""
    for module in (inpaint, lama):
        monkeypatch.setattr(module, "OPTIONS", {"n_blocks": 1, "width": 8})
    monkeypatch.setattr(pennet, "OPTIONS", {"width": 8})
    monkeypatch.setattr(structureflow, "OPTIONS", {"width": 8})
    for stage in STAGES:
        monkeypatch.setattr(stage, "count", 2)
        for side in ("height", "width", "side"):
            if hasattr(stage, side):
                monkeypatch.setattr(stage, side, 64)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    pool.build(folder, sprites=2, scenes=2, processes=1)
    return folder


def command(network, drawn, out, *more, code=0):
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    common = ["--out", str(out), "--pool", str(drawn), "--sprites", "2", "--scenes", "2", "--steps", "2"]
    assert cli.run(parser.parse_args([network, *common, *more])) == code


def losses(folder, stage):
    found = [json.loads(line) for line in (folder / f"{stage}.jsonl").read_text().splitlines()]
    assert all(np.isfinite(value) for entry in found for value in entry.values())
    return found


def test_pennet_from_the_command_to_weights(drawn, tmp_path):
    command("pennet", drawn, tmp_path, "--pictures", "2")
    assert {"hole", "known", "pyramid", "adversarial", "judge total"} <= losses(tmp_path, "pyramid")[-1].keys()
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["pyramid_000002.png"]
    network = weights.build(weights.resolve(tmp_path / "inpaint_pennet.safetensors", "Inpaint"))
    with torch.inference_mode():
        assert network(torch.zeros(1, 4, 64, 64), torch.zeros(1, 1, 64, 64)).output.shape == (1, 3, 64, 64)


def test_structureflow_from_the_command_to_two_sets_of_weights(drawn, tmp_path, monkeypatch):
    taken = {}

    def prepare(self, model):
        taken.update({key: value.clone() for key, value in self.judge.state_dict().items()})

    monkeypatch.setattr(structureflow.JointStage, "prepare", prepare)
    command("structureflow", drawn, tmp_path, "--pictures", "2")
    assert len(list((tmp_path / "pictures").iterdir())) == 3
    assert {"l1", "adversarial", "judge total"} <= losses(tmp_path, "joint")[-1].keys()
    left = {name: torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("structure", "texture", "joint")}
    # The discriminator of the last stage is that of the stage before; the structure network stays as it was trained.
    assert all(torch.equal(taken[key], value) for key, value in left["texture"]["judge"].items())
    for key, value in left["structure"]["average"].items():
        same = torch.equal(left["joint"]["average"][key], value)
        assert same or key.startswith("flow.")
    reference = weights.resolve(tmp_path / "inpaint_structureflow_flow.safetensors", "Inpaint")
    assert weights.other_half(reference) == str(tmp_path / "inpaint_structureflow_structure.safetensors")
    networks = [weights.build(weights.resolve(file)) for file in (reference.path, weights.other_half(reference))]
    with torch.inference_mode():
        assert networks[0](torch.zeros(1, 7, 64, 64)).image.shape == (1, 3, 64, 64)
        assert networks[1](torch.zeros(1, 7, 64, 64)).shape == (1, 3, 64, 64)


def test_inpaint_from_the_command_to_weights_that_the_node_takes(drawn, tmp_path):
    command("inpaint", drawn, tmp_path)
    assert {"hole", "likeness"} <= losses(tmp_path, "fill")[-1].keys()
    found = weights.resolve(tmp_path / "inpaint_detail.safetensors", "Inpaint")
    assert (found.network, found.options["width"]) == ("lama_detail", 8)
    assert weights.build(found)(torch.zeros(1, 4, 64, 64)).shape == (1, 3, 64, 64)


def test_lama_with_its_published_losses(drawn, tmp_path, caplog):
    caplog.set_level("INFO", "models.training")
    command("lama", drawn, tmp_path)
    assert "adversarial: without --features" in caplog.text
    entry = losses(tmp_path, "adversarial")[-1]
    assert {"known", "adversarial", "features", "judge fake", "judge real", "judge gradient"} <= entry.keys()
    assert weights.build(weights.resolve(tmp_path / "inpaint_lama.safetensors", "Inpaint")) is not None


def test_a_stage_alone_says_that_it_starts_with_new_weights(drawn, tmp_path, caplog):
    caplog.set_level("INFO", "models.training")
    command("inpaint", drawn, tmp_path, "--stage", "fill")
    assert "fill starts with new weights: there is no stage thin in" in caplog.text


def test_minutes_stop_the_command_and_the_next_goes_on(drawn, tmp_path, capsys):
    command("inpaint", drawn, tmp_path / "whole")
    for _ in range(4):
        capsys.readouterr()
        command("inpaint", drawn, tmp_path / "cut", "--minutes", "1e-9")
    assert "the same command goes on" not in capsys.readouterr().out
    name = "inpaint_detail.safetensors"
    assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    command("inpaint", drawn, tmp_path / "short", "--minutes", "1e-9")
    assert "stopped at step 1 of 2 of the stage thin; the same command goes on" in capsys.readouterr().out


def test_what_does_not_fit_is_said(drawn, tmp_path, capsys):
    command("pennet", drawn, tmp_path, "--features", "vgg.pth", code=1)
    assert "no stage to be run of pennet has a perceptual loss" in capsys.readouterr().err
    command("structureflow", drawn, tmp_path, "--start", "a.safetensors", code=1)
    assert "structureflow trains several networks" in capsys.readouterr().err
    command("inpaint", drawn, tmp_path, "--stage", "refine", code=1)
    assert "the stages are thin, fill" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stage", "new_model"),
    [
        (pennet.PyramidStage, pennet.new_model),
        (structureflow.TextureStage, structureflow.new_model),
        (lama.AdversarialStage, lama.new_model),
    ],
    ids=["pennet", "structureflow", "lama"],
)
def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(stage, new_model, drawn, tmp_path):
    """With half precision, as in use; both networks and both optimisers."""

    def train(folder, until=None):
        torch.manual_seed(0)
        run = trainer(folder, stage(), new_model(), Plates(pool.Pool(drawn)), steps=3, half=True)
        return run.run(until), run.judge.state_dict()

    torch.manual_seed(0)
    whole = train(tmp_path / "whole")
    train(tmp_path / "cut", until=1)
    resumed = train(tmp_path / "cut")
    logs = [losses(tmp_path / name, stage.name) for name in ("whole", "cut")]
    assert logs[0] == logs[1]
    for one, other in zip(whole, resumed, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_structureflow_looks_through_a_given_network(drawn, tmp_path):
    torch.manual_seed(1)
    with torch.device("meta"):
        shapes = vgg19(init_weights=False).features.state_dict()
    state = {f"features.{k}": torch.randn(v.shape) * (2 / max(1, v[0].numel())) ** 0.5 for k, v in shapes.items()}
    stage = structureflow.JointStage()
    stage.features = VGG19Features(state)
    run = trainer(tmp_path, stage, structureflow.new_model(), Plates(pool.Pool(drawn)), steps=1)
    before = {key: value.clone() for key, value in run.model.state_dict().items()}
    run.run()
    assert {"correctness", "style", "content"} <= losses(tmp_path, "joint")[-1].keys()
    after = run.model.state_dict()
    assert not torch.equal(
        after["flow.flow_column.location.1.conv.weight"], before["flow.flow_column.location.1.conv.weight"]
    )
    assert all(torch.equal(after[key], before[key]) for key in before if key.startswith("structure."))
