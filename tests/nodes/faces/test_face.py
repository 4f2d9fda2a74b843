import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes import catalogue
from nodes.errors import ParameterError
from plugin.cli.nodes import manual

FACES = catalogue.all_faces()


@pytest.mark.parametrize("node", FACES, ids=lambda f: f.id)
def test_every_face_keeps_the_contract(node):
    names = [p.name for p in node.parameters]
    assert {"weights", "inputSpace", "device", "sourceFile", "output"} <= set(names)
    assert node.parse({}) == {p.name: p.default for p in node.parameters}
    assert node.parameter("output").choices[0] == node.passes[0].name
    assert set(node.parameter("output").choices) <= {p.name for p in node.passes}
    for entry in [*node.parameters, *node.inputs, *node.passes]:
        assert entry.hint.endswith((".", ")")), f"{entry.name} needs a hint that reads as its manual"
    for parameter in node.parameters:
        assert len(parameter.choice_hints) in (0, len(parameter.choices))
        for other, values in parameter.enabled_by.items():
            for value in values:
                node.parameter(other).parse(value)


@pytest.mark.parametrize("node", FACES, ids=lambda f: f.id)
def test_the_manual_tells_what_changed_with_each_version(node):
    if node.version > 1 or node.history:
        assert list(node.history) == list(range(1, node.version + 1))
        assert f"\n\nVersions\n  1: {node.history[1]}\n" in manual(node) + "\n"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"refineMod": "x"}, "did you mean 'refineMode'"),
        ({"refineMode": "edges"}, "'refineMode' cannot be 'edges': it is one of amount, threshold, everywhere"),
        ({"alphaBlack": "much"}, "'alphaBlack' cannot be 'much': it is a number from 0 to 0.99"),
        ({"alphaBlack": -1}, "cannot be -1.0"),
        ({"alphaBlack": float("nan")}, "cannot be nan"),
        ({"alignPlate": "perhaps"}, "it is on or off"),
    ],
)
def test_wrong_settings_end_in_a_sentence(settings, sentence):
    with pytest.raises(ParameterError, match=sentence):
        catalogue.find("background-matte").parse(settings)


@given(st.text(), st.sampled_from([p for f in FACES for p in f.parameters]))
def test_any_text_is_parsed_or_refused(text, parameter):
    try:
        value = parameter.parse(text)
    except ParameterError as error:
        message = str(error)
    else:
        message = parameter.name
        assert parameter.parse(value) == value
    assert parameter.name in message


def test_an_unknown_node_is_named_with_the_nearest_one():
    with pytest.raises(ParameterError, match="did you mean 'video-matte'"):
        catalogue.find("video-mat")


PARAMS = {"classes": "wire", "classLayers": True}
SEGMENT = catalogue.find("segment")


def layers(classes):
    return {p.name: p.layer for p in SEGMENT.passes_for({**PARAMS, "classes": classes}) if p.name.startswith("class ")}


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("traffic light, Wire", {"class traffic_light": "traffic_light", "class wire": "wire"}),
        ("wire,WIRE, wi-re ,w i r e", {"class wire": "wire"}),
        ("c++, c#", {"class c__": "c__", "class c_": "c_"}),
        ("c++, c##", {"class c__": "c__", "class c___2": "c___2"}),
        ("Matte, ids", {"class matte": "matte_2", "class ids": "ids_2"}),
        ("Möbel, Mo\u0308bel, 椅子", {"class möbel": "möbel", "class 椅子": "椅子"}),
    ],
)
def test_layers_are_called_by_class_and_differ(classes, expected):
    assert layers(classes) == expected


@given(st.lists(st.text(st.characters(exclude_characters=",", exclude_categories=["Cs"]), max_size=300), max_size=20))
def test_any_names_of_classes_make_layers_that_a_file_can_hold(names):
    try:
        passes = SEGMENT.passes_for({**PARAMS, "classes": ",".join(names)})
    except ParameterError:
        assert not any(name.strip() for name in names)
        return
    channels = [f"{p.layer}.{c}" for p in passes for c in p.channels]
    assert len({channel.casefold() for channel in channels}) == len(channels)
    assert len({p.name.casefold() for p in passes}) == len(passes)
    assert all(len(channel.encode()) < 255 and channel.isprintable() for channel in channels)
    assert all(len(f"{p.name}.1001.exr".encode()) < 255 for p in passes)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["alpha"], ["alpha"]),
        (["matte", "confidence"], ["alpha", "confidence"]),
        (["class traffic_light"], ["class traffic_light"]),
        (["Traffic Light"], ["class traffic_light"]),
        (["class Traffic Light", "ids"], ["ids", "class traffic_light"]),
    ],
)
def test_passes_are_chosen_by_name_layer_or_class(wanted, found):
    params = {**PARAMS, "classes": "wire, traffic light"}
    assert [entry.name for entry in SEGMENT.choose_passes(params, wanted)] == found


def test_a_pass_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(ParameterError, match="no pass 'alfa': did you mean 'alpha'"):
        SEGMENT.choose_passes(PARAMS, ["alfa"])
    with pytest.raises(ParameterError, match="no pass '': it has premultiplied, alpha"):
        SEGMENT.choose_passes(PARAMS, [""])


@pytest.mark.parametrize("value", ["/shots/\udcff.pth", "caf\udce9"])
def test_bytes_that_are_no_text_are_a_sentence(value):
    """They went on to the worker and came back in the words of the protocol."""
    with pytest.raises(ParameterError, match=r"weights.* cannot be .* holds bytes that are no UTF-8 text"):
        catalogue.find("inpaint").parse({"weights": value})
    assert catalogue.find("inpaint").parse({"weights": "café/重み.pth"})["weights"] == "café/重み.pth"
