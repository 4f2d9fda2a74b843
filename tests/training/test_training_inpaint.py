import json

import cv2
import numpy as np
import pytest
import torch

from models.training import metrics
from models.training.data.folders import FolderPlates
from models.training.data.holes import LARGEST, SMALLEST, hole, thin_hole
from models.training.data.pool import FrameCut
from models.training.loop.trainer import Settings, Trainer
from models.training.recipes import catalogue as recipes
from models.training.recipes import inpaint
from models.training.recipes.inpaint import Plates


class Halves:
    """Pictures of two colours with a sharp line between them, which a smooth fill blurs."""

    def plate(self, rng, view):
        right = np.arange(view.width) >= view.width // 2
        ramp = np.broadcast_to(np.where(right, np.float32(0.9), np.float32(0.1)), (view.height, view.width))
        return np.stack([ramp, 1 - ramp, ramp * 0 + 0.5], 2).astype(np.float32)


class SmallFill(inpaint.FillStage):
    steps, warmup = 40, 2
    height, width, count = 32, 48, 2


def train(folder, stage):
    torch.manual_seed(0)
    model = inpaint.new_model()
    return Trainer(stage, model, Plates(Halves()), Settings(folder, save_every=50, log_every=1, half=False)).run()


def losses(folder, stage):
    return [json.loads(line) for line in (folder / f"{stage}.jsonl").read_text().splitlines()]


def test_a_short_run_learns_to_fill_better_than_smoothly(tmp_path):
    train(tmp_path, SmallFill())
    log = losses(tmp_path, "fill")
    for name in ("hole", "likeness"):  # the first answers are the smooth fill
        errors = [entry[name] for entry in log]
        assert np.mean(errors[-10:]) < 0.8 * np.mean(errors[:10])


def test_similarity_is_what_the_table_measures():
    rng = np.random.default_rng(1)
    pair = [cv2.GaussianBlur(rng.random((40, 56, 3), np.float32), (0, 0), 1.5) for _ in range(2)]
    mask = np.zeros((40, 56), np.float32)
    mask[10:30, 10:40] = 1
    tensors = [torch.from_numpy(picture).permute(2, 0, 1)[None] for picture in pair]
    found = inpaint.similarity(*tensors)[0, 0].numpy()[mask > 0].mean()
    assert found == pytest.approx(metrics.ssim(*pair, mask), abs=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(inpaint.similarity(*tensors), inpaint.similarity(*tensors).float())


@pytest.mark.parametrize("seed", range(30))
def test_holes_are_neither_empty_nor_everything(seed):
    mask = hole(np.random.default_rng(seed), 90, 160)
    assert mask.shape == (90, 160)
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert SMALLEST <= mask.mean() <= LARGEST


@pytest.mark.parametrize("seed", range(10))
def test_thin_holes_are_a_few_pixels_across(seed):
    mask = thin_hole(np.random.default_rng(seed), 64, 96)
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert cv2.erode(mask, np.ones((11, 11), np.uint8), borderValue=0).sum() < 0.05 * mask.sum()


def test_windows_mostly_have_something_to_learn_from():
    """Plain grey is shown only now and then, edges always."""

    class Half(Halves):
        drawn = 0

        def plate(self, rng, view):
            self.drawn += 1
            picture = super().plate(rng, view)
            return picture if self.drawn % 2 else np.full_like(picture, 0.5)

    scenes = Half()
    batch = inpaint.ThinStage().batch(Plates(scenes), np.random.default_rng(2), 0.0)
    lacking = ((batch.smooth - batch.picture).abs() * batch.hole).sum((1, 2, 3)) / (3 * batch.hole.sum((1, 2, 3)))
    assert (lacking >= inpaint.PLAIN).float().mean() >= 0.75
    assert scenes.drawn > inpaint.ThinStage.count
    outside = (batch.smooth - batch.picture) * (1 - batch.hole)
    assert (outside == 0).all()


def test_own_pictures_fill_the_frame(tmp_path):
    (tmp_path / "bgr").mkdir()
    cv2.imwrite(str(tmp_path / "bgr" / "a.png"), np.full((90, 200, 3), (10, 20, 200), np.uint8))
    picture = FolderPlates(tmp_path).plate(np.random.default_rng(1), FrameCut(64, 96, 128))
    assert picture.shape == (64, 96, 3)
    assert np.allclose(picture, np.array([200, 20, 10], np.float32) / 255, atol=1e-3)


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(ValueError, match="bgr"):
        FolderPlates(tmp_path)


def test_a_stage_of_another_recipe_is_refused():
    with pytest.raises(ValueError, match=r"no stage 'refine'.*thin, fill"):
        recipes.find("inpaint").stages_named("refine")


def test_stages_run_in_their_order():
    assert [stage.name for stage in recipes.find("bgmv2").stages_named("all")] == [
        "base",
        "refine",
        "context",
        "scenes",
        "edges",
    ]
