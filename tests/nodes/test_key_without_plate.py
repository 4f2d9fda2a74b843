"""The engine alone, with the reference fill instead of trained weights: masks, what has no plate, order, messages."""

import key_shot
import numpy as np
import pytest
from key_shot import FRAMES, SMALL
from local_engine import ArrayInputs, LocalDevice, picture, render
from reference import fill

from nodes.errors import CleanplateError, ParameterError
from nodes.footage.window import Window
from nodes.inpaint import Inpaint

OPTIONS = {"backbone": "mobilenetv2"}
NUMBERS = range(1, FRAMES + 1)


def device():
    return LocalDevice(fill, **OPTIONS)


def shot(numbers=NUMBERS, rough=key_shot.rough, at=(0, 0), **more):
    display = Window(0, 0, key_shot.WIDTH, key_shot.HEIGHT)
    return ArrayInputs(
        Source={n: picture(key_shot.source(n), at=at, display=display) for n in numbers},
        Rough={n: picture(rough(n)[..., None], "A", at=at, display=display) for n in numbers},
        **more,
    )


def key(inputs, frame=4, on=None, **settings):
    return render("KeyWithoutPlate", frame, inputs, on or device(), **{**SMALL, "removeIslands": 0.0, **settings})


@pytest.fixture(scope="module")
def plain():
    return key(shot())


def test_passes(plain):
    shapes = {name: image.shape[2] for name, image in plain.images.items()}
    assert shapes == {"premultiplied": 4, "alpha": 1, "foreground": 3, "refinement": 1, "error": 1, "plate": 3,
                      "plate confidence": 1}  # fmt: skip
    assert all(image.dtype == np.float32 and np.isfinite(image).all() for image in plain.images.values())


def test_the_plate_is_what_inpaint_makes(plain):
    inputs = shot()
    inputs.inputs["Mask"] = inputs.inputs["Rough"]
    filled = render("Inpaint", 4, inputs, device(), mode="motion", grain=0.0, **SMALL)
    np.testing.assert_array_equal(plain.images["plate"], filled.images["clean"][..., :3])


def test_the_matte_is_what_background_matte_makes_of_that_plate(plain):
    outside = 1 - key_shot.rough(4)
    inputs = shot(OutM=picture(outside[..., None], "A"), C=picture(plain.images["plate"]),
                  PlateM=picture(plain.images["plate confidence"], "A"))  # fmt: skip
    matte = render("BackgroundMatte", 4, inputs, device(), alignPlate=False, removeIslands=0.0)
    inside = outside == 0
    np.testing.assert_array_equal(plain.images["alpha"][inside], matte.images["alpha"][inside])
    assert plain.images["alpha"][inside].any()


def test_order_does_not_matter(plain):
    on, inputs = device(), shot()
    for frame in (7, 1):
        key(inputs, frame, on)
    again = key(inputs, 4, on)
    for name, image in plain.images.items():
        np.testing.assert_array_equal(image, again.images[name])


@pytest.fixture
def plates(monkeypatch):
    """The frames whose plates were made."""
    made = []
    whole = Inpaint.render

    def counted(self, frame, *others):
        made.append(frame)
        return whole(self, frame, *others)

    monkeypatch.setattr(Inpaint, "render", counted)
    return made


def test_who_tunes_a_matte_waits_for_no_plate(plates):
    on = device()
    first, second = (key(shot(), 4, on, alphaBlack=black) for black in (0.0, 0.2))
    assert plates == [4]
    np.testing.assert_array_equal(first.images["plate"], second.images["plate"])
    assert (first.images["alpha"] != second.images["alpha"]).any()
    key(shot(), 4, on, grow=5.0)
    key(shot(), 3, on)
    assert plates == [4, 4, 3]


def test_a_plate_is_made_again_when_what_shows_it_changes(plates):
    on, inputs = device(), shot()
    key(inputs, 4, on)
    near = inputs.inputs["Source"][5]
    inputs.inputs["Source"][5] = picture(near.pixels * np.float32(0.5))
    changed = key(inputs, 4, on)
    inputs.inputs["Rough"][6] = picture(np.zeros_like(inputs.inputs["Rough"][6].pixels), "A")
    again = key(inputs, 4, on)
    assert plates == [4, 4, 4]
    for passes, fresh in ((again, key(inputs, 4)),):
        np.testing.assert_array_equal(passes.images["plate"], fresh.images["plate"])
    assert changed.images["alpha"].any()


def test_the_data_window_may_lie_anywhere(plain):
    moved = key(shot(at=(-5, 3)))
    assert moved.window == Window(-5, 3, key_shot.WIDTH, key_shot.HEIGHT)
    assert moved.images["alpha"].shape == plain.images["alpha"].shape


def test_core_and_garbage_go_before_what_is_found(plain):
    here = np.zeros((key_shot.HEIGHT, key_shot.WIDTH, 1), np.float32)
    here[30:40, 50:60] = 1
    with_core = key(shot(InM=picture(here, "A")))
    assert (with_core.images["alpha"][here > 0] == 1).all()
    with_garbage = key(shot(OutM=picture(here, "A")))
    assert not with_garbage.images["alpha"][here > 0].any()
    far = key_shot.alpha(4, larger=16) < 0.01
    assert not with_garbage.images["alpha"][far].any()


def test_an_empty_shape_gives_an_empty_matte_and_says_so():
    passes = key(shot(rough=lambda n: np.zeros((key_shot.HEIGHT, key_shot.WIDTH), np.float32)))
    assert not passes.images["alpha"].any()
    assert passes.notes == ["frame 4: the rough shape is empty, and so is the matte"]
    np.testing.assert_array_equal(passes.images["plate"], key_shot.source(4))
    assert (passes.images["plate confidence"] == 1).all()


def test_one_frame_alone_is_painted_and_counts_little():
    passes = key(shot(numbers=[4]))
    inside = key_shot.rough(4) > 0
    assert (passes.images["plate confidence"][inside] == 0).all()
    assert (passes.images["plate confidence"][~key_shot.rough(4).astype(bool)] > 0).any()


def test_a_shape_that_covers_everything_is_one_sentence():
    everything = shot(rough=lambda n: np.ones((key_shot.HEIGHT, key_shot.WIDTH), np.float32))
    with pytest.raises(CleanplateError) as caught:
        key(everything)
    assert "rough shape" in str(caught.value)


def test_without_a_shape_it_says_what_is_missing():
    inputs = shot()
    del inputs.inputs["Rough"]
    with pytest.raises(ParameterError, match="there is no rough shape"):
        key(inputs)
