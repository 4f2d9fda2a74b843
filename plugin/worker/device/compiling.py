"""Compiled networks on the processor: a minute once per frame size, then faster; a setting, never a race.

Measured on two cores, see the README's table. What was compiled is kept on disk, so that the next worker starts faster.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from torch import nn

from models.weights.store import home
from models.wording import parameter, setting
from nodes.errors import ParameterError

# The parts of a network that always run the same operations for one frame size.
STAGES = {"bgmv2": ("coarse",), "rvm": ("coarse", "refine")}


def cache_folder() -> Path:
    """Where compiled code is kept."""
    return home() / "compiled"


def compiled(net: nn.Module, network: str) -> nn.Module:
    """The network with its heavy stages compiled, weights frozen in, at their first use.

    Raises ParameterError where nothing can be compiled: without a C++ compiler, or for a network without such stages.
    """
    if network not in STAGES:
        raise ParameterError(
            f"{parameter('execution')} cannot be compiled for this node: {setting('execution', 'eager')}"
        )
    if not (os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")):
        raise ParameterError(
            f"{parameter('execution')} is compiled, but there is no C++ compiler here: install one, or "
            f"{setting('execution', 'eager')}"
        )
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder()))
    import torch._inductor.config as inductor

    inductor.freezing = True
    for stage in STAGES[network]:
        setattr(net, stage, torch.compile(getattr(net, stage), dynamic=False))
    return net
