"""The pictures with rigs, the training stages on small data from end to end, and how their result is judged."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from local_engine import ArrayInputs, LocalDevice, picture, render

from models import weights
from models.hrnet_ocr import OCROutput
from models.hrnet_ocr.losses import overlap_loss
from models.training import cli
from models.training.data import pool, rigs
from models.training.data.pool import FrameCut
from models.training.data.rigs import CLASSES, KINDS, Likely, Rigged, RigPool, Strewn, strew
from models.training.data.rigs_draw import markers, stand, wires
from models.training.data.rigs_lookalikes import LOOKALIKES
from models.training.data.rigs_paint import FIGURE, MARKER, OTHER, PLANT, STAND, WIRE, PaintedLayer, Sheet, rigs_of
from models.training.evaluate import segment as evaluate_segment
from models.training.loop.trainer import Settings, Trainer
from models.training.recipes import segment
from nodes.picture import srgb_decode
from plugin.cli import remove

ENOUGH = Strewn(1, 1, 2, 1)


def sheet(height=96, width=128, grey=0.4):
    return Sheet(np.full((height, width, 3), grey, np.float32), np.zeros((height, width), np.uint8))


class Drawn:
    """Rigs on plain grey."""

    def example(self, rng, view, likely):
        ground = np.full((view.height, view.width, 3), 0.4, np.float32)
        return strew(rng, Sheet(ground, np.zeros((view.height, view.width), np.uint8)), ENOUGH, [])


class SmallStage(segment.SmallStage):
    steps, warmup, windows = 4, 1, ((64, 2),)


@pytest.mark.parametrize(("draw", "label"), [("markers", MARKER), ("wires", WIRE), ("stand", STAND)])
def test_a_rig_is_painted_and_labelled_in_the_same_place(draw, label):
    """Where the picture changed clearly there is a label, and where there is a label the picture changed."""
    shown, matched = 0, 0
    for seed in range(12):
        rng, page, middle = np.random.default_rng(seed), sheet(), np.array([64.0, 48.0], np.float32)
        if draw == "stand":
            stand(rng, page, middle)
        else:
            {"markers": markers, "wires": wires}[draw](rng, page, middle, 60.0)
        changed = np.abs(page.picture - 0.4).max(2) > 0.06
        assert set(np.unique(page.labels)) <= {OTHER, label}
        shown += int((page.labels == label).sum())
        matched += int((changed & (page.labels == label)).sum())
        assert (changed & (page.labels == OTHER)).sum() <= 0.5 * changed.sum() + 8
    assert shown > 500
    assert matched > 0.8 * shown


@pytest.mark.parametrize("draw", LOOKALIKES, ids=[draw.__name__ for draw in LOOKALIKES])
def test_lookalikes_are_pictures_without_a_rig(draw):
    page = sheet()
    for seed in range(4):
        draw(np.random.default_rng(seed), page, np.array([60.0, 50.0], np.float32), 80.0)
    assert (rigs_of(page.labels) == OTHER).all()
    named = draw.__name__ not in ("lights", "shadow")
    assert (page.labels > STAND).any() == named
    assert len(np.unique(page.labels)) <= 2
    assert (np.abs(page.picture - 0.4) > 0.02).any()
    assert np.isfinite(page.picture).all()


def test_figures_cover_rigs_and_their_labels():
    page = sheet()
    alpha = np.zeros((96, 128), np.float32)
    alpha[:, 64:] = 1
    page.labels[:] = STAND
    page.cover(PaintedLayer(np.zeros((96, 128, 3), np.float32), alpha, PLANT))
    assert (page.labels[:, 64:] == PLANT).all()
    assert (rigs_of(page.labels)[:, 64:] == OTHER).all()
    assert (page.labels[:, :64] == STAND).all()
    assert page.picture[0, 100, 0] == 0


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    pool.build(folder, sprites=2, scenes=2, processes=1)
    return folder


def test_examples_come_from_their_seed_alone(drawn):
    examples = RigPool(drawn)
    first, again = (examples.example(np.random.default_rng(3), FrameCut(80, 96, 1080)) for _ in range(2))
    np.testing.assert_array_equal(first.src, again.src)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.src.shape == (80, 96, 3)
    assert first.src.dtype == np.float32
    assert 0 <= first.src.min() <= first.src.max() <= 1
    seen = set()
    for seed in range(12):
        seen |= set(np.unique(examples.example(np.random.default_rng(seed), FrameCut(160, 160, 1080)).labels))
    assert seen == set(range(len(CLASSES)))


def test_mosaics_in_which_nothing_can_be_told_apart_are_rare(drawn, monkeypatch):
    monkeypatch.setattr(rigs.Pool, "__init__", _two_scenes)
    examples = RigPool(drawn)
    assert examples.shares == pytest.approx([0.2 / 1.2, 1.0 / 1.2])


def _two_scenes(self, folder, part):
    self.families, self.some_scenes, self.notes, self.some_sprites = ["leaves", "room"], np.arange(2), [], []


def test_easy_examples_have_nothing_that_looks_like_a_rig(drawn, monkeypatch):
    looked = []
    monkeypatch.setattr(rigs, "lookalike", lambda *_: looked.append(1))
    examples = RigPool(drawn)
    for seed in range(8):
        examples.example(np.random.default_rng(seed), FrameCut(96, 96, 1080), Likely(ease=1.0))
    assert not looked
    for seed in range(8):
        examples.example(np.random.default_rng(seed), FrameCut(96, 96, 1080))
    assert looked


def test_crowded_examples_hold_more_of_everything(drawn):
    examples = RigPool(drawn)
    few, many = (
        [
            examples.example(np.random.default_rng(seed), FrameCut(128, 128, 1080), Likely(crowd=crowd))
            for seed in range(24)
        ]
        for crowd in (0.0, 1.0)
    )
    for low, high in ((MARKER, STAND), (FIGURE, len(KINDS) - 1)):
        shares = [np.mean([((one.kinds >= low) & (one.kinds <= high)).mean() for one in some]) for some in (few, many)]
        assert shares[0] < shares[1]


def test_examples_without_rigs_still_hold_what_looks_like_them(drawn):
    examples = RigPool(drawn)
    view, without = FrameCut(128, 128, 1080), Likely(bare=1.0)
    kinds = [examples.example(np.random.default_rng(seed), view, without).kinds for seed in range(24)]
    assert not any((rigs_of(one) > 0).any() for one in kinds)
    assert any((one > STAND).any() for one in kinds)


def test_the_first_steps_are_easy_and_later_stages_hardly_are():
    stage = segment.SmallStage()
    assert [stage.likely(p).ease for p in (0.0, 0.1, 0.5)] == [1.0, pytest.approx(0.575), 0.15]
    large, frame = segment.LargeStage(), segment.FrameStage()
    assert max(large.likely(0.0).ease, frame.likely(0.0).ease) <= 0.05
    assert large.likely(1.0).crowd > frame.likely(0.0).crowd > frame.likely(1.0).crowd


def test_the_last_stage_keeps_batch_norms():
    model = segment.new_model()
    segment.FrameStage().set_mode(model)
    assert not any(module.training for module in model.modules())


def test_what_is_no_rig_counts_as_one_class_whatever_its_name():
    logits = torch.randn(2, len(KINDS), 5, 6)
    shares = logits.softmax(1)
    alone = segment.rigs_alone(logits).softmax(1)
    torch.testing.assert_close(alone[:, 1:], shares[:, 1 : len(CLASSES)])
    torch.testing.assert_close(alone[:, 0], 1 - shares[:, 1 : len(CLASSES)].sum(1))


def test_the_overlap_is_the_same_whatever_the_rest_is_called():
    torch.manual_seed(0)
    logits, labels = torch.randn(2, len(KINDS), 5, 6), torch.randint(len(KINDS), (2, 5, 6))
    alone = overlap_loss(segment.rigs_alone(logits), segment.rig_labels(labels), segment.RIGS)
    torch.testing.assert_close(alone, overlap_loss(logits, labels, segment.RIGS))


def test_a_wrong_name_hardly_matters_in_the_last_stage_but_a_missed_rig_does():
    stage = segment.FrameStage()
    labels = torch.full((1, 8, 8), PLANT)
    labels[:, :4] = WIRE

    def loss(upper, lower):
        logits = torch.zeros(1, len(KINDS), 8, 8)
        logits[:, upper, :4] = logits[:, lower, 4:] = 6.0
        said, rigs = (OCROutput(one, one) for one in (logits, segment.rigs_alone(logits)))
        return float(stage.named(said, rigs, labels, torch.ones(len(KINDS)))["total"])

    right = loss(WIRE, PLANT)
    misnamed, missed = loss(WIRE, FIGURE) - right, loss(PLANT, PLANT) - right
    assert 0 < misnamed < 0.1 * missed


def train(folder, until=None):
    torch.manual_seed(0)
    settings = Settings(folder, save_every=1, log_every=1, half=False)
    return Trainer(SmallStage(), segment.new_model(), Drawn(), settings).run(until)


def test_a_run_that_was_cut_off_goes_on_to_the_same_losses(tmp_path):
    whole = train(tmp_path / "whole")
    train(tmp_path / "cut", until=2)
    resumed = train(tmp_path / "cut")
    logs = [(tmp_path / name / "small.jsonl").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]
    assert all(np.isfinite(json.loads(line)["total"]) for line in logs[0].splitlines())
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)


def test_the_command_trains_all_stages_and_writes_weights_that_load(drawn, tmp_path, monkeypatch, capsys):
    import argparse

    for stage in segment.STAGES:
        monkeypatch.setattr(stage, "windows", ((64, 2),))
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    common = ["--out", str(tmp_path), "--pool", str(drawn), "--sprites", "2", "--scenes", "2", "--steps", "2"]
    assert cli.run(parser.parse_args(["segment", *common])) == 0
    written = tmp_path / "segment_rigs.safetensors"
    assert f"weights: {written}" in capsys.readouterr().out
    assert {path.name for path in tmp_path.glob("*.jsonl")} == {"small.jsonl", "large.jsonl", "frame.jsonl"}
    model = weights.build(weights.resolve(written, "Segment"))
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 66, 70)).out.shape == (1, len(KINDS), 66, 70)
    assert cli.run(parser.parse_args(["segment", *common, "--stage", "refine"])) == 1
    assert cli.run(parser.parse_args(["segment", *common, "--data", "folder"])) == 1
    text = capsys.readouterr().err
    assert "there is no stage 'refine' for these weights: the stages are small, large, frame" in text
    assert "segment trains on procedural pictures only" in text


def test_the_score_counts_overlap_and_coverage():
    truth = np.zeros((20, 20), np.uint8)
    truth[5:10, 5:10], truth[15, :] = MARKER, WIRE
    said = np.zeros((20, 20), np.uint8)
    said[5:10, 7:12] = MARKER
    mask = np.zeros((20, 20), bool)
    mask[13, :], mask[0, 0] = True, True
    found = evaluate_segment.Found(said, mask)
    score = evaluate_segment.measure(lambda picture: found, [Rigged(np.zeros((20, 20, 3), np.float32), truth)])
    assert score.iou[MARKER] == pytest.approx(15 / 35)
    assert score.iou[WIRE] == 0
    assert score.coverage[MARKER] > 0.99  # two pixels short, and grown by two
    assert score.coverage[WIRE] == 0
    assert score.all_covered == pytest.approx(25 / 45)
    assert list(score.removal[[MARKER, WIRE]]) == [0, 1]
    assert score.all_removed == pytest.approx(20 / 45)
    assert score.wiped == 5 * 20 + 7
    assert any("marker" in line and "0.429" in line for line in evaluate_segment.table(score))


def test_the_mask_for_removal_is_what_the_command_asks_of_segment():
    assert {f"threshold={evaluate_segment.REMOVED}", "dropShort=false"} < set(remove.FINDING)


def test_families_of_scenes_follow_one_another(monkeypatch):
    asked = []

    def plain(rng, height, width, family):
        asked.append(family)
        return np.full((height, width, 3), 0.5, np.float32)

    monkeypatch.setattr(evaluate_segment, "background", plain)
    monkeypatch.setattr(evaluate_segment, "HEIGHT", 135)
    monkeypatch.setattr(evaluate_segment, "WIDTH", 240)
    for number in range(8):
        evaluate_segment.scene(number)
    assert asked == [*evaluate_segment.FILMED, *evaluate_segment.FILMED[:2]]
    assert "leaves" not in asked
    evaluate_segment.scene(1, ["leaves"])
    assert asked[-1] == "leaves"


def test_unseen_scenes_hold_every_class(monkeypatch):
    monkeypatch.setattr(evaluate_segment, "HEIGHT", 270)
    monkeypatch.setattr(evaluate_segment, "WIDTH", 480)
    shown = [evaluate_segment.scene(number) for number in range(3)]
    assert {int(k) for one in shown for k in np.unique(one.labels)} == set(range(len(CLASSES)))
    assert shown[0].src.shape == (270, 480, 3)


class Looker(torch.nn.Module):
    """Says marker where the picture is bright, and remembers how large the pictures were."""

    def __init__(self, window, scales=(1.0,)):
        super().__init__()
        self.window, self.scales, self.sizes = window, scales, []
        self.gain = torch.nn.Parameter(torch.tensor(10.0))

    def forward(self, x):
        self.sizes.append(tuple(x.shape[2:]))
        logits = torch.zeros(1, len(KINDS), *x.shape[2:])
        logits[:, MARKER] = x[:, 0] * self.gain
        return OCROutput(logits, logits)


def test_a_picture_is_judged_in_tiles_of_the_size_that_the_network_learned_from():
    shown = np.random.default_rng(1).random((150, 210, 3), np.float32)
    looker, whole = Looker(64), Looker(0)
    for tiled, at_once in zip(evaluate_segment.find(looker, shown), evaluate_segment.find(whole, shown), strict=True):
        np.testing.assert_array_equal(tiled, at_once)
        assert len(np.unique(tiled)) == 2
    assert set(looker.sizes) == {(64, 64)}
    assert whole.sizes == [(150, 210)]
    several = Looker(64, (0.5, 1.0))
    found = evaluate_segment.find(several, shown)
    assert set(several.sizes) == {(64, 64)}
    assert (found.labels == evaluate_segment.find(looker, shown).labels).mean() > 0.6
    np.testing.assert_array_equal(
        evaluate_segment.find(several, shown, scales=(1,)), evaluate_segment.find(looker, shown)
    )
    assert segment.FrameStage.windows == ((segment.OPTIONS["window"], 1),)


BUNDLED = Path(weights.__file__).parent / "bundled" / "segment_rigs.safetensors"


class BundledDevice(LocalDevice):
    def __init__(self):
        self.network = evaluate_segment.load(BUNDLED)
        super().__init__(**weights.resolve(BUNDLED).options)

    def model(self, *which):
        return self.network


def test_what_is_judged_is_what_the_node_makes():
    device, shown = BundledDevice(), evaluate_segment.scene(0).src[300:556, 200:520]
    expected = evaluate_segment.find(device.network, shown, flip=True)
    inputs = ArrayInputs(Source=picture(srgb_decode(torch.from_numpy(shown)).numpy()))
    settings = {"classList": "rigs_and_lookalikes", "classes": "marker, wire, stand", "flip": True}
    likely = render("Segment", 1, inputs, device, classLayers=True, **settings).images
    layers = [likely[f"class {name}"] for name in CLASSES[1:]]
    labels = np.concatenate([1 - likely["alpha"], *layers], axis=2).argmax(2)
    assert expected.labels.any()
    assert (labels == expected.labels).mean() > 0.9999
    asked = dict(text.split("=") for text in remove.FINDING)
    mask = render("Segment", 1, inputs, device, **settings, **asked).images["alpha"][..., 0]
    assert ((mask >= 0.5) == expected.mask).mean() > 0.9999


def test_the_bundled_weights_find_unseen_rigs():
    model = evaluate_segment.load(BUNDLED)
    shown = [evaluate_segment.scene(number) for number in range(len(evaluate_segment.FILMED))]
    score = evaluate_segment.measure(lambda picture: evaluate_segment.find(model, picture, scales=(1,)), shown)
    assert score.all_covered > 0.9
    assert (score.iou[1:] > [0.62, 0.66, 0.93]).all()
