import cv2
import numpy as np
import pytest

from models.training.data.clip_folders import FolderClips, _shown
from models.training.data.pool import FrameCut
from models.training.recipes import rvm

VIEW = FrameCut(64, 96, 72)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


@pytest.fixture
def folder(tmp_path):
    """One clip with mattes, 16 bit, one with alpha; a still and a moving background; labelled stills and a clip."""
    rng = np.random.default_rng(6)

    def noise(high, channels, kind=np.uint8):
        return rng.integers(0, high, (80, 100, channels), kind)

    solid = np.zeros((80, 100), np.uint16)
    solid[20:70, 30:70] = 65535
    for i in range(1, 4):
        save(tmp_path / f"fgr/walk/{i:04}.png", noise(65535, 3, np.uint16))
        save(tmp_path / f"pha/walk/{i:04}.png", solid)
        save(tmp_path / f"bgr/street/{i:04}.png", noise(255, 3))
        save(tmp_path / f"images/shot/{i:04}.png", noise(255, 3))
        save(tmp_path / f"masks/shot/{i:04}.png", (solid >> 8).astype(np.uint8))
    save(tmp_path / "fgr/turn/a.png", np.dstack([noise(255, 3), (solid >> 8).astype(np.uint8)]))
    save(tmp_path / "bgr/room.png", noise(255, 3))
    save(tmp_path / "images/one.png", noise(255, 3))
    save(tmp_path / "masks/one.png", (solid >> 8).astype(np.uint8))
    return tmp_path


@pytest.mark.parametrize("seed", range(12))
def test_own_clips_as_training_data(folder, seed):
    examples = FolderClips(folder)
    clip, again = (examples.clip(np.random.default_rng(seed), VIEW, 5, 1.8) for _ in range(2))
    assert clip.src.shape == clip.fgr.shape == (5, 64, 96, 3)
    assert clip.pha.shape == (5, 64, 96)
    assert 0 <= clip.src.min() <= clip.src.max() <= 1
    np.testing.assert_array_equal(clip.src, again.src)


def test_own_mattes_are_what_is_cut_out(folder):
    examples = FolderClips(folder)
    mattes = [examples.clip(np.random.default_rng(seed), VIEW, 1).pha for seed in range(8)]
    assert max(matte.max() for matte in mattes) == pytest.approx(1)
    assert min(matte.mean() for matte in mattes) < 0.5


@pytest.mark.parametrize("frames", [1, 4])
def test_own_masks_for_the_segmentation_passes(folder, frames):
    shown = [FolderClips(folder).labelled(np.random.default_rng(seed), VIEW, frames) for seed in range(6)]
    assert all(one.src.shape == (frames, 64, 96, 3) for one in shown)
    assert set(np.unique(np.stack([one.seg for one in shown]))) == {0.0, 1.0}


def test_without_labelled_pictures_the_composites_serve(folder):
    for part in ("images", "masks"):
        for path in sorted((folder / part).rglob("*.png")):
            path.unlink()
        for path in (folder / part / "shot", folder / part):
            path.rmdir()
    shown = FolderClips(folder).labelled(np.random.default_rng(1), VIEW, 2)
    assert shown.seg.shape == (2, 64, 96)


def test_a_stage_trains_on_folders(folder):
    stage = rvm.ShortStage()
    stage.stills = (rvm.ClipSize(64, 64, 1, 2),)
    kinds = {type(stage.batch(FolderClips(folder), np.random.default_rng(seed), 0.0)) for seed in range(12)}
    assert kinds == {rvm.Matting, rvm.Segmentation}


def test_a_short_clip_is_played_to_and_fro():
    shown = _shown(np.random.default_rng(0), 3, np.arange(9.0))
    assert set(shown) == {0, 1, 2}
    assert np.abs(np.diff(shown)).max() == 1
    assert _shown(np.random.default_rng(0), 1, np.arange(3.0)) == [0, 0, 0]


def test_missing_folders_are_named(tmp_path, folder):
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere/fgr"):
        FolderClips(folder / "nowhere")
    save(folder / "fgr/loose.png", np.zeros((80, 80, 3), np.uint8))
    with pytest.raises(ValueError, match=r"loose\.png is not in a clip: .*one folder per clip"):
        FolderClips(folder)


def test_missing_pairs_are_named(folder):
    (folder / "pha/walk/0002.png").unlink()
    with pytest.raises(ValueError, match=r"fgr/walk/0002\.png has no matte .*pha/walk/0002\.png"):
        FolderClips(folder)
    save(folder / "pha/walk/0002.png", np.zeros((80, 100), np.uint8))
    save(folder / "pha/walk/0009.png", np.zeros((80, 100), np.uint8))
    with pytest.raises(ValueError, match=r"pha/walk/0009\.png is a matte without a picture"):
        FolderClips(folder)
    (folder / "pha/walk/0009.png").unlink()
    save(folder / "pha/run/0001.png", np.zeros((80, 100), np.uint8))
    with pytest.raises(ValueError, match=r"pha/run is a matte without a foreground .*fgr/run"):
        FolderClips(folder)
    (folder / "pha/run/0001.png").unlink()
    (folder / "pha/run").rmdir()
    (folder / "masks/one.png").unlink()
    with pytest.raises(ValueError, match=r"images/one\.png has no mask .*masks/one\.png"):
        FolderClips(folder)


def test_foregrounds_without_any_matte_are_named(folder):
    save(folder / "fgr/turn/a.png", np.zeros((80, 80, 3), np.uint8))
    with pytest.raises(ValueError, match=r"fgr/turn/a\.png has no alpha channel and there are no mattes in .*pha/turn"):
        FolderClips(folder)


def draw_all(folder):
    for seed in range(30):
        FolderClips(folder).clip(np.random.default_rng(seed), VIEW, 3)


def test_other_sizes_are_named(folder):
    save(folder / "pha/walk/0001.png", np.zeros((70, 90), np.uint8))
    with pytest.raises(ValueError, match=r"pha/walk/0001\.png is 90x70, its foreground 100x80"):
        draw_all(folder)
    save(folder / "pha/walk/0001.png", np.zeros((90, 110), np.uint8))
    save(folder / "fgr/walk/0001.png", np.zeros((90, 110, 3), np.uint8))
    with pytest.raises(ValueError, match=r"of the same clip"):
        draw_all(folder)


def test_another_depth_is_named(folder):
    for i in (1, 2, 3):
        (folder / f"bgr/street/{i:04}.png").unlink()
    (folder / "bgr/street").rmdir()
    (folder / "bgr/room.png").unlink()
    cv2.imwrite(str(folder / "bgr/room.tiff"), np.zeros((80, 100, 3), np.float32))
    with pytest.raises(ValueError, match=r"room\.tiff has float32 pixels: 8 or 16 bit"):
        draw_all(folder)
