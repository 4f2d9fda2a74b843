"""Where engines compute: `nodes.engine.Device` for one job, and what all jobs share behind it."""

from __future__ import annotations

import copy
import dataclasses
import functools
import gc
import logging
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from models import weights as registry
from models.weights import WeightsFacts, WeightsRef
from nodes import catalogue
from nodes.engine import Params
from nodes.faces.face import Face
from nodes.selecting import check_fit, select
from plugin.worker.device import memory
from plugin.worker.device.compiling import compiled
from plugin.worker.device.kept import Kept
from plugin.worker.device.loaded import ModelKey, model_status
from plugin.worker.device.threads import Threads
from plugin.worker.protocol.fields import ModelStatus

T = TypeVar("T")
log = logging.getLogger(__name__)
_current = threading.local()


def _check_cancelled(module: nn.Module, arguments: Any) -> None:
    """Stops a network between two layers once nobody wants the frame; compilers see nothing of it."""
    if torch.compiler.is_compiling():
        return
    check: Callable[[], None] | None = getattr(_current, "check", None)
    if check is not None:
        check()


@functools.cache
def _watch_networks() -> None:
    register_module_forward_pre_hook(_check_cancelled)


class Accelerator:
    """The device of this worker, the networks on it and the threads that compute."""

    def __init__(self, device: torch.device, budget: int) -> None:
        self.torch_device = device
        self.name = str(device)
        self.description = torch.cuda.get_device_name(device) if device.type == "cuda" else memory.processor()
        self.kept = Kept(budget)
        self.compute = Threads("compute")
        _watch_networks()
        self._looked_into: dict[str, WeightsRef] = {}

    def for_job(
        self, face: Face, params: Params, check_cancelled: Callable[[], None], note: Callable[[str], None]
    ) -> JobDevice:
        """The device as a job sees it; networks call `check_cancelled` as they go, `note` tells the user."""
        return JobDevice(self, face, params, check_cancelled, note)

    def find_weights(self, ask: Ask, face: Face) -> WeightsRef:
        """What a name, a file or nothing stands for, with its network known. Raises as `select` does."""
        return select(face, ask.weights, ask.networks, dict(ask.options), self._looked_at)

    def _looked_at(self, ref: WeightsRef) -> WeightsRef:
        if ref.network:
            return ref
        known = self._looked_into.get(ref.sha256) or registry.complete(ref)
        self._looked_into[ref.sha256] = known
        return dataclasses.replace(known, path=ref.path, name=ref.name)

    def models(self) -> list[ModelStatus]:
        """The networks that are loaded, least recently used first."""
        return [model_status(key, size) for key, _, size in self.kept.entries() if isinstance(key, ModelKey)]

    def kept_bytes(self) -> int:
        """Memory of what engines keep between frames, networks not counted, in bytes."""
        return sum(size for key, _, size in self.kept.entries() if not isinstance(key, ModelKey))

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


class Ask(NamedTuple):
    """What an engine asked `weights_of` for."""

    weights: str
    networks: tuple[str, ...]
    options: tuple[tuple[str, Any], ...] = ()


class JobDevice:
    """The device as one job sees it."""

    def __init__(
        self,
        accelerator: Accelerator,
        face: Face,
        params: Params,
        check_cancelled: Callable[[], None],
        note: Callable[[str], None],
    ) -> None:
        self._accelerator = accelerator
        self._face = face
        self._check_cancelled = check_cancelled
        self._note = note
        self._used: set[Hashable] = set()
        self._answers: dict[Ask, WeightsRef] = {}
        self._found: dict[str, WeightsRef] = {}
        on_gpu = accelerator.torch_device.type == "cuda"
        half = on_gpu and params.get("precision", "auto") in ("auto", "half")
        self._dtype = torch.float16 if half else torch.float32
        self._compiled = params.get("execution") == "compiled"

    @property
    def torch_device(self) -> torch.device:
        return self._accelerator.torch_device

    @property
    def precision(self) -> str:
        """`full` or `half`."""
        return "half" if self._dtype == torch.float16 else "full"

    @property
    def execution(self) -> str:
        """`eager` or `compiled`."""
        return "compiled" if self._compiled else "eager"

    @property
    def dtype(self) -> torch.dtype:
        return self._dtype

    def compute(self, work: Callable[[], T]) -> T:
        """Runs an engine's render in the computing thread."""

        def computing() -> T:
            _current.check = self._check_cancelled
            if self.torch_device.type == "cpu":
                memory.limit_growth()
            try:
                with torch.inference_mode():
                    return work()
            finally:
                _current.check = None
                self._accelerator.kept.measure(self._used)
                memory.trim_if_swollen()

        return self._accelerator.compute.run(computing)

    def model(
        self, weights: str, network: str, options: Mapping[str, Any], dtype: torch.dtype | None = None
    ) -> nn.Module:
        ref = self._find(Ask(weights, (network,)))
        dtype = dtype or self._dtype
        key = ModelKey(ref.sha256, network, repr(sorted(options.items())), dtype, self._compiled, ref)
        self._used.add(key)
        return self._accelerator.kept.get(key, lambda: self._load(ref, options, dtype))

    def weights_of(
        self, weights: str, network: str | Sequence[str], options: Mapping[str, Any] | None = None
    ) -> WeightsRef:
        networks = (network,) if isinstance(network, str) else tuple(network)
        return self._find(Ask(weights, networks, tuple(sorted((options or {}).items()))))

    def weights_used(self) -> tuple[WeightsFacts, ...]:
        """The weights this job has found so far, each once, in the order of asking."""
        return tuple(ref.facts for ref in {ref.path: ref for ref in self._answers.values()}.values())

    def as_node(self, node: str) -> JobDevice:
        """The same device and job; what is found and used there is this job's."""
        other = copy.copy(self)
        other._face = catalogue.find(node)
        return other

    def release_memory(self) -> bool:
        return self._accelerator.release(self._used)

    def kept(self, key: str, build: Callable[[], T]) -> T:
        self._used.add(key)
        return self._accelerator.kept.get(key, build)

    def _find(self, ask: Ask) -> WeightsRef:
        """What is asked for, as it was when this job first asked, so that a file that changes never mixes in a frame.

        The path or name that `weights_of` gave means what it gave.
        """
        if ask not in self._answers:
            ref = self._found.get(ask.weights) or self._accelerator.find_weights(ask, self._face)
            check_fit(self._face, ref, ask.networks, dict(ask.options))
            ref = self._found.setdefault(str(ref.path), ref)
            self._found.setdefault(ref.name, ref)
            self._answers[ask] = ref
        return self._answers[ask]

    def _load(self, ref: WeightsRef, options: Mapping[str, Any], dtype: torch.dtype) -> nn.Module:
        self._note(f"loading the weights {ref.name}" + (f": {ref.values}" if ref.values else ""))
        log.info("loading %s", ref.summary())
        # Outside inference mode, so that the parameters stay ordinary tensors.
        with torch.inference_mode(False):
            net = registry.build(ref, options).requires_grad_(False).eval()
            net.to(self.torch_device, dtype).to(memory_format=torch.channels_last)
        if self._compiled:
            self._note("compiling the network for this frame size; the first frame takes a minute or more")
            return compiled(net, ref.network)
        return net
