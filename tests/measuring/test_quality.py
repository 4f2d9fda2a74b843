"""`make quality`: the tables are right, and weights that are missing are named."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from worker_tools import own_runtime

import models
from models import weights
from models.training.data.rigs import Rigged
from models.training.data.rigs_paint import CLASSES
from models.training.evaluate import bgmv2 as evaluate
from models.training.evaluate import segment as evaluate_segment
from models.weights import registry
from plugin.measuring import quality, quality_fills, quality_masks, quality_mattes
from plugin.measuring.quality_table import Case, Table, best_and_worst


def test_a_table_is_markdown_with_three_digits():
    table = Table("Segment", "Something.", ["IoU", "covered"], [("ours", [0.98765, 12.345]), ("theirs", "missing")])
    assert list(table.lines()) == [
        "**Segment**. Something.",
        "",
        "| method | IoU | covered |",
        "|---|---|---|",
        "| ours | 0.988 | 12.3 |",
        "| theirs | missing |  |",
    ]


def test_numbers_that_are_not_there_are_left_empty():
    table = Table("Segment", "Something.", ["a", "b"], [("ours", [0.0, float("nan")])])
    assert list(table.lines())[-1] == "| ours | 0 |  |"


def test_good_and_bad_cases():
    assert best_and_worst([3.0, 1.0, 2.0]) == {"good": 1, "bad": 0}
    assert best_and_worst([3.0]) == {"only": 0}


def test_cases_stand_side_by_side(tmp_path):
    picture = np.zeros((90, 300, 3), np.float32)
    picture[..., 0] = 1
    case = Case("good", [("source", picture), ("matte", picture[..., 0])])
    Table("A", "", [], cases=[case, case]).write_pictures(tmp_path / "sub/a.jpg")
    shown = cv2.imread(str(tmp_path / "sub/a.jpg"))[..., ::-1]
    assert shown.shape == (2 * (20 + 90), 2 * 300 + 3, 3)
    assert np.abs(shown[60, 150].astype(int) - [255, 0, 0]).max() < 12
    assert shown[60, 450].min() > 240


@pytest.fixture
def no_files(monkeypatch, tmp_path):
    """Bundled weights that the registry knows and the disk does not."""
    entry = next(entry for entry in registry.entries().values() if entry.bundled)
    made = {f"made_{node}": dataclasses.replace(entry, id=f"made_{node}", node=node) for node in ("Inpaint", "Segment")}
    monkeypatch.setattr(registry, "entries", lambda: made)
    monkeypatch.setattr(registry, "BUNDLED", tmp_path)


@pytest.fixture
def small(monkeypatch):
    for module, size in ((quality_fills, (96, 160)), (evaluate, (180, 320)), (evaluate_segment, (180, 320))):
        monkeypatch.setattr(module, "HEIGHT", size[0])
        monkeypatch.setattr(module, "WIDTH", size[1])
    tables = {
        "inpaint": lambda files: quality_fills.inpaint(files, 2),
        "segment": lambda files: quality_masks.segment(files, 2),
        "background-matte": lambda files: quality_mattes.background_matte(files, 2),
    }
    monkeypatch.setattr(quality, "TABLES", tables)


@pytest.mark.usefixtures("no_files", "small")
def test_missing_weights_get_a_row_that_says_so(capsys):
    assert quality.main(["--nodes", "inpaint,segment,background-matte"]) == 0
    out = capsys.readouterr().out
    assert "| bundled made_Inpaint | the file is missing |" in out
    assert "| bundled made_Segment | the file is missing |" in out
    assert "| bundled weights | there are none for BackgroundMatte yet |" in out
    assert out.count("diffusion (Laplace)") == out.count("local contrast") == out.count("difference keyer") == 1


@pytest.mark.usefixtures("small")
def test_weights_by_file_are_measured_and_shown(tmp_path, capsys):
    torch.manual_seed(0)
    options = {"n_blocks": 1, "width": 8}
    file = tmp_path / "own.safetensors"
    weights.save(file, models.create("lama", **options).state_dict(), "lama", options, licence="Apache-2.0", source="t")
    assert quality.main(["--nodes", "inpaint", "--weights", f"inpaint={file}", "--pictures", str(tmp_path)]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| own, the network alone |")]
    assert len(rows) == 1
    mae, ssim, worst = (float(cell) for cell in rows[0].split("|")[2:5])
    assert 0 < mae < worst
    assert 0 < ssim < 1
    assert cv2.imread(str(tmp_path / "quality_inpaint.jpg")) is not None
    with pytest.raises(SystemExit):
        quality.main(["--nodes", "paint"])


def test_local_contrast_is_tuned_for_each_class():
    """Against trying every threshold."""
    rng = np.random.default_rng(4)
    shown = []
    for _ in range(2):
        labels = rng.choice(len(CLASSES), (30, 40), p=[0.85, 0.05, 0.05, 0.05]).astype(np.uint8)
        picture = np.repeat((0.3 + 0.15 * labels + rng.normal(0, 0.05, labels.shape))[..., None], 3, 2).clip(0, 1)
        shown.append(Rigged(picture.astype(np.float32), labels))
    expected = np.zeros(len(CLASSES))
    for window in quality_masks.WINDOWS:
        contrasts = [quality_masks.local_contrast(one.src, window) for one in shown]
        for k in range(len(CLASSES)):
            for threshold in range(256):
                said = [contrast >= threshold for contrast in contrasts]
                both = sum(int((s & (one.labels == k)).sum()) for s, one in zip(said, shown, strict=True))
                either = sum(int((s | (one.labels == k)).sum()) for s, one in zip(said, shown, strict=True))
                expected[k] = max(expected[k], both / either) if either else expected[k]
    assert quality_masks.contrast_iou(shown) == pytest.approx(expected[1:])


def test_what_is_bundled_is_found():
    there, missing = quality.bundled("background-matte")
    assert "bgmv2_mobilenetv2" in [file.stem for file in there]
    assert not missing


@pytest.mark.usefixtures("small")
def test_the_bundled_weights_are_measured_alone_and_in_the_node():
    with own_runtime():
        table = quality.measure("background-matte")
    names = [name for name, _ in table.rows]
    assert names[:2] == [
        "bgmv2_mobilenetv2, the network alone",
        "bgmv2_mobilenetv2, the node at its defaults",
    ]
    node, keyer = table.rows[1][1], table.rows[-1][1]
    assert node[0] < keyer[0]
    assert node != table.rows[0][1]
    assert [case.title for case in table.cases] == ["good", "bad"]
