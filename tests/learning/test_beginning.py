"""What learning begins with, and under which terms its weights come."""

from __future__ import annotations

from pathlib import Path

import pytest
from learning_shot import write_keys, write_shot
from local_render import Events
from safetensors.torch import save_file

import models
from nodes.errors import CleanplateError
from nodes.learning.card import Card
from plugin.learning import learn
from plugin.learning.lessons import lessons_of
from plugin.learning.request import LearnPlan, LearnRequest, ShotAndKeys, plan_learning


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shot(tmp_path)
    write_keys(tmp_path)
    return tmp_path


def plan(folder: Path, start: str = "") -> LearnPlan:
    pair = ShotAndKeys(f"{folder}/shot.####.exr", f"{folder}/roto.####.exr", "")
    return plan_learning(LearnRequest([pair], f"{folder}/out.safetensors", start=start))


def somebodys(folder: Path, network: str, **options: str) -> str:
    path = f"{folder}/somebodys.safetensors"
    save_file(models.create(network, **options).state_dict(), path)
    return path


def test_what_nobody_named_begins_as_the_bundled_video_matte_and_is_the_artists(folder) -> None:
    one = plan(folder)
    assert one.start.name == "video_matte_mobilenetv3"
    begun = learn._begin(one, lessons_of(one, Events()))
    assert (begun.licence, begun.fresh) == ("yours", True)
    network = models.create("learned", kind="matte")
    network.load_state_dict(begun.tensors)


def test_what_is_made_of_somebodys_weights_stays_under_their_terms(folder) -> None:
    one = plan(folder, somebodys(folder, "rvm", variant="mobilenetv3"))
    begun = learn._begin(one, lessons_of(one, Events()))
    assert begun.licence == one.start.licence == "unknown"
    card = Card("matte", [], {"exposure": 0.0, "licence": begun.licence}, "today", 1.0, 1)
    one.files.write_weights(begun.tensors, card)
    from models.weights.formats.checkpoint import open_checkpoint

    with open_checkpoint(Path(one.files.weights)) as file:
        assert file.metadata["licence"] == "unknown"


@pytest.mark.parametrize(("network", "options"), [("rvm", {"variant": "resnet50"}), ("bgmv2", {})])
def test_weights_of_another_body_are_no_start(folder, network, options) -> None:
    with pytest.raises(CleanplateError, match=r"--from .*somebodys.safetensors is no start for learning"):
        plan(folder, somebodys(folder, network, **options))
