"""A first homography from matched details, good to about a pixel and blind to the subject.

SIFT (Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004) on contrast-normalised luma, ratio
test, then MAGSAC++ (Barath et al., "MAGSAC++, a fast, reliable and accurate robust estimator", CVPR 2020) as OpenCV's
USAC has it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from nodes.aligning.grid import Floats, Mask, Matrix

MAX_FEATURES = 800
MATCH_RADIUS = 0.2
RATIO = 0.8
THRESHOLD = 1.0
MIN_MATCHES = 8

FeaturePoints = NDArray[np.float32]


def detect(detail: Floats, mask: Mask | None = None) -> tuple[FeaturePoints, Floats]:
    """Keypoints of contrast-normalised luma (HxW): (N, 2) positions and (N, 128) descriptors, in an order of their own.

    mask: HxW, True where details may be used.
    """
    picture = np.clip(detail * 40.0 + 128.0, 0, 255).astype(np.uint8)
    sift = cv2.SIFT.create(nfeatures=MAX_FEATURES, contrastThreshold=0.03)
    found, descriptors = sift.detectAndCompute(picture, None if mask is None else mask.astype(np.uint8))
    if not found:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    keys = np.array([(k.pt[0], k.pt[1], k.size, k.angle) for k in found], dtype=np.float32)
    order = np.lexsort(keys.T[::-1])
    return keys[order, :2], np.asarray(descriptors, dtype=np.float32)[order]


def match(
    source: tuple[FeaturePoints, Floats], plate: tuple[FeaturePoints, Floats], radius: float
) -> tuple[FeaturePoints, FeaturePoints]:
    """Mutual best matches that pass the ratio test, as plate and source positions, both (N, 2).

    Only details within `radius` pixels of each other are compared: a plate is nearly in place already, and a repeated
    pattern is then ambiguous only against its neighbours.
    """
    nothing = np.zeros((0, 2), np.float32)
    (source_xy, source_d), (plate_xy, plate_d) = source, plate
    if len(source_xy) < 2 or len(plate_xy) < 2:
        return nothing, nothing
    # SIFT descriptors hold whole numbers 0..255: these products are exact in float32, in whatever order BLAS adds them.
    distance = (source_d**2).sum(axis=1)[:, None] + (plate_d**2).sum(axis=1)[None, :] - 2.0 * (source_d @ plate_d.T)
    apart = ((source_xy[:, None, :] - plate_xy[None, :, :]) ** 2).sum(axis=2)
    distance[apart > radius * radius] = np.inf
    rows = np.arange(len(source_xy))
    best = distance.argmin(axis=1)
    closest = distance[rows, best]
    mutual = distance.argmin(axis=0)[best] == rows
    distance[rows, best] = np.inf
    keep = mutual & (closest < RATIO**2 * distance.min(axis=1)) & np.isfinite(closest)
    return plate_xy[best[keep]], source_xy[keep]


def feature_homography(source: Floats, plate: Floats, mask: Mask) -> tuple[Matrix | None, int]:
    """Homography from plate to source coordinates and the number of matches that agree with it.

    source, plate: contrast-normalised luma of one size. mask: HxW of the source, True where the background may be.
    (None, 0) when too few details are in common.
    """
    return homography_of(*match(detect(source, mask), detect(plate), MATCH_RADIUS * max(source.shape)))


def homography_of(plate_xy: FeaturePoints, source_xy: FeaturePoints) -> tuple[Matrix | None, int]:
    """Homography that most of the matches (N, 2) agree with, from the first to the second, and how many those are."""
    if len(plate_xy) < MIN_MATCHES:
        return None, 0
    settings = cv2.UsacParams()
    settings.score = cv2.SCORE_METHOD_MAGSAC
    settings.loMethod = cv2.LOCAL_OPTIM_SIGMA
    settings.sampler = cv2.SAMPLING_UNIFORM
    settings.threshold = THRESHOLD
    settings.confidence = 0.999
    settings.maxIterations = 5000
    settings.isParallel = False
    settings.randomGeneratorState = 20040
    matrix, inliers = cv2.findHomography(plate_xy, source_xy, settings)
    if matrix is None or inliers is None or not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-9:
        return None, 0
    return matrix.astype(np.float64) / matrix[2, 2], int(inliers.sum())
