"""How figures and cameras move: poses over time, eased, shaken, paused, entering and leaving.

A clock says which frames of a shot a clip shows; everything that moves is a function of those frame numbers, so frames
that come twice or backwards show what a slowed or reversed shot shows. Lengths are in picture heights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
# Speeds at which a shot is played, and how often (RVM, section 4.1: dropped and doubled frames).
SPEEDS, SPEED_SHARES = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0), (0.1, 0.42, 0.2, 0.1, 0.1, 0.08)
DROPPED_SHARE = 0.12


@dataclass(frozen=True)
class Pose:
    """Where a thing is in each frame, [T] each: shift in picture heights, turn in radians, scale."""

    x: Values
    y: Values
    turn: Values
    scale: Values

    def around(self, pivot: tuple[float, float], unit: float) -> Values:
        """Affine maps [T,3,3] that turn and scale about `pivot` and shift by x, y times `unit` pixels."""
        c, s = self.scale * np.cos(self.turn), self.scale * np.sin(self.turn)
        ways = np.tile(np.eye(3), (len(c), 1, 1))
        ways[:, 0, 0], ways[:, 0, 1], ways[:, 1, 0], ways[:, 1, 1] = c, -s, s, c
        ways[:, 0, 2] = pivot[0] + self.x * unit - c * pivot[0] + s * pivot[1]
        ways[:, 1, 2] = pivot[1] + self.y * unit - s * pivot[0] - c * pivot[1]
        return ways

    def times(self, share: float) -> Pose:
        """The same movement, `share` times as large."""
        return Pose(self.x * share, self.y * share, self.turn * share, self.scale**share)


def clock(rng: np.random.Generator, frames: int) -> Values:
    """Frame numbers [T] of a shot at 25 a second: at some speed, some dropped, half the time backwards."""
    steps = np.full(frames - 1, rng.choice(SPEEDS, p=SPEED_SHARES))
    if rng.random() < DROPPED_SHARE:
        steps = steps * rng.integers(1, 4, frames - 1)
    times = np.floor(np.concatenate([[0.0], np.cumsum(steps)]))
    return times[::-1].copy() if rng.random() < 0.5 else times


def eased(rng: np.random.Generator, t: Values) -> Values:
    """t in 0..1 along a random easing curve from 0 to 1: linear, slow at either end or both, overshooting, a step."""
    t = np.clip(t, 0, 1)
    kind, power = rng.random(), rng.uniform(1.5, 4.0)
    if kind < 0.2:
        return t
    if kind < 0.4:
        return t**power
    if kind < 0.6:
        return 1 - (1 - t) ** power
    if kind < 0.87:
        return t**power / (t**power + (1 - t) ** power)
    if kind < 0.96:
        swing = rng.uniform(0.5, 1.8)
        return 1 + (swing + 1) * (t - 1) ** 3 + swing * (t - 1) ** 2
    return (t >= rng.uniform(0.2, 0.8)).astype(np.float64)


def travel(rng: np.random.Generator, times: Values, reach: float) -> Values:
    """From one place to another, eased, in one to six seconds; [T], about `reach` either way, 0 in the middle frame."""
    length = rng.uniform(25, 150)
    begin = times[len(times) // 2] - rng.uniform(0, 1) * length
    way = eased(rng, (times - begin) / length) * rng.normal(0, reach)
    return np.asarray(way - way[len(way) // 2])


def swing(rng: np.random.Generator, times: Values, reach: float, shortest: float, longest: float) -> Values:
    """Back and forth as a walk or a breath: a sine of about `reach`, with a period of so many frames."""
    period = np.exp(rng.uniform(np.log(shortest), np.log(longest)))
    return np.asarray(rng.normal(0, reach) * np.sin(2 * np.pi * times / period + rng.uniform(0, 2 * np.pi)))


def shake(rng: np.random.Generator, times: Values, reach: float) -> Values:
    """A hand that holds a camera: noise of deviation `reach`, the same whenever the same frame is shown."""
    first = int(times.min())
    table = rng.standard_normal(int(times.max()) - first + 8)
    if rng.random() < 0.6:
        table = np.convolve(table, [0.25, 0.5, 0.75, 0.5, 0.25], "same")
    return np.asarray(reach * table[(times - first).astype(int)])


def still(frames: int) -> Pose:
    """No movement at all."""
    return Pose(np.zeros(frames), np.zeros(frames), np.zeros(frames), np.ones(frames))


def camera(rng: np.random.Generator, times: Values, energy: float = 1.0) -> Pose:
    """A camera: locked off, panning, hand-held, or both."""
    frames = len(times)
    x, y, turn, zoom = np.zeros((4, frames))
    kind = rng.random()
    if kind < 0.4 or frames == 1:
        return still(frames)
    if kind < 0.8:
        x, y = travel(rng, times, 0.5 * energy), travel(rng, times, 0.15 * energy)
        zoom, turn = travel(rng, times, 0.12 * energy), travel(rng, times, 0.05 * energy)
    if kind > 0.6:
        reach = energy * np.exp(rng.uniform(np.log(5e-4), np.log(0.012)))
        x, y, turn = x + shake(rng, times, reach), y + shake(rng, times, reach), turn + shake(rng, times, reach / 2)
        x, y = x + swing(rng, times, 2 * reach, 20, 120), y + swing(rng, times, 2 * reach, 20, 120)
    return Pose(x, y, turn, np.exp(zoom))


def figure(rng: np.random.Generator, times: Values, energy: float = 1.0) -> Pose:
    """A figure: standing, swaying, walking, entering or leaving at either end of the clip, pausing on the way."""
    frames = len(times)
    if rng.random() < 0.12 or frames == 1:
        return still(frames)
    if rng.random() < 0.15:  # pauses for a while
        begin = int(rng.integers(0, frames))
        times = times.copy()
        times[begin : begin + int(rng.integers(2, frames + 1))] = times[begin]
    x = swing(rng, times, 0.03, 15, 80)
    y = swing(rng, times, 0.01, 8, 40)
    turn = swing(rng, times, 0.04, 15, 80)
    zoom = swing(rng, times, 0.02, 20, 90)
    if rng.random() < 0.6:
        x, y = x + travel(rng, times, 0.7 * energy), y + travel(rng, times, 0.1 * energy)
        zoom, turn = zoom + travel(rng, times, 0.2 * energy), turn + travel(rng, times, 0.12 * energy)
    if rng.random() < 0.1 * energy and frames > 3:  # beyond the picture at one end of the clip
        way = eased(rng, np.linspace(0, 1, frames)) * rng.choice([-1.0, 1.0]) * rng.uniform(1.2, 2.0)
        x = x + (way if rng.random() < 0.5 else way[::-1])
    if rng.random() < 0.1:
        x, y = x + shake(rng, times, 0.004), y + shake(rng, times, 0.004)
    return Pose(x, y, turn, np.exp(zoom))
