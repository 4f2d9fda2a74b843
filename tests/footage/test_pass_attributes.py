"""What the header of a pass says: nothing untrue of its source, and every making in a row."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from footage_files import frame_of, noise, write
from hypothesis import given
from hypothesis import strategies as st

from nodes.footage import exr_attributes
from nodes.footage.colour import primaries
from nodes.footage.colour.spaces import by_name
from nodes.footage.frame import Frame
from nodes.footage.metadata import Attribute, SourceMetadata
from nodes.footage.pass_attributes import HISTORY, MOST_BYTES, MOST_MAKINGS, attributes_of
from nodes.footage.reader import Footage
from nodes.footage.writer import write_frame


def source_of(attributes: dict[str, Attribute]) -> Frame:
    return frame_of(noise(), metadata=SourceMetadata("a.exr", 1, 1, "openexr", attributes))


def made(source: Frame, key: str = "k", **provenance: str) -> dict[str, Attribute]:
    return attributes_of(source, provenance, key)


def texts(attributes: dict[str, Attribute]) -> dict[str, str]:
    return {name: exr_attributes.decode(value) for name, value in attributes.items()}


def test_what_describes_the_making_is_replaced_as_a_whole() -> None:
    reel = source_of({"reel": exr_attributes.encode("A1")})
    first = made(reel, node="BackgroundMatte", resolution="0.5", inputs="{}", seal="5ea1")
    second = made(source_of(first), "k2", node="Inpaint", mode="per frame")
    third = made(source_of(second), "k3", node="Segment")
    assert set(texts(first)) == {"reel", *(f"cleanplate/{n}" for n in ("node", "resolution", "inputs", "seal", "key"))}
    assert texts(second).keys() == {"reel", *(f"cleanplate/{n}" for n in ("node", "mode", "key", "history"))}
    assert texts(third)["cleanplate/node"] == "Segment"
    assert [json.loads(line) for line in texts(third)[HISTORY].splitlines()] == [
        {"node": "BackgroundMatte", "resolution": "0.5"},
        {"node": "Inpaint", "mode": "per frame"},
    ]


@given(st.lists(st.text('abc\n"{é', max_size=20) | st.just("x" * 9000), min_size=1, max_size=40))
def test_the_chain_of_makings_is_bounded_and_counted(names: list[str]) -> None:
    attributes: dict[str, Attribute] = {}
    for name in names:
        attributes = made(source_of(attributes), node=name)
    lines = texts(attributes).get(HISTORY, "").splitlines()
    told = [json.loads(line) for line in lines]
    earlier = told.pop(0)["earlier"] if told and "earlier" in told[0] else 0
    assert earlier + len(told) == len(names) - 1
    assert [making["node"] for making in told] == names[earlier:-1]
    assert len(told) <= MOST_MAKINGS
    assert sum(map(len, lines[1:])) <= MOST_BYTES


def test_a_pass_is_no_aces_container() -> None:
    tags = {
        "acesImageContainerFlag": exr_attributes.encode(1),
        "chromaticities": exr_attributes.encode(primaries.AP0, "chromaticities"),
        "adoptedNeutral": exr_attributes.encode(primaries.AP0[6:]),
    }
    source = dataclasses.replace(source_of(tags), colour=by_name("ACES2065-1"))
    del tags["acesImageContainerFlag"]
    assert attributes_of(source, {}, "") == tags


@pytest.mark.parametrize(
    "named", ["ACEScg", "lin_rec709", "sRGB", "cineon", "rec709", "g24_rec709", "ARRI LogC3 (EI800)", "lin_p3d65"]
)
@pytest.mark.parametrize("tagged", ["lin_ap0_scene", "", "srgb_rec709_scene"])
def test_an_input_space_that_overrules_a_tag_rewrites_it(tmp_path: Path, tagged: str, named: str) -> None:
    """A pass that is read again is in the space it was made in, whatever its source's file had said."""
    tags = {"colorInteropID": tagged, "chromaticities": ("float[8]", primaries.AP0)} if tagged else {}
    path = str(write(tmp_path / "a.exr", noise(), attributes=tags))
    frame = Footage(path, input_space=named).frame(1)
    out = str(tmp_path / "o.exr")
    write_frame(out, [("", tuple("RGB"), frame.pixels)], frame)
    assert Footage(out).frame(1).colour == frame.colour
    untouched = Footage(path).frame(1)
    write_frame(out, [("", tuple("RGB"), frame.pixels)], untouched)
    kept = Footage(out).frame(1).metadata.attributes
    for name in ("colorInteropID", "chromaticities", "oiio:ColorSpace"):
        assert kept.get(name) == untouched.metadata.attributes.get(name)


def test_other_programs_notes_stay() -> None:
    attributes = {"cleanplateLike/note": exr_attributes.encode("x"), "notes": exr_attributes.encode("y")}
    assert made(source_of(attributes)).keys() == {*attributes, "cleanplate/key"}
    assert made(frame_of(np.zeros((2, 2, 3), np.float32)), "").keys() >= {"colorInteropID"}
