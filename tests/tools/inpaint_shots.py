"""What tests of inpainting over time share: a ground to film, and what of a frame was filled."""

import cv2
import numpy as np

# Small steps, so that few frames are enough.
FOLLOW = {"reach": 6, "referenceEvery": 4, "samples": 6}


def ground(height, width, seed=2):
    """Detail of all sizes, 0.1..0.9."""
    rng = np.random.default_rng(seed)
    out = np.zeros((height, width, 3), np.float32)
    for cells, share in ((6, 0.4), (16, 0.3), (30, 0.3)):
        small = rng.random((cells * height // width + 2, cells, 3), np.float32)
        out += share * cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return (0.1 + 0.8 * (out - out.min()) / (out.max() - out.min())).astype(np.float32)


def holes(passes):
    return passes.images["filled"][..., 0] > 0
