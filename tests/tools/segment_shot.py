"""A small shot of noise and a tiny segmentation network for tests that render Segment."""

from pathlib import Path

import numpy as np
from reference import fill

import models
from models import weights
from nodes.footage.frame import Frame
from nodes.footage.window import Window
from nodes.footage.writer import write_frame

DISPLAY, DATA = Window(0, 0, 60, 44), Window(-3, -2, 67, 47)
OPTIONS = {"width": 4, "classes": 4, "body": "tiny", "stem_channels": 4, "stem_stride": 2, "ocr_channels": 8,
           "key_channels": 4, "magnify": 2}  # fmt: skip


def write_shot(folder: Path, numbers, brightest: float = 1.0) -> None:
    """shot.####.exr, values that half float holds exactly, and own.safetensors in `folder`."""
    rng = np.random.default_rng(1)
    for number in numbers:
        halves = (rng.random((DATA.height, DATA.width, 3)) * brightest).astype(np.float16)
        pixels = halves.astype(np.float32)
        frame = Frame(pixels, tuple("RGB"), DATA, DISPLAY)
        write_frame(str(folder / f"shot.{number:04d}.exr"), [("", "RGB", pixels)], frame)
    model = fill(models.create("hrnet_ocr", **OPTIONS))
    weights.save(folder / "own.safetensors", model.state_dict(), "hrnet_ocr", OPTIONS)
