"""LaMa: Suvorov, Logacheva, Mashikhin, Remizova, Ashukha, Silvestrov, Kong, Goka, Park, Lempitsky,
"Resolution-robust Large Mask Inpainting with Fourier Convolutions", WACV 2022, arXiv:2109.07161."""

from .discriminator import Judgement, LaMaDiscriminator
from .generator import LaMa, LaMaDetail, LaMaRegular

__all__ = ["Judgement", "LaMa", "LaMaDetail", "LaMaDiscriminator", "LaMaRegular"]
