"""The weights that come with the software, on the demo shot: mattes are right, and `alignPlate` earns its default."""

import dataclasses

import cv2
import numpy as np
import pytest
from local_engine import ArrayInputs, LocalDevice, picture, render

from models import weights
from models.training import metrics
from models.training.evaluate import rvm as evaluate_rvm
from models.training.evaluate.bgmv2 import difference, key, load, matte, scene, tuned_keyer
from plugin.demo import shot as demo_shot

FRAME = 8


class BundledDevice(LocalDevice):
    def __init__(self):
        super().__init__(**weights.default_for("BackgroundMatte").options)
        self.network = load(weights.default_for("BackgroundMatte").path)

    def model(self, asked, network, options, dtype=None):
        return self.network


@pytest.fixture(scope="module")
def device():
    return BundledDevice()


@pytest.fixture(scope="module")
def shot():
    frames = list(demo_shot.frames(FRAME + 1))
    return frames[FRAME], demo_shot.clean_plate()


def alpha(device, source, plate, **settings):
    inputs = ArrayInputs(Source=picture(source), C=picture(plate))
    return render("BackgroundMatte", 1, inputs, device, **settings).images["alpha"]


def error(result, frame):
    return metrics.mad(result[..., 0], frame.alpha[..., 0])


def test_the_demo_shot_is_matted_well(device, shot):
    frame, plate = shot
    assert error(alpha(device, frame.source, plate), frame) < 0.016


def test_a_hand_held_plate_is_laid_under_the_shot(device, shot):
    """The plate off by 1 % of the width, 2 degrees and 10 % of exposure."""
    frame, plate = shot
    height, width = plate.shape[:2]
    way = cv2.getRotationMatrix2D((width / 2, height / 2), 2.0, 1.0)
    way[:, 2] += 0.01 * width * np.array([1, -0.5])
    moved = cv2.warpAffine(plate, way, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101) * 1.1
    off = error(alpha(device, frame.source, moved, alignPlate=False), frame)
    aligned = error(alpha(device, frame.source, moved), frame)
    assert aligned < 0.5 * off


def test_a_locked_off_plate_is_left_alone(device, shot):
    frame, _ = shot
    scene_behind = cv2.warpAffine(
        demo_shot.clean_plate(), np.array([[1.0, 0, -demo_shot.PLATE_SHIFT], [0, 1, 0]]), frame.source.shape[1::-1]
    )
    plate = scene_behind / demo_shot.PLATE_EXPOSURE
    plain = alpha(device, frame.source, plate, alignPlate=False)
    aligned = alpha(device, frame.source, plate)
    assert np.abs(aligned - plain).mean() < 1e-3


def test_it_beats_a_tuned_difference_keyer_on_unseen_scenes(device):
    scenes = [scene(number) for number in range(8)]
    distances = [difference(shown) for shown in scenes]
    settings = tuned_keyer(distances, [shown.pha for shown in scenes])
    keyed = np.mean([metrics.mad(key(d, *settings), shown.pha) for d, shown in zip(distances, scenes, strict=True)])
    ours = np.mean([metrics.mad(matte(device.network, shown), shown.pha) for shown in scenes])
    assert ours < 0.5 * keyed


def test_the_card_states_what_was_measured():
    path = weights.default_for("BackgroundMatte").path
    card = path.with_suffix(".md").read_text("utf-8")
    for part in ("Recipe", "Data", "Seed", "Hardware", "Numbers", "Limits", "Apache-2.0"):
        assert part in card
    assert path.stat().st_size < 12 * 2**20


class BundledVideo(LocalDevice):
    """The bundled VideoMatte weights, found as the worker finds them."""

    def __init__(self):
        self.ref = weights.default_for("VideoMatte")
        super().__init__(**self.ref.options)
        self.network = evaluate_rvm.load(self.ref.path)

    def weights_of(self, asked, network, options=None):
        return dataclasses.replace(self.ref, network=network)

    def model(self, asked, network, options, dtype=None):
        return self.network


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """The mattes of the demo shot's first frames, and their truth."""
    shown = list(demo_shot.frames(4))
    device = BundledVideo()
    inputs = ArrayInputs(Source={frame.number: picture(frame.source) for frame in shown})
    return [(render("VideoMatte", frame.number, inputs, device), frame) for frame in shown]


def test_the_figure_of_the_demo_is_found_without_its_plate(walk):
    errors = [metrics.mad(passes.images["alpha"][..., 0], frame.alpha[..., 0]) for passes, frame in walk]
    nothing = [frame.alpha.mean() for _, frame in walk]
    assert np.mean(errors) < 0.5 * np.mean(nothing)


def test_video_matte_says_what_its_bundled_weights_have_seen(walk):
    for passes, _ in walk:
        assert any("cleanplate weights fetch rvm_mobilenetv3" in note for note in passes.notes)
