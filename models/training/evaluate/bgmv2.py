"""Measures BGMv2 weights on unseen procedural scenes at HD, beside a tuned difference keyer.

python -m models.training.evaluate.bgmv2 WEIGHTS [--scenes 16]
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from models import weights
from models.bgmv2 import MattingRefine
from models.training import metrics
from models.training.procedural import Composite, background, composite, sprite
from models.training.procedural.composites import Faults
from models.training.procedural.fields import Array
from models.training.recipes.bgmv2 import new_model

HEIGHT, WIDTH = 1080, 1920
# Nothing in training draws from this seed.
UNSEEN = 90210
HARD = Faults(shadow=0.5, local=0.0, sway=0.0, defocus=0.0, noise=1.0, drift=1.0, shift=1.0, jpeg=0.0, motion=0.0)
SAMPLED_PIXELS = 80_000
BASE_SCALE = 0.5


def scene(number: int) -> Composite:
    """Unseen scene `number`: one subject before one background, with noise, drift, shift and half the time a shadow."""
    rng = np.random.default_rng([UNSEEN, number])
    picture = sprite(rng, 1280).picture
    box = np.argwhere(picture[..., 3] > 0.05)
    scale = HEIGHT * rng.uniform(0.6, 1.05) / max(1, box[:, 0].max() - box[:, 0].min())
    scale = min(scale, 1.2 * WIDTH / max(1, box[:, 1].max() - box[:, 1].min()))
    x = rng.uniform(0.3, 0.7) * WIDTH - scale * box[:, 1].mean()
    y = HEIGHT + 2 - scale * box[:, 0].max()
    way = np.array([[scale, 0, x], [0, scale, y]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    placed = cv2.warpAffine(picture, way, (WIDTH, HEIGHT), flags=flags).astype(np.float32)
    return composite(rng, placed[..., :3], placed[..., 3], background(rng, HEIGHT, WIDTH), 1.0, HARD)


def matte(model: MattingRefine, shown: Composite) -> Array:
    """The network's alpha [H,W]."""
    with torch.inference_mode():
        src, bgr = (torch.from_numpy(picture).permute(2, 0, 1)[None] for picture in (shown.src, shown.bgr))
        alpha: Array = model(src, bgr).pha[0, 0].numpy()
        return alpha


def difference(shown: Composite) -> Array:
    """Largest channel difference [H,W] after the plate's gain was matched, slightly denoised: what a keyer works on."""
    gain = np.median(shown.src, axis=(0, 1)) / np.maximum(np.median(shown.bgr, axis=(0, 1)), 1e-3)
    distance = np.abs(shown.src - shown.bgr * gain.clip(0.8, 1.25)).max(axis=2)
    return np.asarray(cv2.GaussianBlur(distance, (0, 0), 1.5), np.float32)


def key(distance: Array, low: float, soft: float) -> Array:
    """A difference keyer: 0 up to `low`, 1 from `low + soft` on."""
    return np.asarray(((distance - low) / soft).clip(0, 1), np.float32)


def tuned_keyer(distances: Sequence[Array], truths: Sequence[Array]) -> tuple[float, float]:
    """The keyer's settings with the least MAD over the whole set: better than any artist's one setting could be."""
    choices = itertools.product((0.02, 0.04, 0.06, 0.09, 0.13, 0.18, 0.25), (0.02, 0.06, 0.12, 0.25))
    small = [(d[::4, ::4], t[::4, ::4]) for d, t in zip(distances, truths, strict=True)]
    return min(choices, key=lambda c: sum(metrics.mad(key(d, *c), t) for d, t in small))


def load(path: Path) -> MattingRefine:
    """The network with the weights of a file, ready to use at the node's defaults."""
    model = new_model("mobilenetv2")
    model.load_state_dict(weights.fit(weights.load_state_dict(path), "bgmv2", {"backbone": "mobilenetv2"}, path.name))
    model.eval()
    model.backbone_scale, model.refine_mode, model.refine_sample_pixels = BASE_SCALE, "sampling", SAMPLED_PIXELS
    return model


def table(rows: Mapping[str, Sequence[tuple[Array, Array]]]) -> Iterator[str]:
    """Lines of the table: mean and worst of every measure for each method's (alpha, truth) pairs."""
    yield f"{'method':<26}" + "".join(f"{name:>9}" for name in metrics.MEASURES) + f"{'worst MAD':>11}"
    for method, pairs in rows.items():
        means = [
            np.mean([measure(*pair) for pair in pairs]) * metrics.SCALES[name]
            for name, measure in metrics.MEASURES.items()
        ]
        worst = max(metrics.mad(*pair) for pair in pairs) * 1e3
        yield f"{method:<26}" + "".join(f"{value:>9.2f}" for value in means) + f"{worst:>11.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.training.evaluate.bgmv2", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--scenes", type=int, default=16)
    options = parser.parse_args()
    model = load(options.weights)
    scenes = [scene(number) for number in range(options.scenes)]
    truths = [shown.pha for shown in scenes]
    distances = [difference(shown) for shown in scenes]
    low, soft = tuned_keyer(distances, truths)
    print(f"MAD, MSE and edge x 1e3; {options.scenes} unseen procedural scenes at {WIDTH}x{HEIGHT}")
    rows = {
        options.weights.stem: [(matte(model, shown), shown.pha) for shown in scenes],
        f"keyer, tuned ({low}, {soft})": [(key(d, low, soft), t) for d, t in zip(distances, truths, strict=True)],
    }
    model.refine_mode = "full"
    rows = {f"{options.weights.stem}, everywhere": [(matte(model, shown), shown.pha) for shown in scenes]} | rows
    for line in table(rows):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
