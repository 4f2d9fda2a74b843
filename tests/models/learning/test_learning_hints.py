"""What the network is told of a frame by carried keys, and how a file remembers it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from models.learning.hints import NOWHERE, Excerpt, Hint, carried, coded, half, laid_out, seen, through, whole_frame
from models.learning.memory import SAME, ShotMemory, packed, recall, small_picture, unpacked
from models.learning.network import seen_channels
from models.learning.pupil import vouched_for
from models.learning.steadying import Beside, steadied
from models.motion import stay

STAY = stay(18, 32)


def picture(seed: int, height: int = 36, width: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def hint(seed: int, distance: int = 3, channels: int = 1) -> Hint:
    rng = np.random.default_rng(seed)
    key, doubt = (rng.integers(0, 256, shape, np.uint8) for shape in ((18, 32, channels), (9, 16)))
    return Hint(key, doubt, distance)


def test_a_key_that_does_not_move_says_what_it_is_without_doubt() -> None:
    frame, key = picture(1), np.zeros((36, 64, 1), np.float32)
    key[8:20, 10:30] = 1
    said = carried(half(key), frame, frame, (STAY, STAY), 4)
    np.testing.assert_allclose(said.key[..., 0] / 255, half(key)[..., 0], atol=1 / 255)
    assert said.doubt.max() == 0
    assert said.distance == 4


def test_a_picture_that_changed_is_doubted() -> None:
    frame = picture(1)
    said = carried(np.ones((18, 32, 1), np.float32), 255 - frame, frame, (STAY, STAY), 1)
    assert said.doubt.mean() > 128


def test_what_does_not_lead_back_is_doubted_however_alike_it_looks() -> None:
    frame, away = np.full((36, 64, 3), 90, np.uint8), STAY.copy()
    away[:, :16] += np.float32([12, 0])
    said = carried(np.ones((18, 32, 1), np.float32), frame, frame, (away, STAY), 1)
    assert said.doubt[:, :6].min() > 200
    assert said.doubt[:, 10:].max() == 0


def test_islands_that_no_key_vouches_for_are_none_of_the_subject() -> None:
    alpha, key, doubt = (np.zeros(shape, np.float32) for shape in ((36, 64, 1), (18, 32, 1), (9, 16)))
    alpha[4:24, 4:24] = alpha[28:34, 6:12] = 1
    alpha[10:16, 40:46] = alpha[26:32, 50:56] = 0.9
    key[13:18, 2:8] = key[4:9, 18:24] = 1
    doubt[2:5, 9:13] = 1
    hint = Hint((key * 255).astype(np.uint8), (doubt * 255).astype(np.uint8), 3)
    kept = vouched_for(alpha, (hint, None))
    # The largest piece that no key knows, the one that a key knows; not the one in doubt, nor that nobody knows.
    assert kept[4:24, 4:24].min() == 1
    assert kept[28:34, 6:12].min() == 1
    assert kept[:, 30:].max() == 0
    np.testing.assert_array_equal(vouched_for(alpha, (None, None)), alpha)


def test_what_came_from_outside_is_doubted() -> None:
    frame = np.full((36, 64, 3), 90, np.uint8)
    said = carried(
        np.ones((18, 32, 1), np.float32), frame, frame, (STAY + np.float32([16, 0]), STAY - np.float32([16, 0])), 1
    )
    assert said.doubt[:, 10:].min() > 100
    assert said.doubt[:, :4].max() == 0


@pytest.mark.parametrize("kind", ["matte", "picture"])
@pytest.mark.parametrize("sides", [(0, 1), (0, None), (None, 1), (None, None)])
def test_the_network_sees_the_channels_it_expects(kind, sides) -> None:
    channels = 1 if kind == "matte" else 3
    before, after = (None if side is None else hint(side, channels=channels) for side in sides)
    frame = picture(3).astype(np.float32) / 255
    for plate in (None, frame):
        x = seen(kind, frame, before, after, plate, whole_frame(36, 64))
        assert x.shape == (36, 64, seen_channels(kind))
        assert np.isfinite(x).all()
        assert (x[..., -1] == (plate is not None)).all()
        np.testing.assert_allclose(x[..., :3] + 0.5, frame, atol=1e-6)


def test_the_better_hint_wins_and_the_nearer_one_of_two_good_ones() -> None:
    frame, one, none = (np.full((2, 2, 1), value, np.float32) for value in (0.5, 1.0, 0.0))
    frame3 = np.repeat(frame, 3, -1)
    blend = lambda *sides: float(laid_out(frame3, *sides, None)[0, 0, 3] + 0.5)  # noqa: E731
    assert blend((one, none, 10.0), (none, one, 1.0)) > 0.95
    assert blend((one, none, 1.0), (none, none, 9.0)) == pytest.approx(0.9)
    assert blend((one, one, NOWHERE), (none, one, 1.0)) < 0.01


def test_a_taught_picture_is_a_change_that_moves_with_the_frame() -> None:
    frame = picture(5)
    key = np.clip(frame / np.float32(255) + np.float32(0.1), 0, 1)
    said = carried(half(coded("picture", key, frame)), frame, frame, (STAY, STAY), 1)
    flat = np.full((36, 64, 3), 0.4, np.float32)
    x = seen("picture", flat, said, None, None, whole_frame(36, 64))
    assert np.abs(x[..., 3:6] + 0.5 - 0.5).mean() < 0.05


def test_a_view_shows_the_same_place_of_images_of_every_size() -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (36, 1))[..., None]
    view = Excerpt(np.array([[1, 0, 20], [0, 1, 5]], np.float32), (10, 12), (36, 64))
    np.testing.assert_allclose(through(half(ramp), view), through(ramp, view), atol=1e-5)


def memory(seed: int) -> ShotMemory:
    frames = [4, 5, 7]
    small = np.stack([small_picture(picture(seed + frame)) for frame in frames])
    return ShotMemory(frames, small, {4: (None, hint(1)), 5: (hint(2), hint(3)), 7: (hint(4, channels=3), None)})


def equal(one: object, other: object) -> bool:
    if not isinstance(one, Hint) or not isinstance(other, Hint):
        return one is other
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_file_remembers_every_hint_to_the_bit() -> None:
    shots = [memory(10), memory(20)]
    back = unpacked(packed(shots))
    assert [list(shot.frames) for shot in back] == [[4, 5, 7], [4, 5, 7]]
    for shot, was in zip(back, shots, strict=True):
        for frame in was.frames:
            assert all(map(equal, shot.hints[frame], was.hints[frame]))


def test_a_frame_is_known_by_its_picture() -> None:
    shots = [memory(10), memory(20)]
    assert equal(recall(shots, picture(15), 5)[0], shots[0].hints[5][0])
    assert equal(recall(shots, picture(25), 5)[0], shots[1].hints[5][0])
    # The shot under other numbers, and another shot.
    assert equal(recall(shots, picture(15), 1005)[0], shots[0].hints[5][0])
    assert recall(shots, np.full((36, 64, 3), 200, np.uint8), 5) == (None, None)
    assert recall([], picture(1), 1) == (None, None)


def test_a_little_noise_makes_no_other_frame() -> None:
    noisy = np.clip(picture(15).astype(int) + np.random.default_rng(0).integers(-9, 10, (36, 64, 3)), 0, 255)
    off, (before, _) = memory(10).recall(noisy.astype(np.uint8), 5)
    assert off < SAME
    assert before is not None


@pytest.mark.parametrize("part", ["small", "hints", "bytes"])
def test_what_does_not_hang_together_is_said(part) -> None:
    tensors = packed([memory(1)])
    with pytest.raises(ValueError, match="incomplete"):
        unpacked({name: value for name, value in tensors.items() if name != f"shot.0.{part}"})
    if part == "bytes":
        cut = unpacked({**tensors, "shot.0.bytes": tensors["shot.0.bytes"] // 2})
        with pytest.raises(ValueError, match="hang together"):
            _ = cut[0].hints[5]
    else:
        with pytest.raises(ValueError, match="hang together"):
            unpacked({**tensors, f"shot.0.{part}": torch.zeros(2, 2)})


def moving(place: int) -> np.ndarray:
    texture = np.random.default_rng(2).integers(0, 256, (9, 40, 3), np.uint8)
    wide = cv2.resize(texture, (320, 72), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wide[:, 100 - place : 228 - place])


def test_what_flickers_is_calmed_along_the_motion() -> None:
    truth = lambda place: (moving(place)[..., :1] > 120).astype(np.float32)  # noqa: E731
    wrong = [np.random.default_rng(i).normal(0, 0.2, (72, 128, 1)).astype(np.float32) for i in range(3)]
    before, here, after = (
        np.asarray(truth(place) + off, np.float32) for place, off in zip((0, 2, 4), wrong, strict=True)
    )
    calm = steadied(moving(2), here, [Beside(moving(0), before, 0.5), Beside(moving(4), after, 0.5)])
    error = lambda value: float(np.abs(value - truth(2))[8:-8, 8:-8].mean())  # noqa: E731
    assert error(calm) < 0.85 * error(here)
    assert error(calm) < error((before + here + after) / 3)


def test_another_picture_steadies_nothing() -> None:
    one, other = np.zeros((72, 128, 1), np.float32), np.ones((72, 128, 1), np.float32)
    np.testing.assert_array_equal(steadied(moving(0), one, []), one)
    assert steadied(moving(0), one, [Beside(255 - moving(0), other, 1.0)]).mean() < 0.1
