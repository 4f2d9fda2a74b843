"""Clips from the drawn pool: people who move before scenes, with furniture and plants as parts of the scene.

Without a clean plate a network must know what to cut out: people, always and only people, and all of them. So people
never belong to the scene here, and things do, some of them moving too. Animals are neither, and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.data import motion
from models.training.data.clips import Clip, Labelled
from models.training.data.photometric import shoot
from models.training.data.pool import SCENE, ByteImage, FrameCut, Pool, _warp_level
from models.training.procedural.fields import Array

PEOPLE, THINGS = ("person",), ("plant", "furniture")
COUNTS, COUNT_SHARES = (0, 1, 2, 3), (0.06, 0.7, 0.18, 0.06)
THING_SHARE, THING_MOVES_SHARE = 0.45, 0.3
WOBBLE_SHARE, FOLLOW_SHARE, DISGUISE_SHARE = 0.6, 0.3, 0.15
Ways = NDArray[np.float64]


@dataclass(frozen=True)
class Placed:
    """A sprite and the maps [T,3,3] from its pixels to the view's."""

    which: int
    ways: Ways
    size: float  # height in pixels of the view


class ClipPool:
    """Clips from a pool's pictures. Raises ValueError where the pool has no people."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        kinds = [note["kind"] for note in pool.notes]
        self.people = [int(i) for i in pool.some_sprites if kinds[i] in PEOPLE]
        self.things = [int(i) for i in pool.some_sprites if kinds[i] in THINGS and not pool.notes[i]["cut"]]
        if not self.people:
            raise ValueError("the pool has no people in it: draw more sprites")

    def clip(self, rng: np.random.Generator, view: FrameCut, frames: int, energy: float = 1.0) -> Clip:
        """`frames` frames of 0 to 3 people seen through `view`."""
        times = motion.clock(rng, frames)
        centre = (view.frame * 8 / 9, view.frame / 2)
        camera = motion.camera(rng, times, energy)
        # A camera that follows someone moves the scene alone.
        parallax = 0.0 if rng.random() < FOLLOW_SHARE else float(rng.uniform(0.9, 1.3))
        seen, near = camera.around(centre, view.frame), camera.times(parallax).around(centre, view.frame)
        people = [self._person(rng, view, times, near, energy) for _ in range(int(rng.choice(COUNTS, p=COUNT_SHARES)))]
        window = self._window(rng, view, people)
        bgr = self._scene(rng, view, window @ seen)
        if self.things and rng.random() < THING_SHARE:
            for _ in range(int(rng.integers(1, 4))):
                rgb, a = self._seen(rng, self._thing(rng, view, times, window @ seen, energy), view, times, bgr)
                bgr = rgb * a[..., None] + bgr * (1 - a[..., None])
        fgr, pha = bgr, np.zeros(bgr.shape[:3], np.float32)
        for person in people:
            placed = Placed(person.which, window @ person.ways, person.size)
            rgb, a = self._seen(rng, placed, view, times, bgr)
            whole = a + pha * (1 - a)
            share = np.divide(a, whole, out=np.ones_like(a), where=whole > 1e-4)[..., None]
            fgr, pha = rgb * share + fgr * (1 - share), whole
        speed = self._speed(window @ people[-1].ways, people[-1].which) if people and frames > 1 else None
        return shoot(rng, fgr, pha, bgr, view.frame / 1080, speed)

    def labelled(self, rng: np.random.Generator, view: FrameCut, frames: int) -> Labelled:
        """A clip with where people are."""
        clip = self.clip(rng, view, frames)
        return Labelled(clip.src, (clip.pha > 0.5).astype(np.float32))

    def _person(self, rng: np.random.Generator, view: FrameCut, times: Ways, camera: Ways, energy: float) -> Placed:
        """Someone on their way in the whole frame's pixels; who is cut off stays cut off by the frame's lower edge."""
        which = int(rng.choice(self.people))
        note, frame = self.pool.notes[which], view.frame
        x0, y0, x1, y1 = note["box"]
        cut = note["cut"]
        size = frame * np.exp(rng.uniform(np.log(0.55 if cut else 0.4), np.log(1.25 if cut else 1.05)))
        scale = min(size / (y1 - y0), 1.2 * frame * 16 / 9 / (x1 - x0))
        foot = frame * (1.02 + abs(rng.normal(0, 0.1))) if cut else frame * rng.uniform(0.8, 1.06)
        at = (float(rng.normal(0.5, 0.2)) * frame * 16 / 9, foot)
        first = np.array([[scale * rng.choice([-1.0, 1.0]), 0, 0], [0, scale, 0], [0, 0, 1.0]])
        first[:2, 2] = np.array(at) - first[:2, :2] @ [(x0 + x1) / 2, y1]
        moves = motion.figure(rng, times, energy).around((at[0], at[1] - 0.5 * scale * (y1 - y0)), frame)
        ways = camera @ moves @ first
        if cut:
            edge = ways @ np.array([[x0, x1], [y1, y1], [1.0, 1.0]])
            ways[:, 1, 2] += np.maximum(0, frame + 2 - edge[:, 1].min(axis=1))
        return Placed(which, ways, scale * (y1 - y0))

    def _thing(self, rng: np.random.Generator, view: FrameCut, times: Ways, seen: Ways, energy: float) -> Placed:
        which = int(rng.choice(self.things))
        x0, y0, x1, y1 = self.pool.notes[which]["box"]
        scale = view.frame * rng.uniform(0.2, 0.9) / max(y1 - y0, x1 - x0)
        at = (float(rng.uniform(0, 1)) * view.frame * 16 / 9, view.frame * float(rng.uniform(0.4, 1.1)))
        first = np.array([[scale * rng.choice([-1.0, 1.0]), 0, 0], [0, scale, 0], [0, 0, 1.0]])
        first[:2, 2] = np.array(at) - first[:2, :2] @ [(x0 + x1) / 2, y1]
        if rng.random() < THING_MOVES_SHARE:
            first = motion.figure(rng, times, energy).around(at, view.frame) @ first
        return Placed(which, seen @ first, scale * (y1 - y0))

    def _window(self, rng: np.random.Generator, view: FrameCut, people: list[Placed]) -> Ways:
        """The shift [3,3] from the frame to the window: anywhere, but mostly so that it sees some of someone."""
        room = np.array([view.frame * 16 / 9 - view.width, view.frame - view.height])
        corner = rng.uniform(0, 1, 2) * room
        if people and rng.random() < 0.9:
            one = people[-1]
            x0, y0, x1, y1 = self.pool.notes[one.which]["box"]
            high = rng.uniform(0, 0.7)
            point = one.ways[len(one.ways) // 2] @ [rng.uniform(0.7 * x0 + 0.3 * x1, 0.3 * x0 + 0.7 * x1),
                                                    y0 + high * (y1 - y0), 1]  # fmt: skip
            corner = point[:2] - rng.uniform(0.2, 0.8, 2) * [view.width, view.height]
        corner = np.clip(corner, np.minimum(room, 0), np.maximum(room, 0))
        return np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1.0]])

    def _scene(self, rng: np.random.Generator, view: FrameCut, ways: Ways) -> Array:
        """A scene (T, h, w, 3) that covers the frame and moves with the camera."""
        h, w = SCENE
        index = int(rng.choice(self.pool.some_scenes))
        zoom = view.frame / h * np.exp(rng.uniform(np.log(1.03), np.log(2.2)))
        turn = rng.normal(0, 0.03)
        c, s = zoom * np.cos(turn), zoom * np.sin(turn)
        first = np.array([[c * rng.choice([-1.0, 1.0]), -s, 0], [s, c, 0], [0, 0, 1.0]])
        spare = np.maximum([w * zoom - view.frame * 16 / 9, h * zoom - view.frame], 0) / 2
        centre = np.array([view.frame * 8 / 9, view.frame / 2]) + rng.uniform(-1, 1, 2) * spare
        first[:2, 2] = centre - first[:2, :2] @ [w / 2, h / 2]
        levels = [level[index] for level in self.pool.scenes]
        look = _look(rng, 0.15)
        pictures: list[Array] = []
        for i, way in enumerate(ways):
            if i and np.array_equal(way, ways[i - 1]):
                pictures.append(pictures[-1])
                continue
            picture = _warp_level(levels, way @ first, view, cv2.BORDER_REFLECT_101)
            pictures.append(_looked(picture, look))
        return np.stack(pictures)

    def _seen(
        self, rng: np.random.Generator, placed: Placed, view: FrameCut, times: Ways, bgr: Array
    ) -> tuple[Array, Array]:
        """Colour (T, h, w, 3) and alpha (T, h, w) of a sprite; now and then in the colours of what is behind it."""
        levels = [level[placed.which] for level in self.pool.sprites]
        bend = Bend(rng, view, times, placed.size) if rng.random() < WOBBLE_SHARE else None
        look = _look(rng, 0.2)
        colours: list[Array] = []
        alphas: list[Array] = []
        for i, way in enumerate(placed.ways):
            picture = bend.warp(levels, way, i) if bend else _warp_level(levels, way, view, cv2.BORDER_CONSTANT)
            colours.append(_looked(picture, look))
            alphas.append(np.asarray(picture[..., 3] * np.float32(1 / 255)))
        rgb, a = np.stack(colours), np.stack(alphas)
        if rng.random() < DISGUISE_SHARE and a[0].sum() > 16:
            weight = a[0] / a[0].sum()
            mean, goal = (np.einsum("hwc,hw->c", picture[0], weight) for picture in (rgb, bgr))
            rgb = np.clip((rgb - mean) * np.float32(rng.uniform(0.4, 1.0)) + goal, 0, 1).astype(np.float32)
        return rgb, a

    def _speed(self, ways: Ways, which: int) -> Array:
        """How far a sprite's middle moves (T, 2) per frame."""
        x0, y0, x1, y1 = self.pool.notes[which]["box"]
        return np.gradient((ways @ [(x0 + x1) / 2, (y0 + y1) / 2, 1])[:, :2], axis=0).astype(np.float32)


class Bend:
    """Limbs and clothes that move: a smooth displacement that swings to and fro, up to some hundredths of the size."""

    def __init__(self, rng: np.random.Generator, view: FrameCut, times: Ways, size: float) -> None:
        self.view = view
        cells = (max(2, round(3 * view.height / size) + 1), max(2, round(3 * view.width / size) + 1))
        reach = np.float32(size * np.exp(rng.uniform(np.log(0.004), np.log(0.03))))
        fields = rng.standard_normal((2, *cells, 2), dtype=np.float32) * reach
        self.fields = [cv2.resize(f, (view.width, view.height), interpolation=cv2.INTER_CUBIC) for f in fields]
        phase = 2 * np.pi * times / np.exp(rng.uniform(np.log(10), np.log(60)))
        self.weights = np.stack([np.sin(phase), np.cos(phase)], 1).astype(np.float32)
        self.grid = np.stack(np.meshgrid(np.arange(view.width), np.arange(view.height)), 2).astype(np.float32)

    def warp(self, levels: list[ByteImage], way: Ways, frame: int) -> ByteImage:
        """The sprite through `way` and the displacement of `frame`, (h, w, 4)."""
        size = float(np.sqrt(abs(np.linalg.det(way[:2, :2]))))
        k = int(np.clip(np.floor(np.log2(1 / size) + 0.2), 0, len(levels) - 1)) if size < 1 else 0
        back = np.linalg.inv(way).astype(np.float32)
        a, b = self.weights[frame]
        at = cv2.transform(self.grid + a * self.fields[0] + b * self.fields[1], back[:2])
        at = (at - np.float32((2.0**k - 1) / 2)) * np.float32(2.0**-k)
        return np.asarray(cv2.remap(np.asarray(levels[k]), at, None, cv2.INTER_LINEAR), np.uint8)  # type: ignore[call-overload]


def _looked(picture: ByteImage, look: tuple[Array, NDArray[np.int64]]) -> Array:
    table, order = look
    return np.asarray(cv2.LUT(np.ascontiguousarray(picture[..., order]), table), np.float32)


def _look(rng: np.random.Generator, amount: float) -> tuple[Array, NDArray[np.int64]]:
    """A random exposure, gamma and colour balance as a table (256, 1, 3), and an order of the channels."""
    gain = np.exp(rng.normal(0, amount)) * np.exp(rng.normal(0, amount / 3, 3))
    ramp = np.linspace(0, 1, 256) ** np.exp(rng.normal(0, amount))
    table = np.clip(ramp[:, None] * gain + rng.normal(0, 0.02), 0, 1).astype(np.float32)
    order = rng.permutation(3) if rng.random() < 0.1 else np.arange(3)
    return table[:, None], order
