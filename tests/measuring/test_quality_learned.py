"""The part of `make quality` about key frames: its numbers are right, and a row can be made of a tiny shot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from worker_tools import own_runtime

from nodes.errors import CleanplateError
from nodes.footage.reader import Footage
from nodes.footage.window import Window
from nodes.learning.card import Card, TaughtShot
from nodes.learning.region import Region
from plugin.measuring import learning, quality, quality_learned, quality_shots
from plugin.measuring.learning import Budget, Schooling
from plugin.measuring.quality_learned import How
from plugin.measuring.quality_shots import Form, TrueShot

TINY = Form(12, 54, 96)


@pytest.fixture(scope="module")
def marked() -> TrueShot:
    return quality_shots.marked(TINY)


@pytest.fixture(autouse=True)
def one_subject(monkeypatch) -> None:
    monkeypatch.setattr(quality_shots, "SUBJECTS", {"animal": 2})


def moved_square(count: int = 8) -> TrueShot:
    """A textured square that goes two pixels a frame over a wall."""
    rng = np.random.default_rng(0)
    wall, skin = (cv2.GaussianBlur(rng.uniform(0, 255, (128, 192, 3)), (0, 0), 2) for _ in range(2))
    pictures, mattes = [], []
    for at in range(count):
        matte = np.zeros((128, 192), np.float32)
        matte[32:96, 40 + 2 * at : 104 + 2 * at] = 1
        pictures.append(np.where(matte[..., None] > 0, np.roll(skin, 2 * at, 1), wall).astype(np.uint8))
        mattes.append(matte)
    return TrueShot("square", np.stack(pictures), np.stack(mattes))


def test_only_the_marker_differs_from_the_clean_wall(marked) -> None:
    assert marked.clean is not None
    differs = (marked.pictures != marked.clean).any(-1)
    assert differs.any()
    assert not (differs & (marked.mattes == 0)).any()
    assert not np.array_equal(marked.clean[0], marked.clean[6])


def test_keys_are_held_and_carried() -> None:
    shot = moved_square()
    held = quality_learned.held(shot, [0, 7])
    assert [np.array_equal(held[at], shot.mattes[0]) for at in range(8)] == [True] * 4 + [False] * 4
    carried = quality_learned.carried_by_flow(shot, [0, 7])
    assert np.array_equal(carried[[0, 7]], shot.mattes[[0, 7]])
    wrong = [quality_learned.mean_error(mattes, shot.mattes, [1, 8]) for mattes in (held, carried)]
    assert wrong[1] < 0.7 * wrong[0]


def test_frames_with_a_key_do_not_count() -> None:
    truth = np.zeros((4, 2, 2), np.float32)
    said = truth.copy()
    said[0], said[1:3], said[3] = 1, [[[0.01]], [[0.03]]], 1
    assert quality_learned.mean_error(said, truth, [1, 4]) == pytest.approx(20)


class Pretended:
    """Learning that is as wrong as it is told to be, and names frame 5 as the next key."""

    def __init__(self, truth: np.ndarray, wrong: Mapping[str, float]) -> None:
        self.truth, self.wrong, self.keys = truth, wrong, {}

    def teach(self, source: str, keys: str, out: Path, budget: Budget, start: str = "") -> Schooling:
        out.touch()
        self.keys[out.name] = Footage(keys, kind="either").frames()
        window = Window(0, 0, *self.truth.shape[:0:-1])
        shot = TaughtShot("shot", [1], False, Region.around(Footage(source).frame(1), [window]), {}, [5])
        return Schooling(Card("matte", [shot], {}, "", 1.0, 7), 2 * 10**9)

    def render(self, source: str, taught: Path, folder: Path, passes: list[str]) -> dict[str, list[np.ndarray]]:
        off = self.wrong[taught.name]
        return {name: [(frame + off)[..., None] for frame in self.truth] for name in passes}


def test_a_row_holds_errors_shares_of_the_baseline_and_memory(monkeypatch, tmp_path) -> None:
    shot = moved_square()
    wrong = {"learned.safetensors": 0.01, "fifth_as.safetensors": 0.002, "fifth_in.safetensors": 0.004}
    pretended = Pretended(shot.mattes, wrong)
    monkeypatch.setattr(learning, "teach", pretended.teach)
    monkeypatch.setattr(learning, "render", pretended.render)
    monkeypatch.setattr(learning, "pixels_of", iter)
    table = quality_learned.Table("Learned", "", quality_learned.COLUMNS)
    one = quality_learned._Mattes(shot, How(form=Form(8, 128, 192), fifth=True))
    one.learn(tmp_path, "", table)
    names, rows = zip(*table.rows, strict=True)
    assert names[2:] == (
        "square: learned, 7 steps",
        "square: and a fifth key, 5, as it says, 7 steps more",
        "square: and a fifth key, 4, in the middle of the longest gap, 7 steps more",
    )
    flow_error = rows[1][0]
    assert rows[2][:4] == pytest.approx([10, 0, 10 / flow_error, 0], abs=1e-3)
    assert rows[2][-1] == 2
    assert [row[0] for row in rows[3:]] == pytest.approx([2, 4], abs=1e-3)
    assert pretended.keys["fifth_as.safetensors"] == [1, 3, 5, 6, 8]
    assert [case.title for case in table.cases] == ["good", "bad"]


def test_a_row_is_made_of_a_tiny_shot(tmp_path) -> None:
    with own_runtime():
        table = quality_learned.learned([], How(Budget(1.0, 2), TINY))
    assert [name for name, _ in table.rows] == [
        "animal: nearest key held",
        "animal: both keys carried by flow",
        "animal: learned, 2 steps",
        "marker: learned, 2 steps",
    ]
    matte, mark = table.rows[2][1], table.rows[3][1]
    assert np.isfinite([*matte[:4], matte[-1], *mark[4:]]).all()
    assert 0 < matte[0] < 500
    assert 0 <= mark[4] < 2
    assert 0 <= mark[5] <= 100
    table.write_pictures(tmp_path / "learned.jpg")


def test_the_memory_of_a_command_is_its_own() -> None:
    mine = np.ones(400_000_000, np.uint8)
    assert learning._run(["--version"]) < mine.nbytes
    with pytest.raises(CleanplateError, match="'cleanplate nonsense' ended with status 2"):
        learning._run(["nonsense"])


def test_the_command_says_how_it_is_learned(monkeypatch, capsys) -> None:
    asked = []

    def learned(starts: list[Path], how: How) -> quality_learned.Table:
        asked.append(how)
        return quality_learned.Table("Learned", "", ["MAD"])

    monkeypatch.setattr(quality_learned, "learned", learned)
    assert quality.main(["--nodes", "learned", "--minutes", "3", "--fifth-key"]) == 0
    assert asked == [How(Budget(3.0), fifth=True)]
    assert "there are none" not in capsys.readouterr().out


def test_cases_are_frames_away_from_keys_and_marks_are_shown_large(marked) -> None:
    shot = moved_square()
    one = quality_learned._Mattes(shot, How(form=Form(8, 128, 192)))
    cases = one._cases(shot.mattes, shot.mattes)
    assert not {case.pictures[1][0] for case in cases} & {f"source {key}" for key in one.keys}
    part = quality_learned._around(marked.mattes[0], marked.pictures[0])
    assert part.shape == (9, 16, 3)
    shown = quality_learned._around(marked.mattes[0], marked.mattes[0])
    assert np.count_nonzero(shown) == np.count_nonzero(marked.mattes[0])


def test_ones_own_subject_stands_over_ones_own_clip(tmp_path) -> None:
    figure = np.zeros((40, 40, 4), np.uint8)
    figure[5:35, 5:35] = (0, 0, 255, 255)  # red, as OpenCV writes it
    cv2.imwrite(str(tmp_path / "figure.png"), figure)
    for frame in range(4):
        cv2.imwrite(str(tmp_path / f"frame.{frame:04d}.png"), np.full((54, 96, 3), (255, 0, 0), np.uint8))
    own = quality_shots.own(tmp_path / "figure.png", tmp_path / "frame.%04d.png", Form(4, 54, 96))
    inside, outside = own.mattes > 0.99, own.mattes == 0
    assert inside.any()
    assert (own.pictures[inside][:, 0] > own.pictures[inside][:, 2] + 100).all()
    assert (own.pictures[outside][:, 2] > 200).all()
    with pytest.raises(OSError, match="ends after 4 frames: the shot needs 5"):
        quality_shots.own(None, tmp_path / "frame.%04d.png", Form(5, 54, 96))
    with pytest.raises(OSError, match=r"frame\.0001\.png is no picture with alpha"):
        quality_shots.own(tmp_path / "frame.0001.png", None, Form(4, 54, 96))
