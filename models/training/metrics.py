"""How far a result is from the truth: mattes, clips of mattes, filled pictures and masks.

Mattes are float arrays [H,W] in 0..1, pictures [H,W,3] display-encoded 0..1. MAD, MSE and edge error are means; Grad
and Conn (Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009) are sums over the
picture / 1000. Conn takes the paper's factor lambda as 1, as is usual, and thresholds a tenth apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.training.procedural.fields import Array

GRADIENT_SIGMA = 1.4
EDGE_REACH = 8
LEVELS = 10
SLACK = 0.15
LUMA = (0.2126, 0.7152, 0.0722)
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
# What keeps flat areas from counting by their noise: (0.01 L)^2 and (0.03 L)^2 of the paper.
SSIM_FLOORS = (0.01**2, 0.03**2)


def mad(alpha: Array, truth: Array) -> float:
    """Mean absolute difference."""
    return float(np.abs(alpha - truth).mean())


def mse(alpha: Array, truth: Array) -> float:
    """Mean squared difference."""
    return float(np.square(alpha - truth).mean())


def grad(alpha: Array, truth: Array) -> float:
    """Squared difference of the gradient magnitudes, Gaussian derivatives of sigma 1.4."""
    return float(np.square(_gradient(alpha) - _gradient(truth)).sum() / 1000)


def conn(alpha: Array, truth: Array) -> float:
    """Difference in how far pixels hang together with the solid part both mattes share."""
    lowest = np.full(alpha.shape, -1.0, np.float32)
    for step in range(1, LEVELS + 1):
        both = ((alpha >= step / LEVELS) & (truth >= step / LEVELS)).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(both, connectivity=4)
        largest = np.zeros(alpha.shape, bool)
        if count > 1:
            largest = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
        lowest[(lowest == -1) & ~largest] = (step - 1) / LEVELS
    lowest[lowest == -1] = 1.0

    def connected(matte: Array) -> Array:
        distance = matte - lowest
        return np.asarray(1 - distance * (distance >= SLACK), np.float32)

    return float(np.abs(connected(alpha) - connected(truth)).sum() / 1000)


def edge_error(alpha: Array, truth: Array, reach: int = EDGE_REACH) -> float:
    """Mean absolute difference within `reach` pixels of where the truth is neither solid nor empty."""
    soft = ((truth > 0.02) & (truth < 0.98)).astype(np.uint8)
    near = cv2.dilate(soft, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))) > 0
    return float(np.abs(alpha - truth)[near].mean()) if near.any() else 0.0


def dtssd(mattes: Sequence[Array], truths: Sequence[Array]) -> float:
    """Temporal error of a clip: the root mean square error of the change from frame to frame, averaged over the clip
    (Erofeev et al., "Perceptually Motivated Benchmark for Video Matting", BMVC 2015). 0 for a single frame."""
    changes = [
        np.sqrt(np.square((mattes[t] - mattes[t - 1]) - (truths[t] - truths[t - 1])).mean())
        for t in range(1, len(truths))
    ]
    return float(np.mean(changes)) if changes else 0.0


def mae(picture: Array, truth: Array, mask: Array) -> float:
    """Mean absolute error of a picture where the mask [H,W] is above 0."""
    return float(np.abs(picture - truth)[mask > 0].mean())


def ssim(picture: Array, truth: Array, mask: Array) -> float:
    """Structural similarity of the luma (Wang et al., IEEE TIP 13(4), 2004; 1 is equal), averaged over a mask [H,W]."""
    planes = (torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None] for image in (picture, truth))
    return float(similarity(*planes)[0, 0].numpy()[mask > 0].mean())


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity [B,1,H,W] of the luma of two pictures [B,3,H,W], 1 where they are equal."""
    luma = a.new_tensor(LUMA)[None, :, None, None]
    window = cv2.getGaussianKernel(SSIM_WINDOW, SSIM_SIGMA, cv2.CV_32F)
    kernel = torch.from_numpy(window @ window.T)[None, None].to(a.device)

    def soft(values: Tensor) -> Tensor:
        reach = SSIM_WINDOW // 2
        return F.conv2d(F.pad(values, (reach,) * 4, mode="reflect"), kernel)

    # Variances are small differences of large numbers: not in half precision.
    with torch.autocast(a.device.type, enabled=False):
        x, y = (a * luma).sum(1, keepdim=True), (b * luma).sum(1, keepdim=True)
        mean_x, mean_y = soft(x), soft(y)
        var_x, var_y, both = soft(x * x) - mean_x**2, soft(y * y) - mean_y**2, soft(x * y) - mean_x * mean_y
    c1, c2 = SSIM_FLOORS
    return (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))


def iou(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks; 1 where both are empty.

    >>> iou(np.array([True, True, False]), np.array([True, False, False]))
    0.5
    """
    either = int((said | truth).sum())
    return float((said & truth).sum() / either) if either else 1.0


MEASURES = {"MAD": mad, "MSE": mse, "Grad": grad, "Conn": conn, "edge": edge_error}
# What the table multiplies a measure by; Grad and Conn have their own scale.
SCALES = {"MAD": 1e3, "MSE": 1e3, "Grad": 1.0, "Conn": 1.0, "edge": 1e3}


def _gradient(matte: Array) -> Array:
    reach = int(np.ceil(3 * GRADIENT_SIGMA))
    x = np.arange(-reach, reach + 1, dtype=np.float64)
    smooth = np.exp(-(x**2) / (2 * GRADIENT_SIGMA**2))
    slope = -x / GRADIENT_SIGMA**2 * smooth
    norm = np.sqrt(np.square(np.outer(smooth, slope)).sum())
    across = cv2.sepFilter2D(matte.astype(np.float32), -1, slope / norm, smooth, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(matte.astype(np.float32), -1, smooth / norm, slope, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.sqrt(across**2 + down**2), np.float32)
