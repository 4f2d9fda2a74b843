"""Trained weights: which are published and under which terms, getting them here, and loading them safely.

Importing this package, finding weights (`resolve`, `default_for`) and listing them needs no torch; loading does.
Nothing that a weights file contains is ever run.

Example:
    >>> from models import weights
    >>> ref = weights.resolve("video_matte_mobilenetv3")
    >>> ref.state, ref.network
    ('bundled', 'rvm')
    >>> model = weights.build(ref)
"""

from __future__ import annotations

from models.weights.errors import WeightsError
from models.weights.facts import WeightsFacts
from models.weights.fit import fit
from models.weights.formats.checkpoint import load_state_dict, open_checkpoint
from models.weights.identify import Guess, identify
from models.weights.importing import Imported, import_file, save
from models.weights.loading import build, complete, load_model_weights, load_remembered
from models.weights.reference import WeightsRef, choose, default_for, other_half, resolve

__all__ = [
    "Guess",
    "Imported",
    "WeightsError",
    "WeightsFacts",
    "WeightsRef",
    "build",
    "choose",
    "complete",
    "default_for",
    "fit",
    "identify",
    "import_file",
    "load_model_weights",
    "load_remembered",
    "load_state_dict",
    "open_checkpoint",
    "other_half",
    "resolve",
    "save",
]
