"""The engine alone, with a pupil that says what the test wants: sizes, windows, key frames, what stays bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learning_shot import KEYS
from local_engine import ArrayInputs, LocalDevice, picture, render

import models
from models import weights
from models.learning.lesson import Predicted
from models.weights import WeightsRef
from nodes.engine import Passes
from nodes.errors import CleanplateError
from nodes.footage.colour.space import ColourSpace
from nodes.footage.colour.spaces import by_name
from nodes.footage.window import Window
from nodes.learning import taught
from nodes.learning.card import Card, TaughtShot
from nodes.learning.region import MOST_PIXELS, Region
from plugin.learning.files import Files

RNG = np.random.default_rng(7)
HEIGHT, WIDTH = 40, 60
SHOT = TaughtShot("shot.####.exr", KEYS, False, Region(0, 0, WIDTH, HEIGHT, WIDTH, HEIGHT))


class Device(LocalDevice):
    """Knows the weights of one file."""

    def __init__(self, path: str, kind: str) -> None:
        super().__init__(kind=kind)
        self.path = path

    def weights_of(self, weights_name: str, network: str | Sequence[str], options: Any = None) -> WeightsRef:
        return weights.resolve(self.path)


@pytest.fixture
def learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Passes]:
    """Renders frame 1003 with weights of `kind` that say `answer(picture, frame, plate)`."""

    def renders(
        answer: Callable[..., Any], inputs: ArrayInputs, kind: str = "matte", frame: int = 1003, **how: Any
    ) -> Passes:
        def pupil(network: Any, shot: Any) -> Callable[..., Predicted]:
            def predict(seen: Any, frame: int, plate: Any = None) -> Predicted:
                value = np.asarray(answer(seen, frame, plate), np.float32)
                return Predicted(value, np.full(value.shape[:2], 0.25, np.float32))

            return predict

        monkeypatch.setattr(taught, "Pupil", pupil)
        files = Files(f"{tmp_path}/{kind}.safetensors")
        shot = how.pop("shot", SHOT)
        card = Card(kind, [shot], {"exposure": how.pop("taught_exposure", 0.0)}, "today", 1.0, 1)
        torch.manual_seed(1)  # the same file each time
        network = models.create("learned", kind=kind)
        files.write_weights({**network.state_dict(), "shot.x": torch.zeros(1)}, card)
        device = how.pop("device", None) or Device(files.weights, kind)
        return render("Learned", frame, inputs, device, removeIslands=0.0, **how)

    return renders


def half(seen: Any, frame: int, plate: Any) -> Any:
    """Solid on the left, a quarter on the right."""
    alpha = np.full((*seen.shape[:2], 1), 0.25, np.float32)
    alpha[:, : seen.shape[1] // 2] = 1
    return alpha


def unchanged(seen: Any, frame: int, plate: Any) -> Any:
    return seen / np.float32(255)


def patched(seen: Any, frame: int, plate: Any) -> Any:
    """A square of mid grey in the upper left quarter."""
    value = seen / np.float32(255)
    value[8:16, 10:20] = 0.5
    return value


def shot(height: int = HEIGHT, width: int = WIDTH, **more: Any) -> ArrayInputs:
    return ArrayInputs(Source=picture(RNG.random((height, width, 3)) * 1.5 - 0.1), **more)


def source_of(inputs: ArrayInputs) -> Any:
    frame = inputs.inputs["Source"]
    assert not isinstance(frame, dict)
    return frame.pixels  # type: ignore[union-attr]


def test_a_matte_has_its_passes_and_leaves_the_source_where_it_is_solid(learned) -> None:
    inputs = shot()
    images = learned(half, inputs).images
    assert {name: image.shape[2] for name, image in images.items()} == {
        "premultiplied": 4,
        "alpha": 1,
        "foreground": 3,
        "confidence": 1,
        "picture": 3,
    }
    np.testing.assert_array_equal(images["alpha"], half(source_of(inputs), 0, None))
    np.testing.assert_array_equal(images["foreground"][:, :30], source_of(inputs)[:, :30])
    np.testing.assert_allclose(
        images["premultiplied"][..., :3], images["foreground"] * images["alpha"], rtol=1e-6, atol=1e-7
    )
    assert (images["confidence"] == 0.25).all()
    assert not images["picture"].any()


def test_a_plate_larger_than_the_network_sees_gets_edges_of_its_own(learned) -> None:
    height, width = 720, 1280
    pixels = np.full((height, width, 3), 0.05)
    pixels[:, :643] = 0.8
    seen: list[tuple[int, int]] = []

    def answer(small: Any, frame: int, plate: Any) -> Any:
        seen.append(small.shape[:2])
        # A pixel at the edge is covered in part, which its light tells.
        return np.clip((((small[..., :1] / 255 + 0.055) / 1.055) ** 2.4 - 0.05) / 0.75, 0, 1)

    region = Region(0, 0, width, height, width, height)
    images = learned(answer, ArrayInputs(Source=picture(pixels)), shot=TaughtShot("s", KEYS, False, region)).images
    assert 0.99 * MOST_PIXELS < seen[0][0] * seen[0][1] <= MOST_PIXELS
    expected = (pixels[..., :1] > 0.5).astype(np.float32)
    assert np.abs(images["alpha"] - expected).max() < 0.05


def test_the_region_is_laid_on_the_format_and_its_border_goes_on_beyond(learned) -> None:
    display = Window(100, 50, WIDTH, HEIGHT)
    pixels = RNG.random((HEIGHT + 6, WIDTH + 10, 3))
    inputs = ArrayInputs(Source=picture(pixels, at=(95, 47), display=display))
    images = learned(half, inputs).images
    assert images["alpha"].shape == (HEIGHT + 6, WIDTH + 10, 1)
    assert (images["alpha"][:, :35] == 1).all()
    assert (images["alpha"][:, 35:] == 0.25).all()


def test_another_format_is_seen_in_the_same_part(learned) -> None:
    wide = TaughtShot("s", KEYS, False, Region(-6, -4, WIDTH + 12, HEIGHT + 8, WIDTH, HEIGHT))
    seen: list[tuple[int, ...]] = []

    def answer(small: Any, frame: int, plate: Any) -> Any:
        seen.append(small.shape)
        return half(small, frame, plate)

    learned(answer, shot(2 * HEIGHT, 2 * WIDTH), shot=wide)
    assert seen == [(2 * HEIGHT + 16, 2 * WIDTH + 24, 3)]


def test_a_key_frame_is_shown_where_an_artist_painted_one(learned) -> None:
    key = RNG.random((HEIGHT, WIDTH, 1)).astype(np.float32)
    keys = {1003: picture(key, "A"), 1004: picture(key, "A")}
    garbage = np.zeros((HEIGHT, WIDTH, 1))
    garbage[:5] = 1
    inputs = shot(Keys=keys, OutM=picture(garbage, "A"))
    images = learned(half, inputs, alphaBlack=0.5).images
    np.testing.assert_allclose(images["alpha"][5:], key[5:], atol=1e-3)
    assert not images["alpha"][:5].any()
    assert (images["confidence"] == 1).all()
    for settings in ({"keyFrames": "1001,1004"}, {"showKeys": False}):
        others = learned(half, inputs, **settings).images
        assert (others["confidence"] == 0.25).all()


def test_of_what_a_host_delivers_the_frames_count_that_were_taught(learned) -> None:
    inputs = shot(Keys=picture(np.full((HEIGHT, WIDTH, 1), 0.5), "A"))
    assert learned(half, inputs, frame=KEYS[1]).info["keyFrame"] == 1
    assert learned(half, inputs, frame=KEYS[1] + 1).info["keyFrame"] == 0


def test_a_picture_changes_nothing_that_the_weights_leave_alone(learned) -> None:
    inputs = shot()
    source = source_of(inputs)
    source[0, 0], source[1, 1] = np.nan, [70000, -5, 0.5]
    images = learned(unchanged, inputs, "picture").images
    for name in ("picture", "foreground"):
        np.testing.assert_array_equal(images[name].view(np.uint32), source.view(np.uint32))
    np.testing.assert_array_equal(images["premultiplied"][..., :3].view(np.uint32), source.view(np.uint32))
    assert (images["premultiplied"][..., 3] == 1).all()
    assert not images["alpha"].any()


def test_a_picture_changes_what_differs_and_fades_over_the_feather(learned) -> None:
    inputs = shot()
    source = source_of(inputs)
    source[:] = 0.9
    source[10, 12] = [np.nan, 8.0, 0.9]
    images = learned(patched, inputs, "picture", changeFeather=3.0).images
    changed = images["picture"] != source
    assert images["alpha"][8:16, 10:20].min() == 1
    # A broken pixel and a lamp in the square are gone with what else was there.
    np.testing.assert_allclose(images["picture"][8:16, 10:20], 0.214041, atol=2e-3)
    assert not changed[:5].any()
    assert not changed[19:].any()
    assert not changed[:, :7].any()
    assert not changed[:, 23:].any()
    fading = images["alpha"][7, 10:20]
    assert ((fading > 0) & (fading < 1)).all()


def test_a_picture_comes_out_in_the_space_of_the_source(learned) -> None:
    acescg: ColourSpace = by_name("ACEScg")
    inputs = ArrayInputs(Source=picture(np.full((HEIGHT, WIDTH, 3), 0.9), colour=acescg))
    images = learned(patched, inputs, "picture").images
    np.testing.assert_allclose(images["picture"][9, 12], 0.214, atol=2e-3)
    np.testing.assert_array_equal(images["picture"][30], source_of(inputs)[30])


def test_a_painted_frame_is_shown_bit_for_bit(learned) -> None:
    inputs = shot()
    painted = source_of(inputs).copy()
    painted[3:6, 4:9] = [7.0, 0.25, -0.125]
    inputs.inputs = {**inputs.inputs, "Keys": {1003: picture(painted)}}
    images = learned(unchanged, inputs, "picture").images
    np.testing.assert_array_equal(images["picture"], painted)
    assert images["alpha"].sum() == 15


def test_weights_that_were_taught_with_a_plate_need_one(learned) -> None:
    with_plate = TaughtShot("s", KEYS, True, SHOT.region)
    with pytest.raises(CleanplateError, match="the weights were taught with a clean plate: give plate"):
        learned(half, shot(), shot=with_plate)
    seen: list[Any] = []

    def answer(small: Any, frame: int, plate: Any) -> Any:
        seen.append(plate)
        return half(small, frame, plate)

    plate = picture(np.full((HEIGHT, WIDTH, 3), 0.21586))
    learned(answer, shot(C=plate), shot=with_plate)
    learned(answer, shot(C=plate))
    assert (seen[0] == 128).all()
    assert seen[1] is None


def test_exposure_is_what_it_was_when_it_was_taught(learned) -> None:
    seen: list[int] = []

    def answer(small: Any, frame: int, plate: Any) -> Any:
        seen.append(int(small[0, 0, 0]))
        return half(small, frame, plate)

    inputs = ArrayInputs(Source=picture(np.full((HEIGHT, WIDTH, 3), 0.053965)))
    learned(answer, inputs, taught_exposure=2.0)
    learned(answer, inputs, exposure=1.0, taught_exposure=1.0)
    assert seen == [128, 128]


def test_a_file_that_does_not_say_what_it_was_taught_is_one_sentence(tmp_path) -> None:
    path = tmp_path / "bare.safetensors"
    weights.save(path, models.create("learned", kind="matte").state_dict(), "learned", {"kind": "matte"})
    with pytest.raises(CleanplateError, match="the weights 'bare' do not say what they were taught"):
        render("Learned", 1, shot(), Device(str(path), "matte"))


def flickering(seen: Any, frame: int, plate: Any) -> Any:
    return np.full((*seen.shape[:2], 1), 0.2 * (frame - 1000), np.float32)


def test_frames_beside_it_steady_a_matte_where_their_pictures_match(learned) -> None:
    same, other = RNG.random((HEIGHT, WIDTH, 3)), RNG.random((HEIGHT, WIDTH, 3))
    frames = {n: picture(same) for n in (1001, 1003, 1004)}
    alone = learned(flickering, ArrayInputs(Source=frames), steadyFrames=0).images["alpha"]
    np.testing.assert_allclose(alone, 0.6, atol=1e-6)
    # A frame beyond a hole is beside it as well.
    calm = learned(flickering, ArrayInputs(Source=frames), steadyFrames=1).images["alpha"]
    np.testing.assert_allclose(np.median(calm), (0.6 + 0.5 * 0.2 + 0.5 * 0.8) / 2, atol=1e-3)
    cut = ArrayInputs(Source={1002: picture(other), 1003: picture(same), 1004: picture(other)})
    np.testing.assert_allclose(learned(flickering, cut, steadyFrames=1).images["alpha"], 0.6, atol=0.02)


def test_a_frame_of_another_size_steadies_nothing_and_is_told(learned) -> None:
    frames = {1002: picture(RNG.random((HEIGHT, 2 * WIDTH, 3))), 1003: picture(RNG.random((HEIGHT, WIDTH, 3)))}
    passes = learned(half, ArrayInputs(Source=frames))
    np.testing.assert_array_equal(passes.images["alpha"], half(frames[1003].pixels, 0, None))
    assert any("frame 1002" in note and "size" in note for note in passes.notes)


def test_in_order_the_network_is_asked_once_for_each_frame(learned, tmp_path) -> None:
    frames = {n: picture(RNG.random((HEIGHT, WIDTH, 3))) for n in range(1001, 1007)}
    asked: list[int] = []

    def counted(seen: Any, frame: int, plate: Any) -> Any:
        asked.append(frame)
        return flickering(seen, frame, plate)

    device = Device(f"{tmp_path}/matte.safetensors", "matte")
    in_order = [learned(counted, ArrayInputs(Source=frames), frame=n, device=device).images for n in frames]
    assert sorted(asked) == list(frames)
    alone = learned(counted, ArrayInputs(Source=frames), frame=1004).images
    np.testing.assert_array_equal(alone["alpha"], in_order[3]["alpha"])
