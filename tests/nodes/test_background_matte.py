"""The engine alone, with the reference fill instead of trained weights: windows, masks, modes, ladder, messages."""

import numpy as np
import pytest
from local_engine import ArrayInputs, LocalDevice, picture, render
from reference import fill

from nodes.errors import FrameError, ParameterError
from nodes.footage.window import Window

RNG = np.random.default_rng(3)
OPTIONS = {"backbone": "mobilenetv2"}
SETTINGS = {"alignPlate": False, "removeIslands": 0.0}


def device() -> LocalDevice:
    return LocalDevice(fill, **OPTIONS)


def shot(height=70, width=101, **kinds):
    plate = RNG.random((height, width, 3), np.float32)
    source = plate.copy()
    source[20:50, 30:60] = RNG.random((30, 30, 3), np.float32)
    return ArrayInputs(Source=picture(source), C=picture(plate), **kinds)


@pytest.fixture(scope="module")
def plain():
    inputs = shot()
    return inputs, render("BackgroundMatte", 7, inputs, device(), **SETTINGS)


def test_passes_cover_the_source_at_any_size(plain):
    _, passes = plain
    shapes = {name: image.shape for name, image in passes.images.items()}
    assert shapes == {
        "premultiplied": (70, 101, 4),
        "alpha": (70, 101, 1),
        "foreground": (70, 101, 3),
        "refinement": (70, 101, 1),
        "error": (70, 101, 1),
    }
    assert all(image.dtype == np.float32 and np.isfinite(image).all() for image in passes.images.values())
    assert 0 <= passes.images["alpha"].min() <= passes.images["alpha"].max() <= 1


def test_a_painted_plate_counts_less(plain):
    """Only where its confidence is dark, over the mask's own window."""
    inputs, passes = plain
    painted = np.ones((30, 101, 1), np.float32)
    painted[:, :50] = 0
    inputs = ArrayInputs(**inputs.inputs, PlateM=picture(painted, "A", display=Window(0, 0, 101, 70)))
    alpha = render("BackgroundMatte", 7, inputs, device(), **SETTINGS).images["alpha"]
    before = passes.images["alpha"]
    np.testing.assert_array_equal(alpha[:30, 50:], before[:30, 50:])
    np.testing.assert_allclose(alpha[:30, :50], np.clip(2 * before[:30, :50] - 1, 0, 1), atol=1e-6)
    assert (alpha < before)[:30, :50].any()


def test_the_premultiplied_pass_is_foreground_times_alpha(plain):
    _, passes = plain
    alpha = passes.images["alpha"]
    np.testing.assert_allclose(passes.images["premultiplied"][..., :3], passes.images["foreground"] * alpha, atol=1e-6)
    np.testing.assert_array_equal(passes.images["premultiplied"][..., 3:], alpha)


def test_the_same_frame_gives_the_same_bits(plain):
    inputs, passes = plain
    again = render("BackgroundMatte", 7, inputs, device(), **SETTINGS)
    for name, image in passes.images.items():
        np.testing.assert_array_equal(again.images[name], image)


def test_refinement_modes_show_in_the_refinement_map():
    inputs = shot()
    everywhere = render("BackgroundMatte", 1, inputs, device(), refineMode="everywhere", **SETTINGS)
    assert (everywhere.images["refinement"] == 1).all()
    none = render("BackgroundMatte", 1, inputs, device(), refineAmount=0, **SETTINGS)
    assert (none.images["refinement"] == 0).all()
    some = render("BackgroundMatte", 1, inputs, device(), refineAmount=10, **SETTINGS)
    assert 0 < some.images["refinement"].mean() < 0.2


def test_core_and_garbage_mattes_have_the_last_word():
    core, garbage = np.zeros((70, 101, 1)), np.zeros((70, 101, 1))
    core[:20], garbage[10:30] = 1, 1
    passes = render(
        "BackgroundMatte", 1, shot(InM=picture(core, "Y"), OutM=picture(garbage, "Y")), device(), **SETTINGS
    )
    alpha = passes.images["alpha"]
    assert (alpha[:10] == 1).all()
    assert (alpha[10:30] == 0).all()


def test_data_windows_need_not_agree():
    """A plate with overscan under a source without: the same pixels meet."""
    display = Window(0, 0, 64, 64)
    big = RNG.random((96, 96, 3), np.float32)
    source = picture(big[16:80, 16:80], display=display)
    wide = render(
        "BackgroundMatte",
        1,
        ArrayInputs(Source=source, C=picture(big, at=(-16, -16), display=display)),
        device(),
        **SETTINGS,
    )
    tight = render("BackgroundMatte", 1, ArrayInputs(Source=source, C=source), device(), **SETTINGS)
    assert wide.window == Window(0, 0, 64, 64)
    np.testing.assert_array_equal(wide.images["alpha"], tight.images["alpha"])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64), (65, 67)])
def test_any_size_is_matted(size):
    passes = render("BackgroundMatte", 1, shot_of(size), device(), **SETTINGS)
    assert passes.images["alpha"].shape == (*size, 1)


def shot_of(size):
    return ArrayInputs(Source=picture(RNG.random((*size, 3))), C=picture(RNG.random((*size, 3))))


def test_no_plate_and_a_plate_of_another_size_are_sentences():
    with pytest.raises(ParameterError, match="no clean plate: give plate"):
        render("BackgroundMatte", 1, ArrayInputs(Source=picture(np.zeros((8, 8, 3)))), device())
    inputs = ArrayInputs(Source=picture(np.zeros((8, 8, 3))), C=picture(np.zeros((8, 9, 3))))
    with pytest.raises(FrameError, match="clean plate is 9x8 and the source 8x8"):
        render("BackgroundMatte", 1, inputs, device())


def test_short_of_memory_it_steps_down_and_says_so():
    short = device()
    short.out_of_memory = 1
    passes = render("BackgroundMatte", 1, shot(), short, refineMode="everywhere", **SETTINGS)
    assert passes.notes == ["device memory was short: computed with strips of 256 rows"]
    whole = render("BackgroundMatte", 1, shot(), device(), refineMode="everywhere", **SETTINGS)
    assert passes.info == whole.info
    short.out_of_memory = 2
    passes = render("BackgroundMatte", 1, shot(), short, **SETTINGS)
    assert passes.info["resolution"] == pytest.approx(0.35)
    assert "strips at resolution 0.35" in passes.notes[0]


def test_a_broken_plate_pixel_does_not_spoil_the_frame():
    inputs = shot()
    inputs.inputs["Source"].pixels[0, 0] = np.nan
    passes = render("BackgroundMatte", 1, inputs, device(), **SETTINGS)
    assert np.isfinite(passes.images["alpha"]).all()
    assert "1 pixels of the source are NaN" in passes.notes[0]


def test_a_plate_that_moved_is_laid_under_the_shot():
    """With alignment the network's input is nearly the same as with the plate in place."""
    import cv2

    texture = cv2.resize(RNG.random((60, 80, 3), np.float32), (320, 240), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    moved = cv2.warpAffine(
        texture, np.float64([[1, 0.01, 3], [-0.01, 1, -2]]), (320, 240), borderMode=cv2.BORDER_REFLECT
    )
    source = picture(texture)
    in_place = render("BackgroundMatte", 1, ArrayInputs(Source=source, C=source), device(), **SETTINGS)
    inputs = ArrayInputs(Source=source, C=picture(moved))
    off = render("BackgroundMatte", 1, inputs, device(), **SETTINGS)
    aligned = render("BackgroundMatte", 1, inputs, device(), alignPlate=True, removeIslands=0.0)

    def error(passes):
        return np.abs(passes.images["alpha"] - in_place.images["alpha"]).mean()

    assert error(aligned) < 0.5 * error(off)
    assert aligned.info["plateShift"] > 1


def test_formats_that_begin_elsewhere_are_laid_on_each_other(plain):
    """Plate and mattes of another display-window origin give what they give at the source's."""
    inputs, _ = plain
    source, plate = inputs.inputs["Source"], inputs.inputs["C"]
    matte = np.zeros((70, 101, 1), np.float32)
    matte[30:40, 5:25] = 1

    def at(pixels, channels, x, y):
        return picture(pixels, channels, at=(x, y), display=Window(x, y, 101, 70))

    def rendered(x, y):
        moved = {"InM": at(matte, "A", x, y), "OutM": at(matte[:, ::-1], "A", y, x), "C": at(plate.pixels, "RGB", y, x)}
        settings = {**SETTINGS, "alignPlate": True}
        return render("BackgroundMatte", 7, ArrayInputs(Source=source, **moved), device(), **settings)

    here, elsewhere = rendered(0, 0), rendered(16, -7)
    assert here.images["alpha"][35, 15] == 1
    for name, image in here.images.items():
        np.testing.assert_array_equal(elsewhere.images[name], image)


def test_where_the_file_says_alpha_1_the_foreground_is_the_source(plain):
    """Alpha that half floats round to 1: the core matte says 0.9999."""
    inputs, _ = plain
    core = picture(np.full((70, 101, 1), 0.9999), "A")
    passes = render("BackgroundMatte", 7, ArrayInputs(**inputs.inputs, InM=core), device(), **SETTINGS)
    source = inputs.inputs["Source"].pixels
    assert (passes.images["alpha"].astype(np.float16) == 1).all()
    np.testing.assert_array_equal(passes.images["foreground"], source)
    np.testing.assert_array_equal(passes.images["premultiplied"][..., :3], source)
