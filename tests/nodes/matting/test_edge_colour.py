"""The colour of soft edges without a plate."""

import torch

from nodes.matting.edge_colour import edge_colour


def edge(width: int = 480) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Alpha from 1 to 0 over 12 pixels, the red that is there, and what is seen of it over blue."""
    alpha = ((width / 2 - torch.arange(width)) / 12).clamp(0, 1).expand(1, 1, 32, width).contiguous()
    red = torch.tensor([0.8, 0.2, 0.1])[None, :, None, None].expand(1, 3, 32, width)
    blue = torch.tensor([0.1, 0.2, 0.7])[None, :, None, None]
    return alpha, red, alpha * red + (1 - alpha) * blue


def test_soft_edges_lose_the_background():
    alpha, red, seen = edge()
    found = edge_colour(alpha, seen)
    soft = ((alpha > 0.3) & (alpha < 1)).expand_as(seen)
    before, after = (float((one - red).abs()[soft].mean()) for one in (seen, found))
    assert after < before / 2


def test_it_is_the_source_where_nothing_is_soft():
    alpha, _, seen = edge()
    assert edge_colour(alpha.round(), seen) is seen
    found = edge_colour(alpha, seen)
    assert torch.equal(found[..., -8:], seen[..., -8:])
    assert torch.isfinite(found).all()
    # Of one colour there is nothing to take away.
    grey = torch.full_like(seen, 0.5)
    assert torch.allclose(edge_colour(alpha, grey), grey, atol=1e-5)
