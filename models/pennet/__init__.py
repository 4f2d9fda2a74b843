"""PEN-Net: Zeng, Fu, Chao, Guo, "Learning Pyramid-Context Encoder Network for High-Quality Image Inpainting",
CVPR 2019, arXiv:1904.07475."""

from .attention import AttentionTransfer
from .discriminator import PENNetDiscriminator
from .generator import Inpainted, PENNet

__all__ = ["AttentionTransfer", "Inpainted", "PENNet", "PENNetDiscriminator"]
