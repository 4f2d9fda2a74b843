"""StructureFlow: Ren, Yu, Zhang, Li, Liu, Li, "StructureFlow: Image Inpainting via Structure-aware Appearance Flow",
ICCV 2019, arXiv:1908.03852.  Written from the paper and from facts about the published networks; no code was taken."""

from .discriminator import StructureFlowDiscriminator
from .generators import FlowGenerator, StructureGenerator, Textured
from .resample import resample2d
from .smoothing import smooth

__all__ = ["FlowGenerator", "StructureFlowDiscriminator", "StructureGenerator", "Textured", "resample2d", "smooth"]
