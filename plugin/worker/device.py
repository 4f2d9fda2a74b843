"""Where engines compute: `nodes.engine.Device` for one job, and what all jobs share behind it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import torch
from torch import nn

import models
from nodes.engine import Params, WeightsInfo
from nodes.errors import ParameterError
from nodes.face import Face
from plugin.worker import memory
from plugin.worker.inputs import JobInputs
from plugin.worker.kept import Kept
from plugin.worker.messages import ModelStatus
from plugin.worker.threads import Threads

T = TypeVar("T")
_current = threading.local()


def _check_cancelled(module: nn.Module, arguments: Any) -> None:
    inputs: JobInputs | None = getattr(_current, "inputs", None)
    if inputs is not None:
        inputs.check_cancelled()


class Accelerator:
    """The device of this worker, the networks on it and the threads that compute."""

    def __init__(self, device: torch.device, budget: int) -> None:
        self.torch_device = device
        self.name = str(device)
        self.description = torch.cuda.get_device_name(device) if device.type == "cuda" else memory.processor()
        self.kept = Kept(budget)
        self.compute = Threads("compute")

    def for_job(self, face: Face, params: Params, inputs: JobInputs, note: Callable[[str], None]) -> JobDevice:
        return JobDevice(self, face, params, inputs, note)

    def models(self) -> list[ModelStatus]:
        """The networks that are loaded, least recently used first."""
        return [
            ModelStatus(key.name, key.network, str(key.dtype).removeprefix("torch."), size)
            for key, _, size in self.kept.entries()
            if isinstance(key, _ModelKey)
        ]

    def kept_bytes(self) -> int:
        """Memory of what engines keep between frames, networks not counted, in bytes."""
        return sum(size for key, _, size in self.kept.entries() if not isinstance(key, _ModelKey))

    def device_bytes(self) -> int:
        """Memory in use on a GPU, in bytes; 0 on the processor."""
        return torch.cuda.memory_reserved(self.torch_device) if self.torch_device.type == "cuda" else 0

    def release(self, keep: set[Hashable]) -> bool:
        """Drops everything kept but `keep` and returns memory to the system; False when there was nothing to drop."""
        dropped = self.kept.drop_all_but(keep)
        gc.collect()
        if self.torch_device.type == "cuda":
            torch.cuda.empty_cache()
        memory.trim_heap()
        return dropped


class _ModelKey(tuple[Any, ...]):
    """sha256, name, network, options and precision of a loaded network."""

    name = property(lambda self: self[1])
    network = property(lambda self: self[2])
    dtype = property(lambda self: self[4])


class JobDevice:
    """The device as one job sees it."""

    def __init__(
        self,
        accelerator: Accelerator,
        face: Face,
        params: Params,
        inputs: JobInputs,
        note: Callable[[str], None],
    ) -> None:
        self._accelerator = accelerator
        self._face = face
        self._inputs = inputs
        self._note = note
        self._used: set[Hashable] = set()
        on_gpu = accelerator.torch_device.type == "cuda"
        half = on_gpu and params.get("precision", "auto") in ("auto", "half")
        self._dtype = torch.float16 if half else torch.float32

    @property
    def torch_device(self) -> torch.device:
        return self._accelerator.torch_device

    @property
    def dtype(self) -> torch.dtype:
        return self._dtype

    def compute(self, work: Callable[[], T]) -> T:
        """Runs an engine's render in the computing thread."""

        def computing() -> T:
            _current.inputs = self._inputs
            try:
                with torch.inference_mode():
                    return work()
            finally:
                _current.inputs = None
                self._accelerator.kept.measure(self._used)

        return self._accelerator.compute.run(computing)

    def model(
        self, weights: str, network: str, options: Mapping[str, Any], dtype: torch.dtype | None = None
    ) -> nn.Module:
        ref = self._resolve(weights, network)
        dtype = dtype or self._dtype
        key = _ModelKey((ref.sha256, ref.name, network, repr(sorted(options.items())), dtype))
        self._used.add(key)
        return self._accelerator.kept.get(key, lambda: self._load(ref, network, options, dtype))

    def weights_of(self, weights: str, network: str) -> WeightsInfo:
        ref = self._resolve(weights, network)
        return WeightsInfo(ref.name, ref.sha256, ref.network, dict(ref.options))

    def release_memory(self) -> bool:
        return self._accelerator.release(self._used)

    def kept(self, key: str, build: Callable[[], T]) -> T:
        self._used.add(key)
        return self._accelerator.kept.get(key, build)

    def _resolve(self, weights: str, network: str) -> Any:
        from models import weights as registry

        ref = registry.resolve(weights, node=self._face.id)
        if ref.network != network:
            raise ParameterError(
                f"the weights '{ref.name}' are of the network {ref.network}, {self._face.label} wants {network} here"
            )
        return ref

    def _load(self, ref: Any, network: str, options: Mapping[str, Any], dtype: torch.dtype) -> nn.Module:
        from models import weights as registry

        self._note(f"loading the weights {ref.name}")
        # Outside inference mode, so that the parameters stay ordinary tensors.
        with torch.inference_mode(False):
            net = models.create(network, **options)
            net.load_state_dict(registry.load_model_weights(ref))
            net.requires_grad_(False).eval()
            net.to(self.torch_device, dtype).to(memory_format=torch.channels_last)
        for module in net.modules():
            if next(module.children(), None) is None:
                module.register_forward_pre_hook(_check_cancelled)
        return net
