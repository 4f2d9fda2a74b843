"""Robust Video Matting: Lin, Yang, Saleemi, Sengupta, "Robust High-Resolution Video Matting with Temporal Guidance",
WACV 2022, arXiv:2108.11515."""

from .guided_filter import DeepGuidedFilterRefiner, FastGuidedFilterRefiner
from .model import CoarseWithState, MattingNetwork, MattingOutput, SegmentationOutput, States

__all__ = [
    "CoarseWithState",
    "DeepGuidedFilterRefiner",
    "FastGuidedFilterRefiner",
    "MattingNetwork",
    "MattingOutput",
    "SegmentationOutput",
    "States",
]
