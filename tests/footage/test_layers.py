"""Which channels of a file are taken: the rules of `pick_layer`, on names alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.errors import FootageError
from nodes.footage.channel_names import MAIN, MASKS, FilePart
from nodes.footage.layers import Picked, pick_layer
from nodes.footage.picture import Choice

DATA = ["crypto_object00", "CryptoMaterial", "depth", "N", "ViewLayer.Normal", "P", "motionVector", "objectId", "uv"]
COMPONENTS = [tuple("RGBA"), tuple("rgba"), ("red", "green", "blue", "alpha"), tuple("RGB")]


def picked(names: list[str], kind: str = "plate", layer: str = "", view: str = "") -> tuple[list[str], Picked]:
    choice = Choice(layer, view, kind=kind)  # type: ignore[arg-type]
    result = pick_layer([FilePart("", "", tuple(names))], choice, (), "a.exr")
    return [names[source.index] for source in result.sources], result


def layer(name: str, components: tuple[str, ...] = tuple("RGBA")) -> list[str]:
    return [f"{name}.{component}" for component in components]


@given(
    st.sampled_from(MAIN),
    st.sampled_from([str.lower, str.upper, str.capitalize]),
    st.sampled_from(["", "ViewLayer.", "a.b."]),
    st.lists(st.sampled_from(["AO", "albedo", "z_light", "aaa", *DATA]), max_size=4, unique=True),
    st.sampled_from(COMPONENTS),
    st.randoms(use_true_random=False),
)
def test_the_main_layer_is_found_by_its_last_word_wherever_it_stands(word, case, prefix, others, components, random):
    main = layer(prefix + case(word), components)
    layers = [main, *(layer(other, components) for other in others)]
    random.shuffle(layers)
    names, result = picked([name for one in layers for name in one])
    assert names == main
    assert not result.notes
    bare = ["R", "G", "B", "A"]
    assert picked([*(name for one in layers for name in one), *bare])[0] == bare


@given(st.lists(st.sampled_from(DATA), min_size=1, max_size=4, unique=True), st.sampled_from(COMPONENTS))
def test_data_is_never_the_picture(data, components):
    names = [name for one in data for name in layer(one, components)]
    with pytest.raises(FootageError, match=r"a\.exr has no main picture .*: .*" + data[0]):
        picked(names)
    assert picked([*names, *layer("albedo")])[0] == layer("albedo")
    # By name it is.
    assert picked(names, layer=data[0])[0] == layer(data[0], components)


def test_of_several_main_layers_the_composite_or_the_shortest_is_taken_and_said():
    assert picked([*layer("Background.Combined"), *layer("Composite.Combined")])[0] == layer("Composite.Combined")
    assert picked([*layer("ViewLayer.Color"), *layer("ViewLayer.Combined")])[0] == layer("ViewLayer.Combined")
    assert picked([*layer("a.beauty"), *layer("rgba")])[0] == layer("rgba")
    names, result = picked([*layer("A.Combined"), *layer("B.Combined"), *layer("B.Depth", ("Z",))])
    assert names == layer("A.Combined")
    assert result.notes == ("the picture is A.Combined; there is B.Combined and B.Depth.Z as well",)


def test_without_a_main_layer_the_first_with_colour_is_taken_and_said():
    names, result = picked([*layer("depth", ("Z",)), *layer("N"), *layer("albedo"), *layer("AO")])
    assert names == layer("albedo")
    assert result.notes == ("the picture is albedo; there is depth.Z, N and AO as well",)


@pytest.mark.parametrize("beside", ["X", "Z", "U", "V", "x", "z"])
def test_y_is_a_direction_beside_others(beside):
    for names in (["N.Y", f"N.{beside}"], ["Y", beside], ["Object_0.Y", f"Object_0.{beside}", "A"]):
        with pytest.raises(FootageError, match="has no main picture"):
            picked(names)
        assert picked([*names, *layer("original", tuple("RGB"))])[0] == layer("original", tuple("RGB"))


def test_colour_goes_before_luminance():
    assert picked(["Object_0.Y", *layer("original", tuple("RGB"))])[0] == layer("original", tuple("RGB"))
    assert picked(["beauty.Y", *layer("AO", tuple("RGB"))])[0] == layer("AO", tuple("RGB"))
    assert picked(["Y", "A", "fg.Z"])[0] == ["Y", "A"]
    assert picked(["Y", "RY", "BY"])[0] == ["Y", "RY", "BY"]


def test_a_lone_alpha_is_no_picture():
    with pytest.raises(FootageError, match="has no main picture"):
        picked(["Z", "A"])
    assert picked(["Z", "A"], "mask")[0] == ["A"]
    assert picked(["A"])[0] == ["A"]


@given(
    st.sampled_from(MASKS),
    st.sampled_from([str.lower, str.upper, str.capitalize]),
    st.sampled_from([("A",), ("V",), ("red",), tuple("RGB"), tuple("RGBA")]),
    st.booleans(),
)
def test_a_layer_called_like_a_mask_is_the_mask(word, case, components, first):
    mask, picture = layer(case(word), components), ["R", "G", "B", "A"]
    names, result = picked([*mask, *picture] if first else [*picture, *mask], "mask")
    assert names == mask
    assert not result.notes
    # A picture is none of it.
    assert picked([*mask, *picture])[0] == picture


@pytest.mark.parametrize(
    ("names", "expected", "noted"),
    [
        (["R", "G", "B", "A"], ["R", "G", "B", "A"], False),
        (["Y"], ["Y"], False),
        (["V"], ["V"], False),
        (["depth.Z", "mask.A"], ["mask.A"], False),
        (["matte.red", "matte.green"], ["matte.red", "matte.green"], False),
        (["R", "G", "B", "mask"], ["mask"], False),
        (["Image.R", "Image.G", "Image.B", "Image.A", "Matte.V"], ["Matte.V"], False),
        (["left", "right"], ["left"], True),
        (["rig", "depth.Z"], ["rig"], False),
        (["roto.left", "roto.right"], ["roto.left"], True),
        (["mask.A", "matte.A"], ["mask.A"], True),
        ([*layer("AO"), *layer("diffuse")], layer("AO"), True),
    ],
)
def test_masks(names, expected, noted):
    found, result = picked(names, "mask")
    assert found == expected
    assert bool(result.notes) == noted


def test_vectors_are_no_mask():
    with pytest.raises(FootageError, match=r"no channel that could be the mask; name one .*: N\.X, N\.Y, N\.Z"):
        picked(["N.X", "N.Y", "N.Z"], "mask")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("roto", ["roto.A"]),
        ("roto.A", ["roto.A"]),
        ("ROTO.alpha", ["roto.A"]),
        ("A", ["A"]),
        ("alpha", ["A"]),
        ("rgba.alpha", ["A"]),
        ("rgba.red", ["R"]),
        ("rgba", ["R", "G", "B", "A"]),
        ("g", ["G"]),
        ("depth.Z", ["depth.Z"]),
        ("depth", ["depth.Z"]),
    ],
)
def test_layers_and_channels_by_name(asked, expected):
    names = ["R", "G", "B", "A", "roto.A", "depth.Z"]
    assert picked(names, "mask", asked)[0] == expected
    with pytest.raises(FootageError, match=r"has no layer 'rotto'; it has the main picture, roto, depth\.Z"):
        picked(names, "mask", "rotto")


@pytest.mark.parametrize("main", ["rgba", "RGBA", "C", "Ci", "beauty", "ViewLayer.Combined", "", "rgba.main"])
def test_parts(main):
    """A part's name is a layer where its channels have none, in whatever order the parts stand."""
    others = ["AO", "crypto_asset00", "N", "albedo"]
    for place in range(5):
        names = [*others[:place], main, *others[place:]]
        parts = [FilePart(name, "", tuple("RGBA")) for name in names]
        assert {source.part for source in pick_layer(parts, Choice(), (), "a.exr").sources} == {place}
    parts = [FilePart(name, "", tuple("RGB")) for name in others]
    result = pick_layer(parts, Choice(), (), "a.exr")
    assert {source.part for source in result.sources} == {0}
    assert result.notes == ("the picture is AO; there is crypto_asset00, N and albedo as well",)
    assert {source.part for source in pick_layer(parts, Choice("albedo"), (), "a.exr").sources} == {3}


def test_views():
    stereo = [*layer("left.rgba"), *layer("right.rgba")]
    for view in ("right", "Right"):
        assert picked(stereo, view=view)[0] == layer("right.rgba")
    names, result = picked(stereo)
    assert (names, result.view) == (layer("left.rgba"), "left")
    assert result.notes == ("the view left is taken; there is right as well",)
    with pytest.raises(FootageError, match="has no view 'right'; it has none"):
        picked(["R", "G", "B"], view="right")
    # What is no source may have none, or a single one: it is the same for both eyes.
    for part in (FilePart("", "", ("R", "G", "B")), FilePart("rgba.main", "main", ("R", "G", "B"))):
        assert len(pick_layer([part], Choice(view="right", needs_view=False), (), "a.exr").sources) == 3
    with pytest.raises(FootageError, match="has no view 'top'; it has left, right"):
        pick_layer([FilePart("", "", tuple(stereo))], Choice(view="top", needs_view=False), (), "a.exr")


@given(
    st.lists(st.from_regex(r"[A-Za-z]{1,3}(\.[A-Za-z]{1,6}){0,2}", fullmatch=True), min_size=1, max_size=8, unique=True)
)
def test_whatever_a_file_holds_it_is_channels_or_a_sentence(names):
    for kind in ("plate", "mask"):
        try:
            found, _ = picked(names, kind)
        except FootageError:
            continue
        assert found
        assert len(set(found)) == len(found)
        assert kind == "mask" or len(names) == 1 or found[0].rpartition(".")[2].lower() not in ("a", "alpha", "x", "z")


def test_what_has_no_picture_is_not_said_to_have_one():
    with pytest.raises(FootageError, match=r"name one of its layers: A, Z\.$"):
        picked(["Z", "A"])
