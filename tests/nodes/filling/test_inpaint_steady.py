"""Inpaint over time: revealed background comes back, the rest is held, and no order of rendering matters."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_shots import FOLLOW, ground, holes
from local_engine import ArrayInputs, LocalDevice, picture, render
from reference import fill

from models.weights import WeightsError
from nodes.filling.seen import median_of_seen
from nodes.footage.window import Window

HEIGHT, WIDTH, FIRST, COUNT, NOISE = 96, 128, 1001, 9, 0.004
TINY = {"n_blocks": 1, "width": 4}
STEADY = ["still plate", "follow", "motion"]
RNG = np.random.default_rng(21)


class Scene:
    """A shot with a rig; `clean` and `sources` by frame number, `inputs` for the engine."""

    def __init__(
        self, camera=lambda i: (0.0, 0.0, 0.0), rig=lambda i: (20 + 9 * i, 30), noise=NOISE, light=lambda i: 1.0
    ):
        big = ground(HEIGHT + 60, WIDTH + 90)
        rng = np.random.default_rng(4)
        self.clean, self.matrices, sources, masks = {}, {}, {}, {}
        for i in range(COUNT):
            x, y, turn = camera(i)
            matrix = cv2.getRotationMatrix2D((WIDTH / 2 + 30, HEIGHT / 2 + 20), turn, 1.0 + 0.002 * i * (turn != 0))
            matrix[:, 2] -= (30 + x, 20 + y)
            self.matrices[FIRST + i] = matrix
            clean = cv2.warpAffine(big, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC) * np.float32(light(i))
            left, top = rig(i)
            mask = np.zeros((HEIGHT, WIDTH, 1), np.float32)
            mask[top : top + 30, left : left + 16] = 1
            source = np.where(mask > 0, 0.02, clean + noise * rng.normal(0, 1, clean.shape)).astype(np.float32)
            self.clean[FIRST + i] = clean
            sources[FIRST + i], masks[FIRST + i] = picture(source), picture(mask, "A")
        self.inputs = ArrayInputs(Source=sources, Mask=masks)

    def back(self, image, frame):
        """A frame's picture in the ground's coordinates, so that the camera's motion is taken out."""
        size = WIDTH + 90, HEIGHT + 60
        return cv2.warpAffine(image, cv2.invertAffineTransform(self.matrices[frame]), size)


LOCKED = Scene()
# Something stands before the same place in every frame: that part nothing reveals.
STUCK = Scene(rig=lambda i: (50 + i % 3, 40))
PAN = Scene(camera=lambda i: (1.7 * i, 0.6 * i, 0.25 * i), rig=lambda i: (30 + 5 * i, 30))
HELD = Scene(camera=lambda i: (1.3 * i, -0.5 * i, 0.0), rig=lambda i: (56, 36))


class NoWeights(LocalDevice):
    def weights_of(self, weights, network, options=None):
        raise WeightsError("Inpaint has no weights on this machine; run: cleanplate weights fetch big_lama")


def inpaint(scene, frame, on=None, **settings):
    settings = {"model": "smooth", "grow": 1.0, "feather": 0.0, **FOLLOW, **settings}
    inputs = scene.inputs if isinstance(scene, Scene) else scene
    return render("Inpaint", frame, inputs, on or LocalDevice(), **settings)


def test_still_plate_restores_what_other_frames_reveal_within_the_noise():
    on = LocalDevice()
    for frame in (FIRST, FIRST + 4, FIRST + 8):
        passes = inpaint(LOCKED, frame, on, mode="still plate")
        error = (passes.images["clean"][..., :3] - LOCKED.clean[frame])[holes(passes)]
        assert np.sqrt(np.square(error).mean()) < 1.3 * NOISE
        assert (passes.images["origin"][holes(passes)] == [0, 0, 1]).all()
        plain = inpaint(LOCKED, frame, on, mode="still plate", grain=0.0)
        error = (plain.images["clean"][..., :3] - LOCKED.clean[frame])[holes(passes)]
        assert np.sqrt(np.square(error).mean()) < NOISE


def test_follow_restores_what_other_frames_reveal():
    on = LocalDevice()
    for frame in (FIRST, FIRST + 3, FIRST + 8):
        passes = inpaint(PAN, frame, on, mode="follow")
        revealed = passes.images["origin"][..., 2] > 0.99
        assert revealed[holes(passes)].mean() > 0.9
        error = np.abs(passes.images["clean"][..., :3] - PAN.clean[frame])[revealed & holes(passes)]
        assert np.median(error) < 0.02
        assert passes.notes == []


@pytest.mark.parametrize(("mode", "scene"), [("still plate", LOCKED), ("follow", PAN), ("motion", PAN)])
def test_what_is_wholly_revealed_needs_no_weights(mode, scene):
    settings = {"mode": mode, "model": "auto", "samples": 9, "reach": 8, "referenceEvery": 8}
    passes = inpaint(scene, FIRST + 2, NoWeights(), **settings)
    assert "model" not in passes.info
    with pytest.raises(Exception, match="weights fetch big_lama"):
        inpaint(scene, FIRST + 2, NoWeights(), **{**settings, "mode": "per frame"})


@pytest.mark.parametrize(("mode", "scene"), [("still plate", LOCKED), ("follow", PAN), ("motion", PAN)])
def test_the_fill_is_steady(mode, scene):
    """At most a third of the difference from frame to frame that single frames have, the camera's motion taken out."""

    def difference(mode):
        on, frames = LocalDevice(), range(FIRST + 1, FIRST + 6)
        results = [inpaint(scene, frame, on, mode=mode, grain=0.0) for frame in frames]
        changes = []
        for (a, first), (b, then) in pairwise(zip(frames, results, strict=True)):
            inside = cv2.erode(scene.back(first.images["filled"], a), np.ones((5, 5))) >= 1
            inside &= cv2.erode(scene.back(then.images["filled"], b), np.ones((5, 5))) >= 1
            change = np.abs(scene.back(then.images["clean"], b) - scene.back(first.images["clean"], a))
            changes.append(change[..., :3][inside].mean())
        return np.mean(changes)

    assert difference(mode) <= difference("per frame") / 3


def test_what_nothing_reveals_is_painted_once_and_held():
    on = LocalDevice(fill, **TINY)
    a, b = (inpaint(STUCK, frame, on, mode="still plate", model="lama", grain=0.0) for frame in (FIRST, FIRST + 3))
    held = a.images["origin"][..., 1] == 1
    assert held.sum() > 300
    np.testing.assert_array_equal(a.images["clean"][held], b.images["clean"][held])
    assert a.info["model"] == "lama"
    grained = inpaint(STUCK, FIRST, on, mode="still plate", model="lama")
    assert (grained.images["clean"] != a.images["clean"])[held].any()


@pytest.mark.parametrize(
    ("mode", "scene"),
    [("still plate", STUCK), ("still plate", LOCKED), ("follow", HELD), ("motion", HELD), ("motion", STUCK)],
)
def test_no_order_of_rendering_matters(mode, scene):
    def bits(frames, on):
        return {f: inpaint(scene, f, on, mode=mode, model="lama").images["clean"].tobytes() for f in frames}

    frames = [FIRST, FIRST + 3, FIRST + 6]
    in_order = bits(frames, LocalDevice(fill, **TINY))
    assert bits([FIRST + 6, FIRST + 3], LocalDevice(fill, **TINY)) == {f: in_order[f] for f in frames[1:]}


@pytest.mark.parametrize("mode", STEADY)
def test_an_edited_frame_is_never_stale(mode):
    on = LocalDevice()
    before = inpaint(LOCKED, FIRST + 4, on, mode=mode).images["clean"]
    sources = dict(LOCKED.inputs.inputs["Source"])
    for frame in sources:
        if frame != FIRST + 4:
            sources[frame] = picture(sources[frame].pixels * np.float32(0.5))
    edited = ArrayInputs(Source=sources, Mask=LOCKED.inputs.inputs["Mask"])
    fresh = inpaint(edited, FIRST + 4, mode=mode).images["clean"]
    np.testing.assert_array_equal(inpaint(edited, FIRST + 4, on, mode=mode).images["clean"], fresh)
    assert (fresh != before).any()


@pytest.mark.parametrize("mode", STEADY)
def test_frames_that_are_not_there_are_not_looked_for(mode):
    """A hole in either input, and none where a missing mask is none."""
    sources = dict(LOCKED.inputs.inputs["Source"])
    masks = dict(LOCKED.inputs.inputs["Mask"])
    del sources[FIRST], masks[FIRST + 6]
    inputs = ArrayInputs(Source=sources, Mask=masks)
    passes = inpaint(inputs, FIRST + 3, mode=mode, samples=8)
    assert passes.notes == []
    assert not {("Source", FIRST), ("Mask", FIRST + 6)} & {*inputs.fetched, *inputs.identified}
    error = (passes.images["clean"][..., :3] - LOCKED.clean[FIRST + 3])[holes(passes)]
    assert np.sqrt(np.square(error).mean()) < 3 * NOISE
    held = inpaint(inputs, FIRST + 3, mode=mode, samples=8, missingFrames="black")
    assert any(f"frame {FIRST + 6} does not help" in note for note in held.notes)


@pytest.mark.parametrize(("mode", "scene"), [("still plate", LOCKED), ("follow", PAN), ("motion", PAN)])
@given(numbers=st.lists(st.integers(-(2**31), 2**31 - 1), min_size=COUNT, max_size=COUNT, unique=True).map(sorted))
@settings(max_examples=2, deadline=None)
def test_the_numbers_of_the_frames_do_not_matter(mode, scene, numbers):
    """Every seventh frame, every tenth, or any others: what is there is looked at, as if it had no holes."""

    def renumbered(frames):
        return dict(zip(numbers, frames.values(), strict=True))

    inputs = ArrayInputs(**{name: renumbered(frames) for name, frames in scene.inputs.inputs.items()})
    expected = inpaint(scene, FIRST + 5, mode=mode, grain=0.0)
    found = inpaint(inputs, numbers[5], mode=mode, grain=0.0)
    assert all(np.array_equal(expected.images[name], found.images[name]) for name in expected.images)
    assert found.notes == []


@pytest.mark.parametrize("mode", ["per frame", *STEADY])
def test_what_is_asked_does_not_grow_with_the_shot(mode):
    """Per frame nothing but the frame; the steady modes ask for what they look at."""
    still = LOCKED.inputs.inputs["Source"][FIRST]
    hole = LOCKED.inputs.inputs["Mask"][FIRST]
    asked = []
    for count in (100, 1000):
        inputs = ArrayInputs(Source=dict.fromkeys(range(count), still), Mask=dict.fromkeys(range(count), hole))
        inpaint(inputs, 50, mode=mode)
        asked.append((len(inputs.identified), len(inputs.fetched)))
    assert asked[0] == asked[1]
    assert asked[0] == (0, 2) if mode == "per frame" else asked[0][0] <= 2 * 2 * 17


def test_exposure_that_drifts_is_followed():
    scene = Scene(light=lambda i: 1 + 0.05 * i)
    passes = inpaint(scene, FIRST + 1, mode="still plate")
    error = (passes.images["clean"][..., :3] / scene.clean[FIRST + 1])[holes(passes)]
    assert np.median(error) == pytest.approx(1, abs=0.01)


def test_a_shot_that_cannot_be_lined_up_is_painted_and_told():
    sources = {f: picture(RNG.random((HEIGHT, WIDTH, 3), np.float32)) for f in range(FIRST, FIRST + 5)}
    inputs = ArrayInputs(Source=sources, Mask=LOCKED.inputs.inputs["Mask"])
    passes = inpaint(inputs, FIRST + 1, mode="follow")
    assert (passes.images["origin"][holes(passes)] == [1, 0, 0]).all()
    assert any(f"frame {FIRST + 1} cannot be lined up" in note for note in passes.notes)


def test_data_windows_may_differ_from_frame_to_frame():
    sources = dict(LOCKED.inputs.inputs["Source"])
    display = Window(0, 0, WIDTH, HEIGHT)
    for frame in list(sources)[::2]:
        sources[frame] = picture(sources[frame].pixels[10:-6, 8:-20], at=(8, 10), display=display)
    inputs = ArrayInputs(Source=sources, Mask=LOCKED.inputs.inputs["Mask"])
    for mode in STEADY:
        passes = inpaint(inputs, FIRST + 3, mode=mode)
        error = (passes.images["clean"][..., :3] - LOCKED.clean[FIRST + 3])[holes(passes)]
        assert np.sqrt(np.square(error).mean()) < 2 * NOISE


def test_a_still_is_painted():
    passes = inpaint(
        ArrayInputs(Source=LOCKED.inputs.inputs["Source"][FIRST], Mask=LOCKED.inputs.inputs["Mask"][FIRST]), 7
    )
    for mode in STEADY:
        still = inpaint(
            ArrayInputs(Source=LOCKED.inputs.inputs["Source"][FIRST], Mask=LOCKED.inputs.inputs["Mask"][FIRST]),
            7,
            mode=mode,
        )
        np.testing.assert_allclose(still.images["clean"], passes.images["clean"], atol=0.02)


def test_the_median_takes_only_what_was_seen():
    light = np.arange(5, dtype=np.float32)[:, None, None, None].repeat(3, axis=3)
    seen = np.array([1, 0, 1, 1, 1], bool)[:, None, None]
    assert median_of_seen(light, seen).light[0, 0, 0] == 2.5
    assert median_of_seen(light, seen, nearest=3).light[0, 0, 0] == 2
    nothing = median_of_seen(light, np.zeros_like(seen))
    assert (nothing.light[0, 0, 0], nothing.where[0, 0], nothing.grain[0, 0]) == (0, False, 0)
