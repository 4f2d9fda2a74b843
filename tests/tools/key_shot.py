"""A small shot for keying without a plate: a camera pans over a ground with detail, a bright disc moves in front of it,
and a loose shape is around the disc."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from inpaint_shots import ground

from nodes.footage.frame import Frame
from nodes.footage.window import Window
from nodes.footage.writer import write_frame

HEIGHT, WIDTH, FRAMES = 72, 112, 7
COLOUR = (2.5, 0.1, 0.05)
# What finds the background in so few frames.
SMALL = {"reach": 6, "referenceEvery": 4, "samples": 6, "model": "smooth"}


def background(number: int) -> np.ndarray:
    """What is behind the disc in a frame, `[H,W,3]` scene-linear."""
    wide = ground(HEIGHT, WIDTH + 3 * FRAMES)
    return np.ascontiguousarray(wide[:, 3 * (number - 1) : 3 * (number - 1) + WIDTH])


def alpha(number: int, larger: float = 0.0) -> np.ndarray:
    """The disc `[H,W]`, its edge two pixels wide."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    distance = np.hypot(x - (22 + 11 * (number - 1)), y - (36 + 4 * np.sin(number)))
    return cv2.GaussianBlur((distance < 11 + larger).astype(np.float32), (0, 0), 0.7)


def source(number: int) -> np.ndarray:
    matte = alpha(number)[..., None]
    return (background(number) * (1 - matte) + np.float32(COLOUR) * matte).astype(np.float32)


def rough(number: int) -> np.ndarray:
    return (alpha(number, larger=6) > 0.5).astype(np.float32)


def write_key_shot(folder: Path, rough_name: str = "rough.####.exr") -> None:
    """shot.####.exr in half and the loose shapes, frames 1 to FRAMES."""
    window = Window(0, 0, WIDTH, HEIGHT)
    for number in range(1, FRAMES + 1):
        for name, pixels, channels in (
            (f"shot.{number:04d}.exr", source(number).astype(np.float16).astype(np.float32), "RGB"),
            (rough_name.replace("####", f"{number:04d}"), rough(number)[..., None], "A"),
        ):
            frame = Frame(np.ascontiguousarray(pixels), tuple(channels), window, window)
            write_frame(str(folder / name), [("", channels, frame.pixels)], frame, dtype="half")
