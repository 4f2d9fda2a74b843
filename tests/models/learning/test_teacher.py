"""Learning a small shot: what it begins with, that it learns, goes on, and says where it is unsure."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

import models
from models import weights
from models.learning import Lesson, Pupil, Teacher
from models.learning.carrying import carry
from models.learning.hints import half
from models.learning.network import LearnedNetwork, from_video_matte, seen_channels

FRAMES = list(range(11, 23))
SIZE = (48, 80)


def still(frame: int) -> tuple[np.ndarray, np.ndarray]:
    """A disc that goes over a texture, and its matte."""
    rng = np.random.default_rng(3)
    back = cv2.GaussianBlur(rng.uniform(0, 160, (*SIZE, 3)).astype(np.float32), (0, 0), 2)
    skin = cv2.GaussianBlur(rng.uniform(60, 255, (*SIZE, 3)).astype(np.float32), (0, 0), 2)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    alpha = np.clip(14.5 - np.hypot(x - 20 - 2 * (frame - 11), y - 24), 0, 1).astype(np.float32)[..., None]
    moved = np.roll(skin, 2 * (frame - 11), 1)
    return (moved * alpha + back * (1 - alpha)).astype(np.uint8), alpha


def lesson(keys: tuple[int, ...] = (11, 16, 22), frames: list[int] = FRAMES) -> Lesson:
    return Lesson("shot", frames, lambda frame: still(frame)[0], {key: still(key)[1] for key in keys})


@pytest.fixture(scope="module")
def start() -> dict[str, torch.Tensor]:
    found = weights.resolve("video_matte_mobilenetv3")
    return from_video_matte(weights.load_model_weights(found, "rvm", found.options), "matte")


def teacher(start, taught: Lesson | None = None, seed: int = 5) -> Teacher:
    one = Teacher([taught or lesson()], "matte", seed, torch.device("cpu"), start)
    one.prepare(lambda what, share: None)
    return one


def test_it_begins_as_video_matte_that_is_deaf_to_hints(start) -> None:
    found = weights.resolve("video_matte_mobilenetv3")
    people = models.create("rvm", **found.options)
    people.load_state_dict(weights.load_model_weights(found, "rvm", found.options))
    network = LearnedNetwork("matte").eval()
    network.load_state_dict(start)
    frame = torch.rand(1, 3, 64, 96)
    hints = torch.rand(1, seen_channels("matte") - 3, 64, 96) - 0.5
    with torch.inference_mode():
        half = people.coarse(frame).pha / 2 + (hints[:, :1] + 0.5) / 2
        value, _ = network(torch.cat([frame - 0.5, hints], 1))
    torch.testing.assert_close(value, half, atol=1e-5, rtol=0)


def test_fresh_it_answers_what_the_carried_keys_say() -> None:
    for kind, channels in (("matte", 1), ("picture", 3)):
        seen = torch.rand(2, seen_channels(kind), 37, 50) - 0.5
        with torch.inference_mode():
            value, error = LearnedNetwork(kind).eval()(seen)
        torch.testing.assert_close(value, seen[:, 3 : 3 + channels] + 0.5)
        assert error.shape == (2, 1, 37, 50)


def test_keys_reach_every_frame_between_them_from_both_sides() -> None:
    told: list[float] = []
    found = carry(lesson(), "matte", told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    assert found.frames == FRAMES
    before, after = found.hints[14]
    assert (before.distance, after.distance) == (3, 2)
    truth = still(14)[1]
    for hint in (before, after):
        said = cv2.resize(hint.key[..., 0] / np.float32(255), SIZE[::-1])
        assert np.abs(said - truth[..., 0]).mean() < 0.03
    for hint in found.hints[16]:
        assert (hint.distance, hint.doubt.max()) == (1, 0)
        np.testing.assert_allclose(hint.key / 255, half(still(16)[1]), atol=1 / 255)
    # At the keys the truth is known: from the neighbours, and from there and back.
    assert {example.key for example in found.examples if example.neighbours} == {11, 16, 22}
    assert {example.key for example in found.examples if not example.neighbours} == {11, 16, 22}


def test_who_stops_waits_for_no_key_that_nobody_began_to_carry() -> None:
    keys, seen = tuple(range(11, 23)), list[int]()
    shot = lesson(keys)

    def picture(frame: int) -> np.ndarray:
        seen.append(frame)
        return shot.picture(frame)

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry(Lesson("shot", FRAMES, picture, shot.keys), "matte", stop, threads=1)
    assert len(set(seen)) < len(FRAMES) / 2


def test_it_learns(start) -> None:
    one = teacher(start)
    error = lambda: float(np.abs(one.predict(0, 14).value - still(14)[1]).mean())  # noqa: E731
    before = error()
    for _ in range(40):
        one.step()
    assert error() < before / 3
    assert error() < 0.02


def test_what_goes_on_from_a_state_is_what_was_never_interrupted(start) -> None:
    whole, first, second = teacher(start), teacher(start), teacher(None, seed=9)
    losses = [whole.step() for _ in range(4)]
    begun = [first.step() for _ in range(2)]
    second.restore(first.state())
    assert [*begun, second.step(), second.step()] == losses
    for name, tensor in whole.weights().items():
        assert torch.equal(tensor, second.weights()[name]), name


def test_what_it_says_while_it_learns_is_what_the_file_says(start) -> None:
    one = teacher(start)
    one.step()
    file = one.weights()
    network = LearnedNetwork("matte").eval()
    network.load_state_dict({name: value for name, value in file.items() if not name.startswith("shot.")})
    pupil = Pupil(network, {name: value for name, value in file.items() if name.startswith("shot.")})
    for frame in (11, 13, 22):
        mine, theirs = one.predict(0, frame), pupil(still(frame)[0], frame)
        np.testing.assert_array_equal(mine.value, theirs.value)
        np.testing.assert_array_equal(mine.confidence, theirs.confidence)


def test_one_key_and_a_plate_are_enough(start) -> None:
    back = still(400)[0]
    shot = lesson((14,))
    taught = Lesson("shot", shot.frames, shot.picture, shot.keys, lambda frame: back)
    one = teacher(start, taught)
    assert np.isfinite([one.step() for _ in range(3)]).all()
    assert one.predict(0, 20).value.shape == (*SIZE, 1)
