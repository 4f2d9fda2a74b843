"""How long renders take, for `make bench`."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np

from ofx_host.clips import Footage
from ofx_host.host import Host
from ofx_host.images import Picture
from ofx_host.node import Node
from ofx_host.profiles import NATRON

FIRST = 1001


def timed(bundle: Path, pictures: list[np.ndarray], device: str) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of each render action, of its part in the worker, and of copying its frame.

    `pictures` are the clean plate and the frames of the shot.
    """
    shot = {FIRST + n: Picture(pixels, identifier=f"shot {n}") for n, pixels in enumerate(pictures[1:])}
    actions, workers, copies = [], [], []
    spare = pictures[0].copy()
    with Host(NATRON, bundle, careful=False) as host:
        node = host.plugin("org.cleanplate.BackgroundMatte").create()
        # The network's own cost is not what is measured.
        node.set(device=device, alignPlate=False, softEdges=0.0, resolution=0.1, refineAmount=0.0)
        node.connect("Source", Footage(shot, (FIRST, FIRST + len(shot) - 1)))
        node.connect("C", Footage(Picture(pictures[0], identifier="plate")))
        for frame, picture in shot.items():
            node.render(frame)
            actions.append(1000 * host.journal.seconds["OfxImageEffectActionRender"])
            workers.append(_worker_milliseconds(node))
            began = time.perf_counter()
            np.copyto(spare, picture.pixels)
            copies.append(1000 * (time.perf_counter() - began))
    return actions, workers, copies


def _worker_milliseconds(node: Node) -> float:
    node.push("updateStatus")
    found = re.search(r"(\d+) ms", node.get("status"))
    if found is None:
        raise AssertionError(f"the status line names no time: {node.get('status')}")
    return float(found[1])
