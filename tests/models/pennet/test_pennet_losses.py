"""PEN-Net's training losses."""

import pytest
import reference
import torch
import torch.nn.functional as F

import models
from models.pennet.losses import discriminator_loss, generator_loss


def test_terms_are_weighted_as_published() -> None:
    target, output = (reference.hashed(name, 2, 3, 64, 64) * 2 - 1 for name in ("target", "output"))
    pyramid = [reference.hashed(f"p{level}", 2, 3, 64 >> level, 64 >> level) for level in range(1, 6)]
    mask = torch.zeros(2, 1, 64, 64)
    mask[0, :, 10:30, 20:50] = 1
    fake = reference.hashed("fake", 2, 1, 6, 6)
    losses = generator_loss(pyramid, output, target, mask, fake)
    error, hole = (output - target).abs(), mask.expand_as(target) > 0
    assert losses["hole"].item() == pytest.approx(6 * error[hole].mean().item(), rel=1e-5)
    assert losses["known"].item() == pytest.approx(error[~hole].mean().item(), rel=1e-5)
    levels = (F.interpolate(target, p.shape[-2:], mode="bilinear", align_corners=True) for p in pyramid)
    expected = sum(F.l1_loss(p, t).item() for p, t in zip(pyramid, levels, strict=True))
    assert losses["pyramid"].item() == pytest.approx(0.5 * expected)
    assert losses["adversarial"].item() == pytest.approx(-0.1 * fake.mean().item())
    assert losses["total"].item() == pytest.approx(sum(v.item() for k, v in losses.items() if k != "total"))


@pytest.mark.parametrize("area", [0.0, 1.0])
def test_empty_and_full_masks_are_no_accident(area: float) -> None:
    output = torch.zeros(1, 3, 64, 64, requires_grad=True)
    mask, target = torch.full((1, 1, 64, 64), area), torch.ones(1, 3, 64, 64)
    losses = generator_loss([output], output, target, mask, output)
    assert losses["hole"].item() == pytest.approx(6 * area)
    assert losses["known"].item() == pytest.approx(1 - area)
    losses["total"].backward()
    assert output.grad is not None
    assert output.grad.isfinite().all()


def test_hinge_loss_is_content_beyond_the_margin() -> None:
    assert discriminator_loss(torch.full((2, 1, 4, 4), -1.5), torch.full((2, 1, 4, 4), 1.5)) == 0
    assert discriminator_loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4)) == 2


def test_training_reaches_every_weight() -> None:
    model = models.create("pennet", width=8).train()
    judge = models.create("pennet_discriminator").train()
    image, mask = reference.hashed("image", 1, 3, 64, 64) * 2 - 1, torch.zeros(1, 1, 64, 64)
    mask[..., 20:40, 20:40] = 1
    pyramid, output = model(torch.cat([image * (1 - mask) + mask, mask], dim=1), mask)
    whole = image * (1 - mask) + output * mask
    generator_loss(pyramid, output, image, mask, judge(whole))["total"].backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
    judge.zero_grad()
    discriminator_loss(judge(whole.detach()), judge(image)).backward()
    assert all(weight.grad is not None for weight in judge.parameters())
