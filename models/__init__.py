"""Networks only: tensors in, tensors out.  No files, no hosts, no colour, no global state."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "create"]

# name -> "module:callable"; imported on first use, so that `import models` costs nothing.
NETWORKS: dict[str, str] = {
    "bgmv2": "models.bgmv2:MattingRefine",
    "bgmv2_base": "models.bgmv2:MattingBase",
    "rvm": "models.rvm:MattingNetwork",
    "lama": "models.lama:LaMa",
    "lama_detail": "models.lama:LaMaDetail",
    "lama_regular": "models.lama:LaMaRegular",
    "lama_discriminator": "models.lama:LaMaDiscriminator",
    "pennet": "models.pennet:PENNet",
    "pennet_discriminator": "models.pennet:PENNetDiscriminator",
    "structureflow_structure": "models.structureflow:StructureGenerator",
    "structureflow_flow": "models.structureflow:FlowGenerator",
    "structureflow_discriminator": "models.structureflow:StructureFlowDiscriminator",
    "hrnet_ocr": "models.hrnet_ocr:HRNetOCR",
    "hrnet_v1": "models.hrnet_ocr:HRNetV1",
    "hrnet_v2": "models.hrnet_ocr:HRNetV2",
    "hrnet_v2p": "models.hrnet_ocr:HRNetV2p",
    "learned": "models.learning.network:LearnedNetwork",
    "carafe_pack": "models.carafe:CarafePack",
}


def create(name: str, **options: Any) -> nn.Module:
    """Build the network `name` in eval mode, with freshly initialised weights (nothing is downloaded).

    The state dict carries the published key names, so published weights load with `strict=True`.
    `options` are the keyword arguments of the network's class; see there for their values and defaults.

    Raises ValueError, in one sentence that lists what exists, for an unknown network, option or option value.

    Example:
        >>> model = create("bgmv2", backbone="mobilenetv2", refine_mode="full")
    """
    try:
        target = NETWORKS[name]
    except KeyError:
        raise ValueError(
            f"There is no network named {name!r}; the networks are {', '.join(sorted(NETWORKS))}."
        ) from None
    module, _, attribute = target.partition(":")
    factory = getattr(import_module(module), attribute)
    known = list(inspect.signature(factory).parameters)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"Network {name!r} has no option {', '.join(map(repr, unknown))}; "
            + (f"its options are {', '.join(known)}." if known else "it has no options.")
        )
    network: nn.Module = factory(**options)
    return network.eval()
