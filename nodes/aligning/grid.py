"""Pixel grids for plate registration: working resolution, grid-to-grid matrices, contrast-normalised luma.

Pixel-centre convention everywhere in this room: integer coordinates are pixel centres, so the picture's top left
pixel is centred on (0, 0) and covers [-0.5, 0.5]. Points are (x, y); sizes are (height, width), like `array.shape[:2]`.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]
Size = tuple[int, int]

SOFTENING = 0.8
CONTRAST_SIGMA = 5.0


def grid_matrix(source: Size, target: Size) -> Matrix:
    """3x3 matrix from pixel coordinates of a picture of size `source` to those of it resized to `target`."""
    sy, sx = target[0] / source[0], target[1] / source[1]
    return np.array([[sx, 0.0, 0.5 * (sx - 1.0)], [0.0, sy, 0.5 * (sy - 1.0)], [0.0, 0.0, 1.0]])


def transform_points(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply a 3x3 homography to (N, 2) points."""
    homogeneous = np.column_stack([points, np.ones(len(points))])
    x, y, w = (homogeneous * row for row in matrix)
    w = w.sum(axis=1)
    return np.column_stack([x.sum(axis=1) / w, y.sum(axis=1) / w])


def corners(size: Size) -> NDArray[np.float64]:
    """Centres of the four corner pixels, (4, 2)."""
    height, width = size
    return np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], dtype=np.float64)


def working_size(size: Size, long_edge: int) -> Size:
    """`size` scaled down, never up, so that its longer side is at most `long_edge`."""
    scale = min(1.0, long_edge / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(image: Floats, size: Size) -> Floats:
    """`image` at `size`: area average when shrinking, linear when growing; the same array when nothing changes."""
    if image.shape[:2] == size:
        return image
    shrinking = image.shape[0] >= size[0] and image.shape[1] >= size[1]
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    out: Any = cv2.resize(image, (size[1], size[0]), interpolation=interpolation)
    return out


def warp(image: Floats, matrix: Matrix, size: Size, border: int = cv2.BORDER_REPLICATE) -> Floats:
    """Bilinear warp of `image` (HxW or HxWx3) by `matrix` (image -> output coordinates)."""
    out: Any = cv2.warpPerspective(image, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR, borderMode=border)
    return out


def blurred(image: Floats, sigma: float) -> Floats:
    """Gaussian blur."""
    out: Any = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return out


def luma(image: Floats) -> Floats:
    """Rec.709 luma of a display-encoded HxWx3 picture."""
    out: Any = cv2.transform(image, np.array([[0.2126, 0.7152, 0.0722]], dtype=np.float32))
    return out


def noise_level(gray: Floats) -> float:
    """Standard deviation of the noise, from the median response to a mask that is blind to edges and ramps.

    The mask of Immerkaer, "Fast Noise Variance Estimation" (CVIU 1996), with a median in place of the mean.
    """
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / 6.0
    response = cv2.filter2D(gray, cv2.CV_32F, mask)[1:-1:2, 1:-1:2]
    return 1.4826 * float(np.median(np.abs(response)))


def contrast_normalised(gray: Floats, floor: float) -> Floats:
    """Local mean removed, local contrast divided out: HxW, about -3..3, near 0 where there is no detail.

    Exposure, white balance and soft shadows, which differ between a shot and its plate, cancel. Contrast below `floor`
    (display code, 0..1) fades out instead of being amplified.
    """
    detail = blurred(gray, SOFTENING)
    detail = detail - blurred(detail, CONTRAST_SIGMA)
    spread = cv2.sqrt(blurred(detail * detail, CONTRAST_SIGMA))
    out: Any = detail / (spread + np.float32(floor))
    return out


def pyramid(gray: Floats, levels: int, smallest: int = 48) -> list[Floats]:
    """Luma at full, half, quarter ... size, finest first; stops early at `smallest` pixels on the shorter side."""
    out = [gray]
    while len(out) < levels and min(out[-1].shape) // 2 >= smallest:
        height, width = out[-1].shape
        out.append(resized(out[-1], (height // 2, width // 2)))
    return out
