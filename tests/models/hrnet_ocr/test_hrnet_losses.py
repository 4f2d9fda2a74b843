"""Training losses of the segmentation network."""

import pytest
import reference
import torch
import torch.nn.functional as F
from torch import Tensor

import models
from models.hrnet_ocr.heads import OCROutput, normalize
from models.hrnet_ocr.losses import class_loss, ocr_loss, overlap_loss

JUDGED = (1, 2)


@pytest.fixture
def logits() -> Tensor:
    return (reference.hashed("logits", 2, 3, 5, 6) - 0.5) * 6


@pytest.fixture
def labels() -> Tensor:
    """[2,5,6], every third pixel unlabelled."""
    classes = (reference.hashed("labels", 2, 5, 6) * 3).long()
    classes.view(-1)[::3] = 255
    return classes


def test_is_cross_entropy_at_the_size_of_the_labels(logits: Tensor, labels: Tensor) -> None:
    expected = F.cross_entropy(logits, labels, ignore_index=255)
    torch.testing.assert_close(class_loss(logits, labels), expected)
    large = torch.zeros(2, 17, 21, dtype=torch.long)
    resized = F.interpolate(logits, (17, 21), mode="bilinear", align_corners=True)
    torch.testing.assert_close(class_loss(logits, large), F.cross_entropy(resized, large))


def test_class_weights(logits: Tensor, labels: Tensor) -> None:
    weights = torch.tensor([0.2, 1.0, 5.0])
    expected = F.cross_entropy(logits, labels, weights, ignore_index=255)
    torch.testing.assert_close(class_loss(logits, labels, weights), expected)


def test_total_weighs_the_auxiliary_output(logits: Tensor, labels: Tensor) -> None:
    losses = ocr_loss(OCROutput(logits, logits.flip(1)), labels)
    assert list(losses) == ["aux", "out", "total"]
    torch.testing.assert_close(losses["aux"], class_loss(logits, labels))
    torch.testing.assert_close(losses["total"], 0.4 * losses["aux"] + losses["out"])


@pytest.mark.parametrize("hard_below", [1.0, 0.7])
def test_nothing_labelled(logits: Tensor, labels: Tensor, hard_below: float) -> None:
    logits.requires_grad_()
    loss = class_loss(logits, torch.full_like(labels, 255), hard_below=hard_below)
    loss.backward()
    assert loss == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_hard_pixels(logits: Tensor, labels: Tensor) -> None:
    """Those with a low probability, or the lowest if they are too few."""
    confidence = logits.softmax(1).gather(1, labels.where(labels != 255, 0)[:, None])[:, 0]
    losses = F.cross_entropy(logits, labels, ignore_index=255, reduction="none")
    known = labels != 255
    below = known & (confidence <= 0.3)
    assert 3 < below.sum() < known.sum()
    torch.testing.assert_close(class_loss(logits, labels, hard_below=0.3, hard_least=1), losses[below].mean())
    lowest = losses[known].topk(int(below.sum()) + 4).values.mean()
    torch.testing.assert_close(class_loss(logits, labels, hard_below=0.3, hard_least=int(below.sum()) + 4), lowest)
    everything = class_loss(logits, labels, hard_below=0.3, hard_least=10_000)
    torch.testing.assert_close(everything, losses[known].mean())


@pytest.mark.parametrize("upsampler", ["bilinear", "carafe"])
def test_a_small_network_learns(upsampler: str) -> None:
    """Every parameter gets a gradient, and a few steps tell left from right."""
    torch.manual_seed(0)
    model = models.create(
        "hrnet_ocr", width=4, classes=2, body="small_v2", upsampler=upsampler, ocr_channels=16, key_channels=8
    ).train()
    x = normalize(reference.hashed("picture", 2, 3, 64, 64))
    x[..., 32:] += 1
    labels = torch.zeros(2, 64, 64, dtype=torch.long)
    labels[..., 32:] = 1
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    seen = []
    for _ in range(6):
        optimizer.zero_grad()
        losses = ocr_loss(model(x), labels)
        losses["total"].backward()
        optimizer.step()
        seen.append(losses["total"].item())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert seen[-1] < 0.6 * seen[0]


def test_overlap_is_one_minus_the_intersection_over_the_union() -> None:
    """Of the judged classes that occur; unlabelled pixels do not count."""
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    labels[0, 0] = 1
    labels[0, 3] = 255
    said = torch.zeros_like(labels)
    said[0, :2] = 1
    sure = 50 * F.one_hot(said, 4).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(overlap_loss(sure, labels, JUDGED), torch.tensor(1 - 4 / 8))
    torch.testing.assert_close(overlap_loss(sure, said, JUDGED), torch.tensor(0.0))
    assert overlap_loss(sure, torch.zeros_like(labels), JUDGED) == 0
    assert overlap_loss(sure, labels, (2,)) == 0
    assert overlap_loss(sure, torch.full_like(labels, 255), JUDGED) == 0


def test_overlap_cares_as_much_for_a_class_of_one_pixel() -> None:
    labels = torch.zeros(2, 5, 6, dtype=torch.long)
    labels[:, :3], labels[0, 4, 0] = 1, 2

    def without(missed: int) -> Tensor:
        said = labels.masked_fill(labels == missed, 0)
        return overlap_loss(50 * F.one_hot(said, 3).permute(0, 3, 1, 2).float(), labels, JUDGED)

    torch.testing.assert_close(without(2), torch.tensor(0.5))
    torch.testing.assert_close(without(1), torch.tensor(0.5))


def test_overlap_has_gradients_where_nothing_is_found(labels: Tensor) -> None:
    logits = torch.zeros(2, 3, 5, 6)
    logits[:, 0] = 20
    logits.requires_grad_()
    overlap_loss(logits, labels, JUDGED).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad[:, 1][labels == 1] < 0).all()
