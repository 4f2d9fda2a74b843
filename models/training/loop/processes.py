"""Several processes that train one network together, as torchrun starts them.

    torchrun --nproc_per_node 2 -m models.training inpaint --out FOLDER --device cuda

Every process has examples of its own; gradients and batch-norm statistics are averaged after each step, so all hold the
same weights. Only the first writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

# How long a process waits for the others; the first may have pictures to draw.
PATIENCE = timedelta(hours=3)


@dataclass(frozen=True)
class Processes:
    """This process's `rank` among `count`."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all have come here."""
        if self.count > 1:
            dist.barrier()

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set in some process."""
        if self.count == 1:
            return flag
        shared = torch.tensor(float(flag), device=device)
        dist.all_reduce(shared)
        return bool(shared > 0)

    def start_alike(self, module: nn.Module) -> None:
        """Gives every process the first one's weights and buffers."""
        if self.count > 1:
            for tensor in module.state_dict().values():
                # A broadcast needs dense memory, which channels-last weights have not in the usual order.
                whole = tensor.contiguous()
                dist.broadcast(whole, 0)
                tensor.copy_(whole)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """The mean over processes; a gradient that some process lacks counts as 0 there."""
        if self.count == 1:
            return
        asked = [p for p in parameters if p.requires_grad]
        there = torch.tensor([float(p.grad is not None) for p in asked], device=asked[0].device)
        dist.all_reduce(there)
        gradients = []
        for parameter, number in zip(asked, there.tolist(), strict=True):
            if number:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        self._average(gradients)

    def average_buffers(self, module: nn.Module) -> None:
        """The mean over processes of batch-norm statistics and other real buffers."""
        if self.count > 1:
            self._average([buffer for buffer in module.buffers() if buffer.is_floating_point()])

    def _average(self, tensors: Sequence[Tensor]) -> None:
        if not tensors:
            return
        rows = [_in_memory(tensor.detach()) for tensor in tensors]
        flat = torch.cat(rows)
        dist.all_reduce(flat)
        flat /= self.count
        for row, part in zip(rows, flat.split([row.numel() for row in rows]), strict=True):
            row.copy_(part)


def _in_memory(tensor: Tensor) -> Tensor:
    """The numbers of a dense tensor as a row, in the order in which they lie in memory: nothing is copied."""
    return tensor.as_strided((tensor.numel(),), (1,))


def current() -> Processes:
    """The group this process belongs to, or itself alone."""
    return Processes(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else Processes()


@contextmanager
def together(device: str) -> Iterator[str]:
    """Joins the group if torchrun started this process; gives the device that this process trains on.

    Once for a process: who has joined already stays.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        yield device
        return
    own = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device
    if own.startswith("cuda"):
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.startswith("cuda") else "gloo", timeout=PATIENCE)
    try:
        yield own
    finally:
        dist.destroy_process_group()
