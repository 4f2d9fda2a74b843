import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.soft_edges import solve_soft_edges

SUBJECT = torch.tensor([0.9, 0.85, 0.8]).view(1, 3, 1, 1)


def plate(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = 0.15 + 0.25 * torch.rand(1, 3, 8, 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def furry(height=270, width=480, reach=10.0):
    """True alpha that fades over `reach` pixels, what a network makes of it, and the two pictures."""
    behind = plate(height, width)
    distance = (torch.arange(width, dtype=torch.float32) - width / 2).expand(1, 1, height, width)
    truth = (0.5 + distance / reach).clamp(0, 1)
    rounded = (0.5 + distance / (0.4 * reach)).clamp(0, 1)
    return truth, rounded, SUBJECT * truth + behind * (1 - truth), behind


def error(alpha, truth):
    return float((alpha - truth).abs().mean())


def test_a_rounded_fringe_is_solved():
    truth, rounded, source, behind = furry()
    assert error(solve_soft_edges(rounded, source, behind), truth) < 0.5 * error(rounded, truth)


def test_grain_does_not_spoil_it():
    truth, rounded, source, behind = furry()
    generator = torch.Generator().manual_seed(1)
    source, behind = (image + 0.02 * torch.randn(image.shape, generator=generator) for image in (source, behind))
    assert error(solve_soft_edges(rounded, source, behind), truth) < 0.6 * error(rounded, truth)


def test_a_sharp_outline_stays_bit_for_bit():
    _, rounded, source, behind = furry()
    sharp = (rounded > 0.5).float()
    assert torch.equal(solve_soft_edges(sharp, source, behind), sharp)


def test_a_subject_in_the_plates_colours_stays():
    _, rounded, _, _ = furry()
    behind = SUBJECT.expand(1, 3, *rounded.shape[-2:])
    assert float((solve_soft_edges(rounded, behind, behind) - rounded).abs().max()) < 0.02


def test_colours_that_are_no_mixture_are_not_believed():
    _, rounded, source, behind = furry()
    odd = torch.tensor([0.1, 0.9, 0.1]).view(1, 3, 1, 1).expand_as(source)
    between = (rounded > 0) & (rounded < 1)
    mixed = torch.where(between, odd, source)
    change = (solve_soft_edges(rounded, mixed, behind) - rounded).abs()
    assert float(change[between].mean()) < 0.05


def test_half_the_amount_goes_half_the_way():
    _, rounded, source, behind = furry()
    whole, half = (solve_soft_edges(rounded, source, behind, amount) for amount in (1.0, 0.5))
    assert torch.allclose(half, (whole + rounded) / 2, atol=1e-6)
    assert solve_soft_edges(rounded, source, behind, 0.0) is rounded


def test_what_is_far_away_does_not_matter():
    """A fringe is solved alike whether the picture has another soft corner or not."""
    _, rounded, source, behind = furry(400, 1200)
    other = rounded.clone()
    other[..., :40, :40] = 0.5
    one, two = (solve_soft_edges(alpha, source, behind) for alpha in (rounded, other))
    assert torch.allclose(one[..., 200:, 560:], two[..., 200:, 560:], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 1000))
def test_any_picture_gives_an_alpha(height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    alpha = torch.rand(1, 1, height, width, generator=generator)
    source, behind = torch.rand(2, 1, 3, height, width, generator=generator)
    solved = solve_soft_edges(alpha, source, behind)
    assert solved.shape == alpha.shape
    assert bool(((solved >= 0) & (solved <= 1)).all())
