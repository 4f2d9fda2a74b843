"""What classes are called: the lists that come along, a user's own, and the sentences where names do not fit."""

import pytest

from models.weights import WeightsError, classes, registry


def test_the_lists_have_the_data_sets_sizes():
    sizes = {name: len(entry.names) for name, entry in classes.known().items()}
    published = {"cityscapes": 19, "lip": 20, "ade20k": 150, "pascal_context": 59, "cocostuff": 171}
    assert sizes == {"rigs": 4, "rigs_and_lookalikes": 11} | published


@pytest.mark.parametrize("name", ["cityscapes", "cityscapes_trainval", "lip", "ade20k", "pascal_context", "cocostuff"])
def test_every_published_segmentation_has_its_list(name):
    entry = registry.entry(f"hrnet_ocr_{name}")
    known = classes.known()[name.removesuffix("_trainval")]
    count = entry.options.get("classes", len(known.names))
    assert classes.of_weights(entry.id, "", count) is known


def test_the_lists_of_rigs_are_those_of_the_training():
    from models.training.data.rigs import CLASSES, KINDS

    assert classes.known()["rigs"].names == CLASSES
    bundled = classes.of_weights("segment_rigs", "", len(KINDS))
    assert bundled.names == KINDS
    assert [bundled.names[i] for i in bundled.choose("")] == list(CLASSES[1:])


def test_names_are_found_however_they_are_written():
    city = classes.known()["cityscapes"]
    assert city.choose("Traffic-Light, person,traffic_light ") == [6, 11]


def test_nothing_named_means_everything_but_the_background():
    assert classes.known()["rigs"].choose(" ") == [1, 2, 3]
    with pytest.raises(WeightsError, match="say which classes are wanted: Cityscapes has road, sidewalk"):
        classes.known()["cityscapes"].choose("")


def test_an_unknown_name_is_answered_with_the_nearest_and_all():
    with pytest.raises(WeightsError, match=r"Rigs has no class 'wires': did you mean 'wire'\? it has other, marker, w"):
        classes.known()["rigs"].choose("wires")


def test_left_and_right_change_places_in_the_mirror():
    lip = classes.known()["lip"]
    order = lip.flipped()
    assert order[lip.index("left-arm")] == lip.index("right-arm")
    assert [order[i] for i in order] == list(range(20))


def test_a_users_own_list_lies_beside_the_weights(tmp_path):
    weights = tmp_path / "mine.safetensors"
    (tmp_path / "mine.classes.txt").write_text("sky # the upper half\n\nground\n")
    assert classes.of_weights("mine", str(weights), 2).names == ("sky", "ground")
    own = tmp_path / "list.yaml"
    own.write_text("title: Mine\nclasses: [bg, left, right]\nbackground: [bg]\nmirrored: [[left, right]]\n")
    found = classes.of_weights("mine", "", 3, str(own))
    assert (found.title, found.choose(""), found.flipped()) == ("Mine", [1, 2], [0, 2, 1])


def test_a_number_of_classes_may_tell_the_list():
    assert classes.of_weights("whatever", "", 150).id == "ade20k"


@pytest.mark.parametrize(
    ("count", "wanted", "sentence"),
    [
        (7, "", r"nothing says what the 7 classes of the weights 'mine' are called: write them.*mine\.classes\.txt"),
        (19, "lip", "class list LIP has 20 names, but the weights 'mine' tell 19 classes apart"),
        (19, "city", "no class list 'city': there are rigs, rigs_and_lookalikes, cityscapes"),
        (19, "nowhere.txt", "nowhere.txt cannot be read"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, count, wanted, sentence):
    with pytest.raises(WeightsError, match=sentence):
        classes.of_weights("mine", str(tmp_path / "mine.safetensors"), count, wanted)


@pytest.mark.parametrize("text", ["", "a\nA\n", "# only a remark"])
def test_a_list_without_names_or_with_one_twice_is_refused(tmp_path, text):
    (tmp_path / "own.txt").write_text(text)
    with pytest.raises(WeightsError, match="names no classes, or one of them twice"):
        classes.read(tmp_path / "own.txt")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("shortest: {c: 5}", "how many pixels long its classes are, such as wire: 64"),
        ("shortest: {b: long}", "how many pixels long"),
        ("shortest: 5", "how many pixels long"),
        ("shortest: {b: 5}\nbackground: []", "no background for what is shorter"),
    ],
)
def test_lengths_belong_to_classes_beside_a_background(tmp_path, text, sentence):
    background = "" if "background" in text else "\nbackground: [a]"
    (tmp_path / "own.yaml").write_text(f"classes: [a, b]\n{text}{background}\n")
    with pytest.raises(WeightsError, match=sentence):
        classes.read(tmp_path / "own.yaml")


def test_wires_have_a_shortest_length():
    rigs = classes.of_weights("segment_rigs", "", 11)
    assert dict(zip(rigs.names, rigs.shortest, strict=True))["wire"] > 0
    assert sum(length > 0 for length in rigs.shortest) == 1
    assert classes.known()["rigs"].shortest == ()


def test_a_mirrored_pair_must_exist(tmp_path):
    (tmp_path / "own.yaml").write_text("classes: [a, b]\nmirrored: [[a, c]]\n")
    with pytest.raises(WeightsError, match="mirrored pair that is no class"):
        classes.read(tmp_path / "own.yaml")
