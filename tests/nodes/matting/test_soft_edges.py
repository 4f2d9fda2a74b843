import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from local_engine import picture

from nodes.matting.soft_edges import solve_soft_edges
from nodes.picture import make_proxy, rebuild_foreground, srgb_decode, srgb_encode, to_pixels

SUBJECT = torch.tensor([0.9, 0.85, 0.8]).view(1, 3, 1, 1)


def plate(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = 0.15 + 0.25 * torch.rand(1, 3, 8, 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def furry(height=120, width=480, reach=10.0):
    """True alpha that fades over `reach` pixels, what a network makes of it, and the two pictures."""
    behind = plate(height, width)
    distance = (torch.arange(width, dtype=torch.float32) - width / 2).expand(1, 1, height, width)
    truth = (0.5 + distance / reach).clamp(0, 1)
    rounded = (0.5 + distance / (0.4 * reach)).clamp(0, 1)
    return truth, rounded, SUBJECT * truth + behind * (1 - truth), behind


def error(alpha, truth):
    return float((alpha - truth).abs().mean())


def solved_alpha(alpha, source, behind, amount=1.0):
    return solve_soft_edges(alpha, source, source, behind, amount)[0]


def test_a_rounded_fringe_is_solved():
    truth, rounded, source, behind = furry()
    assert error(solved_alpha(rounded, source, behind), truth) < 0.5 * error(rounded, truth)


def test_grain_does_not_spoil_it():
    truth, rounded, source, behind = furry()
    generator = torch.Generator().manual_seed(1)
    source, behind = (image + 0.02 * torch.randn(image.shape, generator=generator) for image in (source, behind))
    assert error(solved_alpha(rounded, source, behind), truth) < 0.6 * error(rounded, truth)


@pytest.mark.parametrize("grain", [0.0, 0.02])
def test_the_foreground_loses_the_plates_colour(grain):
    """The network's foreground is the picture itself: all spill."""
    truth, rounded, source, behind = furry()
    generator = torch.Generator().manual_seed(2)
    source, behind = (image + grain * torch.randn(image.shape, generator=generator) for image in (source, behind))
    alpha, foreground = solve_soft_edges(rounded, source, source, behind)
    fringe = ((truth > 0.1) & (truth < 0.9)).expand_as(source)
    spill, rest = ((image - SUBJECT).abs()[fringe].mean() for image in (source, foreground))
    assert float(rest) < 0.1 * float(spill)
    composite = alpha * foreground + (1 - alpha) * torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
    wanted = truth * SUBJECT + (1 - truth) * torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
    assert float((composite - wanted).abs()[fringe].mean()) < 0.05


def test_a_subject_of_many_colours_keeps_them_at_its_outline():
    """Stripes of two colours across the outline stay two colours, though the solid subject is both."""
    truth, rounded, _, behind = furry()
    stripes = (torch.arange(120) // 30 % 2).float().view(1, 1, 120, 1)
    subject = SUBJECT * stripes + torch.tensor([0.9, 0.3, 0.1]).view(1, 3, 1, 1) * (1 - stripes)
    subject = subject.expand_as(behind)
    source = subject * truth + behind * (1 - truth)
    _, foreground = solve_soft_edges(rounded, source, source, behind)
    dense = ((truth > 0.5) & (truth < 0.95)).expand_as(source)
    assert float((foreground - subject).abs()[dense].mean()) < 0.04


def test_a_sharp_outline_stays_bit_for_bit():
    _, rounded, source, behind = furry()
    sharp = (rounded > 0.5).float()
    alpha, foreground = solve_soft_edges(sharp, source, source, behind)
    assert torch.equal(alpha, sharp)
    assert torch.equal(foreground, source)


def test_an_antialiased_outline_keeps_its_alpha_and_loses_spill():
    behind = plate(64, 1920)
    truth = torch.zeros(1, 1, 64, 1920)
    truth[..., 960] = 0.5
    truth[..., 961:] = 1.0
    source = SUBJECT * truth + behind * (1 - truth)
    alpha, foreground = solve_soft_edges(truth, source, source, behind)
    assert torch.equal(alpha, truth)
    assert float((foreground - SUBJECT)[..., 960].abs().max()) < 0.03


def test_a_subject_in_the_plates_colours_stays():
    _, rounded, _, _ = furry()
    behind = SUBJECT.expand(1, 3, *rounded.shape[-2:])
    assert float((solved_alpha(rounded, behind, behind) - rounded).abs().max()) < 0.03


def test_a_rim_that_is_darker_than_the_subject_stays_solid():
    """Round things are darker where they turn away: next to a dark plate that looks as if it shone through."""
    height, width = 120, 480
    distance = (torch.arange(width, dtype=torch.float32) - width / 2).expand(1, 1, height, width)
    truth, rounded = (distance > 0).float(), (0.5 + distance / 20).clamp(0, 1)
    grey = 0.3 + 0.3 * (distance / 60).clamp(0, 1).sqrt()
    generator = torch.Generator().manual_seed(3)
    cloth = torch.nn.functional.interpolate(torch.randn(1, 1, 15, 60, generator=generator), (height, width))
    behind = 0.4 * plate(height, width)
    source = (grey + 0.04 * cloth) * truth + behind * (1 - truth)
    rim = (distance > 2) & (distance < 20)
    assert float(solved_alpha(rounded, source.expand(1, 3, -1, -1), behind)[rim].mean()) > 0.96


def test_colours_that_are_no_mixture_are_not_believed():
    _, rounded, source, behind = furry()
    odd = torch.tensor([0.1, 0.9, 0.1]).view(1, 3, 1, 1).expand_as(source)
    between = (rounded > 0) & (rounded < 1)
    mixed = torch.where(between, odd, source)
    change = (solved_alpha(rounded, mixed, behind) - rounded).abs()
    assert float(change[between].mean()) < 0.05


@pytest.mark.parametrize("depth", [0.3, 0.5])
def test_a_shadow_is_not_made_into_a_dark_subject(depth):
    """Beside a dark subject the plate lies in a shadow, which the network half takes for subject."""
    behind = plate(120, 480) + 0.3
    place = torch.arange(480).expand(1, 1, 120, 480)
    shaded = srgb_encode(srgb_decode(behind) * (1 - depth))
    source = torch.where(place > 240, torch.full_like(behind, 0.05), shaded)
    guess = torch.where(place > 240, 1.0, torch.where(place > 200, 0.1, 0.0))
    assert float((solved_alpha(guess, source, behind) - guess)[..., 201:238].max()) < 0.05


def test_without_a_solid_subject_nothing_is_made_up():
    _, _, source, behind = furry()
    faint = torch.full((1, 1, 120, 480), 0.5)
    alpha, foreground = solve_soft_edges(faint, source, source, behind)
    assert float((foreground - source).abs().max()) < 1e-4
    assert float((alpha - faint).abs().max()) < 0.03


def test_half_the_amount_goes_half_the_way():
    _, rounded, source, behind = furry()
    whole, half = (solve_soft_edges(rounded, behind, source, behind, amount) for amount in (1.0, 0.5))
    for solved, halfway, given_ in zip(whole, half, (rounded, behind), strict=True):
        assert torch.allclose(halfway, (solved + given_) / 2, atol=1e-6)
    untouched = solve_soft_edges(rounded, behind, source, behind, 0.0)
    assert untouched[0] is rounded
    assert untouched[1] is behind


def test_highlights_survive_and_solid_pixels_are_the_source():
    """Through the house's proxy: a subject with lamps of 6 in it, in light."""
    truth, rounded, _, behind = furry()
    light = srgb_decode(SUBJECT) * truth + srgb_decode(behind) * (1 - truth)
    light[..., 40:60, 235:300] = 6.0
    source, laid = (
        make_proxy(picture(to_pixels(image)), 0.0, torch.device("cpu")) for image in (light, srgb_decode(behind))
    )
    alpha, colour = solve_soft_edges(rounded, source.shown, source.shown, laid.shown)
    foreground = rebuild_foreground(source, colour, alpha, laid)
    assert float(foreground[..., 40:60, 235:300].min()) >= 5.9
    solid = (alpha >= 1).expand_as(light)
    assert bool(solid.any())
    assert torch.equal(foreground[solid], source.stored[solid])


def test_inputs_are_left_alone():
    _, rounded, source, behind = furry()
    before = [image.clone() for image in (rounded, source, behind)]
    solve_soft_edges(rounded, source, source, behind)
    for image, copy in zip((rounded, source, behind), before, strict=True):
        assert torch.equal(image, copy)


def test_what_is_far_away_does_not_matter():
    """A fringe is solved alike whether the picture has another soft corner or not."""
    _, rounded, source, behind = furry(400, 1200)
    other = rounded.clone()
    other[..., :40, :40] = 0.5
    one, two = (solve_soft_edges(alpha, source, source, behind) for alpha in (rounded, other))
    for first, second in zip(one, two, strict=True):
        assert torch.allclose(first[..., 200:, 560:], second[..., 200:, 560:], atol=1e-6)


def test_the_same_picture_gives_the_same_bits():
    _, rounded, source, behind = furry()
    one, two = (solve_soft_edges(rounded.clone(), source.clone(), source, behind.clone()) for _ in range(2))
    assert all(torch.equal(first, second) for first, second in zip(one, two, strict=True))


def test_lengths_grow_with_the_picture():
    """Twice the size gives the same matte."""
    _, rounded, source, behind = furry(96, 960, reach=20.0)
    large = [torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear") for x in (rounded, source, behind)]
    small = solved_alpha(rounded, source, behind)
    twice = torch.nn.functional.avg_pool2d(solved_alpha(*large), 2)
    assert float((twice - small).abs().mean()) < 0.15 * float((small - rounded).abs().mean())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 1000))
def test_any_picture_gives_an_alpha_and_a_foreground(height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    alpha = torch.rand(1, 1, height, width, generator=generator)
    foreground, source, behind = torch.rand(3, 1, 3, height, width, generator=generator)
    for solved, given_ in zip(solve_soft_edges(alpha, foreground, source, behind), (alpha, foreground), strict=True):
        assert solved.shape == given_.shape
        assert bool(((solved >= 0) & (solved <= 1)).all())
