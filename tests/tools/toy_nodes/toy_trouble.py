"""Engine of the test node Trouble: slow, crashing, failing, or greedy for memory."""

import os
import time
from pathlib import Path

import torch

from nodes.engine import Passes


class Trouble:
    def needs(self, frame, params, inputs):
        return [("Source", frame)]

    def render(self, frame, params, inputs, device):
        source = inputs.frame("Source", frame)
        getattr(self, "_" + params["how"])(params, inputs, device)
        return Passes({"picture": source.pixels + 0}, source.data_window)

    def _slow(self, params, inputs, device):
        end = time.monotonic() + params["seconds"]
        while time.monotonic() < end:
            inputs.check_cancelled()
            time.sleep(0.005)

    def _network(self, params, inputs, device):
        """Never looks whether it was cancelled; its network's layers do."""
        end = time.monotonic() + params["seconds"]
        layer = device.kept("trouble layer", lambda: torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU()))
        while time.monotonic() < end:
            layer(torch.zeros(64, 64))

    def _deaf(self, params, inputs, device):
        time.sleep(params["seconds"])

    def _crash(self, params, inputs, device):
        os.abort()

    def _once(self, params, inputs, device):
        if not Path(params["file"]).exists():
            Path(params["file"]).touch()
            os.abort()

    def _raise(self, params, inputs, device):
        raise KeyError("a bug in an engine")

    def _oom(self, params, inputs, device):
        torch.empty(1 << 50, dtype=torch.uint8)

    def _allocate(self, params, inputs, device):
        torch.ones(64 << 20)

    def _wrong(self, params, inputs, device):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def engine():
    return Trouble()
