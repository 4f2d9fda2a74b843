import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from local_engine import picture

from nodes import picture as p
from nodes.errors import FrameError
from nodes.footage.colour.space import LINEAR_REC709, SRGB, ColourSpace
from nodes.footage.colour.spaces import by_name, to_linear_rec709
from nodes.footage.window import Window

ACESCG = ColourSpace(
    "lin_ap1", "linear", ((1.70505, -0.62179, -0.08326), (-0.13026, 1.14080, -0.01055), (-0.02400, -0.12897, 1.15297))
)
CPU = torch.device("cpu")
light = hnp.arrays(np.float32, (3, 4, 3), elements=st.floats(-1, 50, width=32))
alphas = hnp.arrays(np.float32, (1, 1, 3, 4), elements=st.floats(0, 1, width=32))


@given(hnp.arrays(np.float32, 20, elements=st.floats(0, 1, width=32)))
def test_the_srgb_curve_and_its_inverse(values):
    encoded = p.srgb_encode(torch.from_numpy(values))
    np.testing.assert_allclose(p.srgb_decode(encoded), values, atol=2e-6)


@pytest.mark.parametrize("space", [ColourSpace(), ACESCG, SRGB])
@settings(max_examples=40, deadline=None)
@given(light, alphas)
def test_the_foreground_is_the_source_bit_for_bit_where_alpha_is_1(space, pixels, alpha):
    alpha[..., ::2] = 1
    proxy = p.make_proxy(picture(pixels, colour=space), 0.0, CPU)
    foreground = p.to_pixels(p.rebuild_foreground(proxy, torch.rand(1, 3, 3, 4), torch.from_numpy(alpha)))
    solid = alpha[0, 0] == 1
    np.testing.assert_array_equal(foreground[solid], pixels[solid])


@pytest.mark.parametrize("space", [ColourSpace(), ACESCG])
@settings(max_examples=40, deadline=None)
@given(light, alphas)
def test_a_network_that_changes_nothing_leaves_highlights_and_negatives(space, pixels, alpha):
    proxy = p.make_proxy(picture(pixels, colour=space), 0.0, CPU)
    foreground = p.to_pixels(p.rebuild_foreground(proxy, proxy.shown, torch.from_numpy(alpha)))
    np.testing.assert_allclose(foreground, pixels, rtol=2e-4, atol=2e-4)


def test_a_bright_background_does_not_glow_through_a_soft_edge():
    """Hair of 0.2 before a window of 20: the source is far above 1, the foreground must not be."""
    alpha = torch.full((1, 1, 1, 1), 0.4)
    source = 0.4 * 0.2 + 0.6 * 20.0
    proxy = p.make_proxy(picture(np.full((1, 1, 3), source)), 0.0, CPU)
    plate = p.make_proxy(picture(np.full((1, 1, 3), 20.0)), 0.0, CPU)
    answer = p.srgb_encode(torch.full((1, 3, 1, 1), 0.2))
    foreground = p.rebuild_foreground(proxy, answer, alpha, plate)
    np.testing.assert_allclose(foreground, 0.2, atol=0.05)


def test_exposure_changes_what_the_network_sees_and_not_what_comes_out():
    pixels = np.full((1, 1, 3), 0.01)
    proxy = p.make_proxy(picture(pixels), 4.0, CPU)
    np.testing.assert_allclose(proxy.shown, p.srgb_encode(torch.full((1, 3, 1, 1), 0.16)), atol=1e-6)
    half = torch.full((1, 1, 1, 1), 0.5)
    np.testing.assert_allclose(p.rebuild_foreground(proxy, proxy.shown, half), 0.01, atol=1e-6)


def test_nan_and_infinity_are_counted_hidden_from_the_network_and_kept_in_the_source():
    pixels = np.full((2, 2, 3), 0.5, np.float32)
    pixels[0, 0, 1], pixels[1, 1, 2] = np.nan, np.inf
    proxy = p.make_proxy(picture(pixels), 0.0, CPU)
    assert proxy.broken == 2
    assert torch.isfinite(proxy.shown).all()
    solid = p.rebuild_foreground(proxy, proxy.shown, torch.ones(1, 1, 2, 2))
    np.testing.assert_array_equal(p.to_pixels(solid), pixels)
    empty = p.premultiply(solid, torch.zeros(1, 1, 2, 2))
    assert (empty == 0).all()


@given(
    st.builds(Window, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 7), st.integers(1, 7)),
    st.builds(Window, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 7), st.integers(1, 7)),
    st.booleans(),
)
def test_pixels_keep_their_place_when_a_window_changes(have, want, edge):
    ys, xs = np.mgrid[have.y : have.bottom, have.x : have.right]
    pixels = np.stack([xs, ys], -1).astype(np.float32) + 100
    placed = p.place(pixels, have, want, edge)
    assert placed.shape == (want.height, want.width, 2)
    for y in range(want.height):
        for x in range(want.width):
            at_x, at_y = want.x + x, want.y + y
            inside = have.x <= at_x < have.right and have.y <= at_y < have.bottom
            if inside:
                assert tuple(placed[y, x]) == (at_x + 100, at_y + 100)
            elif not edge:
                assert tuple(placed[y, x]) == (0, 0)


def test_grey_is_shown_as_rgb_and_colourless_layers_are_refused():
    grey = p.colour_pixels(picture(np.full((2, 2, 1), 0.3), "Y"))
    np.testing.assert_array_equal(grey, np.full((2, 2, 3), np.float32(0.3)))
    with pytest.raises(FrameError, match="choose a layer with colour"):
        p.colour_pixels(picture(np.zeros((2, 2, 2)), "UV"))


def test_an_input_of_another_format_is_refused():
    with pytest.raises(FrameError, match="clean plate is 4x2 and the source 8x2"):
        p.laid_on("clean plate", picture(np.zeros((2, 4, 3))), picture(np.zeros((2, 8, 3))))


@given(*[st.integers(-40, 40)] * 4)
def test_inputs_are_laid_by_their_display_windows(x, y, source_x, source_y):
    """What stands at the format's corner stands there after laying, wherever formats begin."""
    source = picture(np.zeros((3, 4, 3)), display=Window(source_x, source_y, 20, 10))
    other = picture(np.zeros((2, 5, 1)), "A", at=(x + 3, y - 1), display=Window(x, y, 20, 10))
    laid = p.laid_on("mask", other, source)
    assert laid.display_window == source.display_window
    assert laid.data_window == Window(source_x + 3, source_y - 1, 5, 2)
    assert laid.pixels is other.pixels


@pytest.mark.parametrize("space", [ColourSpace(), ACESCG, SRGB, by_name("cineon"), by_name("ARRI LogC3 (EI800)")])
@settings(max_examples=20, deadline=None)
@given(hnp.arrays(np.float32, (3, 4, 3), elements=st.floats(0.125, 0.875, width=32)), alphas)
def test_what_is_premultiplied_is_light(space, pixels, alpha):
    """R, G, B over a background, both made linear, is the same picture in every space."""
    alpha[..., 0], alpha[..., 1] = 0, 1
    out = p.premultiply(torch.from_numpy(pixels).permute(2, 0, 1)[None], torch.from_numpy(alpha), space)
    out = p.to_pixels(out)
    light, expected = (to_linear_rec709(one, space) for one in (out[..., :3], pixels))
    np.testing.assert_allclose(light, expected * alpha[0, 0][..., None], atol=2e-3, rtol=5e-3)
    np.testing.assert_array_equal(out[:, 1, :3], pixels[:, 1])
    np.testing.assert_array_equal(out[..., 3], alpha[0, 0])


@given(hnp.arrays(np.float32, 30, elements=st.floats(0, 1, width=32) | st.floats(0.99951171875, 1, width=32)))
def test_alpha_is_1_and_0_where_the_file_says_so(values):
    values[:4] = 1 - 2.0**-12, np.nextafter(np.float32(1 - 2.0**-12), np.float32(0)), 2.0**-25, 1e-7
    for out in (p.settle(torch.from_numpy(values)).numpy(), p.settled(values)):
        for end in (0, 1):
            np.testing.assert_array_equal(out == end, values.astype(np.float16) == end)
        between = (out > 0) & (out < 1)
        np.testing.assert_array_equal(out[between], values[between])


@pytest.mark.parametrize("space", [LINEAR_REC709, SRGB])
def test_what_fast_hosts_do_not_read_is_black_to_the_network_and_stays_in_the_source(space):
    """The same proxy from a file and from a host that flushes what is below 2**-14; the foreground is the file's."""
    values = np.array([2.0**-14, 2.0**-15, -(2.0**-14), -(2.0**-20), np.nan, np.inf, 0.5, 0], np.float32)
    pixels = np.repeat(values.reshape(1, -1, 1), 3, axis=2)
    flushed = np.where(np.abs(pixels) < 2.0**-14, np.float32(0), pixels)
    ours, hosts = (p.make_proxy(picture(one, colour=space), 0.0, torch.device("cpu")) for one in (pixels, flushed))
    torch.testing.assert_close(ours.shown, hosts.shown, rtol=0, atol=0)
    torch.testing.assert_close(ours.light, hosts.light, rtol=0, atol=0)
    assert ours.light[0, 0, 0, 0] > 0
    solid = torch.ones(1, 1, 1, len(values))
    foreground = p.rebuild_foreground(ours, ours.shown, solid)
    np.testing.assert_array_equal(p.to_pixels(foreground), pixels)
    mask = picture(values.reshape(1, -1, 1), "A")
    assert p.mask_pixels(mask, mask.data_window)[0, :, 0].tolist() == [2.0**-14, 0, 0, 0, 0, 1, 0.5, 0]
