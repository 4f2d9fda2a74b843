"""StructureFlow's networks: the published numbers, batches and sizes; and the smoothing that feeds them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import reference
import torch
from torch import Tensor, nn

import models
from models.structureflow import resample2d, smooth, smoothing


@pytest.fixture(scope="module")
def networks() -> Iterator[dict[str, nn.Module]]:
    """Both stages with the cases' fill, which has no rule in common."""
    structure = reference.Case(reference.BUNDLED / "structureflow_structure_64x96.npz")
    flow = reference.Case(reference.BUNDLED / "structureflow_flow_64x96.npz")
    built = {
        "structure": structure.fill(models.create("structureflow_structure"), 0),
        "flow": flow.fill(models.create("structureflow_flow"), 1),
    }
    for network in built.values():
        network.requires_grad_(False)
    yield built
    built.clear()


def inputs(case: reference.Case) -> tuple[Tensor, Tensor, Tensor]:
    return case.image("in_img_u8") * 2 - 1, case.image("in_structure_u8") * 2 - 1, case["in_mask"].float()


@pytest.mark.parametrize("path", reference.cases("structureflow_structure_*"))
def test_reference_structure(path: Path, networks: dict[str, nn.Module]) -> None:
    case = reference.Case(path)
    image, structure, mask = inputs(case)
    result = networks["structure"](torch.cat([image * (1 - mask), structure * (1 - mask), mask], dim=1))
    error = case.meta["diff"]["out"]["max_abs_f32_minus_f64"]
    torch.testing.assert_close(result, case["out"], rtol=0, atol=10 * error)


@pytest.mark.parametrize("path", reference.cases("structureflow_flow_*"))
def test_reference_flow(path: Path, networks: dict[str, nn.Module]) -> None:
    case = reference.Case(path)
    image, structure, mask = inputs(case)
    model = networks["flow"]
    seen: dict[str, Tensor] = {}
    hook = model.conv_column.down_sample[0].register_forward_hook(lambda m, a, result: seen.update(x1=result))
    hollow = image * (1 - mask)
    result, flow = model(torch.cat([hollow, structure, mask], dim=1))
    hook.remove()
    seen["resample16"], seen["resample4"] = resample2d(seen["x1"], flow, 16, 4.0), resample2d(seen["x1"], flow, 4, 2.0)
    reference.assert_close(case, {"image": result, "flow": flow, "merged": result * mask + hollow})
    for name, feature in seen.items():
        if f"mid_{name}_mean" in case:
            torch.testing.assert_close(feature.mean((2, 3)), case[f"mid_{name}_mean"], rtol=0, atol=1e-5)
            torch.testing.assert_close(feature[:, :16], case[f"mid_{name}_first16"], rtol=0, atol=3e-5)
    if "joint_image" in case:
        structure = networks["structure"](torch.cat([hollow, structure * (1 - mask), mask], dim=1))
        result, flow = model(torch.cat([hollow, structure, mask], dim=1))
        reference.assert_close(case, {"image": result, "flow": flow}, prefix="joint_")


@pytest.mark.parametrize("path", reference.cases("structureflow_discriminator_*"))
def test_reference_discriminator(path: Path) -> None:
    case = reference.Case(path)
    scores = case.fill(models.create("structureflow_discriminator"))(case.image("in_img_u8") * 2 - 1)
    for index, score in enumerate(scores):
        error = case.meta["diff"][f"s{index}"]["max_abs_f32_minus_f64"]
        torch.testing.assert_close(score, case[f"out_scale{index}"], rtol=0, atol=10 * error)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("structureflow_structure", "structureflow_structure_gen"),
        ("structureflow_flow", "structureflow_flow_gen"),
        ("structureflow_discriminator", "structureflow_multi_discriminator"),
    ],
)
def test_published_keys(name: str, published: str) -> None:
    with torch.device("meta"):
        assert reference.keys_of(models.create(name)) == reference.key_list(published)


@pytest.mark.parametrize(("name", "size"), [("structureflow_structure", (16, 24)), ("structureflow_flow", (48, 64))])
def test_pictures_of_a_batch_do_not_meet(name: str, size: tuple[int, int]) -> None:
    model = reference.fill(models.create(name, width=8)).requires_grad_(False)
    x = reference.hashed("x", 3, 7, *size) * 2 - 1
    together = model(x)
    alone = [model(item[None]) for item in x]
    if name == "structureflow_flow":
        torch.testing.assert_close(together.flow, torch.cat([item.flow for item in alone]), rtol=0, atol=1e-4)
        together, alone = together.image, [item.image for item in alone]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-4)


def test_half_precision_networks_are_close() -> None:
    x = reference.hashed("x", 1, 7, 48, 48) * 2 - 1
    for name, bound in (("structureflow_structure", 0.1), ("structureflow_flow", 0.1)):
        model = reference.fill(models.create(name, width=8)).requires_grad_(False)
        full = model(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = model(x)
        pairs = zip(full, result, strict=True) if name == "structureflow_flow" else [(full, result)]
        for wanted, found in pairs:
            assert (found.float() - wanted).abs().mean() < bound * wanted.abs().mean()


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        (
            "structureflow_structure",
            (1, 4, 64, 64),
            r"structure stage of StructureFlow takes \[B,7,H,W\], .* got \[1, 4, ",
        ),
        ("structureflow_structure", (1, 7, 60, 64), "multiples of 8, 16 or more; it got 64x60."),
        ("structureflow_structure", (1, 7, 8, 64), "multiples of 8, 16 or more; it got 64x8."),
        ("structureflow_flow", (1, 3, 64, 64), r"texture stage of StructureFlow takes \[B,7,H,W\], .* got \[1, 3, "),
        ("structureflow_flow", (1, 7, 64, 56), "multiples of 16, 48 or more; it got 56x64."),
        ("structureflow_flow", (1, 7, 32, 64), "multiples of 16, 48 or more; it got 64x32."),
    ],
)
def test_wrong_input_is_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    model = models.create(name, width=8)
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(shape))


def test_least_sizes_work() -> None:
    assert models.create("structureflow_structure", width=8)(torch.rand(1, 7, 16, 16)).shape == (1, 3, 16, 16)
    image, flow = models.create("structureflow_flow", width=8)(torch.rand(1, 7, 48, 64))
    assert image.shape == (1, 3, 48, 64)
    assert flow.shape == (1, 2, 12, 16)


def test_smoothing_solves_its_equations() -> None:
    weights, x = reference.hashed("w", 1, 1, 3, 9).double() * 1e4, reference.hashed("x", 1, 2, 3, 10).double()
    y = smoothing._solve_rows(weights, x)
    flux = nn.functional.pad(weights * y.diff(dim=-1), (1, 1))
    torch.testing.assert_close(y - flux.diff(dim=-1), x, rtol=0, atol=1e-9)


def test_smoothing_keeps_edges_and_removes_texture() -> None:
    across = torch.arange(96.0).expand(1, 3, 64, 96)
    step = 0.2 + 0.6 * (across > 47)
    textured = step + 0.08 * (reference.hashed("texture", 1, 3, 64, 96) - 0.5)
    result = smooth(textured)
    assert result[..., 4:44].std() < 0.3 * textured[..., 4:44].std()
    assert (result[..., 52] - result[..., 43]).mean() > 0.4
    assert torch.equal(smooth(textured[:, :, ::2, ::3].half()).isfinite(), torch.ones(1, 3, 32, 32, dtype=torch.bool))
    flat = torch.full((1, 1, 20, 30), 0.3)
    torch.testing.assert_close(smooth(flat), flat, rtol=0, atol=1e-6)
