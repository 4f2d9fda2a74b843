import json

import cv2
import numpy as np
import pytest
import torch

from models.training import inpaint, recipes
from models.training.folders import FolderPlates
from models.training.holes import LARGEST, SMALLEST, hole
from models.training.inpaint import Plates
from models.training.pool import View
from models.training.trainer import Settings, Trainer


class Ramps:
    """Pictures a tiny network can learn to continue."""

    def plate(self, rng, view):
        ys, xs = np.mgrid[0 : view.height, 0 : view.width].astype(np.float32) / max(view.height, view.width)
        angle = rng.uniform(0, 2 * np.pi)
        ramp = 0.5 + 0.5 * (np.cos(angle) * (xs - 0.5) + np.sin(angle) * (ys - 0.5))
        return np.stack([ramp, 1 - ramp, ramp * 0 + 0.5], 2).astype(np.float32)


class SmallFill(inpaint.FillStage):
    steps, warmup = 30, 2
    height, width, count = 32, 48, 2


class SmallWide(inpaint.WideStage):
    steps, warmup = 2, 1
    height, width, count = 48, 64, 1


def train(folder, stage):
    torch.manual_seed(0)
    model = inpaint.new_model()
    return Trainer(stage, model, Plates(Ramps()), Settings(folder, save_every=50, log_every=1, half=False)).run()


def losses(folder, stage):
    return [json.loads(line) for line in (folder / f"{stage}.jsonl").read_text().splitlines()]


def test_a_short_run_learns_to_fill(tmp_path):
    train(tmp_path, SmallFill())
    hole_errors = [entry["hole"] for entry in losses(tmp_path, "fill")]
    assert np.mean(hole_errors[-5:]) < 0.6 * np.mean(hole_errors[:5])


def test_the_wide_stage_keeps_the_batch_norm_statistics(tmp_path):
    before = inpaint.new_model().state_dict()
    after = train(tmp_path, SmallWide())
    means = [key for key in before if key.endswith("running_mean")]
    assert means
    assert all(torch.equal(after[key], before[key]) for key in means)


@pytest.mark.parametrize("seed", range(30))
def test_holes_are_neither_empty_nor_everything(seed):
    mask = hole(np.random.default_rng(seed), 90, 160)
    assert mask.shape == (90, 160)
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert SMALLEST <= mask.mean() <= LARGEST


def test_own_pictures_fill_the_frame(tmp_path):
    (tmp_path / "bgr").mkdir()
    cv2.imwrite(str(tmp_path / "bgr" / "a.png"), np.full((90, 200, 3), (10, 20, 200), np.uint8))
    picture = FolderPlates(tmp_path).plate(np.random.default_rng(1), View(64, 96, 128))
    assert picture.shape == (64, 96, 3)
    assert np.allclose(picture, np.array([200, 20, 10], np.float32) / 255, atol=1e-3)


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(ValueError, match="bgr"):
        FolderPlates(tmp_path)


def test_a_stage_of_another_recipe_is_refused():
    with pytest.raises(ValueError, match=r"no stage 'refine'.*fill, wide"):
        recipes.find("inpaint").stages_named("refine")


def test_stages_run_in_their_order():
    assert [stage.name for stage in recipes.find("bgmv2").stages_named("all")] == [
        "base",
        "refine",
        "context",
        "scenes",
        "edges",
    ]
