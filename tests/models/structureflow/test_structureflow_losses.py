"""StructureFlow's training losses."""

import math
from pathlib import Path

import pytest
import reference
import torch
from torch import Tensor
from torchvision.models.vgg import vgg19

import models
from models.structureflow import Textured
from models.structureflow.losses import (
    adversarial,
    discriminator_loss,
    sampling_correctness,
    structure_loss,
    texture_loss,
)
from models.structureflow.vgg import VGG19Features


@pytest.fixture(scope="module")
def vgg() -> VGG19Features:
    torch.manual_seed(1)
    with torch.device("meta"):
        shapes = vgg19(init_weights=False).features.state_dict()
    state = {f"features.{k}": torch.randn(v.shape) * (2 / max(1, v[0].numel())) ** 0.5 for k, v in shapes.items()}
    return VGG19Features(state)


def pictures() -> tuple[Tensor, Tensor, Tensor]:
    pred, target = (reference.hashed(name, 1, 3, 64, 64) * 2 - 1 for name in ("pred", "target"))
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 24:40] = 1
    return pred, target, mask


def scores() -> list[Tensor]:
    return [reference.hashed("full", 1, 1, 8, 8), reference.hashed("half", 1, 1, 4, 4)]


def test_terms_are_weighted_as_published(vgg: VGG19Features) -> None:
    pred, target, mask = pictures()
    l1 = (pred - target).abs().mean().item()
    judged = sum((1 - s).square().mean().item() for s in scores()) / 2
    losses = structure_loss(pred, target, scores())
    assert losses["l1"].item() == pytest.approx(4 * l1)
    assert losses["adversarial"].item() == pytest.approx(judged)
    assert losses["total"].item() == pytest.approx(4 * l1 + judged)
    textured = Textured(pred, torch.zeros(1, 2, 16, 16))
    losses = texture_loss(textured, target, mask, scores(), vgg)
    assert losses["l1"].item() == pytest.approx(5 * l1)
    assert losses["correctness"].item() == pytest.approx(
        0.25 * sampling_correctness(textured.flow, target, mask, vgg).item()
    )
    assert set(losses) == {"l1", "adversarial", "correctness", "total"}
    joint = texture_loss(textured, target, mask, scores(), vgg, joint=True)
    content = sum((a - b).abs().mean().item() for a, b in zip(vgg(pred), vgg(target), strict=True))
    assert joint["content"].item() == pytest.approx(0.1 * content, rel=1e-4)
    assert joint["total"].item() == pytest.approx(sum(v.item() for k, v in joint.items() if k != "total"), rel=1e-5)
    perfect = texture_loss(Textured(target, textured.flow), target, mask, scores(), vgg, joint=True)
    assert perfect["l1"] == perfect["style"] == perfect["content"] == 0


def test_scores_are_compared_with_one_and_zero() -> None:
    real, fake = [torch.ones(1, 1, 4, 4), torch.ones(1, 1, 2, 2)], [torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 2, 2)]
    assert discriminator_loss(fake, real) == 0
    assert discriminator_loss(real, fake) == 1
    assert adversarial(real) == 0


def test_correct_flow_is_found(vgg: VGG19Features) -> None:
    """The right half repeats the left, the hole is on the right: what is missing is 32 pixels, 8 cells of the flow, to
    the left, and the loss is less when the flow says so."""
    left = reference.hashed("left", 1, 3, 64, 32) * 2 - 1
    target = torch.nn.functional.interpolate(left[..., ::8, ::8], scale_factor=8.0).tile(1, 1, 1, 2)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 40:56] = 1
    right = torch.zeros(1, 2, 16, 16)
    right[:, 0] = -8
    found, missed = (sampling_correctness(f, target, mask, vgg).item() for f in (right, torch.full_like(right, 2.0)))
    assert math.exp(-1) - 1e-4 < found < math.exp(-1) + 0.01
    assert missed > found + 0.01


def test_correctness_of_an_empty_mask_is_zero(vgg: VGG19Features) -> None:
    _, target, mask = pictures()
    assert sampling_correctness(torch.zeros(1, 2, 16, 16), target, 0 * mask, vgg) == 0


def test_flow_learns_from_its_correctness(vgg: VGG19Features) -> None:
    _, target, mask = pictures()
    flow = torch.full((1, 2, 16, 16), 0.3, requires_grad=True)
    sampling_correctness(flow, target, mask, vgg).backward()
    assert flow.grad is not None
    hole = mask[0, 0, ::4, ::4] > 0
    assert (flow.grad[0, :, hole] != 0).all()
    assert (flow.grad[0, :, ~hole] == 0).all()


def test_features_come_from_a_file(vgg: VGG19Features, tmp_path: Path) -> None:
    torch.save({**vgg.state_dict(), "classifier.0.weight": torch.zeros(2)}, tmp_path / "vgg19.pth")
    _, target, _ = pictures()
    found = VGG19Features.from_file(tmp_path / "vgg19.pth").train()(target)
    assert [f.shape[1] for f in found] == [64, 128, 256, 512, 512]
    assert [f.shape[2] for f in found] == [64, 32, 16, 8, 4]
    assert all(torch.equal(a, b) for a, b in zip(found, vgg(target), strict=True))
    assert len(vgg(target, 3)) == 3
    state = vgg.state_dict()
    del state["features.28.weight"]
    with pytest.raises(RuntimeError, match=r"features\.28\.weight"):
        VGG19Features(state)


def test_training_reaches_every_weight(vgg: VGG19Features) -> None:
    _, target, mask = pictures()
    hollow = target * (1 - mask)
    judge = models.create("structureflow_discriminator", width=8).train()
    structure = models.create("structureflow_structure", width=8).train()
    texture = models.create("structureflow_flow", width=8).train()
    smoothed = structure(torch.cat([hollow, hollow, mask], dim=1))
    textured = texture(torch.cat([hollow, target, mask], dim=1))
    structure_loss(smoothed, target, judge(smoothed))["total"].backward()
    texture_loss(textured, target, mask, judge(textured.image), vgg, joint=True)["total"].backward()
    for network in (structure, texture):
        assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())
    judge.zero_grad()
    discriminator_loss(judge(textured.image.detach()), judge(target)).backward()
    assert all(weight.grad is not None for weight in judge.parameters())
