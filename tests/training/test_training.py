import json

import numpy as np
import pytest
import torch

from models.training.data import pool
from models.training.data.folders import FolderExamples
from models.training.data.pool import FrameCut
from models.training.loop.trainer import Settings, Trainer, learning_rate
from models.training.procedural import background, composite, sprite
from models.training.recipes import bgmv2


class Drawn:
    """Examples drawn on the spot, small and quick."""

    def example(self, rng, view):
        fgr, scene = rng.random((2, view.height, view.width, 3), np.float32)
        pha = np.zeros((view.height, view.width), np.float32)
        pha[view.height // 4 : -view.height // 4, view.width // 4 : -view.width // 4] = 1
        return composite(rng, fgr, pha, scene, view.frame / 1080)


class SmallBase(bgmv2.BaseStage):
    steps, warmup = 6, 2

    def batch(self, examples, rng, progress):
        return bgmv2._stack([examples.example(rng, FrameCut(32, 48, 216)) for _ in range(2)])


class SmallRefine(bgmv2.RefineStage):
    steps, warmup = 3, 1

    def batch(self, examples, rng, progress):
        return bgmv2._stack([examples.example(rng, FrameCut(64, 96, 1080)) for _ in range(2)])


def train(folder, stage, until=None, **more):
    torch.manual_seed(0)
    model = bgmv2.new_model("mobilenetv2")
    settings = Settings(folder, save_every=1, log_every=1, half=False, **more)
    return Trainer(stage, model, Drawn(), settings).run(until)


def losses(folder, stage):
    return [json.loads(line)["total"] for line in (folder / f"{stage}.jsonl").read_text().splitlines()]


def test_a_run_that_was_cut_off_goes_on_to_the_same_losses(tmp_path):
    whole = train(tmp_path / "whole", SmallBase())
    train(tmp_path / "cut", SmallBase(), until=3)
    resumed = train(tmp_path / "cut", SmallBase())
    assert losses(tmp_path / "cut", "base") == losses(tmp_path / "whole", "base")
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)


def test_the_refine_stage_leaves_the_coarse_batch_norms_alone(tmp_path):
    before = bgmv2.new_model("mobilenetv2").state_dict()
    after = train(tmp_path, SmallRefine())
    assert torch.equal(after["backbone.features.0.1.running_mean"], before["backbone.features.0.1.running_mean"])
    assert not torch.equal(after["refiner.bn1.running_mean"], before["refiner.bn1.running_mean"])
    assert all(np.isfinite(losses(tmp_path, "refine")))


def test_accumulated_batches_make_one_step(tmp_path):
    train(tmp_path, SmallBase(), until=1, accumulate=2)
    assert len(losses(tmp_path, "base")) == 1


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    train(tmp_path, SmallBase(), until=1)
    with pytest.raises(ValueError, match="belongs to a run of 6 steps with seed 1"):
        train(tmp_path, SmallBase(), seed=2)


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth():
    rates = [learning_rate(1.0, step, 100, 10) for step in range(101)]
    assert rates[0] == pytest.approx(0.1, rel=0.01)
    assert max(rates) == pytest.approx(0.98, abs=0.03)
    assert rates[-1] == pytest.approx(0.01)


def test_pictures_come_from_their_seed_alone():
    for draw in (lambda rng: sprite(rng, 96).picture, lambda rng: background(rng, 54, 96)):
        first, again = draw(np.random.default_rng(3)), draw(np.random.default_rng(3))
        np.testing.assert_array_equal(first, again)
        assert first.dtype == np.float32
        assert 0 <= first.min() <= first.max() <= 1
        assert not np.array_equal(first, draw(np.random.default_rng(4)))


def test_figures_have_soft_edges_and_solid_bodies():
    alpha = sprite(np.random.default_rng(1), 256, "person", "half").picture[..., 3]
    assert (alpha == 1).mean() > 0.05
    assert (alpha == 0).mean() > 0.2
    assert ((alpha > 0) & (alpha < 1)).mean() > 0.002


def test_the_pool_is_drawn_once_and_gives_examples(tmp_path):
    pool.build(tmp_path, sprites=2, scenes=2, processes=1)
    stamp = (tmp_path / "pool.json").stat().st_mtime_ns
    pool.build(tmp_path, sprites=2, scenes=2, processes=1)
    assert (tmp_path / "pool.json").stat().st_mtime_ns == stamp
    example = pool.Pool(tmp_path).example(np.random.default_rng(5), FrameCut(48, 64, 270))
    again = pool.Pool(tmp_path).example(np.random.default_rng(5), FrameCut(48, 64, 270))
    assert example.src.shape == (48, 64, 3)
    assert example.pha.shape == (48, 64)
    np.testing.assert_array_equal(example.src, again.src)


def save(path, pixels):
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(6)
    save(tmp_path / "bgr/room.png", rng.integers(0, 255, (90, 160, 3), np.uint8))
    save(tmp_path / "fgr/a.png", rng.integers(0, 65535, (100, 80, 4), np.uint16))
    save(tmp_path / "fgr/b.png", rng.integers(0, 255, (100, 80, 3), np.uint8))
    save(tmp_path / "pha/b.png", np.full((100, 80), 255, np.uint8))
    return tmp_path


def test_own_pictures_as_training_data(folder):
    example = FolderExamples(folder).example(np.random.default_rng(7), FrameCut(48, 64, 270))
    assert example.src.shape == (48, 64, 3)
    assert example.pha.max() > 0


def test_what_is_wrong_with_own_pictures_is_said(folder):
    (folder / "pha/b.png").unlink()
    with pytest.raises(ValueError, match=r"fgr/b\.png has no alpha channel and no matte .*pha/b\.png"):
        FolderExamples(folder)
    save(folder / "pha/b.png", np.zeros((70, 70), np.uint8))
    save(folder / "fgr/a.png", np.zeros((100, 80, 3), np.uint8))
    save(folder / "pha/a.png", np.zeros((70, 70), np.uint8))
    with pytest.raises(ValueError, match="is 70x70, its foreground 80x100"):
        FolderExamples(folder).example(np.random.default_rng(1), FrameCut(48, 64, 270))
    save(folder / "pha/c.png", np.zeros((70, 70), np.uint8))
    with pytest.raises(ValueError, match=r"c\.png is a matte without a foreground"):
        FolderExamples(folder)
    with pytest.raises(ValueError, match="there is no folder"):
        FolderExamples(folder / "nowhere")
