import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.data import clip_pool, motion
from models.training.data.clip_pool import ClipPool
from models.training.data.photometric import Photometry, grades, shoot, smeared
from models.training.data.pool import LEVELS, SCENE, FrameCut

VIEW = FrameCut(72, 128, 72)
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
