"""Procedural pictures to train matting on: no photograph, no pretrained weight, everything from a seed.

All pictures are display-encoded sRGB, float32 in 0..1, channels last. The same generator state gives the same picture.

>>> import numpy as np
>>> from models.training.procedural import sprite
>>> sprite(np.random.default_rng(7), 64).picture.shape
(64, 64, 4)
"""

from models.training.procedural.backgrounds import background, scene_family
from models.training.procedural.composites import Composite, composite
from models.training.procedural.sprites import KINDS, Sprite, sprite

__all__ = ["KINDS", "Composite", "Sprite", "background", "composite", "scene_family", "sprite"]
