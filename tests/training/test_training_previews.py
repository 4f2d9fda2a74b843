"""What each recipe shows in the log's pictures: the batch, the truth, and what the network says of it."""

import numpy as np
import pytest
import torch

from models.training.data.pool import Composite, FrameCut
from models.training.data.rigs import Rigged
from models.training.loop import pictures
from models.training.recipes import bgmv2, inpaint, lama, pennet, segment, structureflow
from models.training.recipes import catalogue as recipes

RECIPES = ("bgmv2", "rvm", "inpaint", "lama", "pennet", "structureflow", "segment")


class Noise:
    """Examples of noise for every recipe."""

    def plate(self, rng, view):
        return rng.random((view.height, view.width, 3), np.float32)

    def example(self, rng, view: FrameCut, *_):
        picture, alpha = self.plate(rng, view), rng.random((view.height, view.width), np.float32)
        return Composite(picture, picture, alpha, picture)


class Labels(Noise):
    def example(self, rng, view, *_):
        return Rigged(self.plate(rng, view), rng.integers(0, 4, (view.height, view.width)).astype(np.uint8))


CASES = {
    "base": (bgmv2.BaseStage, lambda: bgmv2.new_model("mobilenetv2"), Noise(), "pha"),
    "fill": (inpaint.FillStage, inpaint.new_model, inpaint.Plates(Noise()), "picture"),
    "adversarial": (lama.AdversarialStage, lama.new_model, inpaint.Plates(Noise()), "picture"),
    "pyramid": (pennet.PyramidStage, pennet.new_model, inpaint.Plates(Noise()), "picture"),
    "structure": (structureflow.StructureStage, structureflow.new_model, inpaint.Plates(Noise()), "structure"),
    "joint": (structureflow.JointStage, structureflow.new_model, inpaint.Plates(Noise()), "picture"),
    "small": (segment.SmallStage, segment.new_model, Labels(), "labels"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_stage_shows_its_batch_its_truth_and_its_answer(name, monkeypatch):
    stage_type, new_model, examples, truth = CASES[name]
    monkeypatch.setattr(structureflow, "OPTIONS", {"width": 8})
    monkeypatch.setattr(pennet, "OPTIONS", {"width": 8})
    monkeypatch.setattr(lama, "OPTIONS", {"n_blocks": 1, "width": 8})
    monkeypatch.setattr(bgmv2, "LARGE", ((64, 80, 2),))
    for attribute, value in {"side": 64, "height": 64, "width": 64, "count": 2, "windows": ((64, 2),)}.items():
        if hasattr(stage_type, attribute):
            monkeypatch.setattr(stage_type, attribute, value)
    torch.manual_seed(0)
    stage, model = stage_type(), new_model().eval()
    batch = stage.batch(examples, np.random.default_rng(1), 1.0)
    with torch.no_grad():
        rows = dict(stage.preview(model, batch))
    shape = rows["input"].shape
    assert shape[0] == 2
    assert {row.shape[2:] for row in rows.values()} == {shape[2:]}
    assert set(rows) >= {"input", "truth", "answer"}
    expected = getattr(batch, truth)
    if truth == "labels":
        assert (rows["truth"].amax(1) > 0).equal(expected > 0)
    elif truth == "structure" or name == "joint":
        assert torch.equal(rows["truth"], (expected + 1) / 2)
    else:
        assert torch.equal(rows["truth"], expected)
    if hasattr(batch, "hole"):  # a fill is shown in its place
        known = (batch.hole == 0).expand_as(rows["truth"])
        torch.testing.assert_close(rows["answer"][known], rows["truth"][known])
        assert not torch.equal(rows["answer"], rows["truth"])
    sheet = pictures.sheet(list(rows.items()))
    assert sheet.shape == (len(rows) * (shape[2] + 22), 2 * shape[3] + 3, 3)


@pytest.mark.parametrize("name", RECIPES)
def test_every_stage_of_every_recipe_has_pictures(name):
    recipe = recipes.find(name)
    assert all(hasattr(stage, "preview") for stage in recipe.stages)


def test_large_pictures_are_shown_small():
    sheet = pictures.sheet([("a", torch.rand(6, 3, 400, 800)), ("b", torch.rand(1, 1, 10, 10))])
    assert sheet.shape == (22 + 160 + 22 + 10, 4 * 320 + 9, 3)
