"""Measures RVM weights on unseen procedural clips, beside the same network without memory and the best fixed threshold.

python -m models.training.evaluate.rvm WEIGHTS [--clips 8] [--frames 12] [--pool FOLDER] [--pictures FILE.png]
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from models import weights
from models.rvm import MattingNetwork
from models.training import metrics
from models.training.data import pool
from models.training.data.clip_pool import ClipPool
from models.training.data.clips import Clip
from models.training.data.photometric import GREY
from models.training.data.pool import FrameCut, Pool
from models.training.procedural.fields import Array

HEIGHT, WIDTH = 720, 1280
# As the node chooses by itself.
RATIO = 512 / WIDTH
# Nothing in training draws from this seed.
UNSEEN = 90210
SPRITES, SCENES = 40, 14
SHRUNK = 4
THRESHOLDS = np.linspace(0, 1, 33)
CONSTANTS = np.linspace(0, 1, 21)

Matter = Callable[[Array], list[Array]]


def unseen(folder: Path) -> ClipPool:
    """People, things and scenes that no training has seen, drawn into `folder` if they are not there yet."""
    pool.build(folder, SPRITES, SCENES, seed=UNSEEN)
    pictures = Pool(folder)
    pictures.some_sprites, pictures.some_scenes = np.arange(SPRITES), np.arange(SCENES)
    return ClipPool(pictures)


def clip(examples: ClipPool, number: int, frames: int) -> Clip:
    """Unseen clip `number`, whole frames."""
    return examples.clip(np.random.default_rng([UNSEEN, number]), FrameCut(HEIGHT, WIDTH, HEIGHT), frames)


def recurrent(model: MattingNetwork, src: Array) -> list[Array]:
    """Mattes [H,W] of the frames (T, h, w, 3), each with the memory of those before."""
    return _mattes(model, src, remember=True)


def frame_by_frame(model: MattingNetwork, src: Array) -> list[Array]:
    """The same without memory."""
    return _mattes(model, src, remember=False)


def _mattes(model: MattingNetwork, src: Array, remember: bool) -> list[Array]:
    states: tuple[torch.Tensor | None, ...] = (None,) * 4
    mattes = []
    with torch.inference_mode():
        for picture in src:
            out = model(torch.from_numpy(picture).permute(2, 0, 1)[None], *states, downsample_ratio=RATIO)
            mattes.append(np.asarray(out.pha[0, 0].numpy()))
            states = tuple(out[2:]) if remember else states
    return mattes


def luminance(src: Array) -> Array:
    """Luma (..., h, w) of display-encoded colours (..., h, w, 3)."""
    return np.asarray(src @ GREY, np.float32)


def best_threshold(clips: Sequence[Clip]) -> tuple[str, Matter]:
    """What one number can do, chosen with the truth of the whole set at hand: a constant matte or a luma threshold.

    Returns its name and how it mattes: whichever has the smaller mean absolute error.
    """
    shades = [luminance(one.src[:, ::SHRUNK, ::SHRUNK]) for one in clips]
    truths = [one.pha[:, ::SHRUNK, ::SHRUNK] for one in clips]

    def error(matte: Callable[[Array], Array]) -> float:
        return float(np.mean([np.abs(matte(s) - t).mean() for s, t in zip(shades, truths, strict=True)]))

    choices: list[tuple[str, Callable[[Array], Array]]] = [
        (f"constant {value:.2f}", partial(_constant, value=value)) for value in CONSTANTS
    ]
    for value, above in itertools.product(THRESHOLDS, (True, False)):
        name = f"luma {'above' if above else 'below'} {value:.2f}"
        choices.append((name, partial(_keyed, value=value, above=above)))
    name, matte = min(choices, key=lambda choice: error(choice[1]))
    return name, lambda src: list(matte(luminance(src)))


def _constant(shade: Array, value: float) -> Array:
    return np.full_like(shade, value)


def _keyed(shade: Array, value: float, above: bool) -> Array:
    return np.asarray((shade > value) == above, np.float32)


def score(mattes: Sequence[Array], truths: Sequence[Array]) -> dict[str, float]:
    """The field's measures of one clip, averaged over its frames, scaled as in the tables."""
    measures = {
        name: float(np.mean([metrics.MEASURES[name](m, t) for m, t in zip(mattes, truths, strict=True)]))
        * metrics.SCALES[name]
        for name in ("MAD", "MSE", "Grad", "Conn")
    }
    return measures | {"dtSSD": 1e3 * metrics.dtssd(mattes, truths)}


def table(rows: Mapping[str, Sequence[Mapping[str, float]]]) -> Iterator[str]:
    """Lines of the table: the mean of every measure over the clips, and the worst clip's MAD."""
    names = list(next(iter(rows.values()))[0])
    yield f"{'method':<28}" + "".join(f"{name:>9}" for name in names) + f"{'worst MAD':>11}"
    for method, scores in rows.items():
        means = [float(np.mean([one[name] for one in scores])) for name in names]
        worst = max(one["MAD"] for one in scores)
        yield f"{method:<28}" + "".join(f"{value:>9.2f}" for value in means) + f"{worst:>11.2f}"


def load(path: Path) -> MattingNetwork:
    """The network with the weights of a file, ready to use."""
    model = weights.build(weights.resolve(path))
    assert isinstance(model, MattingNetwork)
    return model.eval()


def compare(model: MattingNetwork, clips: Sequence[Clip]) -> dict[str, list[dict[str, float]]]:
    """Scores of every clip for the network, the network without memory, and the best fixed threshold."""
    name, threshold = best_threshold(clips)
    methods: dict[str, Matter] = {
        "recurrent": lambda src: recurrent(model, src),
        "frame by frame": lambda src: frame_by_frame(model, src),
        f"best threshold: {name}": threshold,
    }
    return {method: [score(matte(one.src), list(one.pha)) for one in clips] for method, matte in methods.items()}


def sheet(model: MattingNetwork, clips: Sequence[Clip], path: Path) -> None:
    """A picture of each clip's first, middle and last frame: source, truth, matte."""
    rows = []
    for one in clips:
        mattes = recurrent(model, one.src)
        cells = []
        for i in (0, len(mattes) // 2, len(mattes) - 1):
            grey = [np.repeat(matte[..., None], 3, axis=2) for matte in (one.pha[i], mattes[i])]
            cells += [one.src[i, ..., ::-1], *grey]
        rows.append(np.concatenate([cv2.resize(cell, (256, 144), interpolation=cv2.INTER_AREA) for cell in cells], 1))
    cv2.imwrite(str(path), np.asarray(np.concatenate(rows) * 255 + 0.5, np.uint8))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.training.evaluate.rvm", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--pool", type=Path, help="where the unseen pictures are kept, default: nowhere")
    parser.add_argument("--pictures", type=Path, metavar="FILE.png", help="sources, truths and mattes to look at")
    options = parser.parse_args()
    model = load(options.weights)
    with tempfile.TemporaryDirectory() as folder:
        examples = unseen(options.pool or Path(folder))
        clips = [clip(examples, number, options.frames) for number in range(options.clips)]
    print(
        f"MAD, MSE and dtSSD x 1e3; {options.clips} unseen procedural clips of {options.frames} frames "
        f"at {WIDTH}x{HEIGHT}"
    )
    for line in table(compare(model, clips)):
        print(line)
    if options.pictures:
        sheet(model, clips, options.pictures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
