import cv2
import numpy as np
import torch

from models.training.data.clips import Clip
from models.training.data.pool import Pool
from models.training.evaluate import rvm as evaluate_rvm
from models.training.recipes import rvm


def clips_of_squares():
    """Two clips of a bright square that moves over a dark ground."""
    rng = np.random.default_rng(4)
    clips = []
    for x in (4, 20):
        pha = np.zeros((3, 64, 64), np.float32)
        for t in range(3):
            pha[t, 10:42, x + t : x + t + 32] = 1
        src = np.where(pha[..., None] > 0, np.float32(0.9), 0.2 * rng.random((3, 64, 64, 3), np.float32))
        clips.append(Clip(src, pha, src))
    return clips


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


def test_the_sheet_shows_three_frames_of_every_clip(tmp_path):
    evaluate_rvm.sheet(rvm.new_model().eval(), clips_of_squares(), tmp_path / "sheet.png")
    shown = cv2.imread(str(tmp_path / "sheet.png"))
    assert shown.shape == (2 * 144, 9 * 256, 3)
    assert shown[72, 256 + 128].min() > 200, "the truth of the first frame is white in its middle"
