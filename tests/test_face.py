import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes import catalogue, face
from nodes.errors import ParameterError

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


def test_a_face_with_a_mistake_is_refused_by_name(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text(
        "{id: Odd, command: odd, label: Odd, group: x, version: 1, description: x, inputs: [], passes: [],"
        " parameters: [{name: size, label: Size, type: int, default: 9, maximum: 3, minimum: 0, hint: x.}]}"
    )
    with pytest.raises(ParameterError, match="'size' cannot be 9"):
        face.load(path)


def test_nodes_in_other_folders_are_found(tmp_path, monkeypatch):
    (tmp_path / "studio_key.yaml").write_text(
        "{id: StudioKey, command: studio-key, label: Studio Key, group: x, version: 1, description: x, inputs: [],"
        " parameters: [], passes: [], module: studio_key}"
    )
    (tmp_path / "studio_key.py").write_text("def engine():\n    return 'an engine'\n")
    monkeypatch.setenv("CLEANPLATE_NODE_PATH", str(tmp_path))
    assert catalogue.create_engine(catalogue.find("studio-key")) == "an engine"
