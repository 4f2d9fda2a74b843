import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training import clip_pool, evaluate_rvm, motion, recipes, rvm
from models.training.clip_pool import ClipPool
from models.training.clips import Clip, Labelled
from models.training.photometric import Photometry, grades, shoot, smeared
from models.training.pool import LEVELS, SCENE, Pool, View
from models.training.rvm import Size
from models.training.trainer import Settings, Trainer

VIEW = View(72, 128, 72)
NEVER = Photometry(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
SEEDS = st.integers(0, 2**32 - 1)


class Figures:
    """A pool's pictures without its files: two people, one of them cut off below, a table, two scenes."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        side = 320
        person = np.zeros((side, side, 4), np.uint8)
        person[..., :3] = rng.integers(0, 255, 3)
        person[40:300, 110:210, 3] = 255
        table = person.copy()
        table[..., 3] = 0
        table[200:300, 40:280, 3] = 255
        notes = {"person": [110, 40, 210, 300], "furniture": [40, 200, 280, 300]}
        self.notes = [
            {"kind": kind, "cut": cut, "box": notes[kind]}
            for kind, cut in (("person", False), ("person", True), ("furniture", False))
        ]
        self.sprites = [np.stack([p[:: 2**k, :: 2**k] for p in (person, person, table)]) for k in range(LEVELS)]
        h, w = SCENE
        scene = np.asarray(rng.integers(0, 255, (2, h // 16, w // 16, 3)).repeat(16, 1).repeat(16, 2), np.uint8)
        self.scenes = [scene[:, :: 2**k, :: 2**k] for k in range(LEVELS)]
        self.some_sprites, self.some_scenes = np.arange(3), np.arange(2)


@pytest.fixture(scope="module")
def examples():
    return ClipPool(Figures())


# Clips


@given(seed=SEEDS, frames=st.integers(1, 6), energy=st.floats(0.5, 2))
@settings(max_examples=40, deadline=None)
def test_clips_are_in_range_and_come_from_their_seed_alone(examples, seed, frames, energy):
    first, again = (examples.clip(np.random.default_rng(seed), VIEW, frames, energy) for _ in range(2))
    assert first.src.shape == first.fgr.shape == (frames, 72, 128, 3)
    assert first.pha.shape == (frames, 72, 128)
    for name in ("src", "pha", "fgr"):
        values = getattr(first, name)
        assert values.dtype == np.float32
        assert 0 <= values.min() <= values.max() <= 1
        np.testing.assert_array_equal(values, getattr(again, name))


def test_different_seeds_give_different_clips(examples):
    first, other = (examples.clip(np.random.default_rng(seed), VIEW, 2).src for seed in (1, 2))
    assert not np.array_equal(first, other)


def test_where_alpha_is_one_the_foreground_is_the_source(examples):
    checked = 0
    for seed in range(12):
        clip = examples.clip(np.random.default_rng(seed), VIEW, 2)
        solid = (clip.pha > 0.9999) & (clip.src.min(-1) > 0) & (clip.src.max(-1) < 1)
        checked += int(solid.sum())
        np.testing.assert_allclose(clip.fgr[solid], clip.src[solid], atol=2e-3)
    assert checked > 1000


def test_who_is_cut_off_is_so_by_the_lower_edge_of_the_frame(examples, monkeypatch):
    monkeypatch.setattr(examples, "people", [1])
    monkeypatch.setattr(clip_pool, "WOBBLE_SHARE", 0.0)
    monkeypatch.setattr(clip_pool, "shoot", lambda rng, fgr, pha, *more: pha)
    seen = 0
    for seed in range(40):
        for matte in examples.clip(np.random.default_rng(seed), VIEW, 4, 2.0):
            columns = matte[:, matte.max(0) > 0.5]
            seen += columns.shape[1]
            # Beneath its top, a cut-off figure goes on to the last row; a turned one is seen from its side.
            assert (columns[-1] > 0.5).mean() > 0.5 if columns.shape[1] > 20 else True
    assert seen > 1000


def test_things_are_not_cut_out(examples, monkeypatch):
    monkeypatch.setattr(clip_pool, "THING_SHARE", 1.0)
    monkeypatch.setattr(clip_pool, "COUNT_SHARES", (1.0, 0.0, 0.0, 0.0))
    assert examples.clip(np.random.default_rng(3), VIEW, 2).pha.max() == 0


def test_a_pool_without_people_is_refused():
    pictures = Figures()
    pictures.some_sprites = np.array([2])
    with pytest.raises(ValueError, match="no people"):
        ClipPool(pictures)


# Movement


@given(seed=SEEDS, frames=st.integers(2, 30))
def test_a_clock_goes_one_way_in_whole_frames(seed, frames):
    times = motion.clock(np.random.default_rng(seed), frames)
    steps = np.diff(times)
    assert len(times) == frames
    assert np.array_equal(times, np.floor(times))
    assert (steps >= 0).all() or (steps <= 0).all()
    assert np.abs(steps).max() <= 15


@given(seed=SEEDS)
def test_easing_goes_from_0_to_1(seed):
    way = motion.eased(np.random.default_rng(seed), np.linspace(0, 1, 50))
    assert way[0] == pytest.approx(0, abs=1e-9)
    assert way[-1] == pytest.approx(1)
    assert way.min() >= -1e-9
    assert way.max() < 1.4


@given(seed=SEEDS)
def test_the_same_frame_shows_the_same_pose(seed):
    """A shot at half speed shows every frame twice: nothing may move between the two."""
    times = np.repeat(np.arange(8.0), 2)
    pose = motion.camera(np.random.default_rng(seed), times)
    for values in (pose.x, pose.y, pose.turn, pose.scale):
        np.testing.assert_array_equal(values[::2], values[1::2])


def test_movement_is_continuous():
    """At normal speed a figure covers little of the picture per frame; entrances and steps are the exception."""
    times = np.arange(12.0)
    reaches = []
    for seed in range(300):
        pose = motion.figure(np.random.default_rng(seed), times)
        reaches.append(np.abs(np.diff(pose.x)).max())
    assert np.median(reaches) < 0.06
    assert np.quantile(reaches, 0.8) < 0.2
    assert np.mean(np.array(reaches) > 0) > 0.8


def test_maps_turn_and_scale_about_their_pivot():
    pose = motion.Pose(np.array([0.5]), np.array([-0.25]), np.array([np.pi / 2]), np.array([2.0]))
    way = pose.around((10, 20), 100)[0]
    np.testing.assert_allclose(way @ [10, 20, 1], [60, -5, 1])
    np.testing.assert_allclose(way @ [11, 20, 1], [60, -3, 1])


# Light


def test_without_faults_a_shot_is_the_plain_composite():
    rng = np.random.default_rng(1)
    fgr, bgr = rng.random((2, 3, 40, 48, 3), np.float32)
    pha = rng.random((3, 40, 48), np.float32)
    clip = shoot(rng, fgr, pha, bgr, 0.1, None, NEVER)
    np.testing.assert_allclose(clip.src, fgr * pha[..., None] + bgr * (1 - pha[..., None]), atol=1e-6)
    np.testing.assert_array_equal(clip.pha, pha)
    np.testing.assert_allclose(clip.fgr, fgr, atol=1e-6)


@given(seed=SEEDS)
def test_light_keeps_grey_grey_enough_and_changes_smoothly(seed):
    matrices = grades(np.random.default_rng(seed), 20, 1.0)
    assert matrices.shape == (20, 3, 4)
    grey = matrices @ np.array([0.5, 0.5, 0.5, 1], np.float32)
    assert np.ptp(grey, axis=1).max() < 0.5
    change = np.abs(grey[-1] - grey[0]).max()
    assert np.abs(grey - grey[0]).max() <= 1.6 * change + 1e-4


def test_a_smear_keeps_the_amount_of_alpha_and_goes_along_its_way():
    pha = np.zeros((60, 60), np.float32)
    pha[25:35, 25:35] = 1
    fgr = np.full((60, 60, 3), 0.7, np.float32)
    colour, soft = smeared(fgr, pha, np.array([8.0, 0.0], np.float32))
    assert soft.sum() == pytest.approx(pha.sum(), rel=0.01)
    assert soft[30, 22] > 0.05
    assert soft[22, 30] == 0
    np.testing.assert_allclose(colour, 0.7, atol=1e-5)
    assert smeared(fgr, pha, np.array([1.0, 0.5], np.float32))[1] is pha


# Stages


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
    clips = (Size(64, 64, 3, 2), Size(64, 96, 2, 1, True))
    changes = {"steps": count, "warmup": 2, "clips": clips, "stills": (Size(64, 64, 1, 4),), **more}
    if stage.sharp:
        changes["sharp"] = (Size(160, 192, 2, 1),)
    return type(stage.__name__, (stage,), changes)()


def train(folder, stage, model=None, until=None, show_every=0):
    torch.manual_seed(0)
    model = model or rvm.new_model()
    settings = Settings(folder, save_every=1, log_every=1, half=False, show_every=show_every)
    return Trainer(stage, model, Moving(), settings).run(until)


def entries(folder, stage):
    return [json.loads(line) for line in (folder / f"{stage}.jsonl").read_text().splitlines()]


def test_every_stage_runs_one_after_the_other(tmp_path):
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


# Measures


def clips_of_squares():
    rng = np.random.default_rng(4)
    return [Moving().clip(rng, View(64, 64, 64), 3) for _ in range(2)]


def test_the_best_threshold_finds_what_brightness_tells():
    name, matte = evaluate_rvm.best_threshold(clips_of_squares())
    assert name.startswith("luma above")
    for clip in clips_of_squares():
        assert np.abs(np.stack(matte(clip.src)) - clip.pha).max() == 0


def test_the_best_threshold_is_a_constant_where_brightness_tells_nothing():
    rng = np.random.default_rng(5)
    clips = [Clip(rng.random((1, 64, 64, 3), np.float32), np.full((1, 64, 64), 0.5, np.float32), None)]
    assert evaluate_rvm.best_threshold(clips)[0] == "constant 0.50"


def test_runs_with_and_without_memory_agree_on_the_first_frame_only():
    model = rvm.new_model().eval()
    torch.manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0, 0.1) if parameter.ndim > 1 else None
    src = clips_of_squares()[0].src.repeat(2, 1).repeat(2, 2)
    with_memory, without = evaluate_rvm.recurrent(model, src), evaluate_rvm.frame_by_frame(model, src)
    np.testing.assert_array_equal(with_memory[0], without[0])
    assert not np.array_equal(with_memory[2], without[2])


def test_a_perfect_matte_scores_nothing():
    truth = list(clips_of_squares()[0].pha)
    assert set(evaluate_rvm.score(truth, truth).values()) == {0.0}
    shaky = [truth[0], truth[1] * 0.5, truth[2]]
    scores = evaluate_rvm.score(shaky, truth)
    assert scores["MAD"] > 0
    assert scores["dtSSD"] > 0


def test_unseen_clips_are_fixed(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_rvm, "SPRITES", 4)
    monkeypatch.setattr(evaluate_rvm, "SCENES", 1)
    monkeypatch.setattr(evaluate_rvm, "HEIGHT", 72)
    monkeypatch.setattr(evaluate_rvm, "WIDTH", 128)
    examples = evaluate_rvm.unseen(tmp_path)
    assert isinstance(examples.pool, Pool)
    first, again = (evaluate_rvm.clip(examples, 3, 2) for _ in range(2))
    np.testing.assert_array_equal(first.src, again.src)
    assert first.src.shape == (2, 72, 128, 3)
