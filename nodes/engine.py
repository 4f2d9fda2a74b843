"""What stands between a node's engine and the world: the inputs it may ask, the device it may use, what it returns.

Engines live in `nodes/<node>.py` and run inside the worker. They never know whether a frame came from a file or from
a host, which process asked, or what other nodes do. The worker implements `Inputs` and `Device`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from models.weights import WeightsFacts, WeightsRef
from nodes.footage.frame import Frame, Pixels
from nodes.footage.window import Window

if TYPE_CHECKING:
    import torch
    from torch import nn

Params = Mapping[str, Any]
T = TypeVar("T")


class Inputs(Protocol):
    """The footage connected to a node."""

    def connected(self, name: str) -> bool:
        """Whether anything is connected to the input."""
        ...

    def frame(self, name: str, frame: int) -> Frame:
        """The frame of an input; fetched once per render. Raises FootageError where there is none."""
        ...

    def forget(self, name: str, frame: int) -> None:
        """Says that a frame is no longer needed, so that long replays need no more memory than one frame."""
        ...

    def range(self, name: str) -> tuple[int, int]:
        """First and last frame of an input, inclusive; twice the same for a picture that never changes."""
        ...

    def frames(self, name: str) -> Sequence[int] | None:
        """The frames of an input that have a picture of their own, ascending: footage has steps and holes.

        None where that is not known, and every frame may be asked for: of a still, and of a host's clip.
        """
        ...

    def identity(self, name: str, first: int, last: int) -> bytes:
        """A digest of what the frames first..last of an input are: equal digests mean equal pixels.

        It changes whenever one of the frames changes, and costs far less than reading them.
        """
        ...

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        """The same for picked frames, at the cost of these alone."""
        ...

    def check_cancelled(self) -> None:
        """Raises Cancelled once nobody wants the result any more; call it between costly steps."""
        ...


class Device(Protocol):
    """Where an engine computes, and what it may keep there between frames."""

    @property
    def torch_device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the networks: float32, or float16 on a GPU unless the user asked otherwise."""
        ...

    def model(
        self, weights: str, network: str, options: Mapping[str, Any], dtype: torch.dtype | None = None
    ) -> nn.Module:
        """The network with these weights: eval mode, on the device, in `dtype` (default: the device's), channels-last.

        Loaded once whoever uses it; dropped, least recently used first, when memory is short. `weights` is a name,
        a file, or empty for the node's default.
        """
        ...

    def weights_of(
        self, weights: str, network: str | Sequence[str], options: Mapping[str, Any] | None = None
    ) -> WeightsRef:
        """What `weights` stands for, without loading it; `network` may be several, any of which will do.

        Empty means the node's default among weights of these networks with these `options`. Raises WeightsError where
        there are none, ParameterError where they are of another network or were made with other options.
        """
        ...

    def as_node(self, node: str) -> Device:
        """The device as the engine of the node with this id has it, whose weights are meant where none are named."""
        ...

    def release_memory(self) -> bool:
        """Gives back what is not needed for this frame; False when nothing was left to give."""
        ...

    def kept(self, key: str, build: Callable[[], T]) -> T:
        """A value that outlives the frame, such as recurrent states; built when it is not there (any more).

        Anything kept can vanish at any time (memory, restart): results may depend on it only in speed.
        """
        ...


@dataclass(frozen=True)
class Passes:
    """What an engine returns for one frame.

    `images` maps a pass name of the face (`alpha`, `foreground`, ...) to float32 `[height, width, channels]` arrays
    that cover `window`. `info` holds what goes into the pass's metadata: plain strings and numbers.
    `notes` are sentences the user should read, such as a step down the memory ladder. `weights` are those the frame was
    computed with; the worker fills them in.
    """

    images: dict[str, Pixels]
    window: Window
    info: dict[str, str | int | float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    weights: tuple[WeightsFacts, ...] = ()


class Engine(Protocol):
    """One node's computation. Created once per worker; holds no state that changes results."""

    def needs(self, frame: int, params: Params, inputs: Inputs) -> Sequence[tuple[str, int]]:
        """The (input, frame) pairs `render` will ask for first; they are fetched ahead, outside the device's turn."""
        ...

    def render(self, frame: int, params: Params, inputs: Inputs, device: Device) -> Passes:
        """The passes of one frame; depends on nothing but the arguments."""
        ...
