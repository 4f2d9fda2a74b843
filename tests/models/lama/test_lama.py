"""LaMa: the published numbers, precision, and every size."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import reference
import torch
from torch import Tensor, nn

import models
from models.lama.ffc import FFC, FFCResidualBlock, FourierUnit, SpectralTransform, Split

Build = Callable[[reference.Case], nn.Module]


@pytest.fixture(scope="module")
def filled() -> Iterator[Build]:
    """Networks as their cases fill them, each built once."""
    networks: dict[str, nn.Module] = {}

    def build(case: reference.Case) -> nn.Module:
        kind = "lama_regular" if "pix2pixhd" in case.meta["net"] else "lama"
        blocks = case.meta["model_kwargs"]["n_blocks"]
        if f"{kind}{blocks}" not in networks:
            model = case.fill(models.create(kind, n_blocks=blocks))
            networks[f"{kind}{blocks}"] = model.requires_grad_(False)
        return networks[f"{kind}{blocks}"]

    yield build
    networks.clear()


@pytest.mark.parametrize("path", [*reference.cases("lama_[bfr]*")])
def test_reference_case(path: Path, filled: Build) -> None:
    case = reference.Case(path)
    model = filled(case)
    seen: dict[str, Split] = {}
    blocks = case.meta["model_kwargs"]["n_blocks"]
    hooks = []
    for name, index in {"down3": 4, "block0": 5, "blocklast": 4 + blocks}.items():
        hook = lambda module, args, result, name=name: seen.update({name: result})  # noqa: E731
        hooks.append(model.model[index].register_forward_hook(hook))
    image, mask = case.image("in_img_u8"), case["in_mask"].float()
    predicted = model(torch.cat([image * (1 - mask), mask], dim=1))
    for hook in hooks:
        hook.remove()
    reference.assert_close(case, {"predicted": predicted, "inpainted": mask * predicted + (1 - mask) * image})
    for name, parts in seen.items():
        for kind, part in zip(("local", "global"), parts, strict=False):
            if f"{name}_{kind}_mean" in case:
                check(part.mean((2, 3)), case[f"{name}_{kind}_mean"], 1e-5)
            if f"{name}_{kind}" in case:
                stored = case[f"{name}_{kind}"]
                check(part[:, : stored.shape[1]], stored, 1e-5)


MODULES: dict[str, tuple[tuple[int, ...], Callable[[], nn.Module]]] = {
    "fu_32_12x10": ((1, 32, 12, 10), lambda: FourierUnit(32, 32)),
    "fu_32_9x7": ((2, 32, 9, 7), lambda: FourierUnit(32, 32)),
    "fu_8to12_6x8": ((1, 8, 6, 8), lambda: FourierUnit(8, 12)),
    "st_64_nolfu_8x12": ((1, 64, 8, 12), lambda: SpectralTransform(64, 64)),
    "st_64_lfu_8x8": ((1, 64, 8, 8), lambda: SpectralTransform(64, 64, lfu=True)),
    "st_64_stride2_nolfu_8x12": ((1, 64, 8, 12), lambda: SpectralTransform(64, 64, stride=2)),
    "st_32to64_nolfu_7x9": ((1, 32, 7, 9), lambda: SpectralTransform(32, 64)),
    "ffc_64_075_075_s1_8x12": ((1, 64, 8, 12), lambda: FFC(64, 64, 3, 0.75, 0.75, padding=1)),
    "ffc_64_0_075_s2_16x12": ((1, 32, 16, 12), lambda: FFC(32, 64, 3, 0, 0.75, stride=2, padding=1)),
    "ffc_64_05_025_s1_lfu_8x8": ((1, 64, 8, 8), lambda: FFC(64, 64, 3, 0.5, 0.25, padding=1, lfu=True)),
    "ffc_64_075_075_gated_8x12": ((1, 64, 8, 12), lambda: FFC(64, 64, 3, 0.75, 0.75, padding=1, gated=True)),
    "block64": ((1, 64, 10, 14), lambda: FFCResidualBlock(64, 0.75)),
}


@pytest.mark.parametrize("path", reference.cases("lama_modules"))
def test_reference_modules(path: Path) -> None:
    case = reference.Case(path)
    compared = 0
    for which, (name, (shape, make)) in enumerate(MODULES.items()):
        module = case.fill(make(), which).eval()
        feature = (reference.hash_u(f"feat_{name}", int(np.prod(shape))) - 0.5) * 2
        x = torch.from_numpy(feature.astype(np.float32).reshape(shape))
        if f"in_{name}" in case:
            assert torch.equal(x, case[f"in_{name}"])
        result = module(split(x, module))
        parts = dict(zip(("_l", "_g"), result, strict=True)) if isinstance(result, tuple) else {"": result}
        for part, value in parts.items():
            stored = "out" + (f"{part}_{name}" if part else f"_{name}")
            error = case.meta["diff"][name]
            error = error[part[1:]] if part else error
            if stored in case:
                check(value, case[stored], 10 * error["max_abs_f32_minus_f64"])
                compared += 1
            if f"out64_{name}" in case:
                check(module.double()(x.double()), case[f"out64_{name}"], 1e-13)
    assert compared >= 10


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("lama_big", lambda: models.create("lama", n_blocks=18)),
        ("lama_fourier", lambda: models.create("lama", n_blocks=9)),
        ("lama_fourier_lfu_true_variant", lambda: models.create("lama", n_blocks=2, lfu=True)),
        ("lama_regular_pix2pixhd_9b", lambda: models.create("lama_regular", n_blocks=9)),
        ("lama_discriminator_pix2pixhd_nlayer", lambda: models.create("lama_discriminator")),
        ("lama_fourier_unit_64", lambda: FourierUnit(64, 64)),
        ("lama_spectral_transform_128_lfu", lambda: SpectralTransform(128, 128, lfu=True)),
        ("lama_spectral_transform_128_nolfu", lambda: SpectralTransform(128, 128)),
        *((f"lama_{name}", make) for name, (_, make) in MODULES.items() if name.startswith("ffc")),
        ("lama_ffc_resblock_64", MODULES["block64"][1]),
    ],
)
def test_published_keys(name: str, make: Callable[[], nn.Module]) -> None:
    with torch.device("meta"):
        assert reference.keys_of(make()) == reference.key_list(name)


def test_fourier_unit_inverts_as_numpy_does() -> None:
    unit = identity_unit(1)
    unit.conv_layer.weight.data[:, :, 0, 0] = torch.tensor([[0.3, -1.2], [0.9, 0.4]], dtype=torch.float64)
    unit.bn.bias.data.fill_(5)  # keeps the ReLU out of it
    for shape in ((6, 8), (5, 7)):
        x = reference.hashed("x", 1, 1, *shape).double()
        spectrum = np.fft.rfft2(x[0, 0].numpy(), norm="ortho")
        real, imaginary = spectrum.real, spectrum.imag
        mixed = 5 + 0.3 * real - 1.2 * imaginary + 1j * (5 + 0.9 * real + 0.4 * imaginary)
        expected = np.fft.irfft(np.fft.ifft(mixed, axis=0, norm="ortho"), n=shape[1], axis=1, norm="ortho")
        check(unit(x)[0, 0], torch.from_numpy(expected), 1e-13)


def test_fourier_part_stays_in_full_precision() -> None:
    unit = reference.fill(FourierUnit(8, 8)).eval()
    x = reference.hashed("x", 1, 8, 33, 40).half()
    full = unit(x.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(unit(x.float()), full)
    halved = nn.Sequential(unit, nn.Conv2d(8, 8, 1)).half()
    assert halved[1].weight.dtype == torch.float16
    assert unit.conv_layer.weight.dtype == unit.bn.running_var.dtype == torch.float32
    assert torch.equal(unit(x), full.half())
    assert torch.equal(unit.bfloat16()(x), full.half())
    assert unit.double().conv_layer.weight.dtype == torch.float64
    assert unit.half().conv_layer.weight.dtype == torch.float32


def test_fourier_part_holds_what_half_precision_cannot() -> None:
    bright = torch.full((1, 1, 128, 128), 1000.0).half()  # its spectrum starts at 128 000
    check(identity_unit(1).half()(bright), bright, 1)


def test_half_precision_network_is_close() -> None:
    model = reference.fill(models.create("lama", n_blocks=2, width=16)).requires_grad_(False)
    x = picture(1, 32, 48)
    full = model(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        check(model(x).float(), full, 0.03)
    check(model.half()(x.half()).float(), full, 0.01)


@pytest.mark.parametrize("size", [(7, 9), (8, 12), (6, 5)])
def test_local_fourier_unit_takes_any_size(size: tuple[int, int]) -> None:
    transform = reference.fill(SpectralTransform(16, 16, lfu=True)).eval()
    assert transform(torch.rand(2, 16, *size)).shape == (2, 16, *size)


def test_strided_convolution_takes_odd_sizes() -> None:
    ffc = FFC(8, 8, 3, 0.5, 0.5, stride=2, padding=1).eval()
    local, spectral = ffc(Split(torch.rand(1, 4, 9, 7), torch.rand(1, 4, 9, 7)))
    assert local.shape == spectral.shape == (1, 4, 5, 4)


@pytest.mark.parametrize("options", [{}, {"lfu": True}, {"gated": True}])
def test_pictures_of_a_batch_do_not_meet(options: dict[str, bool]) -> None:
    model = reference.fill(models.create("lama", n_blocks=2, width=8, **options)).requires_grad_(False)
    batch = picture(3, 24, 40)
    alone = torch.cat([model(item[None]) for item in batch])
    check(model(batch), alone, 1e-5)


def test_gradient_reaches_every_weight() -> None:
    model = models.create("lama", n_blocks=1, width=8, lfu=True, gated=True).train()
    model(picture(2, 16, 24)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize("name", ["lama", "lama_detail", "lama_regular"])
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 64, 64), r"LaMa takes \[B,4,H,W\], .*; it got \[1, 3, 64, 64\]\."),
        ((1, 4, 60, 64), "multiples of 8, 16 or more; it got 64x60."),
        ((1, 4, 64, 8), "multiples of 8, 16 or more; it got 8x64."),
    ],
)
def test_wrong_input_is_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    model = models.create(name, n_blocks=1, width=8)
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(shape))
    assert model(torch.zeros(1, 4, 16, 16)).shape == (1, 3, 16, 16)


def test_detail_changes_the_hole_alone() -> None:
    model = models.create("lama_detail", n_blocks=1, width=8)
    torch.manual_seed(1)
    shown = picture(1, 32, 48)
    shown[:, 3] = 0
    shown[:, 3, 8:20, 10:30] = 1
    changed = model(shown) - shown[:, :3]
    hole = shown[:, 3:].expand_as(changed) > 0
    assert (changed[~hole] == 0).all()
    assert (changed[hole] != 0).all()


def test_no_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="n_blocks is at least 1, not 0"):
        models.create("lama", n_blocks=0)


def check(result: Tensor, stored: Tensor, tolerance: float) -> None:
    torch.testing.assert_close(result, stored, rtol=0, atol=tolerance)


def split(x: Tensor, module: nn.Module) -> Tensor | Split:
    """As the case does: the first channels are local, the rest global."""
    ffc = module.conv1.ffc if isinstance(module, FFCResidualBlock) else module
    if not isinstance(ffc, FFC):
        return x
    local = ffc.convl2l.in_channels
    return Split(x[:, :local], x[:, local:] if local < x.shape[1] else None)


def picture(batch: int, height: int, width: int) -> Tensor:
    image = reference.hashed("picture", batch, 3, height, width)
    mask = (reference.hashed("mask", batch, 1, height, width) > 0.7).float()
    return torch.cat([image * (1 - mask), mask], dim=1)


def identity_unit(channels: int) -> FourierUnit:
    """A Fourier unit that changes nothing where the spectrum is positive, in float64."""
    unit = FourierUnit(channels, channels).double().eval().requires_grad_(False)
    unit.conv_layer.weight.copy_(torch.eye(2 * channels)[:, :, None, None])
    unit.bn.eps = 0.0
    return unit
