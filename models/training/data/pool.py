"""A pool of drawn sprites and scenes on disk, recombined at random into training examples.

Drawing takes half a second a picture, recombining some milliseconds: so a few hundred of each are drawn once, kept as
uint8 in three sizes (`sprites_0.npy`, `scenes_1.npy`, ...: level k is 1 / 2**k), and warped afresh for every example.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.training.procedural import Composite, background, composite, scene_family, sprite
from models.training.procedural.fields import Array, value_noise

LEVELS = 3
SOFT_SHARE = 0.3
FRINGE_SHARE = 0.3
SPRITE = 1280
SCENE = (864, 1536)
ByteImage = NDArray[np.uint8]


def _codes(picture: Array) -> ByteImage:
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _pyramid(picture: ByteImage) -> list[ByteImage]:
    """Levels of half the size each; colour under alpha 0 is real, so straight averaging leaves no fringe."""
    levels = [picture]
    for _ in range(LEVELS - 1):
        h, w = levels[-1].shape[:2]
        levels.append(np.asarray(cv2.resize(levels[-1], (w // 2, h // 2), interpolation=cv2.INTER_AREA), np.uint8))
    return levels


def _draw(task: tuple[str, str, int, int]) -> dict[str, Any]:
    folder, what, seed, i = task
    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, what == "scenes", i])
    note: dict[str, Any]
    if what == "sprites":
        for _ in range(8):
            one = sprite(rng, SPRITE)
            if (one.picture[..., 3] > 0.5).mean() > 0.015:
                break
        ys, xs = np.nonzero(one.picture[..., 3] > 0.05)
        note = {
            "kind": one.kind,
            "cut": one.cut,
            "box": [int(v) for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)],
        }
        picture = _codes(one.picture)
    else:
        note = {"family": scene_family(rng)}
        picture = _codes(background(rng, *SCENE, note["family"]))
    for level, image in enumerate(_pyramid(picture)):
        np.load(Path(folder) / f"{what}_{level}.npy", mmap_mode="r+")[i] = image
    return note


def _drawn(tasks: list[tuple[str, str, int, int]], processes: int) -> Iterator[dict[str, Any]]:
    """The tasks' notes in their order, done here where one process is enough."""
    if processes == 1:
        threads = cv2.getNumThreads()
        yield from map(_draw, tasks)
        cv2.setNumThreads(threads)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as workers:
        yield from workers.imap(_draw, tasks, 4)


def build(folder: Path, sprites: int = 480, scenes: int = 240, seed: int = 1, processes: int = 2) -> None:
    """Draw the pool into `folder` (6.5 MB a sprite, 4 MB a scene, plus a third); a complete one is left as it is."""
    wanted = {"sprites": sprites, "scenes": scenes, "seed": seed}
    card = folder / "pool.json"
    told = json.loads(card.read_text()) if card.exists() else {}
    if "families" in told and {k: told[k] for k in wanted} == wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    card.unlink(missing_ok=True)
    for level in range(LEVELS):
        side = SPRITE >> level
        h, w = SCENE[0] >> level, SCENE[1] >> level
        for name, shape in (("sprites", (sprites, side, side, 4)), ("scenes", (scenes, h, w, 3))):
            np.lib.format.open_memmap(folder / f"{name}_{level}.npy", "w+", np.uint8, shape).flush()
    tasks = [(str(folder), "sprites", seed, i) for i in range(sprites)] + [
        (str(folder), "scenes", seed, i) for i in range(scenes)
    ]
    notes = list(tqdm(_drawn(tasks, processes), total=len(tasks), desc="drawing", mininterval=5))
    families = [note["family"] for note in notes[sprites:]]
    card.write_text(json.dumps(wanted | {"notes": notes[:sprites], "families": families}))


@dataclass(frozen=True)
class FrameCut:
    """A window of `height` x `width` pixels into a 16:9 frame that would be `frame` pixels high."""

    height: int
    width: int
    frame: float


class Examples(Protocol):
    """Where training examples come from."""

    def example(self, rng: np.random.Generator, view: FrameCut) -> Composite:
        """One training example seen through `view`; the same generator state gives the same example."""
        ...


class Pool:
    """The pictures of one folder made by `build`, and the recipe by which they are recombined.

    `part` "train" uses all but the last tenth, "held" only that tenth.
    """

    def __init__(self, folder: Path, part: str = "train") -> None:
        if not (folder / "pool.json").exists():
            raise FileNotFoundError(f"There is no finished pool of pictures in {folder} (pool.json is missing).")
        card = json.loads((folder / "pool.json").read_text())
        self.notes, self.families = card["notes"], card["families"]
        self.sprites = [np.load(folder / f"sprites_{k}.npy", mmap_mode="r") for k in range(LEVELS)]
        self.scenes = [np.load(folder / f"scenes_{k}.npy", mmap_mode="r") for k in range(LEVELS)]
        self.some_sprites = _part(len(self.sprites[0]), part)
        self.some_scenes = _part(len(self.scenes[0]), part)

    def example(self, rng: np.random.Generator, view: FrameCut) -> Composite:
        """One training example seen through `view`."""
        frame_w = view.frame * 16 / 9
        index = int(rng.choice(self.some_scenes))
        places: list[tuple[int, NDArray[np.float64]]] = []
        for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.05, 0.71, 0.18, 0.06]))):
            places.append(self._place(rng, view.frame))
        corner = self._aim(rng, view, frame_w, places)
        move = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1.0]])
        bgr = self._scene(rng, index, view, move)
        if rng.random() < 0.35:  # people who are in the plate too: not everyone is foreground
            for _ in range(int(rng.integers(1, 3))):
                other, way = self._place(rng, view.frame)
                rgb, a = self._warp(rng, other, move @ way, view)
                bgr = rgb * a[..., None] + bgr * (1 - a[..., None])
        fgr, pha = bgr.copy(), np.zeros(bgr.shape[:2], np.float32)
        for which, way in places:
            rgb, a = self._warp(rng, which, move @ way, view)
            rgb = self._disguise(rng, rgb, a, bgr, index, view, move)
            a = _fringe(rng, a, view) if self.notes[which]["kind"] in ("person", "animal") else a
            rgb, a = _out_of_focus(rng, rgb, a, view)
            whole = a + pha * (1 - a)
            share = np.divide(a, whole, out=np.ones_like(a), where=whole > 1e-4)[..., None]
            fgr, pha = rgb * share + fgr * (1 - share), whole
        return composite(rng, fgr, pha, bgr, view.frame / 1080)

    def plate(self, rng: np.random.Generator, view: FrameCut) -> Array:
        """A scene (h, w, 3), display-encoded 0..1, half the time with figures and things in it."""
        room = np.array([view.frame * 16 / 9 - view.width, view.frame - view.height])
        corner = rng.uniform(0, 1, 2) * np.maximum(room, 0)
        move = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1.0]])
        picture = self._scene(rng, int(rng.choice(self.some_scenes)), view, move)
        for _ in range(int(rng.choice([0, 1, 2], p=[0.5, 0.3, 0.2]))):
            which, way = self._place(rng, view.frame)
            rgb, a = self._warp(rng, which, move @ way, view)
            picture = rgb * a[..., None] + picture * (1 - a[..., None])
        return np.asarray(np.clip(picture, 0, 1), np.float32)

    def _aim(
        self, rng: np.random.Generator, view: FrameCut, frame_w: float, places: list[tuple[int, NDArray[np.float64]]]
    ) -> NDArray[np.float64]:
        """The upper left corner of the window: anywhere, but mostly so that it sees some of the subject."""
        room = np.array([frame_w - view.width, view.frame - view.height])
        corner = rng.uniform(0, 1, 2) * room
        if places and rng.random() < 0.88:
            which, way = places[-1]
            x0, y0, x1, y1 = self.notes[which]["box"]
            point = way @ [rng.uniform(x0, x1), rng.uniform(y0, y1), 1]
            corner = point[:2] - rng.uniform(0.15, 0.85, 2) * [view.width, view.height]
        return np.asarray(np.clip(corner, np.minimum(room, 0), np.maximum(room, 0)))

    def _place(self, rng: np.random.Generator, frame: float) -> tuple[int, NDArray[np.float64]]:
        """A sprite, and the affine map (3, 3) from its pixels to the frame's."""
        which = int(rng.choice(self.some_sprites))
        note = self.notes[which]
        x0, y0, x1, y1 = note["box"]
        cut, high = note["cut"], y1 - y0
        size = frame * np.exp(rng.uniform(np.log(0.5 if cut else 0.3), np.log(1.25 if cut else 1.05))) / high
        size = min(size, 1.3 * frame * 16 / 9 / (x1 - x0))
        flip = rng.choice([-1.0, 1.0])
        turn = rng.normal(0, 0.05) if note["kind"] in ("person", "animal", "plant") else rng.uniform(-np.pi, np.pi)
        c, s = size * np.cos(turn), size * np.sin(turn)
        way = np.array([[c * flip, -s, 0], [s * flip, c, 0], [0, 0, 1.0]])
        middle = way @ [(x0 + x1) / 2, (y0 + y1) / 2, 0]
        x = rng.normal(0.5, 0.2) * frame * 16 / 9
        foot = frame * (1 + abs(rng.normal(0, 0.12))) + 2 if cut else frame * rng.uniform(0.75, 1.08)
        y = foot - size * high / 2 if note["kind"] in ("person", "animal", "plant") else rng.uniform(0.1, 0.9) * frame
        way[:2, 2] = [x - middle[0], y - middle[1]]
        return which, way

    def _scene(self, rng: np.random.Generator, index: int, view: FrameCut, move: NDArray[np.float64]) -> Array:
        h, w = SCENE
        zoom = view.frame / h * np.exp(rng.uniform(np.log(1.03), np.log(2.2)))
        way = np.eye(3)
        turn = rng.normal(0, 0.03)
        c, s = zoom * np.cos(turn), zoom * np.sin(turn)
        way[:2, :2] = [[c * rng.choice([-1.0, 1.0]), -s], [s, c]]
        spare = np.maximum([w * zoom - view.frame * 16 / 9, h * zoom - view.frame], 0) / 2
        centre = np.array([view.frame * 8 / 9, view.frame / 2]) + rng.uniform(-1, 1, 2) * spare
        way[:2, 2] = centre - way[:2, :2] @ [w / 2, h / 2]
        picture = _warp_level([level[index] for level in self.scenes], move @ way, view, cv2.BORDER_REFLECT_101)
        return _tint(rng, picture, 0.12)

    def _warp(
        self, rng: np.random.Generator, which: int, way: NDArray[np.float64], view: FrameCut
    ) -> tuple[Array, Array]:
        picture = _warp_level([level[which] for level in self.sprites], way, view, cv2.BORDER_CONSTANT)
        return _tint(rng, picture[..., :3], 0.2), np.asarray(picture[..., 3] / np.float32(255), np.float32)

    def _disguise(
        self,
        rng: np.random.Generator,
        rgb: Array,
        a: Array,
        bgr: Array,
        index: int,
        view: FrameCut,
        move: NDArray[np.float64],
    ) -> Array:
        """Now and then a foreground that looks like its background: in its colours, or cut out of it."""
        kind = rng.random()
        if kind < 0.07:
            other = self._scene(rng, index, view, move)
            return np.asarray(rgb + np.float32(rng.uniform(0.5, 0.9)) * (other - rgb), np.float32)
        if kind < 0.19 and a.sum() > 16:
            weight = a / a.sum()
            mean, goal = np.einsum("hwc,hw->c", rgb, weight), np.einsum("hwc,hw->c", bgr, weight)
            goal = goal + rng.normal(0, 0.03)
            return np.clip((rgb - mean) * np.float32(rng.uniform(0.3, 1.0)) + goal, 0, 1).astype(np.float32)
        if kind < 0.27:
            grey = rgb.mean(2, keepdims=True)
            return np.asarray(rgb + np.float32(rng.uniform(0.5, 1)) * (grey - rgb), np.float32)
        return rgb


def _out_of_focus(rng: np.random.Generator, rgb: Array, a: Array, view: FrameCut) -> tuple[Array, Array]:
    """Now and then a subject whose outline is as wide as a lens or an enlargement makes it: up to 6 HD pixels."""
    if rng.random() >= SOFT_SHARE:
        return rgb, a
    sigma = float(np.exp(rng.uniform(np.log(0.8), np.log(6.0)))) * view.frame / 1080
    if sigma < 0.25:
        return rgb, a
    soft = cv2.GaussianBlur(np.dstack([rgb * a[..., None], a]), (0, 0), sigma)
    alpha = np.asarray(soft[..., 3], np.float32)
    seen = alpha[..., None] > 1e-3
    return np.where(seen, soft[..., :3] / np.maximum(alpha[..., None], 1e-3), rgb).astype(np.float32), alpha


def _fringe(rng: np.random.Generator, a: Array, view: FrameCut) -> Array:
    """Now and then a coat or a head of hair that thins out towards the air: up to 45 HD pixels, in fine tufts."""
    if rng.random() >= FRINGE_SHARE or not a.any():
        return a
    scale = view.frame / 1080
    h, w = a.shape
    width = float(np.exp(rng.uniform(np.log(5.0), np.log(45.0)))) * scale
    depth = cv2.distanceTransform((a > 0.4).astype(np.uint8), cv2.DIST_L2, 3) * np.float32(1 / width)
    if rng.random() < 0.5:  # not all around: clothes beside hair
        depth = depth + np.clip(value_noise(rng, h, w, 160 * scale + 4) * 2, 0, 2)
    depth = np.clip(depth, 0, 1)
    tufts = value_noise(rng, h, w, max(1.0, rng.uniform(2, 7) * scale), rng.uniform(1, 5))
    tufts += value_noise(rng, h, w, max(1.0, 0.4 * width), rng.uniform(0.5, 2))
    thin = np.clip(depth + np.float32(rng.uniform(0.1, 0.8)) * tufts * depth * (1 - depth), 0, 1)
    return np.asarray(a * thin, np.float32)


def _part(n: int, part: str) -> NDArray[np.int64]:
    held = max(1, n // 10)
    return np.arange(n - held, n) if part == "held" else np.arange(n - held if n > held else n)


def _warp_level(levels: list[ByteImage], way: NDArray[np.float64], view: FrameCut, border: int) -> ByteImage:
    """Warp the pyramid level that has just enough resolution, so that nothing aliases and edges stay crisp."""
    size = float(np.sqrt(abs(np.linalg.det(way[:2, :2]))))
    k = int(np.clip(np.floor(np.log2(1 / size) + 0.2), 0, len(levels) - 1)) if size < 1 else 0
    fine = np.diag([2.0**k, 2.0**k, 1.0])
    fine[:2, 2] = (2.0**k - 1) / 2
    return np.asarray(
        cv2.warpAffine(
            np.asarray(levels[k]),
            (way @ fine)[:2],
            (view.width, view.height),
            flags=cv2.INTER_LINEAR,
            borderMode=border,
        ),
        np.uint8,
    )


def _tint(rng: np.random.Generator, picture: ByteImage, amount: float) -> Array:
    """Display-encoded codes to 0..1 with a random exposure, gamma and colour balance."""
    gain = np.exp(rng.normal(0, amount)) * np.exp(rng.normal(0, amount / 3, 3))
    gamma, lift = np.exp(rng.normal(0, amount)), rng.normal(0, 0.02)
    ramp = np.linspace(0, 1, 256, dtype=np.float32) ** np.float32(gamma)
    table = np.clip(ramp[:, None] * gain.astype(np.float32) + np.float32(lift), 0, 1).astype(np.float32)
    if rng.random() < 0.15:
        table = table[:, rng.permutation(3)]
        picture = picture[..., rng.permutation(3)]
    return np.stack([table[:, c][picture[..., c]] for c in range(3)], 2)
