"""Clips to train video matting on from a user's own pictures.

    DATA/fgr/CLIP/0001.png      people, a folder per clip: RGBA, or RGB with the matte in DATA/pha/CLIP/0001.png
    DATA/pha/CLIP/0001.png      mattes of the same names and sizes, one channel (white is foreground)
    DATA/bgr/NAME.png           backgrounds without people: stills
    DATA/bgr/CLIP/0001.png      and clips
    DATA/images/NAME.png        optional, for the segmentation passes: pictures with people, or clips in folders,
    DATA/masks/NAME.png         and where the people are (white), of the same names and sizes

PNG, JPEG or TIFF, 8 or 16 bit, sRGB-encoded; a foreground's colour must be straight (not multiplied by its matte). The
frames of a clip are in the order of their names. Without images/ the segmentation passes use the composites.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.data import motion
from models.training.data.clips import Clip, Labelled
from models.training.data.folders import SUFFIXES, _found, _read
from models.training.data.photometric import shoot
from models.training.data.pool import FrameCut
from models.training.procedural.fields import Array

# A clip has movement of its own; how often some is added at energy 1, and how much oftener beyond (RVM's table).
MOTION_SHARE, MOTION_GROWTH = 0.3, 0.8
MOVING_BACKGROUNDS = 0.5
Ways = NDArray[np.float64]


class FolderClips:
    """Clips of foregrounds over backgrounds. Raises ValueError, naming file or folder, for what cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.foregrounds = _clips(folder / "fgr")
        self.mattes = _clips(folder / "pha") if (folder / "pha").is_dir() else {}
        for name in self.mattes:
            if name not in self.foregrounds:
                raise ValueError(f"{folder / 'pha' / name} is a matte without a foreground {folder / 'fgr' / name}")
        for name, frames in self.foregrounds.items():
            if name in self.mattes:
                _same_names(frames, self.mattes[name], folder / "pha" / name, "matte")
            elif _read(frames[0]).shape[2] != 4:
                raise ValueError(f"{frames[0]} has no alpha channel and there are no mattes in {folder / 'pha' / name}")
        stills, moving = _both(folder / "bgr")
        self.stills: list[list[Path]] = [[path] for path in stills]
        self.moving = list(moving.values())
        self.images, self.masks = _labelled(folder)

    def clip(self, rng: np.random.Generator, view: FrameCut, frames: int, energy: float = 1.0) -> Clip:
        """`frames` frames of one clip over one background, seen through `view`."""
        times = motion.clock(rng, frames)
        added = rng.random(2) < MOTION_SHARE + MOTION_GROWTH * max(0.0, energy - 1)
        name = str(rng.choice(list(self.foregrounds)))
        chosen = _shown(rng, len(self.foregrounds[name]), times)
        pictures = [self._foreground(name, i) for i in chosen]
        _one_size(pictures, [self.foregrounds[name][i] for i in chosen])
        moves = motion.figure(rng, times, energy) if added[0] else motion.still(frames)
        ways = _placed(rng, pictures[0], view, moves, view.frame * rng.uniform(0.6, 1.1), 0.17)
        window = _window(rng, view)
        seen = np.stack(
            [_warp(p, window @ way, view, cv2.BORDER_CONSTANT) for p, way in zip(pictures, ways, strict=True)]
        )
        moves = motion.camera(rng, times, energy) if added[1] else motion.still(frames)
        bgr = self._background(rng, view, times, moves, window)
        return shoot(rng, seen[..., :3], seen[..., 3], bgr, view.frame / 1080)

    def labelled(self, rng: np.random.Generator, view: FrameCut, frames: int) -> Labelled:
        """Pictures of images/ with their masks: a clip, or a still; without images/ composites."""
        able = [name for name, paths in self.images.items() if frames == 1 or len(paths) > 1]
        if not able:
            clip = self.clip(rng, view, frames)
            return Labelled(clip.src, (clip.pha > 0.5).astype(np.float32))
        name = str(rng.choice(able))
        chosen = _shown(rng, len(self.images[name]), motion.clock(rng, frames))
        pictures = [_with_alpha(self.images[name][i], self.masks[name][i], "picture") for i in chosen]
        _one_size(pictures, [self.images[name][i] for i in chosen])
        height = _cover(pictures[0], view) * rng.uniform(1.0, 1.8)
        ways = _placed(rng, pictures[0], view, motion.still(frames), height, 0.2)
        window = _window(rng, view)
        seen = np.stack(
            [_warp(p, window @ way, view, cv2.BORDER_REFLECT_101) for p, way in zip(pictures, ways, strict=True)]
        )
        gain = np.exp(rng.normal(0, 0.1)) * np.exp(rng.normal(0, 0.04, 3)).astype(np.float32)
        return Labelled(np.clip(seen[..., :3] * gain, 0, 1).astype(np.float32), (seen[..., 3] > 0.5).astype(np.float32))

    def _foreground(self, name: str, frame: int) -> Array:
        path = self.foregrounds[name][frame]
        if name in self.mattes:
            return _with_alpha(path, self.mattes[name][frame], "foreground")
        picture = _read(path)
        if picture.shape[2] != 4:
            raise ValueError(f"{path} has no alpha channel, unlike the frames before it")
        return picture

    def _background(
        self, rng: np.random.Generator, view: FrameCut, times: Ways, moves: motion.Pose, window: Ways
    ) -> Array:
        moving = self.moving and (not self.stills or rng.random() < MOVING_BACKGROUNDS)
        clips = self.moving if moving else self.stills
        paths = clips[rng.integers(len(clips))]
        chosen = _shown(rng, len(paths), times)
        read = {i: _read(paths[i])[..., :3] for i in set(chosen)}
        _one_size(list(read.values()), [paths[i] for i in read])
        first = read[chosen[0]]
        ways = _placed(rng, first, view, moves, _cover(first, view) * rng.uniform(1.0, 1.6), 0.04)
        return np.stack(
            [_warp(read[i], window @ way, view, cv2.BORDER_REFLECT_101) for i, way in zip(chosen, ways, strict=True)]
        )


def _labelled(folder: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Images and masks by the name of the clip, or of the still, which is a clip of one frame."""
    if not (folder / "images").is_dir():
        if (folder / "masks").is_dir():
            raise ValueError(f"there are {folder / 'masks'} but no {folder / 'images'}")
        return {}, {}
    if not (folder / "masks").is_dir():
        raise ValueError(f"there are {folder / 'images'} but no {folder / 'masks'}")
    found = []
    for part in ("images", "masks"):
        stills, clips = _both(folder / part)
        found.append(({path.stem: path for path in stills}, clips))
    (images, image_clips), (masks, mask_clips) = found
    _same_names(list(images.values()), list(masks.values()), folder / "masks", "mask")
    for name in image_clips.keys() | mask_clips.keys():
        _same_names(image_clips.get(name, []), mask_clips.get(name, []), folder / "masks" / name, "mask")
    return (
        {name: [path] for name, path in images.items()} | {f"{n}/": c for n, c in image_clips.items()},
        {name: [path] for name, path in masks.items()} | {f"{n}/": c for n, c in mask_clips.items()},
    )


def _clips(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    loose, clips = _found(folder), _sub_folders(folder)
    if loose:
        raise ValueError(f"{loose[0]} is not in a clip: {folder} holds one folder per clip")
    if not clips:
        raise ValueError(f"{folder} holds no clips: one folder of pictures per clip is expected")
    return clips


def _both(folder: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """Stills and clips of a folder."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    stills, clips = _found(folder), _sub_folders(folder)
    if not stills and not clips:
        raise ValueError(f"{folder} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return stills, clips


def _sub_folders(folder: Path) -> dict[str, list[Path]]:
    clips = {path.name: _found(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    for name, frames in clips.items():
        if not frames:
            raise ValueError(f"{folder / name} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return clips


def _same_names(frames: Sequence[Path], others: Sequence[Path], folder: Path, what: str) -> None:
    have, need = {path.stem for path in others}, {path.stem for path in frames}
    for path in frames:
        if path.stem not in have:
            raise ValueError(f"{path} has no {what} {folder / path.stem}.png")
    for path in others:
        if path.stem not in need:
            raise ValueError(f"{path} is a {what} without a picture of that name")


def _with_alpha(path: Path, matte_path: Path, what: str) -> Array:
    picture, matte = _read(path)[..., :3], _read(matte_path)
    if matte.shape[:2] != picture.shape[:2]:
        raise ValueError(
            f"{matte_path} is {matte.shape[1]}x{matte.shape[0]}, its {what} {picture.shape[1]}x{picture.shape[0]}"
        )
    return np.concatenate([picture, matte[..., :1]], axis=2)


def _one_size(pictures: Sequence[Array], paths: Sequence[Path]) -> None:
    for picture, path in zip(pictures, paths, strict=True):
        if picture.shape != pictures[0].shape:
            sizes = [f"{p.shape[1]}x{p.shape[0]} with {p.shape[2]} channels" for p in (picture, pictures[0])]
            raise ValueError(f"{path} is {sizes[0]}, {paths[0]} of the same clip {sizes[1]}")


def _shown(rng: np.random.Generator, count: int, times: Ways) -> list[int]:
    """Frames of a clip of `count` at some time after a random start; a clip too short is played to and fro."""
    at = (times.astype(int) - int(times.min()) + int(rng.integers(count))) % max(1, 2 * count - 2)
    return [int(i) if i < count else 2 * count - 2 - int(i) for i in at]


def _cover(picture: Array, view: FrameCut) -> float:
    """The height at which a picture covers the whole frame."""
    return max(view.frame, view.frame * 16 / 9 * picture.shape[0] / picture.shape[1])


def _placed(
    rng: np.random.Generator, picture: Array, view: FrameCut, moves: motion.Pose, height: float, turn: float
) -> Ways:
    """Maps [T,3,3] from a picture's pixels to the frame's: scaled to `height`, flipped, turned, near the middle."""
    h, w = picture.shape[:2]
    scale, angle, shear = height / h, rng.uniform(-turn, turn), rng.uniform(-turn, turn) / 2
    c, s, flip = scale * np.cos(angle), scale * np.sin(angle), rng.choice([-1.0, 1.0])
    first = np.array([[c * flip, shear * c - s, 0], [s * flip, shear * s + c, 0], [0, 0, 1.0]])
    middle = np.array([view.frame * 8 / 9, view.frame / 2])
    first[:2, 2] = middle - first[:2, :2] @ [w / 2, h / 2] + rng.uniform(-0.1, 0.1, 2) * view.frame
    return np.asarray(moves.around((float(middle[0]), float(middle[1])), view.frame) @ first)


def _window(rng: np.random.Generator, view: FrameCut) -> Ways:
    room = np.array([view.frame * 16 / 9 - view.width, view.frame - view.height])
    corner = np.clip(rng.normal(0.5, 0.25, 2), 0, 1) * room
    return np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1.0]])


def _warp(picture: Array, way: Ways, view: FrameCut, border: int) -> Array:
    """Through the view; a picture much larger than shown is first averaged down, so that nothing aliases."""
    size = float(np.sqrt(abs(np.linalg.det(way[:2, :2]))))
    if size < 0.7:
        h, w = picture.shape[:2]
        small = (max(1, round(w * size)), max(1, round(h * size)))
        picture = np.asarray(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), np.float32)
        fine = np.diag([w / small[0], h / small[1], 1.0])
        fine[:2, 2] = [(w / small[0] - 1) / 2, (h / small[1] - 1) / 2]
        way = way @ fine
    shown = cv2.warpAffine(picture, way[:2], (view.width, view.height), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(shown, np.float32)
