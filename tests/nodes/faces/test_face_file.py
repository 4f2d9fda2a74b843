"""Faces from files: whatever stands in one, it is a face or one sentence that names the file and the entry."""

import copy

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodes.errors import FaceError
from nodes.faces import common as face_common
from nodes.faces import file as face_file

HOUSE = face_common.FILE.parent
FACES = sorted(path for path in HOUSE.glob("*.yaml") if path != face_common.FILE)
GOOD = yaml.safe_load(
    """
    {id: Odd, command: odd, label: Odd, group: x, version: 1, description: An odd one.,
     inputs: [{name: Source, label: Source, option: source, hint: The picture.},
              {name: Mask, label: Mask, option: mask, kind: mask, hint: A mask.}],
     parameters: [{name: size, label: Size, type: int, default: 3, minimum: 0, maximum: 9, display: [0, 5], hint: x.},
                  {name: mode, label: Mode, type: choice, default: a, choices: [a, b], choice_hints: [A., B.], hint: x},
                  {name: names, label: Names, type: string, default: "", hint: x.},
                  {name: layers, label: Layers, type: bool, default: false, enabled_by: {mode: [a]}, hint: x.},
                  {name: maskFile, label: Mask file, type: file, default: "", replaces: Mask, hint: x.},
                  {name: output, label: Output, type: choice, default: picture, choices: [picture], hint: x.}],
     passes: [{name: picture, layer: "", channels: [R, G, B], hint: x.},
              {name: class, layer: class, channels: [A], each: names, when: layers, hint: x.}]}
    """
)


def load(folder, document):
    path = folder / "odd.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document, allow_unicode=True), "utf-8")
    return face_file.load(path)


def changed(where, value):
    """The good face with another value at a place such as ("parameters", 0, "type"); None takes the key away."""
    document = copy.deepcopy(GOOD)
    *way, last = where
    inner = document
    for step in way:
        inner = inner[step]
    if value is None:
        inner.pop(last, None) if isinstance(inner, dict) else inner.pop(last)
    else:
        inner[last] = value
    return document


def test_the_good_one_is_a_face(tmp_path):
    face = load(tmp_path, GOOD)
    assert face.module == "odd"
    assert face.file == str(tmp_path / "odd.yaml")
    assert [p.name for p in face.parameters[:3]] == ["size", "mode", "names"]
    assert face.parameter("weights").page == "Model"
    assert [p.name for p in face.variable] == ["class"]


def test_what_stands_in_another_face_is_said_once(tmp_path):
    """Of a face beside it, or of the house; what is said besides goes before."""
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(GOOD), "utf-8")
    document = changed(("parameters", 0), {"of": "other", "name": "size", "default": 7})
    document["inputs"][1] = {"of": "inpaint", "name": "Mask", "label": "Shape"}
    document["passes"][0] = {"of": "other", "name": "picture"}
    document |= {"helpers": ["Inpaint"]}
    face = load(tmp_path, document)
    size, mask = face.parameter("size"), face.input("Mask")
    assert (size.default, size.maximum, size.hint) == (7, 9, "x.")
    assert (mask.label, mask.option, mask.kind, mask.alpha_of) == ("Shape", "mask", "mask", "Source")
    assert face.passes[0].channels == ("R", "G", "B")
    assert face.helpers == ("Inpaint",)


WRONG = [
    (
        ("parameters", 0),
        {"of": "inpaint", "name": "size"},
        r"parameter 'size': there is none of that name in inpaint\.yaml",
    ),
    (("parameters", 0), {"of": "nobody", "name": "size"}, "parameter 'size': 'of' must be a face beside this one"),
    (("passes", 0), {"of": "../inpaint", "name": "clean"}, r"pass 'clean': 'of' must be .*, not \.\./inpaint"),
    (("inputs", 1), {"of": ["inpaint"], "name": "Mask"}, "input 'Mask': 'of' must be .*, not a list of 1"),
    (("helpers",), [], "'helpers' must be a list"),
    (("id",), None, "a face lacks 'id'"),
    (("inputs",), None, "a face lacks 'inputs'"),
    (("passes",), None, "a face lacks 'passes'"),
    (("id",), "studio/odd", "'id' must be a name of letters and digits, such as StudioKey, not studio/odd"),
    (("command",), "Odd Node", "'command' must be a name of small letters"),
    (("label",), True, r"'label' must be a text \(in quotes"),
    (("label",), "two\x1b[31mred", "readable characters"),
    (("version",), "1", "'version' must be a whole number from 1 on, not 1"),
    (("version",), True, "'version' must be a whole number"),
    (("version",), 0, "'version' must be"),
    (("history",), [1], "'history' must be versions, each with what changed: {1: The node.}, not a list of 1"),
    (("history",), {"1": "x"}, "'history' must be versions"),
    (("history",), {1: 2}, "'history' must be a text"),
    (("history",), {1: "x", 2: "y"}, "its 'history' must rise to the version: its last entry must be 1"),
    (("history",), {2: "x", 1: "y"}, "its 'history' must rise to the version"),
    (("modul",), "x", "a face has no key 'modul': did you mean 'module'"),
    (("module",), "../x", "'module' must be the name of a Python file beside it"),
    (("temporal",), "sometimes", "'temporal' must be one of on, off, whole"),
    (("weights",), "any", "'weights' must be one of optional, needed"),
    (("alone",), {"mode": "c"}, "'alone' is wrong: 'mode' cannot be 'c'"),
    (("inputs",), {"name": "Source"}, "'inputs' must be a list"),
    (("inputs",), [], "first input must be called Source"),
    (("inputs", 0), "Source", "input 1 is a list of keys and values, such as label: Gain, not Source"),
    (("inputs", 0, "name"), "Plate", "first input must be called Source"),
    (("inputs", 1, "name"), "Source", "the input 'Source' stands twice"),
    (("inputs", 1, "option"), "source", "the option 'source' stands twice"),
    (("inputs", 1, "option"), "weights", "the option 'weights' stands twice"),
    (("inputs", 1, "option"), "--mask", "input 'Mask': 'option' must be a name of small letters"),
    (("inputs", 1, "kind"), "matte", "input 'Mask': 'kind' must be one of plate, mask, either, not matte"),
    (("inputs", 1, "hint"), None, "input 'Mask' lacks 'hint'"),
    (("parameters",), None, "a face lacks 'parameters'"),
    (("parameters", 0, "type"), "integer", "parameter 'size': 'type' must be one of float, int, bool, choice"),
    (("parameters", 0, "default"), None, "parameter 'size' lacks 'default'"),
    (("parameters", 0, "default"), "3", "parameter 'size': 'default' does not fit the type int: it is 3"),
    (
        ("parameters", 0, "default"),
        12,
        "the default of 'size' cannot be 12: it is a whole number from 0",
    ),
    (("parameters", 0, "minimum"), "none", "parameter 'size': 'minimum' must be a number, not none"),
    (("parameters", 0, "maximum"), 2.0**40, "beyond 2147483647"),
    (("parameters", 0, "minimum"), 10, "cannot be 3"),
    (("parameters", 0, "display"), [5, 0], "range that ends before it begins"),
    (("parameters", 0, "display"), 5, "'display' must be a list of 2 numbers, not 5"),
    (("parameters", 0, "name"), "weights", "parameter 'weights' is one that every node has"),
    (("parameters", 1, "name"), "size", "the parameter 'size' stands twice"),
    (("parameters", 1, "options"), ["--mode"], "'options' must be a list, and each of it a name of small letters"),
    (("parameters", 1, "choices"), None, "the default of 'mode' cannot be 'a'"),
    (("parameters", 1, "choices"), "a", "parameter 'mode': 'choices' must be a list, not a"),
    (("parameters", 1, "choices"), ["a", "a"], "nothing stands twice"),
    (("parameters", 1, "choice_hints"), ["A."], "as many 'choice_hints' as 'choices'"),
    (("parameters", 1, "minimum"), 1, "is no number"),
    (("parameters", 2, "choices"), ["a"], "only then"),
    (("parameters", 3, "default"), 1, "'default' does not fit the type bool"),
    (
        ("parameters", 3, "enabled_by"),
        {"mood": "a"},
        "'enabled_by' is wrong: odd has no parameter 'mood'",
    ),
    (("parameters", 3, "enabled_by"), {"mode": "c"}, "'enabled_by' is wrong: 'mode' cannot be 'c'"),
    (("parameters", 3, "enabled_by"), "mode", "'enabled_by' must be names of parameters, each with its values"),
    (("parameters", 4, "replaces"), "Matte", "'replaces' names an input that is not there: 'Matte'"),
    (("parameters", 5, "choices"), ["picture", "alpha"], "'output' must be a choice among the passes: picture"),
    (("passes",), [], "it has no pass"),
    (("passes", 0, "channels"), [], "pass 'picture': 'channels' must be a list"),
    (("passes", 0, "channels"), ["red"], "each of it one letter, such as R or A"),
    (("passes", 0, "channels"), "RGB", "'channels' must be a list, not RGB"),
    (("passes", 0, "layer"), None, "pass 'picture' lacks 'layer'"),
    (("passes", 0, "layer"), "x" * 201, "'layer' of more than 200 bytes"),
    (("passes", 1, "each"), "mode", "'each' must name a parameter of the type string, not 'mode'"),
    (("passes", 1, "when"), "names", "'when' must name a parameter of the type bool, not 'names'"),
]


@pytest.mark.parametrize(
    ("where", "value", "sentence"), WRONG, ids=[f"{'.'.join(map(str, w))}={str(v)[:20]}" for w, v, _ in WRONG]
)
def test_what_is_wrong_with_a_face_is_one_sentence(tmp_path, where, value, sentence):
    document = changed(where, value)
    with pytest.raises(FaceError, match=sentence) as caught:
        load(tmp_path, document)
    assert str(caught.value).startswith(f"{tmp_path / 'odd.yaml'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a face is a list of keys and values.*not nothing"),
        ("- a\n- b", "not a list of 2"),
        ("id: [", "not YAML in line 1"),
        ("id: a\n  b: c\n", "not YAML in line 2"),
        ("id: a\nid: b\n", "not YAML in line 1: 'id' stands twice"),
        ("id: 2001-99-99\n", "not YAML: month must be"),
        ("[" * 5000, "not YAML"),
        ("a: &a [*a]\n", "has no key 'a'"),
        ("!!python/object/apply:os.system ['true']", "not YAML in line 1: could not determine a constructor"),
    ],
)
def test_a_file_that_is_no_face_at_all(tmp_path, text, sentence):
    with pytest.raises(FaceError, match=sentence):
        load(tmp_path, text)


def test_a_file_that_cannot_be_read(tmp_path):
    path = tmp_path / "odd.yaml"
    with pytest.raises(FaceError, match="cannot be read: No such file"):
        face_file.load(path)
    path.write_bytes(b"id: \xff\xfe")
    with pytest.raises(FaceError, match="not text in UTF-8"):
        face_file.load(path)
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(FaceError, match="larger than 1 MB"):
        face_file.load(path)


def test_yaml_takes_words_for_other_things(tmp_path):
    """A bare `off` is a truth value to YAML, `1` a number; as choices both are words."""
    document = yaml.safe_dump(GOOD).replace("default: a\n", "default: off\n").replace("- a\n  - b\n", "- off\n  - 1\n")
    document = document.replace("enabled_by:\n    mode:\n    - a\n", "enabled_by:\n    mode: off\n")
    face = load(tmp_path, document)
    assert face.parameter("mode").choices == ("off", "1")
    assert face.parameter("mode").default == "off"
    assert face.parameter("layers").enabled_by == {"mode": ("off",)}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = [
    where
    for key in GOOD
    for where in [(key,)]
    + [
        (key, place, inner)
        for place, entry in enumerate(GOOD[key] if isinstance(GOOD[key], list) else [])
        for inner in [*entry, "kind", "optional", "display", "choices", "enabled_by", "selects", "exact", "of_files"]
    ]
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.sampled_from(PLACES), VALUES)
def test_any_value_anywhere_makes_a_face_or_a_sentence(tmp_path, where, value):
    try:
        face = load(tmp_path, changed(where, value))
    except FaceError as error:
        sentence = str(error)
    else:
        sentence = face.description
        assert face.parse({}) == {p.name: p.default for p in face.parameters}
    assert sentence.isprintable()
    assert len(sentence) <= 1000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_makes_a_face_or_a_sentence(tmp_path, data):
    text = data.draw(st.sampled_from([path.read_text("utf-8") for path in FACES]))
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(len(text), begin + 200)))
    between = data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
    try:
        sentence = load(tmp_path, text[:begin] + between + text[end:]).description
    except FaceError as error:
        sentence = str(error)
    assert sentence.isprintable()


@pytest.mark.parametrize("path", FACES, ids=lambda path: path.stem)
def test_no_house_face_is_wrong(path):
    assert face_file.load(path).module == f"nodes.{path.stem}"
