"""`check`: are the bytes the ones that were stored, do they load, and does the network then say something finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.weights import hashes, registry, store
from models.weights.errors import WeightsError
from models.weights.loading import build, complete
from models.weights.reference import WeightsRef

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Checked:
    """What a check found: `hash_known` tells whether there was a recorded hash to compare with, `ran` whether the
    self-test knows how to run this network."""

    ref: WeightsRef
    hash_known: bool
    ran: bool


def check(ref: WeightsRef) -> Checked:
    """Read the file afresh, compare its hash, load it, and run the network on a small picture.

    Raises WeightsError, in one sentence, for the first thing that is wrong. Imports torch.
    """
    recorded = _recorded(ref)
    actual = hashes.sha256(ref.path, fresh=True)
    if recorded and actual != recorded:
        remedy = "install Cleanplate again" if ref.state == "bundled" else "import or fetch it again with --replace"
        raise WeightsError(
            f"{ref.path} is not what was stored: its sha256 is {actual[:16]}... instead of {recorded[:16]}...; {remedy}"
        )
    ref = complete(ref)
    model = build(ref)
    run = _RUNS.get(ref.network)
    if run is not None:
        _run(run, model, ref)
    return Checked(ref, bool(recorded), run is not None)


def _recorded(ref: WeightsRef) -> str:
    if ref.state == "imported":
        return str(store.record(ref.name).get("sha256", ""))
    if ref.state == "bundled" and ref.name in registry.entries():
        return registry.entries()[ref.name].sha256
    return ""


def _run(run: Callable[[Any], Any], model: nn.Module, ref: WeightsRef) -> None:
    import torch

    with torch.inference_mode():
        outputs = list(_tensors(run(model)))
    if not outputs or not all(torch.isfinite(output).all() for output in outputs):
        raise WeightsError(f"the weights '{ref.name}' load, but the network then gives NaN or infinite pixels")
    if all(output.eq(outputs[0].flatten()[0]).all() for output in outputs):
        raise WeightsError(f"the weights '{ref.name}' load, but the network then gives one flat colour")


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in _tensors(item)]
    return [value]


def _picture(channels: int, height: int, width: int, low: float = 0.0) -> Tensor:
    """A fixed picture with gradients and detail, `low`..1; masks and other channels are no different here."""
    import torch

    steps = torch.arange(channels * height * width, dtype=torch.float64).reshape(1, channels, height, width)
    return (low + (1 - low) * (0.5 + 0.5 * torch.sin(steps * 0.37 + steps.square() * 1e-5))).float()


def _structureflow(model: Any) -> Any:
    return model(_picture(7, 64, 96, -1.0))


def _learned(model: Any) -> Any:
    from models.learning.network import seen_channels

    return model(_picture(seen_channels(model.kind), 64, 96))


_RUNS: dict[str, Callable[[Any], Any]] = {
    "bgmv2": lambda model: model(_picture(3, 256, 320), _picture(3, 256, 320).flip(3)),
    "bgmv2_base": lambda model: model(_picture(3, 64, 96), _picture(3, 64, 96).flip(3)),
    "rvm": lambda model: model(_picture(3, 128, 160), downsample_ratio=0.5),
    "lama": lambda model: model(_picture(4, 64, 96)),
    "lama_detail": lambda model: model(_picture(4, 64, 96)),
    "lama_regular": lambda model: model(_picture(4, 64, 96)),
    "pennet": lambda model: model(_picture(4, 128, 128), _picture(1, 128, 128).round()),
    "structureflow_structure": _structureflow,
    "structureflow_flow": _structureflow,
    **dict.fromkeys(("hrnet_v1", "hrnet_v2", "hrnet_v2p"), lambda model: model(_picture(3, 64, 96, -1.0))),
    "learned": _learned,
    "hrnet_ocr": lambda model: model(_picture(3, 64, 96, -1.0)),
}
