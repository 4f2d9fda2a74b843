"""Measures Inpaint weights against fills that need none, on unseen generated plates and on pictures of a folder.

python -m plugin.measuring.quality_fills WEIGHTS [--plates 24] [--pictures FOLDER]

The Inpaint table of `make quality` for any weights. Errors are those inside the hole, of display-encoded pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from models import weights
from models.membrane import membrane
from models.training import metrics
from models.training.data.holes import hole
from models.training.procedural import background, sprite
from models.training.procedural.fields import Array
from nodes.filling.networks import NETWORKS
from plugin.measuring.quality_shots import unit
from plugin.measuring.quality_table import Case, Table, best_and_worst

HEIGHT, WIDTH = 384, 640
PLATES = 24
# Nothing in training draws from this seed.
UNSEEN = 90311
SMALLEST, LARGEST = 0.05, 0.20
SMOOTH = "diffusion (Laplace)"
Fill = Callable[[Array, Array], Array]


def plate(number: int) -> Array:
    """Unseen plate `number`, (384, 640, 3) display-encoded 0..1: a new background, half the time with a new figure."""
    rng = np.random.default_rng([UNSEEN, number])
    picture = cv2.resize(background(rng, 2 * HEIGHT, 2 * WIDTH), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        figure = cv2.resize(sprite(rng, 768).picture, (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA)
        left = int(rng.integers(0, WIDTH - HEIGHT))
        alpha = figure[..., 3:]
        part = picture[:, left : left + HEIGHT]
        picture[:, left : left + HEIGHT] = figure[..., :3] * alpha + part * (1 - alpha)
    return np.asarray(picture.clip(0, 1), np.float32)


def photographs(folder: Path) -> Iterator[Array]:
    """Pictures of a folder, cut to 5:3 and made 384 lines high."""
    for path in sorted(folder.rglob("*")):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.suffix in (".png", ".jpg", ".jpeg") else None
        if picture is None or min(picture.shape[:2]) < 256 or "mask" in path.name:
            continue
        height = min(picture.shape[0], picture.shape[1] * HEIGHT // WIDTH)
        width = height * WIDTH // HEIGHT
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        part = picture[top : top + height, left : left + width, ::-1]
        yield unit(cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))


def holes(number: int) -> Array:
    """Hole `number`, (384, 640), of 5 to 20 %."""
    rng = np.random.default_rng([UNSEEN, 7, number])
    while True:
        mask = hole(rng, HEIGHT, WIDTH)
        if SMALLEST <= mask.mean() <= LARGEST:
            return mask


def network_fill(path: Path) -> Fill:
    """The network of a file of weights, which must be all that it needs."""
    ref = weights.resolve(path)
    model = weights.build(ref).eval()
    network = next(network for network in NETWORKS.values() if network.parts == (ref.network,))

    def fill(picture: Array, mask: Array) -> Array:
        shown = membrane(picture, mask == 0) if network.rough else picture
        with torch.inference_mode():
            answer = network.fill(
                lambda _: model,
                torch.from_numpy(np.ascontiguousarray(shown.transpose(2, 0, 1)))[None],
                torch.from_numpy(mask)[None, None],
            )
        return np.asarray(answer[0].permute(1, 2, 0).numpy(), np.float32)

    return fill


def diffusion(picture: Array, mask: Array) -> Array:
    """Laplace's equation, as the node's `smooth`."""
    return membrane(picture, mask == 0)


def telea(picture: Array, mask: Array) -> Array:
    """OpenCV's fast marching fill (Telea 2004), which works on eight-bit pictures."""
    codes = (picture * 255 + 0.5).astype(np.uint8)
    return unit(cv2.inpaint(codes, mask.astype(np.uint8), 5, cv2.INPAINT_TELEA))


def merged(filled: Array, truth: Array, mask: Array) -> Array:
    """The fill in its hole, the truth around it."""
    return np.where(mask[..., None] > 0, filled, truth)


def inpaint(files: Sequence[Path], plates: int = PLATES) -> Table:
    """Every file's network alone, and fills that need no weights, on generated plates."""
    return measured("unseen generated plates", [plate(number) for number in range(plates)], files)


def measured(title: str, pictures: Sequence[Array], files: Sequence[Path]) -> Table:
    """Errors inside the holes of every method's fills."""
    masks = [holes(number) for number in range(len(pictures))]
    table = Table(
        "Inpaint",
        f"{len(pictures)} {title} of {WIDTH}x{HEIGHT} with holes of 5 to 20 %. "
        "Mean absolute error x 1e3 and structural similarity (more is better) inside the holes.",
        ["MAE", "SSIM", "worst MAE"],
    )
    fills: dict[str, Fill] = {f"{file.stem}, the network alone": network_fill(file) for file in files}
    fills |= {SMOOTH: diffusion, "Telea (OpenCV)": telea}
    results = {
        name: [merged(fill(picture, mask), picture, mask) for picture, mask in zip(pictures, masks, strict=True)]
        for name, fill in fills.items()
    }
    wrong = {
        name: [metrics.mae(*triple) * 1e3 for triple in zip(filled, pictures, masks, strict=True)]
        for name, filled in results.items()
    }
    for name, filled in results.items():
        errors = wrong[name]
        likeness = [metrics.ssim(*triple) for triple in zip(filled, pictures, masks, strict=True)]
        table.rows.append((name, [float(np.mean(errors)), float(np.mean(likeness)), max(errors)]))
        if not table.cases and files:
            against = [ours / smooth for ours, smooth in zip(errors, wrong[SMOOTH], strict=True)]
            for case, i in best_and_worst(against).items():
                holed = np.where(masks[i][..., None] > 0, np.float32(0.5), pictures[i])
                ours = [("input", holed), ("truth", pictures[i]), ("network", filled[i])]
                table.cases.append(Case(case, [*ours, ("Laplace", results[SMOOTH][i])]))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m plugin.measuring.quality_fills", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--plates", type=int, default=PLATES)
    parser.add_argument("--pictures", type=Path, help="a folder of photographs to fill as well")
    options = parser.parse_args()
    tables = [inpaint([options.weights], options.plates)]
    if options.pictures:
        tables.append(measured("photographs", list(photographs(options.pictures)), [options.weights]))
    for table in tables:
        print("\n".join(table.lines()), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
