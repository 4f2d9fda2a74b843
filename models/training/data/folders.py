"""Training examples from a user's own pictures.

    DATA/fgr/NAME.png   foregrounds: RGBA, or RGB with the matte in DATA/pha/NAME.png
    DATA/pha/NAME.png   mattes of the same size, one channel (white is foreground)
    DATA/bgr/*.png      backgrounds without the subject

PNG, JPEG or TIFF, 8 or 16 bit, sRGB-encoded; a foreground's colour must be straight (not multiplied by its matte).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.training.data.pool import FrameCut
from models.training.procedural import Composite, composite
from models.training.procedural.fields import Array

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
SMALLEST = 64


class FolderExamples:
    """Foregrounds over backgrounds from a folder. Raises ValueError, naming the file, for what cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.foregrounds = _pictures(folder / "fgr")
        self.backgrounds = _pictures(folder / "bgr")
        mattes = {path.stem: path for path in _found(folder / "pha")}
        self.mattes = mattes
        for path in self.foregrounds:
            if path.stem not in mattes and _read(path).shape[2] != 4:
                raise ValueError(f"{path} has no alpha channel and no matte {folder / 'pha' / path.name}")
        for stem, path in mattes.items():
            if stem not in {foreground.stem for foreground in self.foregrounds}:
                raise ValueError(f"{path} is a matte without a foreground {folder / 'fgr' / path.name}")

    def example(self, rng: np.random.Generator, view: FrameCut) -> Composite:
        """One training example seen through `view`."""
        picture = self._foreground(self.foregrounds[rng.integers(len(self.foregrounds))])
        background = _read(self.backgrounds[rng.integers(len(self.backgrounds))])[..., :3]
        placed = _seen(rng, picture, view, view.frame * rng.uniform(0.6, 1.2), cv2.BORDER_CONSTANT)
        scene = _covering(rng, background, view)
        return composite(rng, placed[..., :3], placed[..., 3], scene, view.frame / 1080)

    def _foreground(self, path: Path) -> Array:
        picture = _read(path)
        if path.stem not in self.mattes:
            return picture
        matte = _read(self.mattes[path.stem])
        if matte.shape[:2] != picture.shape[:2]:
            raise ValueError(
                f"{self.mattes[path.stem]} is {matte.shape[1]}x{matte.shape[0]}, its foreground "
                f"{picture.shape[1]}x{picture.shape[0]}"
            )
        return np.concatenate([picture[..., :3], matte[..., :1]], axis=2)


class FolderPlates:
    """Pictures of DATA/bgr, to have holes filled. Raises ValueError, naming the file, for what cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.pictures = _pictures(folder / "bgr")

    def plate(self, rng: np.random.Generator, view: FrameCut) -> Array:
        """A picture (h, w, 3) in 0..1 seen through `view`."""
        picture = _read(self.pictures[rng.integers(len(self.pictures))])[..., :3]
        return _covering(rng, picture, view)


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    found = _found(folder)
    if not found:
        raise ValueError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return found


def _found(folder: Path) -> list[Path]:
    """The pictures of a folder, in order; none where there is no folder."""
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def _read(path: Path) -> Array:
    """float32 [H,W,3 or 4] in 0..1, RGB order."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError(f"{path} cannot be read as a picture")
    if picture.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{path} has {picture.dtype} pixels: 8 or 16 bit integers are expected")
    if min(picture.shape[:2]) < SMALLEST:
        raise ValueError(f"{path} is {picture.shape[1]}x{picture.shape[0]}: at least {SMALLEST} pixels are needed")
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    order = [2, 1, 0, 3][: picture.shape[2]]
    most = 255 if picture.dtype == np.uint8 else 65535
    return np.asarray(picture[..., order] / np.float32(most), np.float32)


def _covering(rng: np.random.Generator, picture: Array, view: FrameCut) -> Array:
    """The picture through the view, large enough to cover the whole frame."""
    cover = max(view.frame / picture.shape[0], view.frame * 16 / 9 / picture.shape[1])
    return _seen(rng, picture, view, picture.shape[0] * cover * rng.uniform(1.0, 1.6), cv2.BORDER_REFLECT_101)


def _seen(rng: np.random.Generator, picture: Array, view: FrameCut, height: float, border: int) -> Array:
    """The picture, scaled to `height` in a whole frame, flipped, turned and placed at random, through the view."""
    scale = height / picture.shape[0]
    turn = rng.normal(0, 0.04)
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    way = np.array([[c * rng.choice([-1.0, 1.0]), -s, 0], [s, c, 0]])
    centre = way[:, :2] @ [picture.shape[1] / 2, picture.shape[0] / 2]
    way[:, 2] = [view.width / 2, view.height / 2] - centre + rng.normal(0, 0.15, 2) * view.frame * (scale < 10)
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(
        cv2.warpAffine(picture, way, (view.width, view.height), flags=flags, borderMode=border), np.float32
    )
