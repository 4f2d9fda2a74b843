"""HRNet: Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition", TPAMI 2020,
arXiv:1908.07919; and its head with object-contextual representations: Yuan, Chen, Wang, ECCV 2020, arXiv:1909.11065."""

from .backbone import BODIES, HighResolutionModule, HRNet
from .heads import (
    LARGEST_SCALE,
    MOST_SCALES,
    SMALLEST_SCALE,
    HRNetOCR,
    HRNetV1,
    HRNetV2,
    HRNetV2p,
    OCROutput,
    Pyramid,
    normalize,
    resize_logits,
)
from .ocr import ObjectAttention, SpatialGather, SpatialOCR

__all__ = [
    "BODIES",
    "LARGEST_SCALE",
    "MOST_SCALES",
    "SMALLEST_SCALE",
    "HRNet",
    "HRNetOCR",
    "HRNetV1",
    "HRNetV2",
    "HRNetV2p",
    "HighResolutionModule",
    "OCROutput",
    "ObjectAttention",
    "Pyramid",
    "SpatialGather",
    "SpatialOCR",
    "normalize",
    "resize_logits",
]
