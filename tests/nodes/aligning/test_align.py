"""A plate finds its place under a shot, or stays where it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import pytest
from footage_files import SHARED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nodes.aligning.align import Registration, estimate_registration, warp_plate

SIZE = (540, 960)
PHOTOGRAPHS = SHARED / "footage"
Picture = NDArray[np.float32]
Matrix = NDArray[np.float64]
Size = tuple[int, int]


@dataclass(frozen=True)
class Shot:
    source: Picture
    plate: Picture
    truth: Matrix
    alpha: Picture


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def decode(encoded: Picture) -> Picture:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encode(linear: Picture) -> Picture:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


@lru_cache(maxsize=8)
def scene(seed: int, shapes: int = 220) -> Picture:
    """A wall of shapes, lettering and grain in linear light: twice the shot's resolution, 1.3 times its width."""
    height, width = int(SIZE[0] * 2.6), int(SIZE[1] * 2.6)
    rng = np.random.default_rng(seed)
    light = cv2.resize(rng.uniform(0.15, 0.75, (5, 7, 3)).astype(np.float32), (width, height))
    wall = (light * 255).astype(np.uint8)
    for _ in range(shapes):
        colour = rng.uniform(12, 230, 3).tolist()
        x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        reach = float(np.exp(rng.uniform(np.log(width / 120), np.log(width / 9))))
        kind = rng.integers(4)
        if kind == 0:
            axes = int(reach), int(reach * rng.uniform(0.3, 1))
            cv2.ellipse(wall, (x, y), axes, float(rng.uniform(0, 360)), 0, 360, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            points = np.array([x, y]) + rng.normal(0, reach * 0.8, (int(rng.integers(3, 6)), 2))
            cv2.fillPoly(wall, [points.astype(np.int32)], colour, cv2.LINE_AA)
        elif kind == 2:
            end = int(x + rng.normal(0, 3 * reach)), int(y + rng.normal(0, 3 * reach))
            cv2.line(wall, (x, y), end, colour, int(rng.integers(2, 14)), cv2.LINE_AA)
        else:
            text = "clean plate"[: int(rng.integers(3, 11))]
            thickness = int(max(1, reach / 20))
            cv2.putText(wall, text, (x, y), cv2.FONT_HERSHEY_DUPLEX, reach / 40, colour, thickness, cv2.LINE_AA)
    grain = cv2.resize(rng.normal(0, 0.015, (height // 3, width // 3)).astype(np.float32), (width, height))
    return decode(np.clip(wall.astype(np.float32) / 255 + grain[..., None], 0, 1))


def home(size: Size = SIZE) -> Matrix:
    """Scene coordinates to those of the plate's camera, which sees its middle."""
    return np.array([[0.5, 0, -0.15 * size[1] - 0.25], [0, 0.5, -0.15 * size[0] - 0.25], [0, 0, 1.0]])


def photographed(wall: Picture, view: Matrix, size: Size = SIZE) -> Picture:
    """What a camera with `view` (scene -> pixel coordinates) sees, area-sampled."""
    twice = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]])
    fine = cv2.warpPerspective(
        wall, twice @ view, (size[1] * 2, size[0] * 2), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.clip(cv2.resize(fine, (size[1], size[0]), interpolation=cv2.INTER_AREA), 0, None)


def movement(
    shift: tuple[float, float] = (0, 0),
    degrees: float = 0,
    perspective: tuple[float, float] = (0, 0),
    scale: float = 1,
    size: Size = SIZE,
) -> Matrix:
    """Plate -> source coordinates, about the centre; shift in widths, perspective in changes of depth across one."""
    height, width = size
    centre = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1.0]])
    cos, sin = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    moved = np.array(
        [
            [cos, -sin, shift[0] * width],
            [sin, cos, shift[1] * width],
            [perspective[0] / width, perspective[1] / width, 1],
        ]
    )
    matrix = np.linalg.inv(centre) @ moved @ centre
    return matrix / matrix[2, 2]


@lru_cache(maxsize=16)
def subject(coverage: float, across: float, seed: int) -> tuple[Picture, Picture]:
    """A figure with an arm out that covers a share of the picture: its alpha, and its clothes, which are its own."""
    height, width = SIZE

    def figure(scale: float) -> Picture:
        alpha = np.zeros(SIZE, np.float32)
        x = int(across * width)
        body = int(width * 0.28 * scale), int(height * 0.55 * scale)
        head = int(width * 0.1 * scale), int(height * 0.2 * scale)
        cv2.ellipse(alpha, (x, int(height * 1.02)), body, 0, 0, 360, 1, -1)
        cv2.ellipse(alpha, (x, int(height * (1 - 0.68 * scale))), head, 0, 0, 360, 1, -1)
        hand = int(x + width * 0.45 * scale), int(height * 0.25)
        cv2.line(alpha, (x, int(height * 0.7)), hand, 1, max(1, int(width * 0.06 * scale)))
        return alpha

    low, high = 0.05, 3.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if figure(middle).mean() < coverage else (low, middle)
    clothes = photographed(scene(seed + 500), home())
    return cv2.GaussianBlur(figure(low), (0, 0), 1.5), np.roll(clothes, (200, 300), (0, 1))


def shot(
    seed: int = 0,
    truth: Matrix | None = None,
    gain: tuple[float, float, float] = (1, 1, 1),
    coverage: float = 0.0,
    across: float = 0.5,
    noise: float = 0.008,
    wall: Picture | None = None,
) -> Shot:
    """The plate, and the source: moved, relit, with a subject and its soft shadow, each with noise of its own."""
    truth = np.eye(3) if truth is None else truth
    wall = scene(seed) if wall is None else wall
    rng = np.random.default_rng(seed + 5)
    plate = photographed(wall, home())
    source = photographed(wall, truth @ home()) * np.array(gain, np.float32)
    alpha = np.zeros(SIZE, np.float32)
    if coverage:
        alpha, clothes = subject(coverage, across, seed)
        shadow = cv2.GaussianBlur(np.roll(alpha, 40, 1), (0, 0), 15)
        source = source * (1 - 0.2 * shadow[..., None])
        source = source * (1 - alpha[..., None]) + clothes * alpha[..., None]
    noisy = [np.clip(encode(a) + rng.normal(0, noise, a.shape), 0, 1).astype(np.float32) for a in (source, plate)]
    return Shot(noisy[0], noisy[1], truth, alpha)


def corner_error(found: Matrix, truth: Matrix, size: Size = SIZE) -> float:
    height, width = size
    points = np.array([[[0, 0]], [[width - 1, 0]], [[width - 1, height - 1]], [[0, height - 1]]], dtype=np.float64)
    difference = cv2.perspectiveTransform(points, np.asarray(found)) - cv2.perspectiveTransform(points, truth)
    return float(np.linalg.norm(difference, axis=2).max())


def gain_error(found: Registration, truth: tuple[float, float, float]) -> float:
    return float(np.abs(np.array(found.gain) / np.array(truth) - 1).max())


def assert_left_alone(found: Registration) -> None:
    assert not found.reliable
    assert found.is_identity
    assert np.array_equal(found.homography, np.eye(3))
    assert found.gain == (1.0, 1.0, 1.0)


MOVES = [
    pytest.param(movement((0.01, 0.004)), 0.0, (1.0, 1.0, 1.0), id="shift"),
    pytest.param(movement((0.0005, -0.0004)), 0.3, (1.0, 1.0, 1.0), id="half-a-pixel"),
    pytest.param(movement(degrees=2), 0.2, (1.1, 1.1, 1.1), id="turn-and-exposure"),
    pytest.param(movement((-0.01, 0.01), -2, (0.02, -0.01)), 0.4, (0.93, 1.02, 1.1), id="everything"),
    pytest.param(movement((0.008, 0), 1, (-0.02, 0.02), 1.02), 0.5, (0.9, 0.95, 0.92), id="half-the-frame-hidden"),
    pytest.param(movement((0.03, -0.02), 3, (0.02, 0.02), 0.97), 0.45, (1.15, 1.05, 1.0), id="very-loose-hand"),
]


@pytest.mark.parametrize(("truth", "coverage", "gain"), MOVES)
def test_finds_a_known_movement_and_gain(truth: Matrix, coverage: float, gain: tuple[float, float, float]) -> None:
    made = shot(1, truth, gain, coverage, 0.4)
    found = estimate_registration(made.source, made.plate)
    assert found.reliable
    assert found.reason == ""
    assert corner_error(found.homography, truth) <= 0.3
    assert gain_error(found, gain) <= 0.01
    assert found.confidence > 0.3
    assert found.inliers > 30
    assert found.residual < 4
    assert not found.in_place


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2),
    shift=st.tuples(st.floats(-0.01, 0.01), st.floats(-0.01, 0.01)),
    degrees=st.floats(-2, 2),
    perspective=st.tuples(st.floats(-0.015, 0.015), st.floats(-0.015, 0.015)),
    exposure=st.floats(0.9, 1.1),
    coverage=st.sampled_from([0.0, 0.25, 0.5]),
)
def test_finds_any_hand_held_movement(
    seed: int,
    shift: tuple[float, float],
    degrees: float,
    perspective: tuple[float, float],
    exposure: float,
    coverage: float,
) -> None:
    truth = movement(shift, degrees, perspective)
    made = shot(seed, truth, (exposure,) * 3, coverage)
    found = estimate_registration(made.source, made.plate)
    assert found.reliable
    assert corner_error(found.homography, truth) <= 0.3
    assert gain_error(found, (exposure,) * 3) <= 0.01


@pytest.mark.parametrize(("coverage", "noise"), [(0.0, 0.0), (0.0, 0.008), (0.3, 0.004), (0.5, 0.012)])
def test_locked_off_shot_stays_as_it_is(coverage: float, noise: float) -> None:
    made = shot(2, coverage=coverage, noise=noise)
    found = estimate_registration(made.source, made.plate)
    assert found.reliable
    assert found.is_identity
    assert np.array_equal(found.homography, np.eye(3))
    plate = decode(made.plate)
    warped, valid = warp_plate(plate, found)
    assert warped.tobytes() == plate.tobytes()
    assert valid.all()


def test_locked_off_shot_with_another_exposure_is_only_relit() -> None:
    made = shot(2, gain=(1.08, 1.0, 0.95), coverage=0.3)
    found = estimate_registration(made.source, made.plate)
    assert found.in_place
    assert not found.is_identity
    assert gain_error(found, (1.08, 1.0, 0.95)) <= 0.01
    plate = decode(made.plate)
    warped, _ = warp_plate(plate, found)
    assert np.array_equal(warped, plate * np.array(found.gain, np.float32))


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_plate_without_texture_is_left_alone(noise: float) -> None:
    made = shot(3, movement((0.01, 0)))
    rng = np.random.default_rng(0)
    across = np.linspace(0.3, 0.5, SIZE[1], dtype=np.float32)[None, :, None]
    plate = (across + rng.normal(0, noise, (*SIZE, 3))).astype(np.float32)
    found = estimate_registration(made.source, plate)
    assert_left_alone(found)
    assert found.reason == "too little detail in the plate to line it up"


def test_unrelated_plate_is_left_alone() -> None:
    found = estimate_registration(shot(3).source, shot(4).plate)
    assert_left_alone(found)
    assert found.reason == "too few details in common between the source and the plate"
    assert found.confidence < 0.1


def test_plate_from_another_lens_is_left_alone() -> None:
    made = shot(1, movement(scale=0.55))
    found = estimate_registration(made.source, made.plate)
    assert_left_alone(found)
    assert found.reason == "the source and the plate were shot from too different positions"


def test_plate_with_another_exposure_altogether_is_left_alone() -> None:
    made = shot(1, gain=(0.12, 0.12, 0.12), noise=0)
    found = estimate_registration(made.source, made.plate)
    assert_left_alone(found)
    assert found.reason == "the exposure of the source and the plate differ too much"


def test_plate_turned_by_a_quarter_is_left_alone() -> None:
    square = shot(3).plate[:, :540]
    assert_left_alone(estimate_registration(square, np.rot90(square)))


def test_subject_that_covers_everything_is_named() -> None:
    made = shot(3)
    found = estimate_registration(made.source, made.plate, np.ones(SIZE, np.float32))
    assert_left_alone(found)
    assert found.reason == "the subject's mask leaves too little background to line up the plate"


def test_very_small_pictures_are_left_alone() -> None:
    found = estimate_registration(shot(3).source[:20, :30], shot(3).plate[:20, :30])
    assert_left_alone(found)
    assert found.reason == "the picture is too small to line up a plate"


@pytest.mark.parametrize("factor", [2.0, 0.75])
def test_plate_of_another_size_is_brought_to_the_source(factor: float) -> None:
    truth = movement((0.008, -0.003), 1)
    made = shot(5, truth, coverage=0.3)
    size = round(SIZE[0] * factor), round(SIZE[1] * factor)
    interpolation = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    plate = np.clip(cv2.resize(made.plate, (size[1], size[0]), interpolation=interpolation), 0, 1)
    found = estimate_registration(made.source, plate)
    assert found.reliable
    to_plate = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]])
    assert corner_error(found.homography, truth @ np.linalg.inv(to_plate), size) <= 0.3
    warped, valid = warp_plate(decode(plate), found)
    assert warped.shape == made.source.shape
    assert valid.shape == SIZE
    behind = valid & (made.alpha < 0.01)
    assert np.median(np.abs(encode(warped) - made.source)[behind]) < 0.015


def test_plate_of_another_size_in_place_is_only_resized() -> None:
    made = shot(5)
    plate = cv2.resize(made.plate, (480, 270), interpolation=cv2.INTER_AREA)
    found = estimate_registration(made.source, plate)
    assert found.reliable
    assert np.array_equal(found.homography, [[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    _, valid = warp_plate(plate, found)
    assert valid.all()


def test_exclude_keeps_a_stand_in_of_the_subject_from_being_followed() -> None:
    """Scenery that moved as a whole between plate and take fills most of the frame, and the still rest has to win."""
    made = shot(6)
    decoy = shot(7, movement((0.02, 0.01)))
    most = np.zeros(SIZE, np.float32)
    most[:, : int(SIZE[1] * 0.8)] = 1
    source, plate = (
        np.where(most[..., None] > 0, d, m) for d, m in ((decoy.source, made.source), (decoy.plate, made.plate))
    )
    assert not estimate_registration(source, plate).in_place
    found = estimate_registration(source, plate, most)
    assert found.reliable
    assert found.in_place


def test_same_bits_whatever_runs_beside_it() -> None:
    made = shot(1, movement((0.01, 0.004), 1), (1.05, 1, 0.97), 0.4)

    def bits() -> bytes:
        found = estimate_registration(made.source, made.plate)
        warped, valid = warp_plate(decode(made.plate), found)
        rest = found.gain, found.inliers, found.confidence, found.residual
        return found.homography.tobytes() + repr(rest).encode() + warped.tobytes() + valid.tobytes()

    expected = bits()
    cv2.setRNGSeed(99)
    cv2.setNumThreads(4)
    estimate_registration(shot(2).source, shot(2).plate)
    assert bits() == expected
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(lambda _: bits(), range(3))) == {expected}


def odd_pictures() -> list[Picture]:
    rng = np.random.default_rng(0)
    size = 72, 120, 3
    line = np.zeros(size, np.float32)
    line[:, 60] = 1
    dots = (rng.uniform(0, 1, size) > 0.999).astype(np.float32)
    checks = (np.indices(size[:2]).sum(axis=0)[..., None] // 6 % 2 * np.ones(3)).astype(np.float32)
    flat = [np.full(size, value, np.float32) for value in (0, 1, np.nan, np.inf, 1e30)]
    return [
        *flat,
        line,
        dots,
        checks,
        rng.uniform(0, 1, size).astype(np.float32),
        rng.normal(0, 9, size).astype(np.float32),
    ]


@pytest.mark.filterwarnings("error")
def test_odd_pictures_give_an_answer() -> None:
    pictures = odd_pictures()
    for source in pictures:
        for plate in pictures:
            found = estimate_registration(source, plate)
            assert np.isfinite(found.homography).all()
            assert all(0.25 <= gain <= 4 for gain in found.gain)
            assert found.is_identity or found.reliable
            warp_plate(np.nan_to_num(plate), found)


def test_not_a_number_in_the_pictures_does_no_harm() -> None:
    truth = movement((0.01, 0.004))
    made = shot(1, truth)
    source, plate = made.source.copy(), made.plate.copy()
    source[100:110, 100:110] = np.nan
    plate[300, 300] = np.inf
    found = estimate_registration(source, plate)
    assert corner_error(found.homography, truth) <= 0.3


def identity(size: Size = (64, 96)) -> Registration:
    return Registration(np.eye(3), (1.0, 1.0, 1.0), size, size)


def shifted(x: float, y: float = 0.0, gain: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Registration:
    return dataclasses.replace(identity(), homography=np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]), gain=gain)


def test_warp_without_movement_returns_the_same_pixels() -> None:
    plate = np.random.default_rng(0).normal(0.5, 2, (64, 96, 3)).astype(np.float32)
    warped, valid = warp_plate(plate, identity())
    assert warped.tobytes() == plate.tobytes()
    assert valid.all()


def test_warp_follows_the_pixel_centre_convention() -> None:
    plate = np.random.default_rng(0).uniform(0, 4, (64, 96, 3)).astype(np.float32)
    warped, valid = warp_plate(plate, shifted(3, 2))
    np.testing.assert_allclose(warped[2:, 3:], plate[:-2, :-3], atol=1e-5)
    np.testing.assert_allclose(warped[2:, 0], plate[:-2, 0], atol=1e-5)
    expected = np.zeros((64, 96), bool)
    expected[2:, 3:] = True
    assert np.array_equal(valid, expected)


def test_lamps_survive_the_warp_without_dark_rings() -> None:
    plate = np.full((64, 96, 3), 0.2, np.float32)
    plate[20:40, 30:60] = 50.0
    warped, _ = warp_plate(plate, shifted(0.4, 0.3))
    assert warped.max() == pytest.approx(50, rel=1e-6)
    assert warped.min() == pytest.approx(0.2, rel=1e-6)
    np.testing.assert_allclose(warped[25:35, 35:55], 50.0, rtol=1e-6)


def test_warp_is_sharper_than_bilinear() -> None:
    columns = np.arange(96)[None, :, None]
    wave = np.broadcast_to(0.5 + 0.4 * np.sin(columns * 1.2), (64, 96, 3)).astype(np.float32)
    warped, _ = warp_plate(wave, shifted(0.5))
    truth = 0.5 + 0.4 * np.sin((columns - 0.5) * 1.2)
    bilinear = (wave + np.roll(wave, 1, 1)) / 2
    inner = slice(4, -4)
    assert np.abs(warped - truth)[:, inner].mean() < 0.6 * np.abs(bilinear - truth)[:, inner].mean()


def test_gain_reaches_only_the_colours() -> None:
    plate = np.random.default_rng(0).uniform(0, 4, (64, 96, 7)).astype(np.float32)
    warped, _ = warp_plate(plate, shifted(0, 0, (2.0, 1.0, 0.5)))
    np.testing.assert_allclose(warped[..., :3], plate[..., :3] * np.array([2, 1, 0.5], np.float32))
    assert np.array_equal(warped[..., 3:], plate[..., 3:])
    moved, _ = warp_plate(plate, shifted(1))
    assert moved.shape == plate.shape
    single, _ = warp_plate(plate[..., 0], shifted(1))
    assert np.array_equal(single, moved[..., 0])


def test_holes_in_the_plate_are_marked_and_do_not_spread() -> None:
    plate = np.ones((64, 96, 3), np.float32)
    plate[30, 40, 1] = np.nan
    warped, valid = warp_plate(plate, shifted(0.5))
    assert np.isfinite(warped).all()
    assert not valid[30, 40]
    assert not valid[30, 41]
    assert valid[:, 60:].all()


def test_registration_cannot_be_changed() -> None:
    found = estimate_registration(shot(3).source, shot(4).plate)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.reliable = True  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        found.homography[0, 0] = 2


@pytest.mark.parametrize(
    ("source", "plate", "exclude", "sentence"),
    [
        (np.zeros((64, 96)), np.zeros((64, 96, 3)), None, r"The source must be an RGB picture .* shape \(64, 96\)\."),
        (
            np.zeros((64, 96, 3)),
            np.zeros((64, 96, 4)),
            None,
            r"The plate must be an RGB picture .* shape \(64, 96, 4\)\.",
        ),
        (
            np.zeros((64, 96, 3)),
            np.zeros((64, 96, 3), np.uint8),
            None,
            "The plate must hold floating point .* not uint8",
        ),
        (
            np.zeros((64, 96, 3)),
            np.zeros((96, 96, 3)),
            None,
            r"The plate \(96 x 96 pixels\) has another aspect than the source \(96 x 64 pixels\)",
        ),
        (np.zeros((64, 96, 3)), np.zeros((64, 96, 3)), np.zeros((64, 95)), "The mask to ignore must have the source's"),
    ],
)
def test_says_what_is_wrong_with_the_pictures(source: object, plate: object, exclude: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        estimate_registration(source, plate, exclude)


def test_says_what_is_wrong_with_the_plate_to_warp() -> None:
    with pytest.raises(ValueError, match="made for a plate of 96 x 64 pixels, not for one of 95 x 64 pixels"):
        warp_plate(np.zeros((64, 95, 3), np.float32), identity())
    with pytest.raises(ValueError, match="height x width x channels"):
        warp_plate(np.zeros(64, np.float32), identity())


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the shared photographs are not on this machine")
@pytest.mark.parametrize("name", ["lemur/lemur/beach.png", "stills/src/_skimage2/data/coffee.png"])
def test_photographs(name: str) -> None:
    picture = cv2.imread(str(PHOTOGRAPHS / name))[..., ::-1].astype(np.float32) / 255
    height, width = int(SIZE[0] * 2.6), int(SIZE[1] * 2.6)
    factor = max(height / picture.shape[0], width / picture.shape[1])
    wall = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)[:height, :width]
    truth = movement((0.02, -0.01), 2, (0.01, 0.01))
    made = shot(1, truth, (1.06, 1.02, 0.96), 0.4, wall=decode(np.clip(wall, 0, 1)))
    found = estimate_registration(made.source, made.plate)
    assert found.reliable
    assert corner_error(found.homography, truth) <= 0.3
    assert gain_error(found, (1.06, 1.02, 0.96)) <= 0.01
