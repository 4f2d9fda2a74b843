"""Gets torch ready to compute the same bits every time, and the process ready for large tensors."""

from __future__ import annotations

import contextlib
import os
import resource
import warnings
from typing import TYPE_CHECKING

from plugin.worker.device import memory
from plugin.worker.protocol import paths
from plugin.worker.protocol.failures import Unusable

if TYPE_CHECKING:
    from plugin.worker.device.accelerator import Accelerator

# Of the memory there is, what networks and kept states may take.
HOST_SHARE, DEVICE_SHARE = 0.3, 0.5


def prepare(device: str) -> Accelerator:
    """Imports torch and opens the device. Raises Unusable if it cannot be used."""
    if device != "cpu" and not paths.gpu_in_sight():
        raise Unusable(f"{device} cannot be used: there is no NVIDIA GPU in sight of this session")
    # Read when the libraries are loaded. Threads that spin while they wait take the cores from the host and from the
    # client's decoders: with those at work a network runs several times faster without.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    _raise_limit(resource.RLIMIT_NOFILE)
    memory.tune_heap()
    import torch

    warnings.filterwarnings("ignore", "The given NumPy array is not writable")
    torch.set_num_threads(memory.cores())
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    total = memory.host_limit()
    share = HOST_SHARE
    if device != "cpu":
        total, share = _open_gpu(device), DEVICE_SHARE
    from plugin.worker.device.accelerator import Accelerator

    return Accelerator(torch.device(device), memory.budget(total, share))


def _open_gpu(device: str) -> int:
    """The GPU's memory in bytes, once it has computed something. Raises Unusable if it cannot."""
    import torch

    if torch.version.cuda is None:
        raise Unusable(f"{device} cannot be used: this installation of PyTorch is for the processor only")
    count = torch.cuda.device_count()
    if int(device.removeprefix("cuda:")) >= count:
        raise Unusable(f"{device} cannot be used: PyTorch finds {count} usable GPUs")
    try:
        torch.cuda.set_device(device)
        torch.zeros(8, device=device).add_(1).cpu()
        return int(torch.cuda.get_device_properties(device).total_memory)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise Unusable(f"{device} cannot be used: {reason}") from None


def _raise_limit(which: int) -> None:
    soft, hard = resource.getrlimit(which)
    # macOS takes no more than OPEN_MAX, whatever it says.
    for limit in (hard, 10240):
        if soft != hard:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(which, (limit, hard))
                return
