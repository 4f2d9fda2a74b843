"""Detail for a fill that was computed at a smaller scale: taken from the known picture where it looks alike.

The idea of contextual residual aggregation (Yi, Tang, Azizi, Jang, Xu, CVPR 2020, arXiv:2005.09704), with the nearest
patch in place of an attention that a network would have to be trained for.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from nodes.aligning.grid import Floats, Mask, resized

# Sides in pixels of the small picture: what is compared, and the steps between.
PATCH = 8
STEP = 4
MOST_CANDIDATES = 2048
# Patches compared at a time, so that memory stays within 64 MB.
BATCH = 4096


def missing_detail(full: Floats, known: Mask, small: Floats, small_hole: Mask) -> Floats:
    """What `small` `[h,w,3]`, filled in `small_hole`, lacks at full size, to be added to it enlarged.

    full: `[H,W,3]` at full size, known where `known` `[H,W]` is True. The result `[H,W,3]` is 0 where no known patch
    was found to take detail from.
    """
    height, width = known.shape
    enlarged = enlarge(small, (height, width))
    residual = np.where(known[..., None], full - enlarged, 0).astype(np.float32)
    rows, columns = (np.arange(0, max(1, n - PATCH + 1), STEP) for n in small_hole.shape)
    if min(small_hole.shape) < PATCH:
        return np.zeros_like(residual)
    corners = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    # A patch counts as known only where every full-size pixel of it is.
    unknown = cv2.resize((~known).astype(np.float32), small_hole.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    holes = cv2.boxFilter((small_hole | unknown).astype(np.float32), -1, (PATCH, PATCH), normalize=False,
                          anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)[corners[:, 0], corners[:, 1]]  # fmt: skip
    wanted, offered = corners[holes > 0.5], corners[holes <= 0.5]
    if not len(wanted) or not len(offered):
        return np.zeros_like(residual)
    offered = offered[np.linspace(0, len(offered) - 1, min(len(offered), MOST_CANDIDATES)).round().astype(np.intp)]
    chosen = offered[_nearest(small, wanted, offered)]
    return _laid(residual, wanted, chosen, height / small_hole.shape[0], width / small_hole.shape[1])


def enlarge(small: Floats, size: tuple[int, int]) -> Floats:
    """`small` at a larger size, by cubic interpolation."""
    if small.shape[:2] == size:
        return small
    return np.asarray(cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def reduce(full: Floats, known: Mask, size: tuple[int, int]) -> tuple[Floats, Mask]:
    """`full` `[H,W,3]` made smaller: the mean of what is known in each pixel, and where anything is not."""
    share = resized(known.astype(np.float32), size)
    small = resized(np.where(known[..., None], full, np.float32(0)), size)
    return np.asarray(small / np.maximum(share, 1e-6)[..., None], np.float32), share < 1 - 1e-4


def _nearest(small: Floats, wanted: np.ndarray, offered: np.ndarray) -> np.ndarray:
    """For each wanted patch the index of the most similar offered one."""
    patches = torch.from_numpy(_patches(small, offered))
    norms = patches.square().sum(1)
    found = []
    for start in range(0, len(wanted), BATCH):
        part = torch.from_numpy(_patches(small, wanted[start : start + BATCH]))
        found.append((norms - 2 * part @ patches.T).argmin(dim=1).numpy())
    return np.concatenate(found)


def _patches(small: Floats, corners: np.ndarray) -> Floats:
    windows = np.lib.stride_tricks.sliding_window_view(small, (PATCH, PATCH), axis=(0, 1))
    return np.ascontiguousarray(windows[corners[:, 0], corners[:, 1]]).reshape(len(corners), -1)


def _laid(residual: Floats, to: np.ndarray, origin: np.ndarray, down: float, across: float) -> Floats:
    """Patches of `residual` laid where they are wanted, blended where they overlap."""
    height, width = round(PATCH * down), round(PATCH * across)
    weight = np.outer(_ramp(height), _ramp(width))[..., None].astype(np.float32)
    total = np.zeros_like(residual)
    weights = np.zeros((*residual.shape[:2], 1), np.float32)
    scale = np.array([down, across])
    ends = np.array(residual.shape[:2]) - (height, width)
    targets = np.minimum((to * scale).round().astype(np.intp), ends)
    sources = np.minimum((origin * scale).round().astype(np.intp), ends)
    for (y, x), (v, u) in zip(targets.tolist(), sources.tolist(), strict=True):
        total[y : y + height, x : x + width] += weight * residual[v : v + height, u : u + width]
        weights[y : y + height, x : x + width] += weight
    return np.asarray(total / np.maximum(weights, 1e-6), np.float32)


def _ramp(length: int) -> np.ndarray:
    """Steep sides, so that few pixels are a mean of two patches, which would be softer than either."""
    position = (np.arange(length) + 0.5) / length
    return np.clip(np.minimum(position, 1 - position) * 4, 1e-3, 1) ** 4
