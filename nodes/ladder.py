"""What happens when the device's memory does not suffice: a stated order of smaller steps, never a silent one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from nodes.engine import Device
from nodes.errors import FrameError

log = logging.getLogger(__name__)
S = TypeVar("S")
T = TypeVar("T")


def descend(steps: Sequence[tuple[str, S]], attempt: Callable[[S], T], device: Device) -> tuple[T, list[str]]:
    """The result of the first step that fits, and a sentence for the user if it was not the first.

    `steps` are (description, setting) pairs, the best first; each is tried again after the device gave back what it
    could. Raises FrameError when none fits.
    """
    for index, (description, setting) in enumerate(steps):
        while True:
            try:
                result = attempt(setting)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            else:
                return result, [f"device memory was short: computed with {description}"] if index else []
            if not device.release_memory():
                break
            log.info("out of memory with %s: gave back caches, trying again", description)
        log.warning("out of memory with %s", description)
    tried = ", ".join(description for description, _ in steps)
    raise FrameError(
        f"the frame does not fit into the memory of {device.torch_device} (tried {tried}): lower the resolution "
        "parameter, or render on a device with more memory"
    )


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that memory ran out, on a GPU or on the processor."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and ("can't allocate memory" in str(error) or "out of memory" in str(error))
