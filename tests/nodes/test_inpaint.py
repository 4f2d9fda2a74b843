"""The engine alone, in all modes: what may change and what may not, passes, colours, odd masks, messages, memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_engine import ArrayInputs, LocalDevice, picture, render
from reference import fill

from models.weights import WeightsError
from nodes.errors import CleanplateError, FrameError
from nodes.filling.mask import find_holes
from nodes.filling.shot import Look
from nodes.footage.colour import spaces as colour
from nodes.footage.colour.space import LINEAR_REC709
from nodes.footage.colour.spaces import by_name
from nodes.footage.window import Window

RNG = np.random.default_rng(11)
MODES = ["per frame", "still plate", "follow"]
TINY = {"n_blocks": 1, "width": 4}
LAMA = {"model": "lama", "workingSize": 32}


def device():
    return LocalDevice(fill, **TINY)


class NoWeights(LocalDevice):
    """A machine without weights."""

    def weights_of(self, weights, network, options=None):
        raise WeightsError("Inpaint has no weights on this machine; run: cleanplate weights fetch big_lama")


def bits(pixels):
    return np.ascontiguousarray(pixels, np.float32).view(np.uint32)


def shot(height=60, width=80, hole=(slice(20, 35), slice(30, 50)), **kinds):
    pixels = RNG.random((height, width, 3), np.float32)
    mask = np.zeros((height, width, 1), np.float32)
    mask[hole] = 1
    return ArrayInputs(Source=picture(pixels, **kinds), Mask=picture(mask, "A", **kinds))


def inpaint(inputs, frame=1, on=None, **settings):
    return render("Inpaint", frame, inputs, on or device(), **{"model": "smooth", **settings})


def known_anywhere(inputs, reach):
    """Whether frame 6 shows anything to fill a hole from, however the hole grows."""
    params = {"maskThreshold": 0.1, "grow": reach, "feather": 0.0}
    source = inputs.inputs["Source"][6]
    _, known = Look(6, source, find_holes(source, 6, params, inputs)).background(source.data_window)
    return known.any()


WILD = [0.0, 1.0, -2.5, 70000.0, 1e-30, np.nan, np.inf, -np.inf]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    mode=st.sampled_from(MODES),
    model=st.sampled_from(["smooth", "lama"]),
    half=st.booleans(),
    at=st.tuples(st.integers(-20, 20), st.integers(-20, 20)),
    mask_at=st.tuples(st.integers(-30, 30), st.integers(-30, 30)),
    grow=st.floats(0, 4),
    feather=st.floats(0, 4),
)
def test_no_pixel_outside_the_mask_changes(seed, height, width, mode, model, half, at, mask_at, grow, feather):
    """Random holes, sizes, windows, bit depths, values and modes, bit for bit."""
    rng = np.random.default_rng(seed)
    display = Window(0, 0, 24, 24)
    sources, masks = {}, {}
    for frame in (5, 6, 7):
        pixels = rng.normal(0.3, 0.5, (height, width, 4)).astype(np.float16 if half else np.float32)
        with np.errstate(over="ignore"):
            wild = rng.choice(np.array(WILD, pixels.dtype), pixels.shape)
        pixels = np.where(rng.random(pixels.shape) < 0.05, wild, pixels)
        sources[frame] = picture(pixels, "RGBA", at=at, display=display)
        shape = rng.integers(0, 30, 2)
        mask = (rng.random((*shape, 1)) < 0.2) * rng.choice([0.05, 0.5, 1.0, 3.0, np.nan])
        masks[frame] = picture(mask, "Y", at=mask_at, display=display)
    inputs = ArrayInputs(Source=sources, Mask=masks)
    chosen = {"model": model, "mode": mode, "grow": grow, "feather": feather, "workingSize": 32}
    if not known_anywhere(inputs, grow + feather):
        return
    passes = inpaint(inputs, 6, **chosen)
    source = sources[6].pixels
    clean, filled = passes.images["clean"], passes.images["filled"][..., 0]
    np.testing.assert_array_equal(bits(clean[filled == 0]), bits(source[filled == 0]))
    np.testing.assert_array_equal(bits(clean[..., 3]), bits(source[..., 3]))
    assert np.isfinite(clean[filled > 0][..., :3]).all()
    assert passes.window == sources[6].data_window
    x, y = np.meshgrid(np.arange(width) + at[0], np.arange(height) + at[1])
    core = np.zeros((height, width), bool)
    core_y, core_x, _ = np.nonzero(masks[6].pixels > 0.1)
    core[np.isin(y * 1000 + x, (core_y + mask_at[1]) * 1000 + core_x + mask_at[0])] = True
    assert (filled[core] == 1).all()
    origin = passes.images["origin"].sum(axis=2)
    np.testing.assert_allclose(origin, filled, atol=1e-5)


@pytest.fixture(scope="module")
def filled():
    inputs = shot()
    return inputs, inpaint(inputs, on=device(), feather=4.0, **LAMA)


def test_passes(filled):
    inputs, passes = filled
    assert {name: image.shape for name, image in passes.images.items()} == {
        "clean": (60, 80, 4),
        "filled": (60, 80, 1),
        "patch": (60, 80, 4),
        "origin": (60, 80, 3),
        "found": (60, 80, 3),
        "confidence": (60, 80, 1),
    }
    assert all(image.dtype == np.float32 for image in passes.images.values())
    assert (passes.images["clean"][..., 3] == 1).all()
    assert passes.info["model"] == "lama"
    source, patch = inputs.inputs["Source"].pixels, passes.images["patch"]
    np.testing.assert_array_equal(patch[..., 3:], passes.images["filled"])
    np.testing.assert_allclose(
        patch[..., :3] + source * (1 - patch[..., 3:]), passes.images["clean"][..., :3], atol=1e-6
    )
    np.testing.assert_array_equal(passes.images["origin"][..., :1], passes.images["filled"])
    np.testing.assert_array_equal(passes.images["confidence"], 1 - passes.images["filled"])  # all of it is painted
    assert not passes.images["found"].any()


def test_the_same_frame_gives_the_same_bits(filled):
    inputs, passes = filled
    again = inpaint(inputs, on=device(), feather=4.0, **LAMA)
    for name, image in passes.images.items():
        np.testing.assert_array_equal(again.images[name], image)


def test_the_removed_object_leaves_no_trace(filled):
    """Whatever stands in the hole, the fill is the same."""
    inputs, passes = filled
    pixels = inputs.inputs["Source"].pixels.copy()
    pixels[20:35, 30:50] = np.nan
    other = ArrayInputs(Source=picture(pixels), Mask=inputs.inputs["Mask"])
    again = inpaint(other, on=device(), feather=4.0, **LAMA)
    np.testing.assert_array_equal(again.images["clean"][20:35, 30:50], passes.images["clean"][20:35, 30:50])
    assert again.notes == passes.notes


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_mask_is_the_source_and_needs_no_weights(mode):
    inputs = shot(hole=(slice(0, 0), slice(0, 0)))
    passes = inpaint(inputs, on=NoWeights(), model="auto", mode=mode)
    np.testing.assert_array_equal(passes.images["clean"][..., :3], inputs.inputs["Source"].pixels)
    assert not any(passes.images[name].any() for name in ("filled", "patch", "origin"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("model", ["smooth", "lama"])
def test_a_full_mask_is_a_sentence(mode, model):
    inputs = shot(hole=(slice(None), slice(None)))
    with pytest.raises(FrameError, match=r"covers the whole picture at frame 1.*nothing is left to fill"):
        inpaint(inputs, mode=mode, model=model)


def test_without_weights_it_says_what_to_run():
    with pytest.raises(CleanplateError, match=r"weights fetch big_lama; or set model to smooth"):
        inpaint(shot(), on=NoWeights(), model="auto")
    with pytest.raises(WeightsError):
        inpaint(shot(), on=NoWeights(), model="auto", weights="mine")
    assert inpaint(shot(), on=NoWeights(), model="smooth").info["model"] == "smooth"


def test_no_mask_and_one_of_another_size_are_sentences():
    source = picture(np.zeros((8, 8, 3)))
    with pytest.raises(FrameError, match="there is no mask"):
        inpaint(ArrayInputs(Source=source))
    with pytest.raises(FrameError, match="mask is 4x4 and the source 8x8"):
        inpaint(ArrayInputs(Source=source, Mask=picture(np.ones((4, 4, 1)), "A")))


def test_a_hole_at_the_border_and_one_outside_the_data_window():
    display = Window(0, 0, 60, 60)
    ramp = np.linspace(0.2, 0.6, 50, dtype=np.float32)[:, None, None].repeat(40, 1).repeat(3, 2)
    source = picture(ramp, at=(0, 0), display=display)
    mask = np.zeros((60, 60, 1), np.float32)
    mask[45:, 30:] = 1  # beyond the data on two sides
    passes = inpaint(ArrayInputs(Source=source, Mask=picture(mask, "A")), grain=0)
    clean = passes.images["clean"][..., :3]
    assert clean.shape == (50, 40, 3)
    assert np.abs(clean - ramp).max() < 0.08
    mask = np.zeros((60, 60, 1), np.float32)
    mask[55:, :] = 1
    passes = inpaint(ArrayInputs(Source=source, Mask=picture(mask, "A")))
    np.testing.assert_array_equal(passes.images["clean"][..., :3], ramp)


@pytest.mark.parametrize("space", ["ACEScg", "sRGB", "lin_rec709"])
def test_the_fill_is_in_the_colour_space_of_the_source(space):
    """An even ground is continued, whatever its numbers mean."""
    ground = by_name(space)
    light = np.broadcast_to(np.float32([0.5, 0.2, 0.1]), (40, 40, 3))
    values = colour.from_linear_rec709(np.ascontiguousarray(light), ground)
    pixels = values.copy()
    pixels[15:25, 15:25] = 0.9
    mask = np.zeros((40, 40, 1), np.float32)
    mask[15:25, 15:25] = 1
    inputs = ArrayInputs(Source=picture(pixels, colour=ground), Mask=picture(mask, "A"))
    for extra in ({}, {"mode": "still plate"}):
        np.testing.assert_allclose(inpaint(inputs, **extra).images["clean"][..., :3], values, atol=2e-4)


def test_a_single_channel_and_an_alpha_survive():
    pixels = RNG.random((30, 30, 1), np.float32)
    mask = np.zeros((30, 30, 1), np.float32)
    mask[10:14, 10:14] = 1
    grey = inpaint(ArrayInputs(Source=picture(pixels, "Y"), Mask=picture(mask, "A"))).images["clean"]
    np.testing.assert_array_equal(grey[0, :, 0], pixels[0, :, 0])
    np.testing.assert_array_equal(grey[0, :, 2], pixels[0, :, 0])
    rgba = RNG.random((30, 30, 4), np.float32)
    clean = inpaint(ArrayInputs(Source=picture(rgba, "RGBA"), Mask=picture(mask, "A"))).images["clean"]
    np.testing.assert_array_equal(clean[..., 3], rgba[..., 3])


def test_grain_is_matched_and_can_be_off():
    noise = 0.02 * RNG.normal(0, 1, (160, 160, 3)).astype(np.float32)
    mask = np.zeros((160, 160, 1), np.float32)
    mask[60:100, 60:100] = 1
    inputs = ArrayInputs(Source=picture(0.3 + noise), Mask=picture(mask, "A"))
    inside = slice(60, 100), slice(60, 100), slice(0, 3)
    off, on, strong = (inpaint(inputs, 9, grain=amount).images["clean"][inside] for amount in (0, 1, 2))
    other = inpaint(inputs, 10, grain=1).images["clean"][inside]
    assert off.std() < 0.004
    assert on.std() == pytest.approx(0.02, rel=0.15)
    assert strong.std() == pytest.approx(0.04, rel=0.15)
    assert np.corrcoef((on - off).ravel(), (other - off).ravel())[0, 1] < 0.1


def test_short_of_memory_it_steps_down_and_says_so():
    short = device()
    short.out_of_memory = 1
    passes = inpaint(shot(150, 150, (slice(20, 130), slice(20, 130))), on=short, model="lama", workingSize=200)
    assert passes.notes == ["device memory was short: computed with parts of 150 pixels"]
    assert short.released == 1


class Counting(LocalDevice):
    """Notes what the network is shown."""

    def model(self, weights, network, options, dtype=None):
        model = super().model(weights, network, options, dtype)

        def run(x):
            self.shown.append(tuple(x.shape))
            return model(x)

        return run

    shown: list


def peak_memory(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_small_hole_takes_the_same_memory_in_a_large_plate():
    """Besides the pictures that come in and go out, which a render with an empty mask has as well."""
    added = []
    for size in ((540, 960), (1080, 1920)):
        hole = shot(*size, (slice(200, 300), slice(200, 300)))
        none = ArrayInputs(Source=hole.inputs["Source"], Mask=picture(np.zeros((*size, 1)), "A"))
        inpaint(hole)
        added.append(peak_memory(lambda hole=hole: inpaint(hole)) - peak_memory(lambda none=none: inpaint(none)))
    assert added[1] < 1.3 * added[0]


def test_a_small_hole_costs_the_same_in_a_large_plate():
    seen = []
    for size in ((300, 480), (600, 960)):
        on = Counting(fill, **TINY)
        on.shown = []
        inpaint(shot(*size, (slice(140, 180), slice(200, 240))), on=on, model="lama", workingSize=96)
        seen.append(on.shown)
    assert seen[0] == seen[1]
    assert len(seen[0]) <= 4


@pytest.mark.parametrize("space", ["sRGB", "ARRI LogC3 (EI800)", "ACEScg"])
def test_patch_over_source_is_the_clean_plate_in_light(space):
    """Whatever curve the source is stored with: a compositor makes all of it linear before laying one over another."""
    inputs = shot(colour=by_name(space))
    source = inputs.inputs["Source"]
    passes = inpaint(inputs, feather=6.0, grain=0.0)
    patch, clean = passes.images["patch"], passes.images["clean"][..., :3]
    added, below, light = (
        colour.to_linear_rec709(np.ascontiguousarray(one[..., :3]), source.colour)
        for one in (patch, source.pixels, clean)
    )
    np.testing.assert_allclose(added + below * (1 - patch[..., 3:]), light, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(bits(clean[patch[..., 3] == 0]), bits(source.pixels[patch[..., 3] == 0]))
    np.testing.assert_allclose(added[patch[..., 3] == 0], 0, atol=1e-4)


def test_what_the_file_says_is_outside_is_not_touched():
    """The feather's ends are those of half floats: 0 in the file is 0, 1 is the fill alone."""
    inputs = shot(height=200, width=220)
    passes = inpaint(inputs, feather=150.0)
    written = passes.images["filled"][..., 0].astype(np.float16)
    clean, source = passes.images["clean"][..., :3], inputs.inputs["Source"].pixels
    np.testing.assert_array_equal(bits(clean[written == 0]), bits(source[written == 0]))
    np.testing.assert_array_equal(clean[written == 1], passes.images["patch"][..., :3][written == 1])


@pytest.mark.parametrize("mode", MODES)
def test_a_mask_and_frames_whose_formats_begin_elsewhere_are_laid_on_the_source(mode):
    def shown(corners, mask_at):
        rng = np.random.default_rng(2)
        ground = rng.random((60, 80, 3), np.float32)
        source, masks = {}, {}
        for frame, (x, y) in enumerate(corners, 1):
            mask = np.zeros((60, 80, 1), np.float32)
            mask[20:35, 10 + 10 * frame : 20 + 10 * frame] = 1
            source[frame] = picture(np.where(mask > 0, 9, ground), at=(x, y), display=Window(x, y, 80, 60))
            masks[frame] = picture(mask, "A", at=mask_at, display=Window(*mask_at, 80, 60))
        return inpaint(ArrayInputs(Source=source, Mask=masks), 2, mode=mode)

    here = shown([(0, 0)] * 4, (0, 0))
    elsewhere = shown([(5, -3), (0, 0), (-8, 2), (0, 0)], (16, 16))
    for name, image in here.images.items():
        np.testing.assert_array_equal(elsewhere.images[name], image)


@pytest.mark.parametrize("space", [LINEAR_REC709, by_name("ACEScg")])
@pytest.mark.parametrize("mode", ["per frame", "still plate", "follow"])
@pytest.mark.parametrize("model", ["smooth", "lama detail"])
@pytest.mark.parametrize("values", [(3e38,), (3.4e38, 0.5), (-3.4e38, 0.5), (3.4e38, -3.4e38, 1e-40)])
def test_light_near_the_end_of_what_floats_hold_is_filled_with_finite_light(space, mode, model, values):
    rng = np.random.default_rng(3)
    sources, masks = {}, {}
    for frame in (1, 2, 3):
        mask = np.zeros((48, 64, 1))
        mask[12:30, 12 * frame : 12 * frame + 12] = 1
        sources[frame] = picture(rng.choice(values, (48, 64, 3)), colour=space)
        masks[frame] = picture(mask, "A")
    on = LocalDevice(fill, n_blocks=1, width=4)
    with np.errstate(all="raise", under="ignore"):
        passes = render("Inpaint", 2, ArrayInputs(Source=sources, Mask=masks), on, mode=mode, model=model)
    hole = passes.images["filled"][..., 0] > 0
    assert all(np.isfinite(image).all() for image in passes.images.values())
    np.testing.assert_array_equal(passes.images["clean"][~hole][:, :3], sources[2].pixels[~hole])
    assert not any("NaN" in note for note in passes.notes)
