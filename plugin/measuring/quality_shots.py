"""Shots for what is learned from key frames, with their truth: drawn, or of one's own subject over one's own clip.

A subject moves, turns, changes size, bends, is relit and slightly out of focus, over a background that moves and has
somebody else in it; and a marker on a wall that is filmed from the hand in changing light. Noise is 1 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.motion import EightBit, along, stay
from models.training.procedural import background, sprite
from models.training.procedural.fields import Array

# Nothing in training draws from this seed.
UNSEEN = 90311
SUBJECTS = {"animal": 2, "furniture": 1}
NOISE = 0.01
OUT_OF_FOCUS = 0.7
MARKER = 13  # pixels from the middle to the end of an arm, of 540 lines
Moment = tuple[Array, Array]


@dataclass(frozen=True)
class Form:
    """How many frames, of which size."""

    count: int = 72
    height: int = 540
    width: int = 960

    @property
    def scale(self) -> float:
        """The size of a pixel of 540 lines."""
        return self.height / 540


@dataclass(frozen=True)
class TrueShot:
    """`pictures` uint8 [n,H,W,3], display-encoded, and `mattes` float32 [n,H,W], 0..1, the truth.

    Of a shot whose marker is painted out `clean` are the pictures without it and `mattes` say where it is.
    """

    name: str
    pictures: EightBit
    mattes: Array
    clean: EightBit | None = None


def unit(codes: object) -> Array:
    """Eight-bit codes as float32 0..1."""
    return np.asarray(codes, np.float32) / np.float32(255)


def drawn(kind: str, form: Form) -> TrueShot:
    """A shot of a subject of one of `SUBJECTS`."""
    rng = np.random.default_rng([UNSEEN, 21, SUBJECTS[kind]])
    return subject_shot(kind, sprite(rng, round(576 * form.scale), kind).picture, form)


def own(subject: Path | None, clip: Path | None, form: Form) -> TrueShot:
    """A shot of a picture with alpha over a clip, a film or `frame.%04d.png`; a drawn one for what is not given.

    Raises OSError where one cannot be read or the clip is too short.
    """
    rng = np.random.default_rng([UNSEEN, 22])
    figure = sprite(rng, round(576 * form.scale), "animal").picture
    if subject is not None:
        read = cv2.imread(str(subject), cv2.IMREAD_UNCHANGED)
        if read is None or read.dtype != np.uint8 or read.ndim != 3 or read.shape[2] != 4:
            raise OSError(f"{subject} is no picture with alpha: give a PNG with four channels of eight bits")
        figure = unit(cv2.cvtColor(read, cv2.COLOR_BGRA2RGBA))
        shrink = 576 * form.scale / max(figure.shape[:2])
        figure = np.asarray(cv2.resize(figure, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.float32)
    behind = None if clip is None else frames_of(clip, form)
    return subject_shot("own", figure, form, behind)


def subject_shot(name: str, figure: Array, form: Form, behind: Iterator[Array] | None = None) -> TrueShot:
    """`figure` [h,w,4] straight, over `behind`, display-encoded 0..1, or over a drawn background."""
    rng = np.random.default_rng([UNSEEN, 23, sum(name.encode())])
    behind = _background(rng, form) if behind is None else behind
    figure = np.pad(figure, [(60, 60), (60, 60), (0, 0)])
    figure = np.concatenate([figure[..., :3] * figure[..., 3:], figure[..., 3:]], 2)
    moves = _moves(rng, figure, form)

    def moment(at: int) -> Moment:
        posed, gain = moves(at)
        alpha = posed[..., 3:].clip(0, 1)
        return (posed[..., :3] * gain).clip(0, 1) + (1 - alpha) * next(behind), alpha[..., 0]

    pictures, mattes = _filmed(rng, form, moment)
    return TrueShot(name, pictures, mattes)


def marked(form: Form) -> TrueShot:
    """A wall with a marker, from the hand, in changing light."""
    rng = np.random.default_rng([UNSEEN, 24])
    wall = background(rng, round(form.height * 1.3), round(form.width * 1.3), "facade")
    arm, middle = MARKER * form.scale, np.array([wall.shape[1] * 0.47, wall.shape[0] * 0.45])
    cross = np.zeros(wall.shape[:2], np.float32)
    for dx, dy in ((arm, 0), (0, arm)):
        ends = [tuple(int(v) for v in middle + sign * np.array([dx, dy])) for sign in (-1, 1)]
        cv2.line(cross, ends[0], ends[1], 1.0, max(2, round(5 * form.scale)), cv2.LINE_AA)
    tape = np.array([0.9, 0.45, 0.05], np.float32)
    taped = wall * (1 - cross[..., None]) + tape * cross[..., None]
    hand, light = _hand(rng, form, wall.shape[:2], travel=0.08), _light(rng, form)
    noise = np.random.default_rng([UNSEEN, 25]).bit_generator.state

    def through(picture: Array) -> Callable[[int], Moment]:
        def moment(at: int) -> Moment:
            return (hand(picture, at) * light(at)).clip(0, 1), hand(cross, at)

        return moment

    shots = []
    for picture in (taped, wall):  # the same noise over both: only the marker differs
        rng.bit_generator.state = noise
        shots.append(_filmed(rng, form, through(picture)))
    return TrueShot("marker", *shots[0], shots[1][0])


def _filmed(rng: np.random.Generator, form: Form, moment: Callable[[int], Moment]) -> tuple[EightBit, Array]:
    pictures, mattes = [], []
    for at in range(form.count):
        picture, matte = moment(at)
        noisy = picture + rng.standard_normal(picture.shape, np.float32) * np.float32(NOISE)
        pictures.append(np.asarray(noisy.clip(0, 1) * 255 + 0.5, np.uint8))
        mattes.append(np.asarray(matte, np.float32))
    return np.stack(pictures), np.stack(mattes)


def _moves(rng: np.random.Generator, figure: Array, form: Form) -> Callable[[int], tuple[Array, Array]]:
    """The figure [H,W,4], premultiplied, at a frame, and the light on it."""
    x, y = np.moveaxis(stay(form.height, form.width), -1, 0)
    phase, speed, light = rng.uniform(0, 2 * np.pi, 8), rng.uniform(0.5, 1.3, 8), _light(rng, form)

    def moves(at: int) -> tuple[Array, Array]:
        turn = 2 * np.pi * at / 72 * speed + phase
        wave, size = np.sin(turn), form.scale
        dx, dy = x - (480 + 200 * wave[0]) * size, y - (290 + 70 * wave[1]) * size
        angle, scale = 0.3 * wave[2], 0.75 * (1 + 0.2 * wave[3])
        across = (np.cos(angle) * dx + np.sin(angle) * dy) / scale
        down = (np.cos(angle) * dy - np.sin(angle) * dx) / scale
        across = across + size * 18 * np.sin(down / (90 * size) + 2 * turn[4])
        down = down + size * 12 * np.sin(across / (110 * size) + 2 * turn[6])
        height, width = figure.shape[:2]
        place = np.dstack([across + width / 2, down + height / 2]).astype(np.float32)
        posed = cv2.GaussianBlur(along(figure, place, beyond=0.0), (0, 0), OUT_OF_FOCUS)
        return np.asarray(posed, np.float32), light(at)

    return moves


def _light(rng: np.random.Generator, form: Form) -> Callable[[int], Array]:
    """What light does to a frame, [1,W,1]: it grows and falls, and comes from the side."""
    phase, speed = rng.uniform(0, 2 * np.pi, 2), rng.uniform(0.5, 1.3)
    side = np.linspace(-1, 1, form.width, dtype=np.float32)[None, :, None]

    def light(at: int) -> Array:
        turn = 2 * np.pi * at / 72
        gain = (1 + 0.18 * np.sin(speed * turn + phase[0])) * (1 + 0.15 * np.sin(turn + phase[1]) * side)
        return np.asarray(gain, np.float32)

    return light


def _hand(rng: np.random.Generator, form: Form, size: tuple[int, int], travel: float) -> Callable[[Array, int], Array]:
    """A camera in a hand: a picture of `size`, larger than the frame, as it sees it at a frame."""
    phase, speed = rng.uniform(0, 2 * np.pi, 8), np.array([1.0, 1.3, 7, 11, 9, 13, 3, 2])

    def hand(picture: Array, at: int) -> Array:
        wave = np.sin(2 * np.pi * at / 72 * speed + phase)
        slow, shake = wave[:2] * travel * form.width, (wave[2:4] * 3 + wave[4:6] * 2) * form.scale
        matrix = cv2.getRotationMatrix2D((size[1] / 2, size[0] / 2), float(0.8 * wave[6]), 1 + 0.02 * float(wave[7]))
        matrix[:, 2] += np.array([form.width - size[1], form.height - size[0]]) / 2 + slow * [1, 0.4] + shake
        border = cv2.BORDER_REFLECT_101
        return np.asarray(
            cv2.warpAffine(picture, matrix, (form.width, form.height), flags=cv2.INTER_AREA, borderMode=border),
            np.float32,
        )

    return hand


def _background(rng: np.random.Generator, form: Form) -> Iterator[Array]:
    """A place seen from the hand, and somebody who walks through it."""
    place = background(rng, round(form.height * 1.3), round(form.width * 1.3))
    walker = sprite(rng, round(400 * form.scale), "person").picture
    size, hand = walker.shape[0], _hand(rng, form, (place.shape[0], place.shape[1]), travel=0.06)
    for at in range(form.count):
        left = round((0.1 + 0.7 * at / form.count) * (place.shape[1] - size))
        top = place.shape[0] - size - round(30 * form.scale * (1 + np.sin(at / 3) / 5))
        there = place.copy()
        part, alpha = there[top : top + size, left : left + size], walker[..., 3:]
        part[:] = walker[..., :3] * alpha + part * (1 - alpha)
        yield hand(there, at)


def frames_of(clip: Path, form: Form) -> Iterator[Array]:
    """Pictures [H,W,3] of a film or `frame.%04d.png`, as large as the form. Raises OSError where it is too short."""
    film = cv2.VideoCapture(str(clip))
    for at in range(form.count):
        there, frame = film.read()
        if not there:
            raise OSError(f"{clip} ends after {at} frames: the shot needs {form.count}")
        small = cv2.resize(frame[..., ::-1], (form.width, form.height), interpolation=cv2.INTER_AREA)
        yield unit(small)
