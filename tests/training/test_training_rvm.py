import json

import numpy as np
import torch

from models.training.data.clips import Clip, Labelled
from models.training.loop.trainer import Settings, Trainer
from models.training.recipes import catalogue as recipes
from models.training.recipes import rvm
from models.training.recipes.rvm import ClipSize


class Moving:
    """A bright square that moves over a dark ground: what a tiny run can learn."""

    def clip(self, rng, view, frames, energy=1.0):
        src = rng.random((frames, view.height, view.width, 3), np.float32) * 0.2
        pha = np.zeros(src.shape[:3], np.float32)
        x, y = rng.integers(0, view.width // 2), rng.integers(0, view.height // 2)
        for t in range(frames):
            pha[t, y : y + view.height // 2, x + t : x + t + view.width // 2] = 1
        fgr = np.full_like(src, 0.9)
        return Clip(src * (1 - pha[..., None]) + fgr * pha[..., None], pha, fgr)

    def labelled(self, rng, view, frames):
        clip = self.clip(rng, view, frames)
        return Labelled(clip.src, clip.pha)


def small(stage, count, **more):
    clips = (ClipSize(64, 64, 3, 2), ClipSize(64, 96, 2, 1, True))
    changes = {"steps": count, "warmup": 2, "clips": clips, "stills": (ClipSize(64, 64, 1, 4),), **more}
    if stage.sharp:
        changes["sharp"] = (ClipSize(160, 192, 2, 1),)
    return type(stage.__name__, (stage,), changes)()


def train(folder, stage, model=None, until=None, show_every=0):
    torch.manual_seed(0)
    model = model or rvm.new_model()
    settings = Settings(folder, save_every=1, log_every=1, half=False, show_every=show_every)
    return Trainer(stage, model, Moving(), settings).run(until)


def entries(folder, stage):
    return [json.loads(line) for line in (folder / f"{stage}.jsonl").read_text().splitlines()]


def test_every_stage_runs_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(rvm, "SEGMENTATION_SHARE", 0.5)
    model = rvm.new_model()
    for stage in rvm.STAGES:
        before = {key: value.clone() for key, value in model.state_dict().items()}
        after = train(tmp_path, small(stage, 8), model, show_every=8)
        assert (tmp_path / "pictures" / f"{stage.name}_000008.png").exists()
        logged = entries(tmp_path, stage.name)
        assert all(np.isfinite(entry["total"]) for entry in logged)
        assert {"segmentation" in entry for entry in logged} == {True, False}, f"{stage.name}: both passes take turns"
        moved = {key.split(".")[0] for key in after if not torch.equal(after[key], before[key])}
        assert {"backbone", "aspp", "decoder", "project_mat", "project_seg"} <= moved
        assert ("refiner" in moved) == bool(stage.sharp)
        frozen = torch.equal(after["aspp.aspp1.1.running_mean"], before["aspp.aspp1.1.running_mean"])
        assert frozen == (stage is not rvm.ShortStage)
        model.load_state_dict(after)


def test_a_run_that_was_cut_off_goes_on_to_the_same_losses(tmp_path):
    whole = train(tmp_path / "whole", small(rvm.SharpStage, 5))
    train(tmp_path / "cut", small(rvm.SharpStage, 5), until=2)
    resumed = train(tmp_path / "cut", small(rvm.SharpStage, 5))
    assert entries(tmp_path / "cut", "sharp") == entries(tmp_path / "whole", "sharp")
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)


def test_a_short_run_learns(tmp_path):
    train(tmp_path, small(rvm.ShortStage, 40))
    errors = [entry["pha_l1"] for entry in entries(tmp_path, "short") if "pha_l1" in entry]
    assert np.mean(errors[-6:]) < 0.6 * np.mean(errors[:6])


def test_the_recipe_has_the_four_stages_in_their_order():
    recipe = recipes.find("rvm")
    assert [stage.name for stage in recipe.stages_named("all")] == ["short", "long", "sharp", "composites"]
