"""What is refused or decided before the first frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nodes import catalogue
from nodes.errors import CleanplateError, ParameterError
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from nodes.footage.writer import write_frame
from plugin.rendering import used_weights
from plugin.rendering.plan import Plan, Request, plan


def fill(folder: Path, *channels: str, awaited: tuple[str, ...] = (), **settings: str) -> Plan:
    """Inpaint without a mask, planned for frames with these channels; one without channels is no picture."""
    for number, names in enumerate(channels, 1001):
        path = folder / f"shot.{number}.exr"
        pixels = np.full((8, 12, len(names)), 0.5, np.float32)
        window = Window(0, 0, 12, 8)
        if names:
            write_frame(str(path), [("", names, pixels)], Frame(pixels, tuple(names), window, window))
        else:
            path.write_bytes(b"no picture")
    shot = {"source": str(folder / "shot.####.exr")}
    return plan(
        Request("inpaint", shot, str(folder / "out.####.exr"), settings={"model": "smooth", **settings}), awaited
    )


@pytest.mark.parametrize("channels", [("RGB",), ("RGB", "RGB"), ("", "RGB")])
def test_a_forgotten_mask_is_one_sentence_before_the_first_frame(tmp_path: Path, channels: tuple[str, ...]) -> None:
    """It used to fail as often as there were frames."""
    with pytest.raises(ParameterError, match=r"^inpaint has no Mask, and no frame of .*shot.#+.exr has alpha .*: give"):
        fill(tmp_path, *channels)


def test_a_mask_that_is_made_before_the_render_is_not_forgotten(tmp_path: Path) -> None:
    assert fill(tmp_path, "RGB", awaited=("mask",)).shot.frames == [1001]


@pytest.mark.parametrize("channels", [("RGBA", "RGB"), ("RGB", "RGBA"), ("",)])
def test_frames_without_alpha_beside_others_fail_alone(tmp_path: Path, channels: tuple[str, ...]) -> None:
    assert len(fill(tmp_path, *channels).shot.frames) == len(channels)


def test_a_file_that_is_called_like_a_choice_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the shell held a file `smooth`, and whatever was in it went into the keys of all frames."""
    monkeypatch.chdir(tmp_path)
    before = fill(tmp_path, "RGBA").shot.key(1001)
    (tmp_path / "smooth").write_text("a file of the artist's")
    assert fill(tmp_path, "RGBA").shot.key(1001) == before


def test_the_weights_of_nodes_that_are_asked_are_planned_too() -> None:
    """Each with its own default: what is said of weights is said of the node's own."""
    face = catalogue.find("key-without-plate")

    def names(**settings: str) -> list[str]:
        return [ref.name for ref in used_weights.planned(face, face.parse(settings))]

    assert names() == ["bgmv2_mobilenetv2", "inpaint_detail"]
    assert names(weights="bgmv2_mobilenetv2", model="lama detail") == ["bgmv2_mobilenetv2", "inpaint_detail"]
    assert names(model="smooth") == ["bgmv2_mobilenetv2"]
    with pytest.raises(CleanplateError, match="inpaint_detail"):
        names(weights="inpaint_detail")
