"""Background Matting V2: Lin, Ryabtsev, Sengupta, Curless, Seitz, Kemelmacher-Shlizerman,
"Real-Time High-Resolution Background Matting", CVPR 2021, arXiv:2012.07810."""

from .model import BaseOutput, CoarseMatte, MattingBase, MattingRefine, RefineOutput, load_deeplab
from .refiner import Refiner

__all__ = ["BaseOutput", "CoarseMatte", "MattingBase", "MattingRefine", "RefineOutput", "Refiner", "load_deeplab"]
