"""LaMa's discriminator and training losses."""

from collections.abc import Callable
from pathlib import Path

import pytest
import reference
import torch
import torch.nn.functional as F
from torch import Tensor

import models
from models.lama.losses import discriminator_loss, feature_matching, generator_loss, gradient_penalty
from models.lama.perceptual import DilatedResNet50, HighReceptiveFieldLoss

STRUCTURE: list[Callable[[], DilatedResNet50]] = [lambda: DilatedResNet50(False), lambda: DilatedResNet50(True)]


def pictures() -> tuple[Tensor, Tensor, Tensor]:
    mask = torch.zeros(2, 1, 64, 64)
    mask[0, :, 20:50, 10:40] = 1
    return reference.hashed("pred", 2, 3, 64, 64), reference.hashed("target", 2, 3, 64, 64), mask


def test_terms_are_weighted_as_published() -> None:
    pred, target, mask = pictures()
    judge = models.create("lama_discriminator", width=8).requires_grad_(False)
    fake, real = judge(pred), judge(target)
    losses = generator_loss(pred, target, mask, fake, real, perceptual=lambda a, b: (a - b).square().mean())
    known = 1 - mask.expand_as(pred)
    assert losses["known"].item() == pytest.approx(10 * ((pred - target) * known).abs().sum().item() / pred.numel())
    assert losses["adversarial"].item() == pytest.approx(10 * -F.logsigmoid(fake.scores).mean().item())
    assert losses["features"].item() == pytest.approx(100 * feature_matching(fake.features, real.features).item())
    assert losses["perceptual"].item() == pytest.approx(30 * (pred - target).square().mean().item())
    assert losses["total"].item() == pytest.approx(sum(v.item() for k, v in losses.items() if k != "total"))
    assert "perceptual" not in generator_loss(pred, target, mask, fake, real)


def test_the_hole_does_not_count_in_the_l1_term() -> None:
    pred, target, mask = pictures()
    judge = models.create("lama_discriminator", width=8).requires_grad_(False)
    in_hole = target + mask * (pred - target)
    assert generator_loss(in_hole, target, mask, judge(pred), judge(target))["known"] == 0


def test_known_patches_of_a_generated_picture_count_as_real() -> None:
    _, target, mask = pictures()
    target.requires_grad_()
    scores = target.mean(1, keepdim=True)[..., ::8, ::8]
    hole = mask[..., ::8, ::8]
    right = torch.where(hole > 0, -20.0, 20.0)
    assert discriminator_loss(right, scores, mask, target)["fake"] < 1e-6
    assert discriminator_loss(-right, scores, mask, target)["fake"] > 19


def test_gradient_penalty_of_a_known_function() -> None:
    x = reference.hashed("x", 2, 3, 4, 5).double().requires_grad_()
    penalty = gradient_penalty(x.square().sum(1, keepdim=True), x)
    assert penalty.item() == pytest.approx((2 * x).square().sum().item() / 2)
    assert penalty.requires_grad


def test_training_reaches_both_networks() -> None:
    pred, target, mask = pictures()
    pred.requires_grad_()
    judge = models.create("lama_discriminator", width=8).train()
    fake, real = judge(pred), judge(target)
    generator_loss(pred, target, mask, fake, real)["total"].backward()
    assert pred.grad is not None
    assert pred.grad.abs().sum() > 0
    judge.zero_grad()
    target.requires_grad_()
    discriminator_loss(judge(pred.detach()).scores, judge(target).scores, mask, target)["total"].backward()
    assert all(weight.grad is not None for weight in judge.parameters())


@pytest.mark.parametrize("make", STRUCTURE, ids=["torchvision", "deep stem"])
def test_perceptual_loss_takes_its_weights_from_a_file(make: Callable[[], DilatedResNet50], tmp_path: Path) -> None:
    network = make().eval()
    torch.save({**network.state_dict(), "fc.weight": torch.zeros(3, 2048)}, tmp_path / "encoder.pth")
    loss = HighReceptiveFieldLoss.from_file(tmp_path / "encoder.pth")
    pred, target, _ = pictures()
    pred.requires_grad_()
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    wanted = zip(network((pred - mean) / std), network((target - mean) / std), strict=True)
    expected = sum(F.mse_loss(a, b).item() for a, b in wanted)
    value = loss.train()(pred, target)
    assert value.item() == pytest.approx(expected, rel=1e-5)
    value.backward()
    assert pred.grad is not None
    assert pred.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in loss.parameters())
    assert loss(target, target) == 0


def test_perceptual_loss_names_missing_weights() -> None:
    with torch.device("meta"):
        state = DilatedResNet50().state_dict()
    del state["layer4.0.conv1.weight"]
    with pytest.raises(RuntimeError, match=r"layer4\.0\.conv1\.weight"):
        HighReceptiveFieldLoss(state)


def test_perceptual_network_sees_far_at_high_resolution() -> None:
    with torch.device("meta"):
        stages = DilatedResNet50()(torch.zeros(1, 3, 64, 96))
    assert [tuple(s.shape[1:]) for s in stages] == [(256, 16, 24), (512, 8, 12), (1024, 8, 12), (2048, 8, 12)]
