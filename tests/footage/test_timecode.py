"""Timecode some frames later, and the attributes of a frame that stands in for a missing one."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.footage import exr_attributes
from nodes.footage.metadata import Attribute
from nodes.footage.standing_in import standing_in
from nodes.footage.timecode import of_text, shifted, to_text


def timecode(text: str, user: int = 7, flags: int = 0) -> Attribute:
    """`01:02:03:04`, with a semicolon where numbers are dropped."""
    word = int(text.replace(";", ":").replace(":", ""), 16) | flags | (1 << 6 if ";" in text else 0)
    return Attribute("timecode", struct.pack("<2I", word, user))


def at(frame: int, base: int) -> Attribute:
    seconds, frames = divmod(frame, base)
    return timecode(f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}")


@pytest.mark.parametrize(
    ("here", "by", "rate", "there"),
    [
        ("01:02:03:04", 1, 24, "01:02:03:05"),
        ("01:02:03:23", 1, 24, "01:02:04:00"),
        ("01:02:03:23", 1, 25, "01:02:03:24"),
        ("01:59:59:23", 1, 23.976, "02:00:00:00"),
        ("23:59:59:29", 1, 30, "00:00:00:00"),
        ("02:00:00:00", -1, 24, "01:59:59:23"),
        ("01:00:59;29", 1, 29.97, "01:01:00;02"),
        ("01:09:59;29", 1, 29.97, "01:10:00;00"),
        ("01:01:00;02", -1, 29.97, "01:00:59;29"),
        ("23:59:59;29", 1, 29.97, "00:00:00;00"),
        ("01:02:03:04", 1, 60, None),
        ("01:02:03:24", 1, 24, None),
        ("01:02:03:04", 1, None, None),
    ],
)
def test_known_steps(here: str, by: int, rate: float | None, there: str | None) -> None:
    expected = timecode(there) if there else None
    found = shifted(timecode(here), by, rate, [])
    if here == "01:02:03:04" and rate is None:
        expected = timecode("01:02:03:05")  # in every rate
    assert found == expected


@given(st.sampled_from([24, 25, 30]), st.integers(0, 24 * 3600 * 24 - 1), st.integers(-5000, 5000))
def test_steps_add_up_and_other_bits_stay(base: int, frame: int, by: int) -> None:
    moved = shifted(at(frame, base), by, base, [])
    assert moved == at((frame + by) % (24 * 3600 * base), base)
    flagged = Attribute("timecode", struct.pack("<2I", struct.unpack_from("<I", at(frame, base).data)[0] | 1 << 7, 9))
    out = shifted(flagged, by, base, [])
    assert out is not None
    assert moved is not None
    assert struct.unpack("<2I", out.data) == (struct.unpack_from("<I", moved.data)[0] | 1 << 7, 9)


@given(st.integers(0, 2589407), st.integers(-3000, 3000))
def test_dropped_numbers_are_never_made(frame: int, by: int) -> None:
    start = shifted(timecode("00:00:00;00"), frame, 29.97, [])
    assert start is not None
    moved = shifted(start, by, 29.97, [])
    assert moved is not None
    (word,) = struct.unpack_from("<I", moved.data)
    assert not (word & 0x3F in (0, 1) and word >> 8 & 0x7F == 0 and word >> 16 & 0xF)
    assert shifted(moved, -by, 29.97, []) == start


@given(st.sampled_from([24, 25, 30]), st.integers(0, 10**6), st.integers(1, 40))
def test_neighbours_tell_the_rate(base: int, frame: int, by: int) -> None:
    """Two frames some seconds apart tell what timecode counts in."""
    assert shifted(at(frame, base), by, None, [(200, at(frame + 200, base))]) == at(frame + by, base)


def test_what_is_no_timecode() -> None:
    for odd in (Attribute("timecode", b"abc"), Attribute("string", b"01:02:03:04"), timecode("01:02:03:04", 0, 0xF)):
        assert shifted(odd, 1, 24, []) is None


def test_what_names_the_frame_says_the_frame_that_is_shown() -> None:
    values: dict[str, Any] = {
        "nuke/input/frame": 2, "frameNumber": 2.0, "input/frame": "0002", "dpx:FramePosition": 2, "other/frame": 17,
        "framesHeld": 2, "shutter": 2, "timeCode": timecode("01:00:00:02"), "nuke/input/timecode": "01:00:00:02",
    }  # fmt: skip
    attributes = {k: v if isinstance(v, Attribute) else exr_attributes.encode(v) for k, v in values.items()}
    out, said = standing_in(attributes, 2, 3, list)
    decoded = {name: exr_attributes.decode(value) for name, value in out.items() if name != "timeCode"}
    assert decoded == {
        "nuke/input/frame": 3, "frameNumber": 3.0, "input/frame": "0003", "dpx:FramePosition": 3, "other/frame": 17,
        "framesHeld": 2, "shutter": 2, "nuke/input/timecode": "01:00:00:03",
    }  # fmt: skip
    assert out["timeCode"] == timecode("01:00:00:03")
    assert not said


def test_timecode_that_cannot_be_known_is_left_out_and_said() -> None:
    out, said = standing_in({"timeCode": timecode("01:00:00:23")}, 2, 3, list)
    assert "timeCode" not in out
    assert said == "frame 3 has no timecode: the rate that frame 2 counts in is unknown"


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("framesPerSecond", exr_attributes.encode((24, 1), "rational")),
        ("nuke/input/frame_rate", exr_attributes.encode(24.0)),
        ("dpx:FrameRate", exr_attributes.encode(23.976)),
        ("frameRate", exr_attributes.encode("24")),
    ],
)
def test_rates_by_the_names_they_are_given(name: str, rate: Attribute) -> None:
    text = exr_attributes.encode("01:00:00:23")
    out, said = standing_in({"timeCode": timecode("01:00:00:23"), "input/timecode": text, name: rate}, 2, 3, list)
    assert (out["timeCode"], said) == (timecode("01:00:01:00"), "")
    assert exr_attributes.decode(out["input/timecode"]) == "01:00:01:00"


@given(st.integers(0, 24 * 3600 * 30 - 1))
def test_timecode_as_text(frame: int) -> None:
    one = at(frame, 30)
    assert of_text(to_text(one)) == Attribute("timecode", one.data[:4] + b"\0\0\0\0")
    assert to_text(timecode("01:02:03;04")) == "01:02:03;04"
    assert of_text("take 3") is None
