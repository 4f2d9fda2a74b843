"""The part of `make quality` about removal: the truth is only covered where the mask says, and rows can be made."""

import numpy as np
import pytest
from worker_tools import own_runtime

from plugin.measuring import quality, quality_keys, quality_removal
from plugin.measuring.quality_shots import Form

TINY = Form(5, 64, 96)


@pytest.fixture(scope="module")
def truths():
    return quality_removal.truths_of(TINY, None)


def test_shots_move_and_are_covered_where_the_mask_says(truths) -> None:
    for name, truth in truths.items():
        assert truth.shape == (5, 64, 96, 3)
        assert np.abs(np.diff(truth.astype(int), axis=0)).mean() > 2
        for cover in (quality_removal._figure, quality_removal._pole):
            shot = cover(name, truth)
            assert 0.01 < shot.mask.mean() < 0.3
            assert np.abs(shot.seen.astype(int) - truth)[shot.mask == 0].max() <= 6
            assert np.abs(shot.seen.astype(int) - truth)[shot.mask == 1].mean() > 10


def test_what_is_left_in_place_has_its_error_and_the_truth_has_none(truths) -> None:
    shot = quality_removal._pole("depth", truths["depth"])
    assert quality_removal._scores(shot.truth / np.float32(255), shot) == [0, 0]
    error, change = quality_removal._scores(shot.seen / np.float32(255), shot)
    assert error > 50
    assert change > 5


def test_the_rows_of_a_tiny_shot(tmp_path, monkeypatch, truths) -> None:
    monkeypatch.setattr(quality_removal, "MODES", ("motion",))
    monkeypatch.setattr(quality_removal, "truths_of", lambda form, clip: {"depth": truths["depth"]})
    with own_runtime():
        table = quality.measure("removal", (), {"removal": lambda _: quality_removal.removal(form=TINY)})
    assert [method for method, _ in table.rows] == [quality_removal.TELEA, "motion"]
    assert all(len(values) == len(table.columns) == 4 for _, values in table.rows)
    table.write_pictures(tmp_path / "removal.jpg")
    assert [case.title for case in table.cases] == ["good", "bad"]


def test_the_rows_of_a_tiny_key(tmp_path, monkeypatch) -> None:
    form = Form(4, 96, 128)
    monkeypatch.setattr(quality_keys, "truths_of", lambda *_: {"depth": quality_removal.truths_of(form, None)["depth"]})
    with own_runtime():
        table = quality.measure("key-without-plate", (), {"key-without-plate": lambda _: quality_keys.keys(form=form)})
    assert [method for method, _ in table.rows] == [quality_keys.TRUE, quality_keys.FOUND, quality_keys.FOLLOWED]
    assert all(len(values) == len(table.columns) == 2 for _, values in table.rows)
    table.write_pictures(tmp_path / "keys.jpg")
