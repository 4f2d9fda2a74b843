"""StructureFlow: Ren, Yu, Zhang, Li, Liu, Li, "StructureFlow: Image Inpainting via Structure-aware Appearance Flow",
ICCV 2019, arXiv:1908.03852."""

from .discriminator import StructureFlowDiscriminator
from .generators import FlowGenerator, StructureGenerator, Textured
from .resample import resample2d

__all__ = ["FlowGenerator", "StructureFlowDiscriminator", "StructureGenerator", "Textured", "resample2d"]
